//! What was heard of routes and secrets, each by itself, under Envoy's names. There are few of
//! them; endpoints, of which there are thousands, are counted by the clusters that have them.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use tandem_core::stats::{Counter, Gauge, Registry, Scope};
use tandem_model::config_source::ResourceKey;
use tandem_xds_translate::cascade::Heard;
use tandem_xds_translate::resource::Kind;

use super::stats;

/// The counters of what is asked for.
#[derive(Debug)]
pub(super) struct Resources {
    registry: Registry,
    routes: HashMap<ResourceKey, Counts>,
    secrets: HashMap<ResourceKey, Counts>,
}

/// The counters of one resource.
#[derive(Debug)]
struct Counts {
    attempt: Counter,
    success: Counter,
    rejected: Counter,
    empty: Counter,
    init_fetch_timeout: Counter,
    /// Milliseconds since 1970.
    update_time: Gauge,
    /// Of routes alone.
    reload: Option<Counter>,
}

impl Resources {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            routes: HashMap::new(),
            secrets: HashMap::new(),
        }
    }

    /// Somebody needs it; `prefix` is of a connection manager that routes by it.
    pub(super) fn asked(&mut self, kind: Kind, key: &ResourceKey, prefix: Option<&str>) {
        let (all, scope, word, is_routes) = match (kind, prefix) {
            (Kind::Routes, Some(prefix)) => {
                (&mut self.routes, self.registry.http(prefix), "rds", true)
            }
            (Kind::Secret, _) => (&mut self.secrets, self.registry.plain("sds"), "", false),
            _ => return,
        };
        let new = || Counts::new(&scope, word, &key.name, is_routes);
        // A secret may be asked for again while it is there.
        all.entry(key.clone()).or_insert_with(new).attempt.inc();
    }

    /// Nobody needs it any more.
    pub(super) fn left(&mut self, kind: Kind, key: &ResourceKey) {
        match kind {
            Kind::Routes => drop(self.routes.remove(key)),
            Kind::Secret => drop(self.secrets.remove(key)),
            _ => {}
        }
    }

    /// Routes are served as they are now.
    pub(super) fn reloaded(&self, key: &ResourceKey) {
        let counts = self.routes.get(key);
        if let Some(reload) = counts.and_then(|counts| counts.reload.as_ref()) {
            reload.inc();
        }
    }

    /// Counts what became of it; what never came is also said.
    pub(super) fn heard(&self, kind: Kind, key: &ResourceKey, heard: Heard) {
        if heard == Heard::Late {
            tracing::warn!(
                kind = kind.type_name(),
                name = %key.name,
                "it did not come in initial_fetch_timeout, going on without"
            );
            stats::init_fetch_timeout(kind, &self.registry).inc();
        }
        let counts = match kind {
            Kind::Routes => self.routes.get(key),
            Kind::Secret => self.secrets.get(key),
            _ => None,
        };
        if let Some(counts) = counts {
            counts.heard(heard);
        }
    }
}

impl Counts {
    fn new(scope: &Scope, word: &str, name: &str, is_routes: bool) -> Self {
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
            update_time: scope.gauge_tagged(
                &format!("{dots}update_time"),
                &format!("{family}update_time"),
                label,
            ),
            reload: is_routes.then(|| counter("config_reload")),
        }
    }

    fn heard(&self, heard: Heard) {
        self.attempt.inc();
        match heard {
            Heard::Accepted => {
                self.success.inc();
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.map_or(0, |now| now.as_millis());
                self.update_time.set(i64::try_from(now).unwrap_or(i64::MAX));
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
