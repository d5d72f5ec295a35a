//! What was heard of routes, secrets and filters' settings, each by itself, under Envoy's names. There are few of
//! them; endpoints, of which there are thousands, are counted by the clusters that have them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use tandem_core::stats::{Counter, Registry, Scope};
use tandem_model::config_source::ResourceKey;
use tandem_xds_translate::cascade::Heard;
use tandem_xds_translate::resource::Kind;

use super::stats;
use super::version::Version;

/// The counters of what is asked for.
#[derive(Debug)]
pub(super) struct Resources {
    registry: Registry,
    routes: HashMap<ResourceKey, Counts>,
    secrets: HashMap<ResourceKey, Counts>,
    extensions: HashMap<ResourceKey, Counts>,
}

/// The counters of one resource.
#[derive(Debug)]
struct Counts {
    attempt: Counter,
    success: Counter,
    rejected: Counter,
    empty: Counter,
    init_fetch_timeout: Counter,
    accepted: Arc<Version>,
    /// Not of secrets.
    reload: Option<Counter>,
}

impl Resources {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            routes: HashMap::new(),
            secrets: HashMap::new(),
            extensions: HashMap::new(),
        }
    }

    /// Somebody needs it; `prefix` is of a connection manager that routes by it.
    pub(super) fn asked(&mut self, kind: Kind, key: &ResourceKey, prefix: Option<&str>) {
        let registry = &self.registry;
        let (all, scope, word, reloads) = match (kind, prefix) {
            (Kind::Routes, Some(prefix)) => (&mut self.routes, registry.http(prefix), "rds", true),
            (Kind::Secret, _) => (&mut self.secrets, registry.plain("sds"), "", false),
            (Kind::Extension, _) => {
                let scope = registry.plain("extension_config_discovery.http_filter");
                (&mut self.extensions, scope, "", true)
            }
            _ => return,
        };
        let new = || Counts::new(registry, &scope, word, &key.name, reloads);
        // A secret may be asked for again while it is there.
        all.entry(key.clone()).or_insert_with(new).attempt.inc();
    }

    /// Nobody needs it any more.
    pub(super) fn left(&mut self, kind: Kind, key: &ResourceKey) {
        match kind {
            Kind::Routes => drop(self.routes.remove(key)),
            Kind::Secret => drop(self.secrets.remove(key)),
            Kind::Extension => drop(self.extensions.remove(key)),
            _ => {}
        }
    }

    /// Routes or settings are served as they are now.
    pub(super) fn reloaded(&self, kind: Kind, key: &ResourceKey) {
        let counts = self.of(kind).and_then(|all| all.get(key));
        if let Some(reload) = counts.and_then(|counts| counts.reload.as_ref()) {
            reload.inc();
        }
    }

    /// Counts what became of it; what never came is also said.
    pub(super) fn heard(&self, kind: Kind, key: &ResourceKey, heard: &Heard) {
        if *heard == Heard::Late {
            tracing::warn!(
                kind = kind.type_name(),
                name = %key.name,
                "it did not come in initial_fetch_timeout, going on without"
            );
            stats::init_fetch_timeout(kind, &self.registry).inc();
        }
        if let Some(counts) = self.of(kind).and_then(|all| all.get(key)) {
            counts.heard(heard);
        }
    }

    fn of(&self, kind: Kind) -> Option<&HashMap<ResourceKey, Counts>> {
        match kind {
            Kind::Routes => Some(&self.routes),
            Kind::Secret => Some(&self.secrets),
            Kind::Extension => Some(&self.extensions),
            _ => None,
        }
    }
}

impl Counts {
    fn new(registry: &Registry, scope: &Scope, word: &str, name: &str, reloads: bool) -> Self {
        let (dots, label) = match word {
            "" => (format!("{name}."), None),
            word => (
                format!("{word}.{name}."),
                Some(("envoy_rds_route_config", name)),
            ),
        };
        let family = match word {
            "" => dots.clone(),
            word => format!("{word}."),
        };
        let counter = |count: &str| {
            scope.counter_tagged(
                &format!("{dots}{count}"),
                &format!("{family}{count}"),
                label,
            )
        };
        Self {
            attempt: counter("update_attempt"),
            success: counter("update_success"),
            rejected: counter("update_rejected"),
            empty: counter("update_empty"),
            init_fetch_timeout: counter("init_fetch_timeout"),
            accepted: Version::shown(registry, scope, [&dots, &family], label),
            reload: reloads.then(|| counter("config_reload")),
        }
    }

    fn heard(&self, heard: &Heard) {
        self.attempt.inc();
        match heard {
            Heard::Accepted(version) | Heard::Unchanged(version) => {
                self.success.inc();
                self.accepted.set(version, SystemTime::now());
            }
            Heard::Missing => {
                self.success.inc();
                self.empty.inc();
            }
            Heard::Refused => self.rejected.inc(),
            Heard::Late => self.init_fetch_timeout.inc(),
        }
    }
}
