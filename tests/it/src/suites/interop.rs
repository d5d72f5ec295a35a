//! gRPC's interop client against gRPC's interop server, with the proxy between them.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use tandem_harness::{Process, ports, wait};
use tokio::net::TcpStream;

use super::{start, tool};
use crate::oracle::listener;

/// The cases that run through the proxy.
const CASES: &[&str] = &[
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
    "orca_per_rpc",
    "orca_oob",
    "rpc_soak",
    "channel_soak",
];

/// The cases that cannot pass here, with or without a proxy, and what the client says of each.
const IMPOSSIBLE: &[(&str, &str)] = &[
    // It asks several servers for their names, which this server does not tell.
    ("pick_first_unary", "got empty server ID"),
    // Tokens and keys of a Google Cloud account, from its own servers.
    ("compute_engine_creds", CREDENTIALS),
    ("service_account_creds", CREDENTIALS),
    ("jwt_token_creds", CREDENTIALS),
    ("per_rpc_creds", CREDENTIALS),
    ("oauth2_auth_token", CREDENTIALS),
    (
        "google_default_credentials",
        "GoogleDefaultCredentials need to be set",
    ),
    (
        "compute_engine_channel_credentials",
        "ComputeEngineCreds need to be set",
    ),
];

const CREDENTIALS: &str = "TLS credentials need to be set";

/// What the cases about load reports (ORCA) need: a balancer that reads them.
const READS_REPORTS: &str =
    r#"{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}"#;

const PATIENCE: Duration = Duration::from_secs(60);

/// Every case that this client has is run, or named with the reason why it cannot be.
#[test]
fn no_case_goes_unnamed() {
    let output = Command::new(tool("grpc-interop-client"))
        .arg("-h")
        .output()
        .unwrap();
    let help = [output.stdout, output.stderr].concat();
    let help = String::from_utf8_lossy(&help).into_owned();
    let list = help.split("Valid options are:").nth(1).unwrap();
    let list = list.split("(default").next().unwrap();
    // The soaks are cases too, which the list leaves out.
    let offered: BTreeSet<&str> = list
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(case, _)| case.trim())
        .chain(["rpc_soak", "channel_soak"])
        .collect();
    let impossible = IMPOSSIBLE.iter().map(|(case, _)| *case);
    let named: BTreeSet<&str> = CASES.iter().copied().chain(impossible).collect();
    assert_eq!(offered, named, "{help}");
}

/// Every case passes over HTTP/2 on both sides.
#[tokio::test]
async fn every_case_passes_through_the_proxy() {
    let (mut server, port) = server().await;
    let routes = "- {match: {prefix: /}, route: {cluster: interop, timeout: 0s}}";
    let listener = listener("main").route_list(routes);
    let (proxy, ports, _upstream) = start(listener, Some(port)).await;
    let mut failed = Vec::new();
    for case in CASES {
        let mut process = client(case, ports["main"]);
        match process.wait(PATIENCE).await {
            Some(status) if status.success() => {}
            ended => failed.push(format!("{case}: {ended:?}\n{}", process.output())),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    server.kill();
    drop(proxy);
}

/// What is left out fails without any proxy, for the reason that stands beside it.
#[tokio::test]
async fn what_is_left_out_fails_without_a_proxy_too() {
    let (mut server, port) = server().await;
    for (case, reason) in IMPOSSIBLE {
        let mut process = client(case, port);
        let status = process.wait(PATIENCE).await;
        let said = process.last_output().await;
        assert!(
            status.is_some_and(|status| !status.success()) && said.contains(reason),
            "{case}: {status:?}\n{said}"
        );
    }
    server.kill();
}

fn client(case: &str, port: u16) -> Process {
    let mut command = Command::new(tool("grpc-interop-client"));
    command.args(["--server_host", "127.0.0.1", "--test_case", case]);
    command.args(["--server_port", &port.to_string()]);
    if case.ends_with("_soak") {
        command.args(["--soak_iterations", "100"]);
        command.args(["--soak_min_time_ms_between_rpcs", "0"]);
        // Whether all come is what it shows; its own limits are a fast machine's.
        command.args(["--soak_per_iteration_max_acceptable_latency_ms", "10000"]);
        command.args(["--soak_overall_timeout_seconds", "50"]);
    }
    if case.starts_with("orca_") {
        command.args(["--service_config_json", READS_REPORTS]);
    }
    Process::spawn(case, &mut command)
}

async fn server() -> (Process, u16) {
    let port = ports::free();
    let mut command = Command::new(tool("grpc-interop-server"));
    let server = Process::spawn("the server", command.args(["--port", &port.to_string()]));
    let up = wait::until_async(wait::PATIENCE, || async {
        TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    });
    assert!(up.await, "it did not start:\n{}", server.output());
    (server, port)
}
