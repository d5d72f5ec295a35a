use tandem_xds_translate::Source;

use super::*;

/// What istiod makes of a sidecar's outbound side, in short.
const INTERCEPTED: &str = r#"
static_resources:
  listeners:
  - name: virtualOutbound
    traffic_direction: OUTBOUND
    use_original_dst: true
    address: { socket_address: { address: 0.0.0.0, port_value: 15001 } }
    filter_chains:
    - { name: pass, filters: [&pass { name: tcp, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: pass } }] }
  - name: 0.0.0.0_80
    traffic_direction: OUTBOUND
    bind_to_port: false
    address: { socket_address: { address: 0.0.0.0, port_value: 80 } }
    listener_filters:
    - { name: tls, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector } }
    - { name: http, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector } }
    - { name: src, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.original_src.v3.OriginalSrc } }
    filter_chains:
    - name: plain
      filter_chain_match: { transport_protocol: raw_buffer, application_protocols: [http/1.1, h2c] }
      filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: h
          route_config:
            name: "80"
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - { name: some, match: { prefix: /, runtime_fraction: { default_value: { numerator: 25 } } }, route: { cluster: up } }
              - { name: others, match: { prefix: / }, route: { cluster: pass } }
            - { name: ported, domains: [ported], routes: [{ match: { prefix: / }, route: { cluster: ported } }] }
            - { name: mixed, domains: [mixed], routes: [{ match: { prefix: / }, route: { cluster: mixed } }] }
          http_filters:
          - { name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }
    - name: named
      filter_chain_match: { server_names: ["*.secret.test"] }
      filters: [*pass]
  clusters:
  - { name: pass, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED }
  - { name: ported, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, original_dst_lb_config: { use_http_header: true, upstream_port_override: 30801 } }
  - name: mixed
    transport_socket_matches:
    - name: tls
      match: { mode: tls }
      transport_socket: { name: tls, typed_config: { "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext } }
    - { name: rest, match: {}, transport_socket: { name: raw, typed_config: { "@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer } } }
    load_assignment:
      cluster_name: mixed
      endpoints:
      - lb_endpoints:
        - { metadata: { filter_metadata: { envoy.transport_socket_match: { mode: tls } } }, endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 80 } } } }
        - { endpoint: { address: { socket_address: { address: 10.0.0.2, port_value: 80 } } } }
  - name: up
    load_assignment:
      cluster_name: up
      endpoints:
      - { priority: 0, lb_endpoints: [{ health_status: UNHEALTHY, endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 80 } } } }] }
      - { priority: 1, lb_endpoints: [{ endpoint: { address: { socket_address: { address: 10.0.0.2, port_value: 80 } } } }] }
"#;

fn explained(question: &[(&str, &str)]) -> Explanation {
    explained_of(INTERCEPTED, question)
}

fn explained_of(bootstrap: &str, question: &[(&str, &str)]) -> Explanation {
    let pairs = question.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let bootstrap = tandem_xds_translate::load(&[Source::yaml("test", bootstrap)]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let clusters = ClusterManager::new(&bootstrap.clusters, &Registry::default(), runtime.handle());
    let ask = ask(&pairs).unwrap();
    answer(
        &ask,
        &bootstrap.listeners,
        (&RouteTables::default(), &Extensions::default()),
        &clusters,
        true,
    )
}

fn names<'a>(answer: &'a Explanation, what: &str) -> Vec<(&'a str, &'a str)> {
    let steps = answer.steps.iter().filter(|step| step.what == what);
    let not = steps.flat_map(|step| &step.not);
    not.map(|other| (&*other.name, &*other.why)).collect()
}

#[test]
fn what_is_redirected_goes_to_the_listener_and_chain_of_its_destination() {
    let answer = explained(&[("url", "http://10.1.1.1/x")]);
    assert_eq!(answer.listener.as_deref(), Some("0.0.0.0_80"), "{answer:?}");
    assert_eq!(answer.filter_chain.as_deref(), Some("plain"));
    let why = "server name: expected *.secret.test, got none";
    assert_eq!(names(&answer, "filter chain"), [("named", why)]);

    let answer = explained(&[("url", "https://a.secret.test:80/")]);
    assert_eq!(answer.filter_chain.as_deref(), Some("named"), "{answer:?}");
    assert!(answer.found);

    let answer = explained(&[("url", "tcp://10.1.1.1:5000")]);
    assert_eq!(
        answer.listener.as_deref(),
        Some("virtualOutbound"),
        "{answer:?}"
    );
    assert_eq!(answer.clusters[0].cluster, "pass");
    let notes = answer.clusters[0].notes.join("\n");
    assert!(notes.contains("10.1.1.1:5000"), "{notes}");
    assert_eq!(endpoints(&answer), [("10.1.1.1:5000", 100.0)]);

    let answer = explained(&[("url", "tcp://10.1.1.1:80")]);
    assert!(!answer.found && answer.flags == "NR", "{answer:?}");
    assert_eq!(
        names(&answer, "filter chain")[0].1,
        "application protocol: expected http/1.1 or h2c, got none"
    );
}

/// A chain that steps back says before which, whether or not that one is taken.
#[test]
fn the_chain_that_is_more_precise_is_named() {
    const CHAINS: &str = r#"
static_resources:
  listeners:
  - name: main
    address: { socket_address: { address: 127.0.0.1, port_value: 80 } }
    filter_chains:
    - { name: any, filters: [&pass { name: tcp, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c } }] }
    - { name: port, filter_chain_match: { destination_port: 80 }, filters: [*pass] }
    - { name: both, filter_chain_match: { destination_port: 80, prefix_ranges: [{ address_prefix: 127.0.0.0, prefix_len: 8 }], source_ports: [SOURCE] }, filters: [*pass] }
  clusters: [{ name: c }]
"#;
    let asked = [("url", "tcp://127.0.0.1:80"), ("source", "127.0.0.1:7")];
    let why = |name: &str| format!("{name} asks more precisely for something before");
    let answer = explained_of(&CHAINS.replace("SOURCE", "7"), &asked);
    assert_eq!(answer.filter_chain.as_deref(), Some("both"), "{answer:?}");
    let not = [("any", &*why("both")), ("port", &*why("both"))];
    assert_eq!(names(&answer, "filter chain"), not);

    let answer = explained_of(&CHAINS.replace("SOURCE", "8"), &asked);
    assert_eq!(answer.filter_chain, None, "{answer:?}");
    let not = names(&answer, "filter chain");
    assert_eq!(not[..2], [("any", &*why("port")), ("port", &*why("both"))]);
}

fn endpoints(answer: &Explanation) -> Vec<(&str, f64)> {
    let endpoints = answer.clusters[0].endpoints.iter();
    endpoints.map(|e| (&*e.address, e.share)).collect()
}

#[test]
fn an_original_destination_is_followed_as_serving_follows_it() {
    let to_ported = |more: &[(&str, &str)]| {
        explained(
            &[
                &[("url", "http://10.1.1.1/x"), ("header", "host: ported")],
                more,
            ]
            .concat(),
        )
    };
    let answer = to_ported(&[]);
    assert_eq!(
        endpoints(&answer),
        [("10.1.1.1:30801", 100.0)],
        "{answer:?}"
    );
    let answer = to_ported(&[("header", "x-envoy-original-dst-host: 10.2.2.2:80")]);
    assert_eq!(
        endpoints(&answer),
        [("10.2.2.2:30801", 100.0)],
        "{answer:?}"
    );
    assert!(answer.answer.contains("10.2.2.2:30801"), "{answer:?}");
    // A name has no address here: nothing is made up.
    let answer = explained(&[("url", "http://ported/")]);
    assert!(answer.found && endpoints(&answer).is_empty(), "{answer:?}");
    // Who connects to the listener itself was not redirected.
    let answer = explained(&[("url", "tcp://127.0.0.1:15001")]);
    assert!(!answer.found && answer.flags == "UH", "{answer:?}");
}

#[test]
fn what_carries_the_connections_to_an_endpoint_is_said() {
    let answer = explained(&[("url", "http://10.1.1.1/"), ("header", "host: mixed")]);
    let endpoints = answer.clusters[0].endpoints.iter();
    let carried: Vec<_> = endpoints.map(|e| &*e.transport).collect();
    assert_eq!(carried, ["TLS (match 'tls')", "plain (match 'rest')"]);
    let text = text::render(&answer, false);
    assert!(text.contains("healthy, TLS (match 'tls')"), "{text}");
}

#[test]
fn a_kept_client_address_is_said() {
    let noted = |question: &[(&str, &str)]| {
        let answer = explained(question);
        let mut chains = answer.steps.iter().filter(|s| s.what == "filter chain");
        let notes = chains.next().map(|step| step.notes.join("\n"));
        notes.unwrap_or_default()
    };
    let kept = noted(&[("url", "http://10.1.1.1/"), ("source", "10.9.9.9:1")]);
    let says = "connections to endpoints come from 10.9.9.9, the client's address";
    assert!(kept.contains(says), "{kept}");
    // Of a listener without the filter nothing is said.
    let not = noted(&[("url", "tcp://10.1.1.1:5000"), ("source", "10.9.9.9:1")]);
    assert!(!not.contains("come from"), "{not}");
}

#[test]
fn shares_of_routes_and_endpoints_are_those_in_force() {
    let answer = explained(&[("url", "http://10.1.1.1/x")]);
    let shares: Vec<_> = answer
        .clusters
        .iter()
        .map(|t| (&*t.cluster, t.share))
        .collect();
    assert_eq!(shares, [("up", 25.0), ("pass", 75.0)]);
    let shares = endpoints(&answer);
    assert_eq!(shares, [("10.0.0.1:80", 0.0), ("10.0.0.2:80", 100.0)]);
    // Each route is a step of its own, with its own share and its own timeout.
    let routes = answer.steps.iter().filter(|step| step.what == "route");
    let routes: Vec<_> = routes.map(|r| (&*r.name, r.notes.join("; "))).collect();
    let says =
        |share: &str| format!("{share} of requests: path: prefix /; timeout 15s, no retries");
    assert_eq!(
        routes,
        [("#1 some", says("25 %")), ("#2 others", says("75 %"))]
    );
}

#[test]
fn long_lists_of_what_was_not_chosen_are_cut_unless_all_are_asked_for() {
    let mut answer = Explanation::default();
    let not = (0..40).map(|at| tandem_stack::explain::Other {
        name: format!("#{at}"),
        why: format!("path: expected /{at}, got /x"),
    });
    answer.steps.push(tandem_stack::explain::Step {
        what: "route".to_owned(),
        name: "none".to_owned(),
        notes: Vec::new(),
        not: not.collect(),
    });
    let short = text::render(&answer, false);
    assert!(
        short.contains("and 35 more with another path (--all)"),
        "{short}"
    );
    assert_eq!(
        text::render(&answer, true)
            .matches("path: expected")
            .count(),
        40
    );
}

#[test]
fn a_port_that_is_none_is_refused_and_not_replaced() {
    for url in [
        "http://127.0.0.1:99999/",
        "http://a:-1/",
        "http://a:/",
        "http://[::1]:x/",
    ] {
        let error = ask(&[("url".to_owned(), url.to_owned())]).expect_err(url);
        assert!(error.starts_with("url: expected a port"), "{error}");
    }
    for (url, port) in [
        ("http://a/", 80),
        ("HTTPS://a", 443),
        ("http://[::1]", 80),
        ("http://[::1]:8/", 8),
    ] {
        let asked = ask(&[("url".to_owned(), url.to_owned())]).expect(url);
        assert_eq!(asked.destination.port(), port, "{url}");
    }
}
