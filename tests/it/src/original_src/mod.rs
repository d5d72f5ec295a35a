//! The client's address is kept up to the application: the rules of Istio's interception mode
//! TPROXY, the listener filter `original_src`, and the same calls through Envoy and through Tandem.

mod app;
mod network;

use std::collections::BTreeMap;

use tandem_harness::{Kind, wait};

use network::{Network, Rights};

const BOOTSTRAP: &str = include_str!("bootstrap.yaml");

/// What is called, by whom.
const CALLS: [(&str, &str); 13] = [
    ("10.70.0.1", "http://10.70.0.9/"),
    ("10.70.0.2", "http://10.70.0.9/"),
    ("10.70.0.1", "http://10.70.0.9/again"),
    ("10.70.0.2", "http://10.70.0.9/again"),
    ("fd70::1", "http://[fd70::9]/"),
    ("10.70.0.1", "http://10.70.0.9:90/bytes"),
    ("10.70.0.2", "http://10.70.0.9/second"),
    ("10.70.0.1", "http://10.70.0.9/second"),
    ("10.70.0.2", "http://10.70.0.9/local"),
    ("10.70.0.1", "http://10.70.0.9/pipe"),
    ("10.70.0.1", "http://10.70.0.9/six"),
    ("fd70::1", "http://[fd70::9]/local"),
    ("10.70.0.1", "http://10.70.0.9/marked"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_sees_the_client() {
    let Some(network) = Network::new() else {
        return;
    };
    let envoy = seen(&network, Kind::Envoy).await;
    let tandem = seen(&network, Kind::Tandem).await;
    for (call, client) in [
        ("a client without an address", "127.0.0.1 by connection 1"),
        ("10.70.0.1 http://10.70.0.9/", "10.70.0.1 by connection 2"),
        (
            "10.70.0.2 http://10.70.0.9/again",
            "10.70.0.2 by connection 3",
        ),
        ("fd70::1 http://[fd70::9]/", "fd70::1 by connection 4"),
        (
            "10.70.0.1 http://10.70.0.9:90/bytes",
            "10.70.0.1 by connection 5",
        ),
        (
            "10.70.0.1 http://10.70.0.9/second",
            "10.70.0.1 by connection 7",
        ),
        (
            "10.70.0.2 http://10.70.0.9/local",
            "10.70.0.2 by connection 8",
        ),
    ] {
        assert!(tandem[call].ends_with(client), "{call}: {tandem:#?}");
    }
    assert_eq!(tandem["a cluster's mark"], "true");
    assert_eq!(tandem, envoy);
}

async fn seen(network: &Network, kind: Kind) -> BTreeMap<String, String> {
    let running = network.start(kind, Rights::NetAdmin, BOOTSTRAP).await;
    network.marked();
    let mut seen = BTreeMap::new();
    let nobody = running.curl_by_pipe("http://x/local");
    seen.insert("a client without an address".to_owned(), nobody);
    for (calls, (from, url)) in (1..).zip(CALLS) {
        // A call's line may come after its answer: the lines are to stand in the calls' order.
        running.log(calls).await;
        seen.insert(format!("{from} {url}"), network.curl(from, url));
    }
    // How many packets have it is the kernel's affair, which tries again after a second.
    let is_marked = network.marked() > 0;
    seen.insert("a cluster's mark".to_owned(), is_marked.to_string());
    for line in network.counters() {
        seen.insert(line, String::new());
    }
    for (at, line) in running.log(1 + CALLS.len()).await.into_iter().enumerate() {
        seen.insert(format!("line {at}"), line);
    }
    drop(running);
    seen
}

/// Two clients at once, each with many requests at a time over connections that are kept: none
/// travels on a connection that has the other's address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_never_share_a_connection() {
    let Some(network) = Network::new() else {
        return;
    };
    let running = network.start(Kind::Tandem, Rights::NetAdmin, BOOTSTRAP);
    let running = running.await;
    for url in ["http://10.70.0.9/", "http://10.70.0.9/second"] {
        let clients = ["10.70.0.1", "10.70.0.2"];
        let said = std::thread::scope(|scope| {
            let asking = clients.map(|from| scope.spawn(|| network.curl_often(from, url)));
            asking.map(|asking| asking.join().unwrap())
        });
        for (from, said) in clients.iter().zip(said) {
            let own = format!("{from} by connection ");
            let lines: Vec<_> = said.lines().collect();
            assert_eq!(lines.len(), 100, "{said}");
            assert!(lines.iter().all(|line| line.starts_with(&own)), "{said}");
        }
    }
    drop(running);
}

/// A process that may not do it says so, and calls nobody from another address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_nobody_is_called() {
    let Some(network) = Network::new() else {
        return;
    };
    let bootstrap = BOOTSTRAP
        .replace("transparent: true", "transparent: false")
        .replace("15006", "9080");
    let mut seen = Vec::new();
    for kind in [Kind::Envoy, Kind::Tandem] {
        let running = network.start(kind, Rights::None, &bootstrap).await;
        let mut answers = vec![running.curl_by_pipe("http://x/local")];
        for path in ["local", "second", "six", "pipe"] {
            let url = format!("http://10.70.0.9:9080/{path}");
            answers.push(network.curl("10.70.0.1", &url));
        }
        answers.extend(network.counters());
        answers.extend(running.log(5).await);
        if kind == Kind::Tandem {
            let told = || running.process.output().contains("CAP_NET_ADMIN");
            let output = running.process.output();
            assert!(wait::until(wait::PATIENCE, told).await, "{output}");
        }
        drop(running);
        seen.push(answers);
    }
    assert!(seen[1][1].starts_with("503 "), "{seen:#?}");
    assert!(
        seen[1][1].ends_with("local connection failure"),
        "{seen:#?}"
    );
    assert_eq!(seen[1], seen[0]);
}
