//! `tandem run` on free ports, with a folder that outlives it.

use std::path::Path;
use std::process::Command;

use tandem_api_proto::layotto::runtime_client::RuntimeClient;
use tandem_harness::{Kind, Process, client, ports, wait};
use tonic::transport::Channel;

/// A sidecar that can be killed and started again.
pub struct Sidecar {
    /// The running process.
    pub process: Process,
    /// The port of the runtime API.
    pub runtime: u16,
    /// The port of the outbound listener.
    pub outbound: u16,
}

impl Sidecar {
    /// The command line for `folder`: the store is in it, and so are the components, if any.
    pub fn command(folder: &Path, more: &[&str]) -> (Command, [u16; 3]) {
        let found = [ports::free(), ports::free(), ports::free()];
        let [runtime, outbound, admin] = found;
        let mut command = Command::new(Kind::Tandem.binary());
        command
            .args(["run", "--app-id", "orders", "--data-dir"])
            .arg(folder.join("data"))
            .args(["--runtime-grpc-port", &runtime.to_string()])
            .args(["--outbound-port", &outbound.to_string()])
            .args(["--admin-port", &admin.to_string()])
            .args(more);
        (command, found)
    }

    /// Starts it and waits until it is ready.
    pub async fn start(folder: &Path, more: &[&str]) -> Self {
        let (mut command, [runtime, outbound, admin]) = Self::command(folder, more);
        let process = Process::spawn("tandem run", &mut command);
        let deadline = tokio::time::Instant::now() + wait::PATIENCE;
        while !matches!(client::h1::get(admin, "/ready").await, Ok((200, _))) {
            assert!(
                tokio::time::Instant::now() < deadline,
                "not ready:\n{}",
                process.output()
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        Self {
            process,
            runtime,
            outbound,
        }
    }

    /// A client of the runtime API.
    pub fn client(&self) -> RuntimeClient<Channel> {
        let channel = Channel::from_shared(format!("http://127.0.0.1:{}", self.runtime));
        RuntimeClient::new(channel.unwrap().connect_lazy())
    }
}
