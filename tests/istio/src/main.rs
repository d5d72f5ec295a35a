//! Tandem under a real istiod: namespaces as machines, connections taken by iptables, identities
//! that istiod signs, configuration that changes while calls are made. One line a check.
//!
//! `tests/run istio` installs what it needs, builds istiod and runs it.
#![allow(
    unreachable_pub,
    reason = "what is public is for the other files of this binary"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a harness that cannot start its servers has nothing better to do than panic"
)]

mod app;
mod basic;
mod calls;
mod changes;
mod doors;
mod identity;
mod istiod;
mod kubernetes;
mod load;
mod mesh;
mod network;
mod options;
mod report;
mod rules;
mod secrets;
mod sidecar;
mod traffic;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use tandem_harness::Kind;
use tokio::signal::unix::{SignalKind, signal};

use mesh::{Mesh, Pair};
use options::Options;
use report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    // What has to be undone is undone when values go: not by leaving at once.
    let mut term = signal(SignalKind::terminate()).unwrap();
    tokio::select! {
        code = run() => code,
        _ = tokio::signal::ctrl_c() => ExitCode::from(130),
        _ = term.recv() => ExitCode::from(143),
    }
}

async fn run() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(usage) => {
            println!("{usage}");
            return ExitCode::from(1);
        }
    };
    if let Err(error) = network::Network::new() {
        println!("== NOT RUN: no network namespaces with bridges and iptables here: {error}");
        return ExitCode::from(2);
    }
    let mut total = Report::default();
    for (pair, outage) in options.pairs {
        total.add(&check(pair, outage).await);
    }
    let (passed, failed) = total.counts();
    println!("== {passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

/// All checks with one pair of proxies.
async fn check(pair: Pair, outage: Duration) -> Report {
    println!(
        "== client's sidecar: {:?}, server's: {:?}",
        pair.client, pair.server
    );
    let began = Instant::now();
    let mut report = Report::default();
    match Mesh::start(pair, &mut report).await {
        Ok(mut mesh) => {
            basic::run(&mut mesh, &mut report).await;
            traffic::run(&mesh, pair.client, &mut report).await;
            if pair.client == Kind::Tandem {
                doors::run(&mesh, &mut report).await;
            }
            changes::run(&mut mesh, outage, &mut report).await;
        }
        Err(error) => report.say("the mesh starts", false, &error),
    }
    let (passed, failed) = report.counts();
    println!(
        "== {pair}: {passed} passed, {failed} failed, {} s",
        began.elapsed().as_secs()
    );
    report
}
