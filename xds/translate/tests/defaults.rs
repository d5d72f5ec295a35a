//! What the model says where the bootstrap says nothing: Envoy's defaults.

use std::time::Duration;

use tandem_model::cluster::{
    Discovery, FailurePercentage, LbPolicy, SuccessRate, Thresholds, UpstreamHttp,
};
use tandem_model::hcm::RouteSource;
use tandem_model::listener::NetworkFilter;
use tandem_model::route::{Action, PathRewrite};
use tandem_xds_translate::{Source, load};

const TEXT: &str = r#"
static_resources:
  clusters: [{name: a, outlier_detection: {}}]
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: 8000}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: x
          http_filters:
          - {name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - name: v
              domains: [A.Example]
              routes:
              - match: {prefix: /}
                route: {cluster: a, retry_policy: {}, regex_rewrite: {pattern: {regex: "(a)"}, substitution: "$\\1"}}
"#;

#[test]
fn unset_fields_have_the_defaults_of_envoy() {
    let bootstrap = load(&[Source::yaml("t", TEXT)]).unwrap();
    let cluster = &bootstrap.clusters[0];
    assert_eq!(cluster.discovery, Discovery::Static);
    assert_eq!(cluster.lb_policy, LbPolicy::RoundRobin);
    assert_eq!(cluster.connect_timeout, Duration::from_secs(5));
    assert_eq!(cluster.circuit_breakers, Thresholds::default());
    assert_eq!(cluster.http, UpstreamHttp::default());
    assert_eq!(cluster.healthy_panic_threshold.millionths, 500_000);
    let outlier = cluster.outlier_detection.as_ref().unwrap();
    assert_eq!(
        (outlier.consecutive_5xx, outlier.max_ejection_percent),
        (5, 10)
    );
    assert_eq!(outlier.max_ejection_time, Duration::from_secs(300));
    assert_eq!(outlier.success_rate, SuccessRate::default());
    assert_eq!(outlier.failure_percentage, FailurePercentage::default());

    let listener = &bootstrap.listeners[0];
    assert_eq!(
        (&*listener.name, &*listener.stat_prefix),
        ("127.0.0.1:8000", "127.0.0.1_8000")
    );
    assert!(listener.enable_reuse_port);
    let looked_for = listener.listener_filters_timeout;
    assert_eq!(looked_for, Some(Duration::from_secs(15)));
    assert!(!listener.continue_on_listener_filters_timeout);
    let NetworkFilter::Http(manager) = &listener.filter_chains[0].filter else {
        panic!("HTTP")
    };
    assert_eq!(manager.server_name, "envoy");
    assert_eq!(
        (manager.max_request_headers_kb, manager.max_headers_count),
        (60, 100)
    );
    assert_eq!(manager.stream_idle_timeout, Some(Duration::from_secs(300)));
    assert_eq!(manager.idle_timeout, Some(Duration::from_secs(3600)));
    assert_eq!(manager.request_timeout, None);
    assert!(manager.generate_request_id && !manager.use_remote_address);

    let RouteSource::Inline(routes) = &manager.routes else {
        panic!("inline routes")
    };
    let host = &routes.virtual_hosts[0];
    assert_eq!(&*host.domains[0], "a.example");
    let Action::Route(route) = &host.routes[0].action else {
        panic!("a route")
    };
    assert_eq!(route.timeout, Some(Duration::from_secs(15)));
    let retry = route.retry_policy.as_ref().unwrap();
    assert_eq!(
        (retry.num_retries, retry.back_off_base.as_millis()),
        (1, 25)
    );
    assert_eq!(retry.back_off_max, Duration::from_millis(250));
    let Some(PathRewrite::Regex {
        pattern,
        substitution,
    }) = &route.path_rewrite
    else {
        panic!("a regex rewrite")
    };
    assert_eq!(pattern.replace_all("/a", substitution), "/$a");
}
