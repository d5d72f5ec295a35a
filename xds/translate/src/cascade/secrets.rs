//! Secrets by the name under which they are asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tandem_model::config_source::{ConfigSource, ResourceKey};
use tandem_model::tls::{CommonTls, SdsSecret, Secret, SecretRef, SecretSource, ValidationRef};
use tandem_model::{Cluster, Listener};
use tandem_xds_client::Resource;

use super::{Action, Cascade, Kind, Received, Refused, bytes};
use crate::error::{Error, Errors, Trail};
use crate::resource;

/// All secrets that clusters and listeners need.
#[derive(Debug, Default)]
pub(super) struct AllSecrets(HashMap<ResourceKey, Entry>);

#[derive(Debug, Default)]
struct Entry {
    users: Vec<User>,
    /// How the users name the source.
    sources: Vec<SecretSource>,
    /// What came, for those who name the source in another way later.
    latest: Option<Arc<Secret>>,
    /// Until when it is waited for.
    deadline: Option<Instant>,
    given_up: bool,
    received: Option<Received>,
    refused: Option<Refused>,
}

impl Entry {
    /// Nobody waits for it any longer.
    fn give_up(&mut self) {
        self.given_up = true;
        self.deadline = None;
    }
}

/// Who needs a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum User {
    Cluster(Arc<str>),
    Listener(Arc<str>),
}

/// A secret that a control plane delivers.
pub(super) type Wanted = (ResourceKey, ConfigSource);

/// The secrets a cluster needs.
pub(super) fn of_cluster(cluster: &Cluster) -> Vec<Wanted> {
    cluster.tls().flat_map(of).collect()
}

/// The secrets a listener needs.
pub(super) fn of_listener(listener: &Listener) -> Vec<Wanted> {
    let contexts = listener
        .chains()
        .filter_map(|chain| chain.transport_socket.as_ref());
    contexts.flat_map(|context| of(&context.common)).collect()
}

fn of(context: &CommonTls) -> impl Iterator<Item = Wanted> {
    let certificates = context
        .certificates
        .iter()
        .filter_map(|wanted| match wanted {
            SecretRef::Sds(secret) => Some(secret),
            SecretRef::Inline(_) => None,
        });
    let rules = match &context.validation {
        Some(ValidationRef::Sds(secret) | ValidationRef::Combined { secret, .. }) => Some(secret),
        Some(ValidationRef::Inline(_)) | None => None,
    };
    certificates.chain(rules).filter_map(wanted)
}

fn wanted(secret: &SdsSecret) -> Option<Wanted> {
    let SecretSource::Dynamic(source) = &secret.source else {
        return None;
    };
    let key = ResourceKey {
        origin: source.origin.clone(),
        name: Arc::clone(&secret.name),
    };
    Some((key, source.clone()))
}

impl AllSecrets {
    /// Whether nobody has to wait for any of these.
    pub(super) fn are_there(&self, wanted: &[Wanted]) -> bool {
        let there = |key| {
            self.0
                .get(key)
                .is_some_and(|entry| entry.latest.is_some() || entry.given_up)
        };
        wanted.iter().all(|(key, _)| there(key))
    }

    /// What came, and what of it was refused last.
    pub(super) fn dump(
        &self,
    ) -> impl Iterator<Item = (&ResourceKey, Option<&Received>, Option<&Refused>)> {
        self.0
            .iter()
            .map(|(key, entry)| (key, entry.received.as_ref(), entry.refused.as_ref()))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let waiting = self
            .0
            .values()
            .filter(|entry| entry.latest.is_none() && !entry.given_up);
        waiting.filter_map(|entry| entry.deadline).min()
    }

    /// Gives up what is late; what that is.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<ResourceKey> {
        let mut late = Vec::new();
        for (key, entry) in &mut self.0 {
            if entry.latest.is_none() && entry.deadline.is_some_and(|deadline| deadline <= now) {
                entry.give_up();
                late.push(key.clone());
            }
        }
        late
    }

    pub(super) fn is_asked_for(&self, key: &ResourceKey) -> bool {
        self.0.contains_key(key)
    }

    /// Those that somebody waits for.
    pub(super) fn waited_for(&self) -> Vec<ResourceKey> {
        let entries = self.0.iter();
        let waited_for = entries.filter(|(_, entry)| entry.latest.is_none() && !entry.given_up);
        waited_for.map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn users(&self, key: &ResourceKey) -> &[User] {
        self.0.get(key).map_or(&[][..], |entry| &entry.users)
    }

    pub(super) fn is_missing(&mut self, key: &ResourceKey) {
        if let Some(entry) = self.0.get_mut(key) {
            entry.give_up();
        }
    }
}

impl Cascade {
    /// Whether whoever needs a secret takes the place of something that is served.
    pub(super) fn is_for_successors(&self, key: &ResourceKey) -> bool {
        self.secrets.users(key).iter().any(|user| match user {
            User::Cluster(name) => self.clusters.is_active(name),
            User::Listener(name) => self.listeners.served().any(|one| one.name == *name),
        })
    }

    /// Asks for what `user` needs now, and lets go of what it needed only before.
    pub(super) fn watch_secrets(&mut self, user: &User, needs: &[Wanted], now: Instant) {
        for (key, source) in needs {
            let mut is_new = false;
            let entry = self.secrets.0.entry(key.clone()).or_insert_with(|| {
                is_new = true;
                Entry {
                    deadline: source.initial_fetch_timeout.map(|timeout| now + timeout),
                    ..Entry::default()
                }
            });
            if !entry.users.contains(user) {
                entry.users.push(user.clone());
            }
            let source = SecretSource::Dynamic(source.clone());
            if !entry.sources.contains(&source) {
                // Who names the source in another way has not got it yet.
                let latest = entry.latest.as_ref();
                let used = latest.map_or(Ok(()), |secret| self.judge.secret(&source, secret));
                if let Err(reason) = used {
                    tracing::warn!(name = %key.name, %reason, "a secret cannot be used");
                }
                entry.sources.push(source);
            }
            if is_new {
                let action = Action::Subscribe(Kind::Secret, key.clone());
                self.actions.push(action);
            }
        }
        let mut gone = Vec::new();
        for (key, entry) in &mut self.secrets.0 {
            if needs.iter().all(|(needed, _)| needed != key) {
                entry.users.retain(|other| other != user);
                if entry.users.is_empty() {
                    gone.push(key.clone());
                }
            }
        }
        for key in gone {
            self.secrets.0.remove(&key);
            self.actions.push(Action::Unsubscribe(Kind::Secret, key));
        }
    }

    pub(super) fn update_secret(
        &mut self,
        key: &ResourceKey,
        resource: &Resource,
    ) -> Result<(), Errors> {
        let Some(entry) = self.secrets.0.get_mut(key) else {
            // Asked for by nobody any more.
            return Ok(());
        };
        let judge = &self.judge;
        let used = bytes(resource)
            .and_then(resource::secret)
            .and_then(|secret| {
                for source in &entry.sources {
                    let used = judge.secret(source, &secret);
                    used.map_err(|reason| Error::new(&Trail::ROOT, reason))?;
                }
                Ok(secret)
            });
        let secret =
            used.inspect_err(|errors| entry.refused = Some(Refused::new(resource, errors)))?;
        entry.refused = None;
        entry.received = Some(Received::from(resource));
        entry.latest = Some(secret);
        entry.deadline = None;
        Ok(())
    }
}
