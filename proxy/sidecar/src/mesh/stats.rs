//! The counters of subscriptions, under Envoy's names.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tandem_core::stats::{Counter, Gauge, Registry};
use tandem_xds_client::{Connection, Stats};
use tandem_xds_translate::cascade::Counts;
use tandem_xds_translate::resource::Kind;
use tokio::sync::watch;

use super::version::Version;

/// Follows the counters of one kind for as long as it is subscribed to.
pub(super) async fn follow(kind: Kind, registry: Registry, mut stats: watch::Receiver<Stats>) {
    let scope = registry.plain(prefix(kind));
    let counters = [
        "update_attempt",
        "update_success",
        "update_rejected",
        "update_failure",
        "init_fetch_timeout",
    ]
    .map(|name| scope.counter(name));
    // Of the others Envoy shows those of each resource.
    let has_version = matches!(kind, Kind::Cluster | Kind::Listener | Kind::Runtime);
    let mut version = None;
    let mut before = [0; 5];
    loop {
        let latest = stats.borrow_and_update().clone();
        if has_version && latest.update_attempt > 0 {
            let shown = || Version::shown(&registry, &scope, ["", ""], None);
            let version = version.get_or_insert_with(shown);
            if let Some(at) = latest.updated {
                version.set(&latest.version.as_str().into(), at);
            }
        }
        let now = values(&latest);
        for ((counter, now), before) in counters.iter().zip(now).zip(&mut before) {
            raise(counter, before, now);
        }
        if stats.changed().await.is_err() {
            return;
        }
    }
}

fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Cluster => "cluster_manager.cds",
        Kind::Endpoints => "cluster_manager.eds",
        Kind::Listener => "listener_manager.lds",
        Kind::Routes => "http.rds",
        Kind::Scopes => "http.scoped_rds",
        Kind::VirtualHosts => "http.vhds",
        Kind::Secret => "sds",
        Kind::Extension => "extension_config_discovery",
        Kind::Runtime => "runtime",
    }
}

/// How many of a kind did not come in their time.
pub(super) fn init_fetch_timeout(kind: Kind, registry: &Registry) -> Counter {
    registry.plain(prefix(kind)).counter("init_fetch_timeout")
}

fn values(stats: &Stats) -> [u64; 5] {
    [
        stats.update_attempt,
        stats.update_success,
        stats.update_rejected,
        stats.update_failure,
        stats.init_fetch_timeout,
    ]
}

fn raise(counter: &Counter, before: &mut u64, now: u64) {
    counter.add(now.saturating_sub(*before));
    *before = now;
}

/// The streams to control planes that answer: `control_plane.connected_state` is 1 while there is
/// one.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    connected: Arc<AtomicUsize>,
    state: Gauge,
}

impl Streams {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            connected: Arc::default(),
            state: registry.plain("control_plane").gauge("connected_state"),
        }
    }

    fn changed(&self, connected: bool) {
        let others = match connected {
            true => self.connected.fetch_add(1, Relaxed) + 1,
            false => self.connected.fetch_sub(1, Relaxed) - 1,
        };
        self.state.set(i64::from(others > 0));
    }
}

/// Follows whether a control plane or a file answers, and logs it; `streams` count it, if it is
/// one of them.
pub(super) async fn follow_connection(
    what: String,
    streams: Option<Streams>,
    mut connection: watch::Receiver<Connection>,
) {
    let (mut connected, mut failure) = (false, None);
    loop {
        let now = connection.borrow_and_update().clone();
        if now.failure != failure {
            if let Some(reason) = &now.failure {
                tracing::warn!(control_plane = %what, %reason, "the control plane's stream ended");
            }
            failure.clone_from(&now.failure);
        }
        if now.connected != connected {
            if let Some(streams) = &streams {
                streams.changed(now.connected);
            }
            if now.connected {
                tracing::info!(control_plane = %what, "connected");
            }
            connected = now.connected;
        }
        if connection.changed().await.is_err() {
            break;
        }
    }
    if let (true, Some(streams)) = (connected, &streams) {
        streams.changed(false);
    }
}

/// How many clusters or listeners there are (`cluster_manager.…`, `listener_manager.…`).
#[derive(Debug)]
pub(super) struct Served {
    counters: [Counter; 3],
    /// Who serves clusters counts them.
    active: Option<Gauge>,
    warming: Gauge,
    before: [u64; 3],
}

impl Served {
    pub(super) fn clusters(registry: &Registry) -> Self {
        let counters = ["cluster_added", "cluster_modified", "cluster_removed"];
        Self::new(
            registry,
            "cluster_manager",
            counters,
            None,
            "warming_clusters",
        )
    }

    pub(super) fn listeners(registry: &Registry) -> Self {
        let counters = ["listener_added", "listener_modified", "listener_removed"];
        Self::new(
            registry,
            "listener_manager",
            counters,
            Some("total_listeners_active"),
            "total_listeners_warming",
        )
    }

    fn new(
        registry: &Registry,
        scope: &'static str,
        counters: [&'static str; 3],
        active: Option<&'static str>,
        warming: &'static str,
    ) -> Self {
        let scope = registry.plain(scope);
        Self {
            counters: counters.map(|name| scope.counter(name)),
            active: active.map(|name| scope.gauge(name)),
            warming: scope.gauge(warming),
            before: [0; 3],
        }
    }

    pub(super) fn tell(&mut self, counts: Counts) {
        let now = [counts.added, counts.modified, counts.removed];
        for ((counter, now), before) in self.counters.iter().zip(now).zip(&mut self.before) {
            raise(counter, before, now);
        }
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        if let Some(active) = &self.active {
            active.set(number(counts.active));
        }
        self.warming.set(number(counts.warming));
    }
}
