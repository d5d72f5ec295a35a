//! The real binary under a control plane: configuration that changes while traffic runs.

mod absent;
mod again;
mod asked;
pub mod backend;
mod backup;
mod explained;
pub mod extensions;
mod fetched;
mod held;
pub mod hosts;
mod in_flight;
mod invoke;
mod istiod;
pub mod layers;
mod many;
pub mod plane;
mod probed;
mod refused_first;
pub mod resources;
mod revoked;
pub mod scopes;
pub mod told;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tandem_harness::client::h1::{self, Connection};
use tandem_harness::{Kind, Proxy, ports, wait};

use backend::Backend;
use plane::Plane;
use resources::{bootstrap, cluster, endpoints, listener, routes};

const VARIANTS: [&str; 2] = ["GRPC", "DELTA_GRPC"];

/// A process under a control plane, and two backends.
struct Mesh {
    plane: Plane,
    proxy: Proxy,
    /// The port of the listener that the control plane is to send.
    port: u16,
    one: Backend,
    two: Backend,
}

impl Mesh {
    /// Serves listener `main` by routes `r` to cluster `one`.
    async fn start(variant: &str) -> Self {
        let plane = Plane::start().await;
        let reached_at = plane.port;
        Self::reaching(variant, plane, reached_at).await
    }

    /// The same, with the control plane behind a port.
    async fn reaching(variant: &str, plane: Plane, plane_port: u16) -> Self {
        let [port, admin] = [ports::free(), ports::free()];
        let (one, two) = (Backend::start("one").await, Backend::start("two").await);
        plane.say(&said(port, &one, &two, "one"));
        let config = bootstrap(variant, plane_port, admin);
        let proxy = Proxy::start(Kind::Tandem, &config, admin).await.unwrap();
        plane.accepted().await;
        Self {
            plane,
            proxy,
            port,
            one,
            two,
        }
    }

    fn say(&self, target: &str, more: &str) {
        let resources = said(self.port, &self.one, &self.two, target);
        self.plane.say(&(resources + more));
    }

    /// Waits until requests are answered so.
    async fn until(&self, answer: &str) {
        self.until_within(wait::PATIENCE, answer).await;
    }

    /// The same, with a patience of its own.
    async fn until_within(&self, patience: Duration, answer: &str) {
        let answered = wait::until_async(patience, || async {
            h1::get(self.port, "/")
                .await
                .is_ok_and(|(_, body)| body == answer)
        });
        assert!(answered.await, "{}", self.proxy.process.output());
    }

    async fn stat(&self, name: &str) -> Option<u64> {
        let page = self.proxy.admin("/stats").await;
        let name = format!("{name}: ");
        page.lines()
            .find_map(|line| line.strip_prefix(&name)?.parse().ok())
    }
}

fn connection(response: &tandem_harness::client::Response) -> Option<&str> {
    let mut all = response.headers.iter();
    let found = all.find(|(name, _)| name.eq_ignore_ascii_case("connection"));
    found.map(|(_, value)| value.as_str())
}

/// Both clusters, and routes to one of them.
fn said(port: u16, one: &Backend, two: &Backend, target: &str) -> String {
    [
        cluster("one"),
        cluster("two"),
        endpoints("one", &[one.port]),
        endpoints("two", &[two.port]),
        listener("main", port, "r", "main"),
        routes("r", target),
    ]
    .concat()
}

/// Requests without end, on connections of their own and on one that is kept.
struct Load {
    ended: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    failures: tokio::task::JoinHandle<Vec<String>>,
}

impl Load {
    fn start(port: u16) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let (stop, count) = (Arc::clone(&ended), Arc::clone(&answered));
        let failures = tokio::spawn(async move {
            let mut failures = Vec::new();
            let mut kept = Connection::open(port).await.unwrap();
            while !stop.load(Relaxed) {
                match h1::get(port, "/").await {
                    Ok((200, _)) => {}
                    other => failures.push(format!("{other:?}")),
                }
                kept.send(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")
                    .await
                    .unwrap();
                match kept.response("GET").await {
                    Ok(response) if response.status == 200 => {}
                    Ok(response) => failures.push(format!("kept: {}", response.status)),
                    Err(error) => {
                        failures.push(format!("kept: {error}"));
                        kept = Connection::open(port).await.unwrap();
                    }
                }
                count.fetch_add(2, Relaxed);
            }
            failures
        });
        Self {
            ended,
            answered,
            failures,
        }
    }

    /// Waits until so many more requests were answered.
    async fn goes_on(&self, more: usize) {
        let until = self.answered.load(Relaxed) + more;
        let done = wait::until(wait::PATIENCE, || self.answered.load(Relaxed) >= until);
        assert!(done.await, "the load stands still");
    }

    async fn has_no_failures(self) {
        self.ended.store(true, Relaxed);
        assert_eq!(self.failures.await.unwrap(), Vec::<String>::new());
    }
}

/// Routes move between clusters, and clusters come and go with them: no request fails.
#[tokio::test(flavor = "multi_thread")]
async fn changes_under_load_fail_no_request() {
    for variant in VARIANTS {
        let mesh = Mesh::start(variant).await;
        let load = Load::start(mesh.port);
        for round in 0..10 {
            let fresh = format!("fresh-{round}");
            let more = cluster(&fresh) + &endpoints(&fresh, &[mesh.two.port]);
            mesh.say(&fresh, &more);
            mesh.until("two").await;
            load.goes_on(10).await;
            mesh.say("one", "");
            mesh.until("one").await;
            load.goes_on(10).await;
        }
        mesh.plane.accepted().await;
        load.has_no_failures().await;
        assert_eq!(mesh.plane.node().as_deref(), Some("me"));
    }
}

/// An update that leaves a listener as it was leaves its connections alone; another filter chain
/// takes new connections and lets the old ones finish.
#[tokio::test]
async fn connections_end_only_with_their_own_filter_chain() {
    let get = b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";
    for variant in VARIANTS {
        let mesh = Mesh::start(variant).await;
        let mut kept = Connection::open(mesh.port).await.unwrap();
        kept.send(get).await.unwrap();
        assert_eq!(kept.response("GET").await.unwrap().body, b"one");

        let other = ports::free();
        let more = listener("other", other, "r", "other");
        mesh.say("two", &more);
        mesh.until("two").await;
        kept.send(get).await.unwrap();
        let response = kept.response("GET").await.unwrap();
        assert_eq!(response.body, b"two");
        assert_eq!(connection(&response), None);
        mesh.plane.accepted().await;
        assert_eq!(h1::get(other, "/").await.unwrap().1, "two");

        let changed = said(mesh.port, &mesh.one, &mesh.two, "two")
            .replace("stat_prefix: main", "stat_prefix: changed");
        mesh.plane.say(&changed);
        mesh.plane.accepted().await;
        kept.send(get).await.unwrap();
        let response = kept.response("GET").await.unwrap();
        assert_eq!(connection(&response), Some("close"));
        mesh.until("two").await;
        assert!(mesh.stat("http.changed.downstream_rq_total").await > Some(0));
        let refused = wait::until_async(wait::PATIENCE, || async {
            h1::get(other, "/").await.is_err()
        });
        assert!(refused.await, "a removed listener still accepts");
    }
}

/// What is wrong is refused by name; what came with it is used, and what was served stays.
#[tokio::test]
async fn a_bad_resource_refuses_itself_alone() {
    for variant in VARIANTS {
        let mesh = Mesh::start(variant).await;
        let bad = cluster("bad").replace("type: EDS", "type: EDS\n  lb_policy: MAGLEV");
        let good = cluster("good") + &endpoints("good", &[mesh.two.port]);
        mesh.say("good", &(bad + &good));
        mesh.plane
            .refused("bad: lb_policy: 'MAGLEV' is not supported")
            .await;
        mesh.until("two").await;
        let dump = mesh.proxy.admin("/config_dump").await;
        assert!(
            dump.contains("\"details\": \"lb_policy: 'MAGLEV' is not supported\""),
            "{dump}"
        );
        assert!(mesh.stat("cluster_manager.cds.update_rejected").await > Some(0));

        // A version that is wrong does not take away the one before.
        let routes =
            said(mesh.port, &mesh.one, &mesh.two, "one").replace("prefix: /", "prefix: ''");
        let broken = routes.replace("domains: [\"*\"]", "domains: []");
        mesh.plane.say(&broken);
        mesh.plane.refused("r: virtual_hosts[0].domains").await;
        mesh.until("two").await;
    }
}

/// Without its control plane traffic goes on; when it is back, nothing changes but what it says.
#[tokio::test(flavor = "multi_thread")]
async fn the_control_plane_may_be_gone() {
    for variant in VARIANTS {
        let mut mesh = Mesh::start(variant).await;
        let load = Load::start(mesh.port);
        let mut kept = Connection::open(mesh.port).await.unwrap();
        mesh.plane.stop().await;
        let lost = wait::until_async(wait::PATIENCE, || async {
            mesh.stat("control_plane.connected_state").await == Some(0)
        });
        assert!(lost.await);
        load.goes_on(50).await;
        let streams = mesh.plane.streams();
        mesh.plane.resume().await;
        let back = wait::until(wait::PATIENCE, || mesh.plane.streams() > streams);
        assert!(back.await);
        mesh.plane.accepted().await;
        load.goes_on(50).await;
        kept.send(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")
            .await
            .unwrap();
        let response = kept.response("GET").await.unwrap();
        assert_eq!(connection(&response), None);
        mesh.say("two", "");
        mesh.until("two").await;
        load.has_no_failures().await;
    }
}

/// LIVE is said when everything that was asked for at start has come.
#[tokio::test]
async fn readiness_waits_for_the_first_configuration() {
    let plane = Plane::start().await;
    let [port, admin] = [ports::free(), ports::free()];
    let config = bootstrap("DELTA_GRPC", plane.port, admin);
    let starting = tokio::spawn(async move { Proxy::start(Kind::Tandem, &config, admin).await });
    let asked = wait::until(wait::PATIENCE, || plane.node().is_some());
    assert!(asked.await);
    // The control plane is asked by a thread of its own, which may be faster than admin.
    let answers = || async { h1::get(admin, "/ready").await.is_ok() };
    assert!(wait::until_async(wait::PATIENCE, answers).await);
    let (status, state) = h1::get(admin, "/ready").await.unwrap();
    assert_eq!((status, state.trim()), (503, "INITIALIZING"));
    let one = Backend::start("one").await;
    let without_endpoints = [cluster("one"), listener("main", port, "r", "main")].concat();
    plane.say(&(without_endpoints.clone() + &routes("r", "one")));
    plane.accepted().await;
    assert_eq!(h1::get(admin, "/ready").await.unwrap().0, 503);
    plane.say(&(without_endpoints + &routes("r", "one") + &endpoints("one", &[one.port])));
    let _proxy = starting.await.unwrap().unwrap();
    assert_eq!(h1::get(port, "/").await.unwrap(), (200, "one".to_owned()));
}

/// Files may say what control planes say: one that is moved into place is served at once, and one
/// that is wrong changes nothing.
#[tokio::test]
async fn files_take_the_place_of_a_control_plane() {
    let folder = tempfile::TempDir::new().unwrap();
    let [port, admin] = [ports::free(), ports::free()];
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    let place = |name: &str, resources: &str| {
        let (new, path) = (folder.path().join("new"), folder.path().join(name));
        std::fs::write(&new, format!("resources:\n{resources}")).unwrap();
        std::fs::rename(new, path).unwrap();
    };
    let listener = |cluster: &str| {
        listener("main", port, "r", "main").replace(
            "rds: { route_config_name: r, config_source: { ads: {}, resource_api_version: V3 } }",
            &format!(
                "route_config: {{ virtual_hosts: [{{ name: all, domains: ['*'], routes: \
                 [{{ match: {{ prefix: / }}, route: {{ cluster: {cluster} }} }}] }}] }}"
            ),
        )
    };
    let fixed = |name: &str, port: u16| {
        let assignment = endpoints(name, &[port]).replace('\n', "\n    ");
        let assignment = assignment.split("cluster_name").nth(1).unwrap();
        format!(
            "\n- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name: {name}\n  \
             load_assignment:\n      cluster_name{assignment}"
        )
    };
    place(
        "cds.yaml",
        &(fixed("one", one.port) + &fixed("two", two.port)),
    );
    place("lds.yaml", &listener("one"));
    let source = |name: &str| {
        let path = folder.path().join(name).display().to_string();
        format!("{{ path_config_source: {{ path: {path} }}, resource_api_version: V3 }}")
    };
    let config = format!(
        "node: {{ id: me, cluster: us }}\n\
         admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {admin} }} }} }}\n\
         dynamic_resources:\n  cds_config: {}\n  lds_config: {}\n",
        source("cds.yaml"),
        source("lds.yaml"),
    );
    let proxy = Proxy::start(Kind::Tandem, &config, admin).await.unwrap();
    let first = h1::get(port, "/").await;
    assert!(
        first.is_ok_and(|(_, body)| body == "one"),
        "{}",
        proxy.process.output()
    );
    place("lds.yaml", &listener("two"));
    let moved = wait::until_async(wait::PATIENCE, || async {
        h1::get(port, "/")
            .await
            .is_ok_and(|(_, body)| body == "two")
    });
    assert!(moved.await, "{}", proxy.process.output());
    // What cannot be read is refused alone, and takes nothing away.
    let other = ports::free();
    let more = listener("one").replace("name: main", "name: more");
    let more = more.replace(&port.to_string(), &other.to_string());
    place("lds.yaml", &format!("- nonsense{more}"));
    proxy.process.wait_for_output("resources[0]").await;
    assert_eq!(h1::get(other, "/").await.unwrap().1, "one");
    assert_eq!(h1::get(port, "/").await.unwrap().1, "two");
    let bad = listener("one").replace("filter_chains", "filter_chain");
    place(
        "lds.yaml",
        &(bad + &more.replace("cluster: one", "cluster: two")),
    );
    proxy.process.wait_for_output("filter_chain").await;
    let moved = wait::until_async(wait::PATIENCE, || async {
        h1::get(other, "/")
            .await
            .is_ok_and(|(_, body)| body == "two")
    });
    assert!(moved.await, "{}", proxy.process.output());
    assert_eq!(h1::get(port, "/").await.unwrap().1, "two");
}

/// A listener that cannot listen is refused by name, and taken when it can.
#[tokio::test]
async fn an_address_that_is_taken_is_refused() {
    for variant in VARIANTS {
        let mesh = Mesh::start(variant).await;
        let port = ports::free();
        let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        let text = listener("second", port, "r", "second");
        mesh.say("two", &text);
        mesh.plane
            .refused(&format!("second: cannot bind 127.0.0.1:{port}: "))
            .await;
        mesh.until("two").await;
        drop(taken);
        mesh.say("two", &text.replace("prefix: second", "prefix: again"));
        mesh.plane.accepted().await;
        assert_eq!(h1::get(port, "/").await.unwrap().1, "two");
        for (name, value) in [("added", 2), ("modified", 0), ("removed", 0)] {
            let name = format!("listener_manager.listener_{name}");
            assert_eq!(mesh.stat(&name).await, Some(value), "{name}");
        }
        assert_eq!(
            mesh.stat("listener_manager.total_listeners_active").await,
            Some(2)
        );
        // Under another name it takes over.
        mesh.say("two", &text.replace("name: second", "name: third"));
        mesh.plane.accepted().await;
        // Who comes to the old socket as it is closed is reset: the system chooses between the two.
        let over = wait::until_async(wait::PATIENCE, || async {
            h1::get(port, "/")
                .await
                .is_ok_and(|(_, body)| body == "two")
        });
        assert!(over.await, "{}", mesh.proxy.process.output());
    }
}
