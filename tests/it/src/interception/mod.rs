//! An application that knows nothing: iptables takes its connections, and what it asked for is
//! what it gets. The same network, bootstrap and calls for Envoy and for Tandem.

mod network;
mod servers;

use std::collections::BTreeMap;

use tandem_harness::Kind;

use network::Network;

/// What is seen of a proxy: by name, so that differences have one.
type Seen = BTreeMap<String, String>;

/// The counters that both count alike.
const COUNTERS: [&str; 3] = [
    "downstream_cx_total",
    "no_filter_chain_match",
    "pre_cx_timeout",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirected_connections_get_what_they_asked_for() {
    let Some(network) = Network::new() else {
        return;
    };
    let envoy = redirected(&network, Kind::Envoy).await;
    let tandem = redirected(&network, Kind::Tandem).await;
    for (name, expected) in [
        ("http", "200 via=http-80 body=10.50.0.9:80"),
        ("http over IPv6", "200 via=http-80 body=[fd50::9]:80"),
        ("an exact listener", "200 via= body=exact"),
        ("a listener of all addresses", "200 via= body=all"),
        ("no listener", "200 via= body=10.50.0.9:8888"),
        ("no listener, over IPv6", "200 via= body=[fd50::9]:8888"),
        ("the server speaks first", "220 10.50.0.9:2525"),
        (
            "the server speaks first, and somebody looks",
            "220 10.50.0.9:25",
        ),
        ("the proxy's own port", ""),
        ("the proxy's own port over IPv6", ""),
    ] {
        assert_eq!(tandem[name], expected, "{name}: {tandem:#?}");
    }
    assert_eq!(tandem, envoy);
}

/// Envoy would connect to itself until it has no descriptors left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_does_not_call_itself() {
    let Some(network) = Network::new() else {
        return;
    };
    let proxy = network.start(Kind::Tandem, include_str!("loop.yaml")).await;
    for address in ["127.0.0.1:15001", "10.50.0.9:15001", "[::1]:15001"] {
        assert_eq!(network.listen_as_root(address), "");
    }
    assert_eq!(
        network.curl("http://10.50.0.9:8888/"),
        "200 via= body=10.50.0.9:8888"
    );
    let counted = network.counters();
    assert_eq!(counted["listener.0.0.0.0_15001.downstream_cx_total"], "4");
    assert_eq!(counted["cluster.pass.upstream_cx_total"], "1");
    drop(proxy);
}

async fn redirected(network: &Network, kind: Kind) -> Seen {
    let proxy = network.start(kind, include_str!("redirect.yaml")).await;
    let mut seen = Seen::new();
    for (name, url) in [
        ("http", "http://10.50.0.9/"),
        ("http over IPv6", "http://[fd50::9]/"),
        ("an exact listener", "http://10.50.0.9:8080/"),
        ("a listener of all addresses", "http://10.50.0.10:8080/"),
        ("no listener", "http://10.50.0.9:8888/"),
        ("no listener, over IPv6", "http://[fd50::9]:8888/"),
    ] {
        seen.insert(name.into(), network.curl(url));
    }
    for (name, address) in [
        ("the server speaks first", "10.50.0.9:2525"),
        (
            "the server speaks first, and somebody looks",
            "10.50.0.9:25",
        ),
    ] {
        seen.insert(name.into(), network.listen_as_app(address));
    }
    for (name, address) in [
        ("the proxy's own port", "127.0.0.1:15001"),
        ("the proxy's own port over IPv6", "[::1]:15001"),
    ] {
        seen.insert(name.into(), network.listen_as_root(address));
    }
    seen.extend(network.counters());
    drop(proxy);
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transparent_listeners_take_connections_to_any_address() {
    let Some(network) = Network::new() else {
        return;
    };
    if !network.transparent() {
        return;
    }
    let envoy = transparent(&network, Kind::Envoy).await;
    let tandem = transparent(&network, Kind::Tandem).await;
    for (name, expected) in [
        ("port 80", "200 via=10.60.0.5:80 body=eighty"),
        ("port 81", "200 via=10.60.0.6:81 body=other"),
        ("port 80 over IPv6", "200 via=[fd60::5]:80 body=eighty"),
    ] {
        assert_eq!(tandem[name], expected, "{name}: {tandem:#?}");
    }
    assert_eq!(tandem, envoy);
}

async fn transparent(network: &Network, kind: Kind) -> Seen {
    let proxy = network.start(kind, include_str!("transparent.yaml")).await;
    let mut seen = Seen::new();
    for (name, url) in [
        ("port 80", "http://10.60.0.5/"),
        ("port 81", "http://10.60.0.6:81/"),
        ("port 80 over IPv6", "http://[fd60::5]/"),
    ] {
        seen.insert(name.into(), network.curl(url));
    }
    seen.extend(network.counters());
    drop(proxy);
    seen
}
