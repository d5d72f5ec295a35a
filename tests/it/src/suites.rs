//! Others' test suites through Tandem: h2spec, gRPC's interop client and server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tandem_harness::{Kind, Process, Proxy, Upstream, ports, proxy};
use tokio::net::TcpStream;

use crate::oracle::{bootstrap, listener};

/// The cases of gRPC's interop client that need no credentials of a cloud.
const INTEROP: &[&str] = &[
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "rpc_soak",
    "channel_soak",
];

/// What h2spec expects and Tandem does otherwise, with the reason.
const H2SPEC_DIFFERENT: usize = 13;

/// Envoy 1.40 passes 132 of h2spec's 146 strict tests; Tandem has to pass more.
#[tokio::test]
async fn h2spec_strict() {
    let routes =
        "- {match: {prefix: /}, direct_response: {status: 200, body: {inline_string: hello}}}";
    let (proxy, ports, _upstream) = start(routes, "", 0).await;
    let output = run(Command::new(tool("h2spec")).args([
        "--strict",
        "--timeout",
        "2",
        "-h",
        "127.0.0.1",
        "-p",
        &ports["main"].to_string(),
    ]))
    .await;
    let last = output
        .lines()
        .rev()
        .find(|line| line.contains("tests,"))
        .unwrap_or_default();
    let failed = last
        .split(',')
        .find_map(|part| part.trim().strip_suffix(" failed")?.parse::<usize>().ok());
    let failures = output.split("Failures:").nth(1).unwrap_or_default();
    println!("h2spec: {last}\n{failures}");
    assert!(
        failed.is_some_and(|failed| failed <= H2SPEC_DIFFERENT),
        "{last}\n{failures}"
    );
    drop(proxy);
}

/// Every call of gRPC's own suite passes through the proxy over HTTP/2 on both sides.
#[tokio::test]
async fn grpc_interop() {
    let server = ports::free();
    let mut command = Command::new(tool("grpc-interop-server"));
    let mut server_process = Process::spawn(
        "interop server",
        command.args(["--port", &server.to_string()]),
    );
    let up = tandem_harness::wait::until_async(Duration::from_secs(10), || async {
        TcpStream::connect(("127.0.0.1", server)).await.is_ok()
    });
    assert!(
        up.await,
        "the interop server did not start:\n{}",
        server_process.output()
    );
    let routes = "- {match: {prefix: /}, route: {cluster: interop, timeout: 0s}}";
    let (proxy, ports, _upstream) = start(routes, "interop", server).await;
    let port = ports["main"].to_string();
    let mut failed = Vec::new();
    for case in INTEROP {
        let mut command = Command::new(tool("grpc-interop-client"));
        command.args([
            "--server_host",
            "127.0.0.1",
            "--server_port",
            &port,
            "--test_case",
            case,
        ]);
        if case.ends_with("_soak") {
            command.args([
                "--soak_iterations",
                "100",
                "--soak_min_time_ms_between_rpcs",
                "0",
            ]);
        }
        let mut process = Process::spawn(case, &mut command);
        match process.wait(Duration::from_secs(60)).await {
            Some(status) if status.success() => {}
            ended => failed.push(format!("{case}: {ended:?}\n{}", process.output())),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    server_process.kill();
    drop(proxy);
}

async fn start(
    routes: &str,
    cluster: &str,
    port: u16,
) -> (Proxy, BTreeMap<&'static str, u16>, Upstream) {
    let upstream = Upstream::start(&["up", "up2"]).await;
    let mut named = BTreeMap::from([
        ("main", ports::free()),
        ("admin", ports::free()),
        ("dead", ports::free()),
    ]);
    named.insert("up", upstream.ports()[0]);
    named.insert("up2", upstream.ports()[1]);
    let mut config = bootstrap().listener(listener("main").route_list(routes));
    if !cluster.is_empty() {
        named.insert("interop", port);
        config = config.cluster_h2("interop", "interop", "");
    }
    let log = std::path::Path::new("/dev/null");
    let proxy = Proxy::start(Kind::Tandem, &config.render(&named, log), named["admin"])
        .await
        .unwrap();
    (proxy, named, upstream)
}

fn tool(name: &str) -> PathBuf {
    let path = proxy::tools().join("bin").join(name);
    assert!(
        path.exists(),
        "expected {}; tests/run installs it",
        path.display()
    );
    path
}

async fn run(command: &mut Command) -> String {
    command.stdin(Stdio::null());
    let mut process = Process::spawn("suite", command);
    let ended = process.wait(Duration::from_secs(240)).await;
    assert!(
        ended.is_some(),
        "the suite did not end:\n{}",
        process.output()
    );
    process.last_output().await
}
