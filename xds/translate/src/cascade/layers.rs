//! Runtime layers that come from control planes.
//!
//! They come first: what else is configured may ask for their values as soon as it is there.

use std::collections::HashMap;
use std::time::Instant;

use tandem_model::config_source::{Origin, ResourceKey};
use tandem_model::runtime::{Layers, Source, Values};
use tandem_xds_client::Resource;

use super::{Action, Cascade, Kind};
use crate::error::Errors;
use crate::resource;

/// Whether the first answer for a layer is still waited for, and until when.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Over,
    Until(Option<Instant>),
}

/// All layers that were asked for.
#[derive(Debug, Default)]
pub(super) struct AllLayers(HashMap<ResourceKey, Wait>);

impl AllLayers {
    /// Whether one is still waited for.
    pub(super) fn warm(&self) -> bool {
        self.0.values().any(|wait| matches!(wait, Wait::Until(_)))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = self.0.values().filter_map(|wait| match wait {
            Wait::Until(deadline) => *deadline,
            Wait::Over => None,
        });
        deadlines.min()
    }

    /// Gives up what is late; what that is.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<ResourceKey> {
        let mut late = Vec::new();
        for (key, wait) in &mut self.0 {
            if matches!(wait, Wait::Until(Some(deadline)) if *deadline <= now) {
                *wait = Wait::Over;
                late.push(key.clone());
            }
        }
        late
    }

    /// Those that somebody waits for.
    pub(super) fn waited_for(&self) -> Vec<ResourceKey> {
        let waits = self.0.iter();
        let waited_for = waits.filter(|(_, wait)| matches!(wait, Wait::Until(_)));
        waited_for.map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn is_missing(&mut self, key: &ResourceKey) {
        if let Some(wait) = self.0.get_mut(key) {
            *wait = Wait::Over;
        }
    }
}

impl Cascade {
    /// Asks for the layers of the bootstrap.
    pub(super) fn watch_layers(&mut self, layers: &Layers, now: Instant) {
        for layer in &layers.0 {
            let Source::Discovered(from) = &layer.source else {
                continue;
            };
            let deadline = from.initial_fetch_timeout.map(|timeout| now + timeout);
            let key = from.key.clone();
            if (self.layers.0)
                .insert(key.clone(), Wait::Until(deadline))
                .is_none()
            {
                self.actions.push(Action::Subscribe(Kind::Runtime, key));
            }
        }
    }

    pub(super) fn update_layer(
        &mut self,
        key: &ResourceKey,
        resource: &Resource,
    ) -> Result<(), Errors> {
        let Some(wait) = self.layers.0.get_mut(key) else {
            return Ok(());
        };
        // A refusal ends the wait too: what is in the bootstrap has to do then.
        *wait = Wait::Over;
        let values = resource::runtime(super::bytes(resource)?)?;
        self.actions.push(Action::SetLayer(key.clone(), values));
        Ok(())
    }

    /// Layers of a source, without values from now on.
    pub(super) fn empty_layers(&mut self, origin: &Origin, names: &[String]) {
        let gone = self.layers.0.iter_mut().filter(|(key, _)| {
            names.iter().any(|name| **name == *key.name) && key.origin == *origin
        });
        for (key, wait) in gone {
            *wait = Wait::Over;
            (self.actions).push(Action::SetLayer(key.clone(), Values::new()));
        }
    }
}
