//! What a mesh's agent asks to know whether the proxy is ready.

use super::held::Held;
use super::*;

/// As pilot-agent asks, to the letter: it fails where one of both is not there.
const READY: &str = r"/stats?usedonly&filter=^(server\.state|listener_manager\.workers_started)";
const UPDATED: &str = r"/stats?usedonly&filter=^(cluster_manager\.cds|listener_manager\.lds)\.(update_success|update_rejected)$";

async fn ask(admin: u16, path: &str) -> Vec<String> {
    let (status, page) = h1::get(admin, path).await.unwrap();
    assert_eq!(status, 200, "{page}");
    let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// State and workers are there when the first configuration has come, and only then; Envoy
/// answers the same. A process that drains says so.
#[tokio::test]
async fn an_agents_probe_is_answered_as_by_envoy() {
    let live = ["listener_manager.workers_started: 1", "server.state: 0"];
    let updated = [
        "cluster_manager.cds.update_success: 1",
        "listener_manager.lds.update_success: 1",
    ];
    for kind in [Kind::Tandem, Kind::Envoy] {
        let plane = Plane::start().await;
        let [port, admin] = [ports::free(), ports::free()];
        let config = bootstrap("GRPC", plane.port, admin);
        let starting = tokio::spawn(async move { Proxy::start(kind, &config, admin).await });
        let asked = wait::until(wait::PATIENCE, || plane.node().is_some());
        assert!(asked.await);
        // The control plane may hear of it before admin answers.
        let answers = || async { h1::get(admin, "/ready").await.is_ok() };
        assert!(wait::until_async(wait::PATIENCE, answers).await);
        let before = ask(admin, READY).await;
        assert!(
            !before.contains(&live[0].to_owned()),
            "{kind:?}: {before:?}"
        );
        if kind == Kind::Tandem {
            assert_eq!(before, ["server.state: 3"]);
        }
        let held = Held::start().await;
        let all = [
            cluster("one"),
            endpoints("one", &[held.port]),
            listener("main", port, "r", "main"),
            routes("r", "one"),
        ];
        plane.say(&all.concat());
        let mut proxy = starting.await.unwrap().unwrap();
        assert_eq!(ask(admin, READY).await, live, "{kind:?}");
        assert_eq!(ask(admin, UPDATED).await, updated, "{kind:?}");
        let rest = proxy.admin("/stats?filter=^server").await;
        for name in ["live: 1", "total_connections: 0", "hot_restart_epoch: 0"] {
            assert!(
                rest.contains(&format!("server.{name}\n")),
                "{kind:?}: {rest}"
            );
        }
        let created = "listener_manager.listener_create_success: ";
        assert!(proxy.admin("/stats").await.contains(created), "{kind:?}");
        if kind == Kind::Envoy {
            continue;
        }
        let mut client = Connection::open(port).await.unwrap();
        let get = b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";
        client.send(get).await.unwrap();
        held.has(1).await;
        let rest = proxy.admin("/stats?filter=^server").await;
        assert!(rest.contains("server.total_connections: 1\n"), "{rest}");
        proxy.process.signal("TERM");
        let drains = wait::until_async(wait::PATIENCE, || async {
            ask(admin, READY).await == [live[0], "server.state: 1"]
        });
        assert!(drains.await, "{}", proxy.process.output());
        held.release();
        assert_eq!(client.response("GET").await.unwrap().status, 503);
        assert!(proxy.process.wait(wait::PATIENCE).await.is_some());
    }
}
