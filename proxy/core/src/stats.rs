//! Counters, gauges and histograms under Envoy's names.
//!
//! A metric is found (or made) once, when what it measures is built; on the request path only
//! atomics move. Every metric has two names: the dotted one of `/stats` and the labelled one
//! of Prometheus. What there may be thousands of is a [`Source`]: it holds its own numbers,
//! takes no room here, and what it measured goes when it goes. So do the metrics of listeners,
//! connection managers and TCP proxies, when the last one of their name is gone. Which metrics
//! there are, and which labels they carry, is configured: [`Registry::new`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use tandem_model::metrics::MetricsConfig;

mod accepted;
mod number;
mod render;
mod source;
mod tags;

pub use accepted::Accepted;
pub use number::{BUCKETS_MS, Counter, Gauge, GaugeGuard, Histogram};
pub use render::{Kind, Select};
pub use source::{Level, Sample, Source, Tally, Value};
use tags::{Named, Tags};

/// All metrics of the process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tags: Tags,
    entries: Mutex<Entries>,
    sources: Mutex<Vec<Weak<dyn Source>>>,
}

/// Metrics by their dotted names.
#[derive(Debug, Default)]
struct Entries {
    all: BTreeMap<String, Entry>,
    /// Look for what is gone when there are so many.
    sweep_at: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    named: Named,
    metric: Metric,
    /// It was not selected, but something is decided by it.
    hidden: bool,
    /// Whether it goes when nobody can move it any more.
    goes: bool,
}

impl Entries {
    /// Forgets what measured something that is gone.
    fn sweep(&mut self) {
        self.all
            .retain(|_, entry| !entry.goes || entry.metric.is_held());
        self.sweep_at = (self.all.len() * 2).max(1024);
    }
}

#[derive(Clone, Debug)]
enum Metric {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Metric {
    /// Whether anybody holds it beside the registry.
    fn is_held(&self) -> bool {
        let holders = match self {
            Self::Counter(counter) => counter.0.as_ref().map(Arc::strong_count),
            Self::Gauge(gauge) => gauge.0.as_ref().map(Arc::strong_count),
            Self::Histogram(histogram) => histogram.0.as_ref().map(Arc::strong_count),
        };
        holders > Some(1)
    }
}

/// A family of metrics about one thing: a cluster, a listener, a connection manager.
#[derive(Clone, Debug)]
pub struct Scope {
    registry: Registry,
    dotted: String,
    /// The label that it is, if it is one, and where in the dotted name its value stands.
    label: Option<&'static str>,
    value: Range<usize>,
}

impl Registry {
    /// An empty one, whose metrics are selected and labelled as `config` says.
    pub fn new(config: &MetricsConfig) -> Self {
        Self(Arc::new(Inner {
            tags: Tags::new(config),
            ..Inner::default()
        }))
    }

    /// `cluster.<name>.` and `envoy_cluster_…{envoy_cluster_name="<name>"}`.
    pub fn cluster(&self, name: &str) -> Scope {
        self.labelled("cluster", "envoy_cluster_name", name)
    }

    /// `http.<prefix>.` and `envoy_http_…{envoy_http_conn_manager_prefix="<prefix>"}`.
    pub fn http(&self, prefix: &str) -> Scope {
        self.labelled("http", "envoy_http_conn_manager_prefix", prefix)
    }

    /// `tcp.<prefix>.` and `envoy_tcp_…{envoy_tcp_prefix="<prefix>"}`.
    pub fn tcp(&self, prefix: &str) -> Scope {
        self.labelled("tcp", "envoy_tcp_prefix", prefix)
    }

    /// `listener.<address>.` and `envoy_listener_…{envoy_listener_address="<address>"}`.
    pub fn listener(&self, address: &str) -> Scope {
        self.labelled("listener", "envoy_listener_address", address)
    }

    /// A scope without labels, such as `server.` or `listener_manager.`.
    pub fn plain(&self, name: &str) -> Scope {
        Scope {
            registry: self.clone(),
            dotted: name.to_owned(),
            label: None,
            value: 0..0,
        }
    }

    /// The sum of the gauges of this name of all listeners.
    pub fn sum_of_listeners(&self, name: &str) -> i64 {
        let entries = self.lock();
        let listeners = entries
            .all
            .range("listener.".to_owned().."listener/".to_owned());
        let meant = listeners.filter(|(dotted, _)| {
            let scope = dotted.strip_suffix(name);
            scope.is_some_and(|scope| scope.ends_with('.'))
        });
        meant
            .map(|(_, entry)| match &entry.metric {
                Metric::Gauge(gauge) => gauge.get(),
                Metric::Counter(_) | Metric::Histogram(_) => 0,
            })
            .sum()
    }

    fn labelled(&self, family: &str, label: &'static str, value: &str) -> Scope {
        // Envoy replaces `:` in the names of listeners and clusters by `_`.
        let dotted = format!("{family}.{}", value.replace(':', "_"));
        Scope {
            registry: self.clone(),
            label: Some(label),
            value: family.len() + 1..dotted.len(),
            dotted,
        }
    }

    /// The metric of that name, `None` if it was not selected; `kept` ones there are always.
    fn entry(
        &self,
        dotted: String,
        new: impl FnOnce(&Tags) -> Entry,
        kept: bool,
    ) -> Option<Metric> {
        let tags = &self.0.tags;
        let selected = tags.selects(&dotted);
        if !selected && !kept {
            return None;
        }
        let mut entries = self.lock();
        if entries.all.len() >= entries.sweep_at {
            entries.sweep();
        }
        let entry = entries.all.entry(dotted).or_insert_with(|| Entry {
            hidden: !selected,
            ..new(tags)
        });
        Some(entry.metric.clone())
    }

    /// The metrics that there are now, so that nobody who needs one waits for whoever reads them.
    fn entries(&self) -> Vec<(String, Entry)> {
        let mut entries = self.lock();
        entries.sweep();
        let shown = entries.all.iter().filter(|(_, entry)| !entry.hidden);
        shown
            .map(|(name, entry)| (name.clone(), entry.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        let entries = self.0.entries.lock();
        entries.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope {
    /// A counter of this scope.
    pub fn counter(&self, name: &str) -> Counter {
        self.counter_tagged(name, name, None)
    }

    /// A counter whose dotted name and Prometheus name differ, such as `upstream_rq_200` and
    /// `upstream_rq{envoy_response_code="200"}`.
    pub fn counter_tagged(
        &self,
        dotted: &str,
        family: &str,
        label: Option<(&str, &str)>,
    ) -> Counter {
        match self.make(dotted, family, label, false, || {
            Metric::Counter(Counter::default())
        }) {
            Some(Metric::Counter(counter)) => counter,
            // One name is only ever used for one kind; a detached metric keeps that a bug, not
            // a crash.
            Some(Metric::Gauge(_) | Metric::Histogram(_)) => Counter::default(),
            None => Counter(None),
        }
    }

    /// A gauge of this scope.
    pub fn gauge(&self, name: &str) -> Gauge {
        self.gauge_tagged(name, name, None)
    }

    /// A gauge by which something is decided: it moves even where it was not selected.
    pub fn gauge_kept(&self, name: &str) -> Gauge {
        self.any_gauge(name, name, None, true)
    }

    /// A gauge whose dotted name and Prometheus name differ, such as
    /// `circuit_breakers.default.rq_open`.
    pub fn gauge_tagged(&self, dotted: &str, family: &str, label: Option<(&str, &str)>) -> Gauge {
        self.any_gauge(dotted, family, label, false)
    }

    fn any_gauge(
        &self,
        dotted: &str,
        family: &str,
        label: Option<(&str, &str)>,
        kept: bool,
    ) -> Gauge {
        let new = || Metric::Gauge(Gauge::default());
        match self.make(dotted, family, label, kept, new) {
            Some(Metric::Gauge(gauge)) => gauge,
            Some(Metric::Counter(_) | Metric::Histogram(_)) => Gauge::default(),
            None => Gauge(None),
        }
    }

    /// A histogram of this scope.
    pub fn histogram(&self, name: &str) -> Histogram {
        let new = || Metric::Histogram(Histogram::default());
        match self.make(name, name, None, false, new) {
            Some(Metric::Histogram(histogram)) => histogram,
            Some(Metric::Counter(_) | Metric::Gauge(_)) => Histogram::default(),
            None => Histogram(None),
        }
    }

    /// Counters of answers by status and status class, made when first met.
    pub fn codes(&self, prefix: &'static str) -> CodeCounters {
        CodeCounters(Arc::new(Codes {
            scope: self.clone(),
            prefix,
            classes: std::array::from_fn(|_| OnceLock::new()),
            codes: OnceLock::new(),
        }))
    }

    fn make(
        &self,
        name: &str,
        family: &str,
        label: Option<(&str, &str)>,
        kept: bool,
        new: impl FnOnce() -> Metric,
    ) -> Option<Metric> {
        let dotted = format!("{}.{name}", self.dotted);
        let entry = |tags: &Tags| Entry {
            named: tags.name(self, name, family, label),
            metric: new(),
            hidden: false,
            goes: self.label.is_some(),
        };
        self.registry.entry(dotted, entry, kept)
    }
}

/// Answers counted by status (`<prefix>_200`) and class (`<prefix>_2xx`).
#[derive(Clone, Debug)]
pub struct CodeCounters(Arc<Codes>);

#[derive(Debug)]
struct Codes {
    scope: Scope,
    prefix: &'static str,
    classes: [OnceLock<Counter>; 5],
    codes: OnceLock<Box<[OnceLock<Counter>]>>,
}

impl CodeCounters {
    /// Counts one answer in its class only (`downstream_rq_2xx`).
    pub fn record_class(&self, status: http::StatusCode) {
        let class = usize::from(status.as_u16() / 100);
        let Some(slot) = class
            .checked_sub(1)
            .and_then(|class| self.0.classes.get(class))
        else {
            return;
        };
        slot.get_or_init(|| {
            self.0.scope.counter_tagged(
                &format!("{}_{class}xx", self.0.prefix),
                &format!("{}_xx", self.0.prefix),
                Some(("envoy_response_code_class", &class.to_string())),
            )
        })
        .inc();
    }

    /// Counts one answer in its class and its status.
    pub fn record(&self, status: http::StatusCode) {
        self.record_class(status);
        let codes = self
            .0
            .codes
            .get_or_init(|| (0..500).map(|_| OnceLock::new()).collect());
        let Some(slot) = usize::from(status.as_u16())
            .checked_sub(100)
            .and_then(|i| codes.get(i))
        else {
            return;
        };
        slot.get_or_init(|| {
            self.0.scope.counter_tagged(
                &format!("{}_{}", self.0.prefix, status.as_u16()),
                self.0.prefix,
                Some(("envoy_response_code", status.as_str())),
            )
        })
        .inc();
    }
}

fn sanitize(name: &str) -> String {
    name.chars().map(allowed).collect()
}

/// Prometheus has letters, digits and `_` in its names.
fn allowed(c: char) -> char {
    if c.is_ascii_alphanumeric() { c } else { '_' }
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
