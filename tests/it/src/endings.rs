//! Signals of the real binary: the end of a drain, and log rotation.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tandem_harness::client::Request;
use tandem_harness::client::{h1, h2c};
use tandem_harness::{Kind, Proxy, Upstream, ports, wait};

use crate::oracle::{bootstrap, listener};

struct Rig {
    proxy: Proxy,
    port: u16,
    log: PathBuf,
    upstream: Upstream,
}

impl Rig {
    async fn start() -> Self {
        let upstream = Upstream::start(&["up", "up2"]).await;
        let named = BTreeMap::from([
            ("main", ports::free()),
            ("admin", ports::free()),
            ("dead", ports::free()),
            ("up", upstream.ports()[0]),
            ("up2", upstream.ports()[1]),
        ]);
        let folder = tempfile::TempDir::new().unwrap();
        let (config, log) = (folder.path().join("b.yaml"), folder.path().join("log"));
        let routes = "- {match: {prefix: /}, route: {cluster: up, timeout: 0s}}";
        let text = bootstrap().listener(listener("main").route_list(routes));
        std::fs::write(&config, text.render(&named, &log)).unwrap();
        let mut command = Kind::Tandem.command(&config);
        command.args(["--drain-time-s", "1"]);
        let proxy = Proxy::launch("tandem proxy", &mut command, folder, named["admin"]).await;
        Self {
            proxy: proxy.unwrap(),
            port: named["main"],
            log,
            upstream,
        }
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap_or_default()
    }

    /// Waits until so many requests have reached the upstream.
    async fn upstream_has(&self, requests: usize) {
        let all = wait::until(wait::PATIENCE, || self.upstream.log().len() >= requests).await;
        assert!(all, "expected {requests} requests upstream");
    }
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: any.test\r\nx-script: 200 delay=60000\r\n\r\n")
}

/// What outlasts the drain is cut off, and logged as cut off by us.
#[tokio::test]
async fn what_the_end_of_a_drain_cuts_off_is_logged() {
    let mut rig = Rig::start().await;
    let mut h1 = h1::Connection::open(rig.port).await.unwrap();
    h1.send(request("/h1").as_bytes()).await.unwrap();
    let mut h2 = h2c::Connection::open(rig.port).await.unwrap();
    let waiting = tokio::spawn(async move {
        let request = Request {
            method: "GET".into(),
            path: "/h2".into(),
            authority: "any.test".into(),
            headers: vec![("x-script".into(), "200 delay=60000".into())],
            ..Request::default()
        };
        h2.exchange(&request).await
    });
    rig.upstream_has(2).await;
    rig.proxy.process.signal("TERM");
    let ended = rig.proxy.process.wait(wait::PATIENCE).await;
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
    let _ = waiting.await;
    let mut cut: Vec<_> = rig
        .lines()
        .iter()
        .map(|line| ["path", "flags", "details"].map(|field| line[field].to_string()))
        .collect();
    cut.sort();
    let expected = ["\"/h1\"", "\"/h2\""].map(|path| {
        let [flags, details] = ["\"DC\"", "\"downstream_local_disconnect\""];
        [path, flags, details].map(str::to_owned)
    });
    assert_eq!(cut, expected);
}

/// As Envoy: SIGUSR1 leaves a moved file alone, and new lines go to a new one of its name.
#[tokio::test]
async fn sigusr1_opens_the_access_log_anew() {
    let rig = Rig::start().await;
    let (moved, limit) = (rig.log.with_extension("1"), wait::PATIENCE);
    h1::get(rig.port, "/before").await.unwrap();
    assert!(wait::until(limit, || rig.lines().len() == 1).await);
    std::fs::rename(&rig.log, &moved).unwrap();
    rig.proxy.process.signal("USR1");
    rig.proxy
        .process
        .wait_for_output("opening the access-log files anew")
        .await;
    h1::get(rig.port, "/after").await.unwrap();
    assert!(wait::until(limit, || rig.lines().len() == 1).await);
    assert_eq!(rig.lines()[0]["path"], "/after");
    assert_eq!(std::fs::read_to_string(moved).unwrap().lines().count(), 1);
}

/// As Envoy at the first: what is meant for others does not end it.
#[tokio::test]
async fn sighup_and_sigusr2_are_outlived() {
    let mut rig = Rig::start().await;
    for signal in ["HUP", "USR2", "HUP"] {
        rig.proxy.process.signal(signal);
    }
    for signal in ["HUP", "USR2"] {
        let told = format!("a signal that has no meaning here is ignored signal=\"SIG{signal}\"");
        rig.proxy.process.wait_for_output(&told).await;
    }
    assert!(rig.proxy.process.exited().is_none());
    assert_eq!(h1::get(rig.port, "/").await.unwrap().0, 200);
}
