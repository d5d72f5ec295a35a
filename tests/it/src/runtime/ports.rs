//! Ports that another application's sidecar serves.

use tempfile::TempDir;

use super::sidecar::Sidecar;

/// The system would let both have the port, and give each every other call.
#[tokio::test]
async fn two_applications_do_not_share_a_port() {
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let first = Sidecar::start(folders[0].path(), &[]).await;
    for (option, listener, port) in [
        ("--runtime-grpc-port", "runtime_grpc", first.runtime),
        ("--outbound-port", "outbound", first.outbound),
    ] {
        let (mut command, _) = Sidecar::command(folders[1].path(), &[]);
        let mut arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let at = arguments.iter().position(|argument| argument == option);
        arguments[at.unwrap() + 1] = port.to_string().into();
        command = std::process::Command::new(command.get_program());
        let ended = command.args(arguments).output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        let expected = format!("listener '{listener}' cannot listen on 127.0.0.1:{port}: Address");
        assert!(said.contains(&expected), "{said}");
        assert!(said.contains(option), "{said}");
    }
}
