//! Runtime layers (`config.bootstrap.v3.LayeredRuntime`): values by which an operator changes a
//! running process, without touching its configuration.
//!
//! Later layers override earlier ones. What configuration says of a runtime key is the default
//! of a [`RuntimeKey`], which always knows what the layers say of it now.

mod key;
#[cfg(test)]
mod tests;
mod value;

pub use key::{RuntimeFlag, RuntimeFraction, RuntimeKey, publish};
pub use value::Value;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config_source::{ResourceKey, Subscribed};

/// Values by their full names, such as `fault.http.abort.abort_percent`.
pub type Values = BTreeMap<Arc<str>, Value>;

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its name; no two layers have the same.
    pub name: Arc<str>,
    /// Where its values come from.
    pub source: Source,
    /// Its values as they are now.
    pub values: Values,
}

/// Where a layer's values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// They are in the bootstrap.
    Static,
    /// `/runtime_modify` of the admin interface.
    Admin,
    /// A control plane (RTDS).
    Discovered(Subscribed),
}

/// Some layers, the strongest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers(pub Vec<Layer>);

impl Layers {
    /// What holds: of each value the one in the strongest layer that has it.
    pub fn merged(&self) -> Values {
        let mut merged = Values::new();
        for layer in &self.0 {
            let values = layer.values.iter();
            merged.extend(values.map(|(name, value)| (Arc::clone(name), value.clone())));
        }
        merged
    }

    /// The layer that `/runtime_modify` writes to.
    pub fn admin(&mut self) -> Option<&mut Layer> {
        let mut layers = self.0.iter_mut();
        layers.find(|layer| layer.source == Source::Admin)
    }

    /// The layers that a control plane fills with this resource.
    pub fn discovered(&mut self, key: &ResourceKey) -> impl Iterator<Item = &mut Layer> {
        let layers = self.0.iter_mut();
        layers.filter(
            move |layer| matches!(&layer.source, Source::Discovered(from) if from.key == *key),
        )
    }
}
