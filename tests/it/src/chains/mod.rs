//! Which filter chain a connection takes, over generated listeners and connections, as Envoy
//! decides it: by destination, server name, transport and application protocols, and source,
//! with every mix of the inspectors.
//!
//! Each chain leads to an upstream that says its letter, so an answer names the chain. The seed
//! is printed; `TANDEM_CHAINS_SEED` repeats a run.

mod client;
mod dice;
mod generate;
mod hello;

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use tandem_harness::{Kind, Proxy, ports};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use dice::Dice;
use generate::{CHAINS, Plan};

/// How many connections are open at once.
const AT_ONCE: usize = 24;

/// What one proxy made of a plan.
struct Outcome {
    /// The letter of the chain, or how the connection ended.
    answers: Vec<String>,
    /// The counters of the inspectors and of what was closed.
    counters: BTreeMap<String, u64>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_take_the_chains_that_envoy_gives_them() {
    let seed = std::env::var("TANDEM_CHAINS_SEED").ok();
    let seed = seed.map_or_else(generate::new_seed, |seed| seed.parse().unwrap());
    eprintln!("TANDEM_CHAINS_SEED={seed}");
    let plan = Plan::new(&mut Dice::new(seed));
    // One after the other: they use the same source ports.
    let envoy = outcome(Kind::Envoy, &plan).await;
    let tandem = outcome(Kind::Tandem, &plan).await;

    let chosen = envoy.answers.iter().filter(|answer| answer.len() == 1);
    assert!(
        chosen.count() > plan.connections.len() / 4,
        "hardly any chain is ever taken"
    );
    let mut wrong = Vec::new();
    for (at, connection) in plan.connections.iter().enumerate() {
        let (expected, got) = (&envoy.answers[at], &tandem.answers[at]);
        if expected != got {
            let listener = &plan.listeners[connection.listener];
            wrong.push(format!(
                "{connection:?}\n  expected {expected}, got {got}\n{listener}"
            ));
        }
    }
    if envoy.counters != tandem.counters {
        wrong.push(format!(
            "counters: expected {:#?}, got {:#?}",
            envoy.counters, tandem.counters
        ));
    }
    let report = format!(
        "== filter_chains: {} of {} connections differ from Envoy (seed {seed})\n{}",
        wrong.len(),
        plan.connections.len(),
        wrong.join("\n")
    );
    crate::oracle::save("filter_chains", &report);
    assert!(wrong.is_empty(), "{report}");
}

/// What one refuses the other refuses.
#[test]
fn chains_that_could_both_be_meant_are_refused_as_envoy_refuses_them() {
    let mut dice = Dice::new(generate::new_seed());
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("bootstrap.yaml");
    let mut refused = 0;
    while refused < 6 {
        let Some(bootstrap) = generate::overlapping(&mut dice) else {
            continue;
        };
        refused += 1;
        std::fs::write(&file, &bootstrap).unwrap();
        let output = Kind::Envoy.validate_command(&file).output().unwrap();
        assert!(!output.status.success(), "only Envoy accepts:\n{bootstrap}");
    }
}

async fn outcome(kind: Kind, plan: &Plan) -> Outcome {
    let mut upstreams = JoinSet::new();
    let mut clusters = Vec::new();
    for letter in CHAINS.chars() {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        clusters.push((letter, socket.local_addr().unwrap().port()));
        upstreams.spawn(say(letter, socket));
    }
    let ports: Vec<u16> = plan.listeners.iter().map(|_| ports::free()).collect();
    let admin = ports::free();
    let bootstrap = plan.bootstrap(admin, &ports, &clusters);
    let proxy = Proxy::start(kind, &bootstrap, admin).await;
    let proxy = proxy.unwrap_or_else(|error| panic!("{error}\n{bootstrap}"));
    let connections = plan.connections.iter();
    let answers = connections.map(|connection| client::ask(connection, ports[connection.listener]));
    let answers = futures_util::stream::iter(answers)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let stats = proxy.admin("/stats").await;
    let counters = stats.lines().filter_map(counter).collect();
    Outcome { answers, counters }
}

fn counter(line: &str) -> Option<(String, u64)> {
    let (name, value) = line.split_once(": ")?;
    let wanted = name.starts_with("tls_inspector.")
        || name.starts_with("http_inspector.")
        || name.starts_with("listener.l")
            && (name.ends_with("no_filter_chain_match") || name.ends_with("pre_cx_timeout"));
    let value = value.parse().ok().filter(|_| wanted)?;
    Some((name.to_owned(), value))
}

/// An upstream that says its letter first, and then listens to the end.
async fn say(letter: char, socket: TcpListener) {
    let mut open = JoinSet::new();
    while let Ok((mut stream, _)) = socket.accept().await {
        open.spawn(async move {
            let _ = stream.write_all(&[letter as u8]).await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        });
    }
}
