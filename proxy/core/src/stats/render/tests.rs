use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::stats::{Accepted, Kind, Registry, Sample, Scope, Select, Source, Tally, Value};

/// One counter, and one gauge that never moves.
#[derive(Default)]
struct Holder {
    name: &'static str,
    counter: Tally,
}

impl Source for Holder {
    fn scope(&self, registry: &Registry) -> Scope {
        registry.cluster(self.name)
    }

    fn visit(&self, visit: &mut dyn FnMut(Sample<'_>)) {
        visit(Sample {
            name: "z_200",
            family: "z",
            label: Some(("code", "200")),
            value: Value::Counter(self.counter.get()),
        });
        visit(Sample {
            name: "a",
            family: "a",
            label: None,
            value: Value::Gauge(0),
        });
        visit(Sample {
            name: "h",
            family: "h",
            label: None,
            value: Value::Histogram(None),
        });
    }
}

fn holder(registry: &Registry, name: &'static str) -> Arc<Holder> {
    let holder = Arc::new(Holder {
        name,
        ..Holder::default()
    });
    registry.add(&holder);
    holder
}

/// What lives elsewhere is shown among the rest, by name, and goes with what it measures.
#[test]
fn sources_are_shown_while_they_live() {
    let registry = Registry::default();
    let second = holder(&registry, "b:1");
    let first = holder(&registry, "a");
    first.counter.inc();
    registry.plain("server").counter("live").inc();
    registry.plain("cluster_manager").gauge("n").set(2);
    assert_eq!(
        registry.text(|_| true, false),
        "cluster.a.a: 0\ncluster.a.z_200: 1\ncluster.b_1.a: 0\ncluster.b_1.z_200: 0\n\
         cluster_manager.n: 2\nserver.live: 1\n\
         cluster.a.h: No recorded values\ncluster.b_1.h: No recorded values\n"
    );
    let used = "cluster.a.z_200: 1\ncluster_manager.n: 2\nserver.live: 1\n";
    assert_eq!(registry.text(|_| true, true), used);
    assert_eq!(
        registry.text(|name| name.ends_with("z_200"), false),
        "cluster.a.z_200: 1\ncluster.b_1.z_200: 0\n"
    );
    drop((first, second));
    let left = "cluster_manager.n: 2\nserver.live: 1\n";
    assert_eq!(registry.text(|_| true, false), left);
}

/// A family of Prometheus stands together, whoever holds its members.
#[test]
fn families_stand_together() {
    let registry = Registry::default();
    let held = [holder(&registry, "b"), holder(&registry, "a")];
    let tagged = registry.cluster("c");
    let tagged = tagged.counter_tagged("z_503", "z", Some(("code", "503")));
    tagged.inc();
    let text = registry.prometheus();
    let family = "# TYPE envoy_cluster_z counter\n\
         envoy_cluster_z{envoy_cluster_name=\"a\",code=\"200\"} 0\n\
         envoy_cluster_z{envoy_cluster_name=\"b\",code=\"200\"} 0\n\
         envoy_cluster_z{envoy_cluster_name=\"c\",code=\"503\"} 1\n";
    assert!(text.ends_with(family), "{text}");
    assert!(text.contains("envoy_cluster_h_bucket{envoy_cluster_name=\"a\",le=\"0.5\"} 0\n"));
    drop(held);
}

/// A listener that was removed is not shown any more; what is the process's stays.
#[test]
fn metrics_of_listeners_go_with_the_last_one_who_moves_them() {
    let registry = Registry::default();
    let scope = registry.listener("127.0.0.1:1");
    let (first, second) = (scope.counter("n"), scope.counter("n"));
    first.inc();
    registry.plain("server").counter("live").inc();
    drop(first);
    let text = || registry.text(|_| true, false);
    assert_eq!(text(), "listener.127.0.0.1_1.n: 1\nserver.live: 1\n");
    drop(second);
    assert_eq!(text(), "server.live: 1\n");
    assert!(!registry.prometheus().contains("envoy_listener"));
    assert_eq!(scope.counter("n").get(), 0);
}

/// Names, kinds and use select, of both sorts of metrics, and for both forms alike.
#[test]
fn metrics_are_selected() {
    let registry = Registry::default();
    let held = holder(&registry, "a");
    held.counter.inc();
    let (live, n) = (
        registry.plain("server").counter("live"),
        registry.plain("server").gauge("n"),
    );
    live.inc();
    n.set(2);
    for (text, kind, used_only, expected) in [
        (
            "",
            Some(Kind::Counters),
            false,
            "cluster.a.z_200 server.live",
        ),
        ("", Some(Kind::Gauges), false, "cluster.a.a server.n"),
        ("", Some(Kind::Gauges), true, "server.n"),
        ("", Some(Kind::Histograms), false, "cluster.a.h"),
        ("", Some(Kind::Histograms), true, ""),
        ("a", None, true, "cluster.a.z_200"),
        ("live", None, false, "server.live"),
        ("live", Some(Kind::Gauges), false, ""),
    ] {
        let select = Select {
            name: &|name| name.contains(text),
            kind,
            used_only,
        };
        let mut names = Vec::new();
        registry.each(&select, &mut |name, _| names.push(name.to_owned()));
        assert_eq!(names.join(" "), expected);
        let families = registry
            .prometheus_of(&select, false)
            .matches("# TYPE")
            .count();
        assert_eq!(families, names.len(), "{text} {kind:?}");
        let lines = registry.text_of(&select).lines().count();
        assert_eq!(lines, names.len());
    }
}

/// A gauge that was set is used, whatever it was set to: agents look for a state that is zero.
#[test]
fn a_gauge_that_was_set_is_used_at_zero() {
    struct State;
    impl Source for State {
        fn scope(&self, registry: &Registry) -> Scope {
            registry.plain("server")
        }

        fn visit(&self, visit: &mut dyn FnMut(Sample<'_>)) {
            for (name, value) in [("state", Value::Set(0)), ("idle", Value::Gauge(0))] {
                let (family, label) = (name, None);
                visit(Sample {
                    name,
                    family,
                    label,
                    value,
                });
            }
        }
    }
    let registry = Registry::default();
    let state = Arc::new(State);
    registry.add(&state);
    assert_eq!(registry.text(|_| true, true), "server.state: 0\n");
    assert_eq!(
        registry.text(|_| true, false),
        "server.idle: 0\nserver.state: 0\n"
    );
}

/// What is summed is of listeners, and of this name alone.
#[test]
fn gauges_of_listeners_are_summed() {
    let registry = Registry::default();
    let [a, b] = ["1.1.1.1:1", "1.1.1.1:2"].map(|name| registry.listener(name));
    let held = [
        a.gauge("cx"),
        b.gauge("cx"),
        b.gauge("pre_cx"),
        registry.http("x").gauge("cx"),
    ];
    held.iter().for_each(|gauge| gauge.add(2));
    assert_eq!(registry.sum_of_listeners("cx"), 4);
}

struct Versions(Accepted);

impl Source for Versions {
    fn scope(&self, registry: &Registry) -> Scope {
        registry.cluster("a")
    }

    fn visit(&self, visit: &mut dyn FnMut(Sample<'_>)) {
        self.0.visit(["", ""], None, visit);
    }
}

/// The hash is the one that Envoy 1.40 shows of that version.
#[test]
fn a_version_is_shown_as_text_and_as_a_number() {
    let registry = Registry::default();
    let versions = Arc::new(Versions(Accepted::default()));
    registry.add(&versions);
    let text = || registry.text(|_| true, false);
    let never = "cluster.a.version_text: \"\"\ncluster.a.update_time: 0\ncluster.a.version: 0\n";
    assert_eq!(text(), never);
    assert_eq!(registry.text(|_| true, true), "");
    let at = UNIX_EPOCH + Duration::from_millis(1_795_292_689_209);
    versions.0.set(&"v7".into(), at);
    let numbers = "cluster.a.update_time: 1795292689209\ncluster.a.version: 7308050424466892544\n";
    assert_eq!(text(), format!("cluster.a.version_text: \"v7\"\n{numbers}"));
    let all = Select {
        name: &|_| true,
        kind: None,
        used_only: true,
    };
    let version = "envoy_cluster_version{envoy_cluster_name=\"a\"} 7308050424466892544\n";
    assert!(registry.prometheus_of(&all, false).ends_with(version));
    let label = "envoy_cluster_version_text{envoy_cluster_name=\"a\",text_value=\"v7\"} 0\n";
    assert!(registry.prometheus_of(&all, true).ends_with(label));
}

/// A control plane's text is looked at in browsers, and read by Prometheus.
#[test]
fn texts_cannot_leave_their_places() {
    let registry = Registry::default();
    let versions = Arc::new(Versions(Accepted::default()));
    registry.add(&versions);
    versions.0.set(&"<a>&\"'".into(), UNIX_EPOCH);
    let text = registry.text(|name| name.ends_with("text"), false);
    let shown = "cluster.a.version_text: \"&lt;a&gt;&amp;&quot;&#39;\"\n";
    assert_eq!(text, shown);
    let texts = Select {
        name: &|_| true,
        kind: Some(Kind::Texts),
        used_only: false,
    };
    let page = registry.prometheus_of(&texts, true);
    assert!(page.contains("text_value=\"<a>&\\\"'\"} 0\n"), "{page}");
}
