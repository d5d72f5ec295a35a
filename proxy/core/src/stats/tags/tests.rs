use std::sync::Arc;
use std::time::Duration;

use tandem_model::matching::{StringMatch, StringMatcher};
use tandem_model::metrics::{MetricsConfig, Selection, Tag, TagPattern, TagValue};

use crate::stats::{Counter, Registry};

fn tag(name: &str, value: TagValue) -> Tag {
    let name = name.into();
    Tag { name, value }
}

fn pattern(name: &str, pattern: &str) -> Tag {
    tag(name, TagValue::Pattern(TagPattern::new(pattern).unwrap()))
}

fn lines(registry: &Registry) -> Vec<String> {
    let text = registry.prometheus();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Some metrics; those of a cluster go with whoever holds them.
#[must_use]
fn fill(registry: &Registry) -> [Counter; 2] {
    let cluster = registry.cluster("xds:1;");
    let label = Some(("envoy_response_code", "503"));
    registry.plain("server").gauge("live");
    [
        cluster.counter("upstream_cx_total"),
        cluster.counter_tagged("upstream_rq_503", "upstream_rq", label),
    ]
}

/// Without labels of their own metrics are called by their whole names.
#[test]
fn default_labels_can_be_left_out() {
    let config = MetricsConfig {
        default_tags: false,
        ..MetricsConfig::default()
    };
    let registry = Registry::new(&config);
    let _held = fill(&registry);
    assert_eq!(
        lines(&registry),
        [
            "envoy_cluster_xds_1__upstream_cx_total{} 0",
            "envoy_cluster_xds_1__upstream_rq_503{} 0",
            "envoy_server_live{} 0",
        ]
    );
}

/// What a mesh's bootstrap says: names end in a semicolon, and labels are taken from them.
#[test]
fn labels_are_taken_from_names() {
    let registry = Registry::new(&MetricsConfig {
        default_tags: false,
        tags: vec![
            pattern("cluster_name", r"^cluster(\.(.+);)"),
            pattern("response_code", r"_rq(_(\d{3}))$"),
            tag("envoy.listener_address", TagValue::Default),
        ],
        ..MetricsConfig::default()
    });
    let _held = fill(&registry);
    let _x = registry.listener("[::1]:80").counter("x");
    assert_eq!(
        lines(&registry),
        [
            "envoy_cluster_upstream_cx_total{cluster_name=\"xds_1\"} 0",
            "envoy_cluster_upstream_rq{cluster_name=\"xds_1\",response_code=\"503\"} 0",
            "envoy_listener_x{envoy_listener_address=\"[__1]_80\"} 0",
            "envoy_server_live{} 0",
        ]
    );
}

/// As Envoy names them (asked with the same patterns).
#[test]
fn configured_labels_stand_beside_the_default_ones() {
    let registry = Registry::new(&MetricsConfig {
        tags: vec![
            tag("fixed.a", TagValue::Fixed("v\"1".into())),
            pattern("zz", "(upstream)_cx"),
            pattern("both", r"^cluster\.((.)ds)"),
            pattern("pre", r"^server(\.(live))$"),
            pattern("envoy.response_code", "(503)"),
        ],
        ..MetricsConfig::default()
    });
    let _held = fill(&registry);
    let fixed = "fixed_a=\"v\\\"1\"";
    let cluster = "envoy_cluster_name=\"xds_1;\"";
    assert_eq!(
        lines(&registry),
        [
            format!("envoy_cluster__cx_total{{{fixed},{cluster},zz=\"upstream\",both=\"x\"}} 0"),
            format!(
                "envoy_cluster_upstream_rq{{{fixed},{cluster},envoy_response_code=\"503\",\
                 both=\"x\"}} 0"
            ),
            format!("envoy_server{{{fixed},pre=\"live\"}} 0"),
        ]
    );
}

/// What is not selected holds no memory and is not shown, unless something is decided by it.
#[test]
fn what_is_not_selected_is_not_there() {
    let matches = StringMatch::Prefix(Arc::from("server."));
    let condition = StringMatcher {
        matches,
        ignore_case: false,
    };
    let registry = Registry::new(&MetricsConfig {
        selection: Selection::Only(vec![condition]),
        ..MetricsConfig::default()
    });
    let _held = fill(&registry);
    let scope = registry.http("in");
    let (counter, time) = (scope.counter("rq"), scope.histogram("time"));
    counter.inc();
    time.record(Duration::from_millis(1));
    assert_eq!((counter.get(), time.count()), (0, 0));
    assert!(counter.0.is_none() && scope.gauge("cx").0.is_none());
    let kept = scope.gauge_kept("fault.active_faults");
    kept.add(1);
    assert_eq!(scope.gauge_kept("fault.active_faults").get(), 1);
    assert_eq!(registry.text(|_| true, false), "server.live: 0\n");
    assert_eq!(lines(&registry), ["envoy_server_live{} 0"]);
}
