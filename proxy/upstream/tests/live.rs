//! Clusters that change while requests run.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use support::*;
use tandem_core::Body;
use tandem_model::cluster::*;
use tandem_model::config_source::{Origin, ResourceKey, Subscribed};
use tandem_model::tls::{CommonTls, TlsVersion, UpstreamTls, UpstreamTransport};
use tandem_model::{Address, Cluster};
use tandem_upstream::RoutePolicy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn assignment(endpoints: &[(SocketAddr, u32)]) -> LoadAssignment {
    let endpoint = |(addr, weight): &(SocketAddr, u32)| Endpoint {
        weight: *weight,
        ..Endpoint::new(Address::Socket(*addr))
    };
    LoadAssignment {
        localities: vec![LocalityEndpoints {
            endpoints: endpoints.iter().map(endpoint).collect(),
            ..Default::default()
        }],
        overprovisioning_factor: 140,
    }
}

fn discovered(name: &str) -> Cluster {
    Cluster {
        discovery: Discovery::Eds(Subscribed {
            key: ResourceKey {
                origin: Origin::Ads,
                name: name.into(),
            },
            initial_fetch_timeout: None,
        }),
        ..Cluster::new(name)
    }
}

/// A server that answers each request on a connection with its own name, and a signal of when a
/// connection to it ended.
async fn named(name: &'static str) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{name}");
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
                let _ = tell.send(());
            });
        }
    });
    (addr, told)
}

async fn ask(rig: &Rig) -> String {
    text(rig.send(get("/")).await.unwrap()).await
}

/// Endpoints of an EDS cluster come and go; those that stay keep their connections, whatever
/// else of them changes.
#[tokio::test]
async fn endpoints_that_stay_keep_their_connections() {
    let (addr, connections) = server(false, |_| async { Response::new(Body::empty()) }).await;
    let (other, mut ended) = named("b").await;
    let rig = Rig::new(discovered("c"), RoutePolicy::default());
    assert!(rig.send(get("/")).await.is_err());
    assert!(rig.manager.set_endpoints("c", &assignment(&[(addr, 1)])));
    ask(&rig).await;
    let both = assignment(&[(other, 1), (addr, 7)]);
    assert!(rig.manager.set_endpoints("c", &both));
    for _ in 0..16 {
        ask(&rig).await;
    }
    assert_eq!(rig.stat("membership_total"), 2);
    assert!(rig.manager.set_endpoints("c", &assignment(&[(addr, 1)])));
    // The connection to the host that went is closed although nobody asks any more.
    ended.recv().await.unwrap();
    ask(&rig).await;
    assert_eq!(connections.load(SeqCst), 1);
    assert_eq!(rig.stat("membership_change"), 3);
    assert!(rig.manager.set_endpoints("c", &assignment(&[(addr, 1)])));
    assert_eq!(rig.stat("update_success"), 4);
    assert_eq!(rig.stat("update_no_rebuild"), 1);
    assert!(!rig.manager.set_endpoints("none", &both));
}

/// Only a cluster that asks a control plane is told its endpoints by one.
#[tokio::test]
async fn a_static_cluster_has_the_endpoints_of_its_configuration() {
    let (addr, _) = named("a").await;
    let (other, _) = named("b").await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    assert!(!rig.manager.set_endpoints("c", &assignment(&[(other, 1)])));
    assert_eq!(ask(&rig).await, "a");
}

/// An address that is named twice is one host.
#[tokio::test]
async fn an_address_counts_once() {
    let (addr, _) = named("a").await;
    let rig = Rig::new(discovered("c"), RoutePolicy::default());
    let twice = assignment(&[(addr, 1), (addr, 2)]);
    rig.manager.set_endpoints("c", &twice);
    assert_eq!(rig.stat("membership_total"), 1);
}

/// A cluster that is equal keeps its connections and endpoints; one with other settings is a
/// new one that serves with the endpoints of the old until it is told its own.
#[tokio::test]
async fn a_replaced_cluster_keeps_the_endpoints_of_its_assignment() {
    let (addr, connections) = server(false, |_| async { Response::new(Body::empty()) }).await;
    let rig = Rig::new(discovered("c"), RoutePolicy::default());
    rig.manager.set_endpoints("c", &assignment(&[(addr, 1)]));
    ask(&rig).await;
    rig.manager.set_cluster(Arc::new(discovered("c")));
    ask(&rig).await;
    assert_eq!(connections.load(SeqCst), 1);
    let mut changed = discovered("c");
    changed.connect_timeout = Duration::from_secs(7);
    rig.manager.set_cluster(Arc::new(changed));
    ask(&rig).await;
    assert_eq!(connections.load(SeqCst), 2);
    assert_eq!(rig.stat("upstream_rq_total"), 3);
}

/// A request that began on a cluster that was removed finishes there, after which the connection
/// is closed; nothing of the cluster is shown meanwhile.
#[tokio::test]
async fn requests_outlive_their_cluster() {
    let (give, body) = channel();
    let body = std::sync::Mutex::new(Some(body));
    let body = Arc::new(body);
    let (addr, _) = server(false, move |_| {
        let body = body.lock().unwrap().take().unwrap_or_default();
        async { Response::new(body) }
    })
    .await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    let response = rig.send(get("/")).await.unwrap();
    give.send(Bytes::from_static(b"first ")).unwrap();
    assert!(rig.manager.remove_cluster("c"));
    assert!(!rig.manager.remove_cluster("c"));
    assert!(rig.send(get("/")).await.is_err());
    assert_eq!(rig.manager.admin_text(), "");
    assert_eq!(
        rig.stats.text(|name| name.starts_with("cluster."), false),
        ""
    );
    give.send(Bytes::from_static(b"last")).unwrap();
    drop(give);
    assert_eq!(text(response).await, "first last");
}

/// An idle connection of a cluster that was removed is closed soon, and not when its idle time
/// is over.
#[tokio::test]
async fn a_removed_cluster_closes_its_idle_connections() {
    let (addr, mut ended) = named("a").await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    assert_eq!(ask(&rig).await, "a");
    rig.manager.remove_cluster("c");
    ended.recv().await.unwrap();
}

/// What a removed cluster measured is shown no more, handshakes too, though a worker that has
/// nothing to do still knows it; a new one of its name counts on.
#[tokio::test]
async fn a_removed_cluster_takes_its_metrics_along() {
    let (addr, _) = named("a").await;
    let mut secure = cluster(&[addr]);
    secure.transport_socket = UpstreamTransport::Tls(Arc::new(UpstreamTls {
        common: CommonTls {
            min_version: TlsVersion::V1_2,
            max_version: TlsVersion::V1_3,
            cipher_suites: Vec::new(),
            curves: Vec::new(),
            alpn: Vec::new(),
            certificates: Vec::new(),
            validation: None,
        },
        sni: "".into(),
        auto_host_sni: false,
        auto_sni_san_validation: false,
        max_session_keys: 0,
    }));
    let rig = Rig::new(secure.clone(), RoutePolicy::default());
    assert!(rig.send(get("/")).await.is_err());
    let shown = || rig.stats.text(|name| name.starts_with("cluster."), true);
    let failed = "cluster.c.ssl.connection_error: 1\n";
    assert!(shown().contains(failed), "{}", shown());
    rig.manager.remove_cluster("c");
    assert_eq!((shown(), rig.manager.admin_text()), Default::default());
    rig.manager.set_cluster(Arc::new(secure));
    assert!(shown().contains(failed), "{}", shown());
}

/// Of a batch requests see all or nothing, and endpoints can come with their cluster.
#[tokio::test]
async fn a_batch_is_published_at_once() {
    let (addr, _) = named("a").await;
    let rig = Rig::new(discovered("old"), RoutePolicy::default());
    rig.manager.batch(|batch| {
        batch.remove_cluster("old");
        batch.set_cluster(Arc::new(discovered("c")));
        assert!(batch.set_endpoints("c", &assignment(&[(addr, 1)])));
        assert!(rig.manager.contains("old") && !rig.manager.contains("c"));
    });
    assert!(!rig.manager.contains("old"));
    assert_eq!(ask(&rig).await, "a");
    let gauge = rig
        .stats
        .text(|name| name.ends_with("active_clusters"), false);
    assert_eq!(gauge, "cluster_manager.active_clusters: 1\n");
}

/// A cluster that is prepared is met by no request before its names are resolved and it is
/// added; it goes if it never is.
#[tokio::test]
async fn a_cluster_warms_before_it_is_published() {
    let (addr, _) = named("a").await;
    let mut config = cluster(&[addr]);
    config.discovery = Discovery::StrictDns(Dns::default());
    config.load_assignment.localities[0].endpoints[0].address = Address::Name {
        host: "localhost".into(),
        port: addr.port(),
    };
    let rig = Rig::new(discovered("other"), RoutePolicy::default());
    drop(rig.manager.prepare(Arc::new(config.clone())));
    let warming = rig.manager.prepare(Arc::new(config));
    warming.warmed().await;
    assert!(!rig.manager.contains("c"));
    assert!(!rig.stats.text(|_| true, false).contains("cluster.c."));
    rig.manager.batch(|batch| batch.add(warming));
    assert_eq!(ask(&rig).await, "a");
}

/// What is prepared while another cluster of the name is published, and added after that one
/// was removed, is there.
#[tokio::test]
async fn a_prepared_cluster_survives_the_one_it_stood_for() {
    let (addr, _) = named("a").await;
    let rig = Rig::new(cluster(&[addr]), RoutePolicy::default());
    let warming = rig.manager.prepare(Arc::new(cluster(&[addr])));
    assert!(warming.is_unchanged());
    rig.manager.remove_cluster("c");
    rig.manager.batch(|batch| batch.add(warming));
    assert_eq!(ask(&rig).await, "a");
}

/// A cluster that nobody used is shown with zeros, and what is read of hosts and breakers is
/// right.
#[tokio::test]
async fn an_unused_cluster_shows_zeros() {
    let addr = SocketAddr::from(([127, 0, 0, 1], 9));
    let mut config = cluster(&[addr, addr]);
    config.circuit_breakers.track_remaining = true;
    config.circuit_breakers.max_connections = 7;
    let rig = Rig::new(config, RoutePolicy::default());
    assert_eq!(rig.stat("upstream_rq_total"), 0);
    assert_eq!(rig.stat("membership_healthy"), 2);
    assert_eq!(rig.stat("circuit_breakers.default.remaining_cx"), 7);
    let text = rig.stats.prometheus();
    for line in [
        "# TYPE envoy_cluster_upstream_rq_total counter\n",
        "envoy_cluster_upstream_rq_total{envoy_cluster_name=\"c\"} 0\n",
        "envoy_cluster_membership_total{envoy_cluster_name=\"c\"} 2\n",
        "envoy_cluster_upstream_rq_time_count{envoy_cluster_name=\"c\"} 0\n",
    ] {
        assert!(text.contains(line), "{line}");
    }
}

/// Requests of two workers go on without a failure while endpoints come and go, and the cluster
/// is replaced and beside others, as fast as can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_request_fails_while_everything_changes() {
    let mut addrs = Vec::new();
    for _ in 0..3 {
        addrs.push(
            server(false, |_| async { Response::new(Body::empty()) })
                .await
                .0,
        );
    }
    let rig = Rig::new(discovered("c"), RoutePolicy::default());
    let manager = Arc::clone(&rig.manager);
    manager.set_endpoints("c", &assignment(&[(addrs[0], 1)]));
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (manager, done) = (Arc::clone(&manager), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = runtime.enable_all().build().unwrap();
                runtime.block_on(async {
                    let rig = Rig::of(&manager, RoutePolicy::default());
                    let mut sent = 0;
                    // At least one, however late this thread may begin.
                    loop {
                        let response = rig.send(get("/")).await.unwrap();
                        assert_eq!(response.status(), 200);
                        text(response).await;
                        sent += 1;
                        if done.load(SeqCst) {
                            break sent;
                        }
                    }
                })
            })
        })
        .collect();
    for turn in 0..600 {
        let two = [
            (addrs[turn % 3], 1),
            (addrs[(turn + 1) % 3], 1 + turn as u32 % 5),
        ];
        manager.set_endpoints("c", &assignment(&two));
        if turn % 7 == 0 {
            let mut changed = discovered("c");
            changed.connect_timeout = Duration::from_secs(5 + turn as u64 % 2);
            manager.batch(|batch| {
                batch.set_cluster(Arc::new(discovered(&format!("other-{}", turn % 5))));
                batch.remove_cluster(&format!("other-{}", turn % 3));
                batch.set_cluster(Arc::new(changed));
            });
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    done.store(true, SeqCst);
    for worker in workers {
        assert!(worker.join().unwrap() > 0);
    }
}

/// A cluster whose names are to be resolved serves with what they were known to be while its
/// settings change.
#[tokio::test]
async fn a_replaced_cluster_knows_its_names_still() {
    let (addr, _) = named("a").await;
    let mut config = cluster(&[addr]);
    config.discovery = Discovery::StrictDns(Dns::default());
    config.load_assignment.localities[0].endpoints[0].address = Address::Name {
        host: "localhost".into(),
        port: addr.port(),
    };
    let rig = Rig::new(config.clone(), RoutePolicy::default());
    rig.manager.warmed().await;
    config.connect_timeout = Duration::from_secs(7);
    rig.manager.set_cluster(Arc::new(config));
    assert_eq!(ask(&rig).await, "a");
}
