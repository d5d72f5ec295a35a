//! What was heard of each resource, for those who count it.

use std::collections::HashSet;
use std::sync::Arc;

use tandem_model::config_source::{Origin, ResourceKey};
use tandem_xds_client::Update;

use super::{Action, Cascade, Heard, Kind, absent, key};
use crate::error::Errors;

impl Cascade {
    /// Tells what became of each part of an update. Of endpoints that are used it is told where
    /// they are set.
    pub(super) fn tell_heard(
        &mut self,
        kind: Kind,
        origin: &Origin,
        update: &Update,
        faults: &[(String, Errors)],
    ) {
        match kind {
            Kind::Routes | Kind::Secret | Kind::Extension => {
                let version: Arc<str> = update.version.as_str().into();
                let refused: HashSet<&str> = faults.iter().map(|(name, _)| &**name).collect();
                for resource in &update.added {
                    let heard = match refused.contains(&*resource.name) {
                        true => Heard::Refused,
                        false => Heard::Accepted(Arc::clone(&version)),
                    };
                    self.tell(kind, key(origin, &resource.name), heard);
                }
                for name in &update.missing {
                    self.tell(kind, key(origin, name), Heard::Missing);
                }
            }
            Kind::Endpoints => {
                for (name, _) in faults {
                    self.tell_endpoints_heard(&key(origin, name), &Heard::Refused);
                }
                for name in absent(kind, update) {
                    self.tell_endpoints_heard(&key(origin, name), &Heard::Missing);
                }
            }
            _ => {}
        }
    }

    fn tell(&mut self, kind: Kind, key: ResourceKey, heard: Heard) {
        let is_asked_for = match kind {
            Kind::Routes => self.routes.is_asked_for(&key),
            Kind::Extension => self.extensions.is_asked_for(&key),
            _ => self.secrets.is_asked_for(&key),
        };
        if is_asked_for {
            self.actions.push(Action::Heard(kind, key, heard));
        }
    }

    pub(super) fn tell_endpoints_heard(&mut self, key: &ResourceKey, heard: &Heard) {
        let told = |user: &Arc<str>| Action::EndpointsHeard(Arc::clone(user), heard.clone());
        self.actions
            .extend(self.endpoints.users(key).iter().map(told));
    }
}
