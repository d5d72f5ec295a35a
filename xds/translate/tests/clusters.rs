//! Clusters as they arrive in the model.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests too")]

use std::sync::Arc;
use std::time::Duration;

use tandem_model::Cluster;
use tandem_model::cluster::{
    Discovery, Dns, DnsLookupFamily, EndpointHealth, LabelValue, LbPolicy, Number,
};
use tandem_xds_translate::{Source, load};

fn cluster(name: &str) -> Arc<Cluster> {
    let text = include_str!("good/clusters.yaml");
    let bootstrap = load(&[Source::yaml("clusters.yaml", text)]).unwrap();
    let mut clusters = bootstrap.clusters.iter();
    Arc::clone(clusters.find(|cluster| *cluster.name == *name).unwrap())
}

#[test]
fn where_connections_come_from_is_read() {
    let cluster = cluster("passthrough");
    let Discovery::OriginalDst(settings) = &cluster.discovery else {
        panic!("{cluster:?}")
    };
    assert_eq!(settings.http_header, None);
    assert_eq!(settings.cleanup_interval.as_secs(), 9_223_372_035);
    assert_eq!(cluster.lb_policy, LbPolicy::ClusterProvided);
    let bind = cluster.bind.as_ref().unwrap();
    let sources: Vec<_> = bind.sources.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["127.0.0.6:0", "[::6]:0"]);
    assert_eq!(bind.mark, Some(1337));
}

#[test]
fn the_header_that_names_a_destination_is_read() {
    let cluster = cluster("named");
    let Discovery::OriginalDst(settings) = &cluster.discovery else {
        panic!("{cluster:?}")
    };
    assert_eq!(settings.http_header.as_ref().unwrap(), "x-destination");
    assert_eq!(settings.port_override, Some(8080));
    assert_eq!(settings.cleanup_interval, Duration::from_secs(5));
}

#[test]
fn settings_of_names_are_read() {
    let seconds = Duration::from_secs;
    let strict = cluster("strict");
    let dns = strict.discovery.dns().unwrap();
    assert_eq!(dns.refresh_rate, seconds(10));
    assert_eq!(dns.jitter, Duration::from_millis(500));
    assert_eq!(dns.lookup_family, DnsLookupFamily::All);
    assert_eq!(dns.resolvers, ["127.0.0.1:53".parse().unwrap()]);
    let failure = dns.failure_refresh_rate.as_ref().unwrap();
    assert_eq!((failure.base, failure.max), (seconds(1), seconds(5)));
    let logical = cluster("logical");
    let dns = logical.discovery.dns().unwrap();
    let failure = dns.failure_refresh_rate.as_ref().unwrap();
    assert_eq!((failure.base, failure.max), (seconds(1), seconds(10)));
}

/// The first of the list that is understood is taken, in the place of `lb_policy`.
#[test]
fn a_list_of_policies_chooses_one() {
    let listed = cluster("listed");
    assert_eq!(listed.lb_policy, LbPolicy::LeastRequest { choice_count: 3 });
    assert!(listed.locality_weighted);
    assert_eq!(listed.healthy_panic_threshold.millionths, 0);
    let zoned = cluster("zoned");
    assert_eq!(zoned.lb_policy, LbPolicy::RoundRobin);
    assert!(!zoned.locality_weighted);
    assert_eq!(cluster("provided").lb_policy, LbPolicy::ClusterProvided);
}

/// A `cluster_type` is the same cluster as a `type`; its settings take the place of the fields.
#[test]
fn cluster_types_are_the_types_they_name() {
    assert_eq!(
        cluster("strict-by-type").discovery,
        cluster("strict").discovery
    );
    let seven = || Dns {
        refresh_rate: Duration::from_secs(7),
        ..Dns::default()
    };
    for (name, meant) in [
        ("logical-by-type", Discovery::LogicalDns(Dns::default())),
        ("default-by-type", Discovery::StrictDns(Dns::default())),
        ("logical-by-name", Discovery::LogicalDns(seven())),
        ("strict-by-name", Discovery::StrictDns(Dns::default())),
        ("static-by-name", Discovery::Static),
    ] {
        assert_eq!(cluster(name).discovery, meant, "{name}");
    }
}

#[test]
fn localities_and_metadata_of_endpoints_are_read() {
    let cluster = cluster("localities");
    assert!(cluster.locality_weighted);
    assert_eq!(cluster.healthy_panic_threshold.millionths, 0);
    let assignment = &cluster.load_assignment;
    assert_eq!(assignment.overprovisioning_factor, 200);
    let [first, second] = assignment.localities.as_slice() else {
        panic!("{assignment:?}")
    };
    assert_eq!((first.weight, first.priority), (Some(2), 0));
    assert_eq!((second.weight, second.priority), (Some(1), 1));
    let [a, b] = first.endpoints.as_slice() else {
        panic!("{first:?}")
    };
    assert_eq!(a.health, EndpointHealth::Draining);
    let criteria: Vec<_> = a.labels.endpoint.iter().collect();
    assert_eq!(
        criteria,
        [
            &("other".into(), "text".into()),
            &("tlsMode".into(), "istio".into())
        ]
    );
    // What is the same is there once.
    assert!(Arc::ptr_eq(&a.labels, &b.labels));
    let labels = &second.endpoints[0].labels;
    assert!(labels.endpoint.is_empty());
    let one = LabelValue::Number(Number::from_f64(1.0).unwrap());
    let inner = LabelValue::Struct(vec![("of".into(), LabelValue::Bool(true))]);
    let all = LabelValue::List(vec![one, inner, LabelValue::Null]);
    assert_eq!(labels.locality, [("all".into(), all)]);
}
