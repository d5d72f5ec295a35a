//! A pod behind a wire: clients with several addresses, and rules that take what they send.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tandem_harness::netns::Namespace;
use tandem_harness::{Kind, Process, wait};
use tempfile::TempDir;

use super::app::App;

/// What a proxy that is not root may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// What Istio's sidecar may in this mode.
    NetAdmin,
    /// Nothing.
    None,
}

pub struct Network {
    clients: Namespace,
    pod: Namespace,
    app: App,
    pipe: TempDir,
}

/// A proxy that runs in the pod.
pub struct Running {
    pub process: Process,
    folder: TempDir,
}

impl Network {
    /// `None`, loudly, where there can be none.
    pub fn new() -> Option<Self> {
        match Self::made() {
            Ok(network) => Some(network),
            Err(error) => {
                eprintln!("SKIPPED: no interception here: {error}");
                None
            }
        }
    }

    fn made() -> Result<Self, String> {
        let (clients, pod) = (Namespace::new()?, Namespace::new()?);
        clients.link(&pod, "wire")?;
        for (namespace, hosts) in [(&clients, &["1", "2"][..]), (&pod, &["9"])] {
            namespace.sh("ip link set wire up")?;
            for host in hosts {
                namespace.sh(&format!(
                    "ip addr add 10.70.0.{host}/24 dev wire
                     ip -6 addr add fd70::{host}/64 dev wire nodad"
                ))?;
            }
        }
        pod.sh(include_str!("rules.sh"))?;
        let pipe = open_to_all();
        Ok(Self {
            clients,
            app: App::start(&pod, &pipe.path().join("back.sock")),
            pod,
            pipe,
        })
    }

    /// Starts a proxy, and waits until it is ready.
    pub async fn start(&self, kind: Kind, rights: Rights, bootstrap: &str) -> Running {
        let folder = open_to_all();
        let config = folder.path().join("bootstrap.yaml");
        let bootstrap = bootstrap
            .replace("FOLDER", folder.path().to_str().unwrap())
            .replace("PIPE", self.pipe.path().to_str().unwrap());
        std::fs::write(&config, bootstrap).unwrap();
        self.app.forget();
        let binary = kind.binary_in(folder.path()).unwrap();
        let command = as_sidecar(&binary, &kind.command(&config), rights);
        let mut process = Process::spawn(&format!("{kind:?}"), &mut self.pod.wrap(&command));
        let ready = "curl -sf -m 1 http://127.0.0.1:15000/ready";
        let ready = wait::until(3 * wait::PATIENCE, || {
            process.exited().is_some() || self.pod.sh(ready).is_ok()
        });
        assert!(
            ready.await && process.exited().is_none(),
            "{}",
            process.output()
        );
        Running { process, folder }
    }

    /// What a client of this address gets, and what the proxy saw of it.
    pub fn curl(&self, from: &str, url: &str) -> String {
        curl(
            self.clients
                .command("curl")
                .args(["--interface", from, url]),
        )
    }

    /// What a client of this address gets for many requests, ten of them at a time.
    pub fn curl_often(&self, from: &str, url: &str) -> String {
        let url = format!("{url}?[1-100]");
        let mut curl = self.clients.command("curl");
        curl.args(["-s", "-m", "20", "--parallel", "--parallel-max", "10"]);
        curl.args(["--interface", from, &url]);
        let output = curl.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What the proxy counted.
    pub fn counters(&self) -> Vec<String> {
        let stats = self.pod.sh("curl -sf http://127.0.0.1:15000/stats");
        let stats = stats.unwrap();
        let counted = stats.lines().filter(|line| {
            let name = line.split(':').next().unwrap_or_default();
            let ends = ["_cx_total", "cx_connect_fail", "bind_errors"];
            name.starts_with("cluster.") && ends.iter().any(|end| name.ends_with(end))
        });
        counted.map(str::to_owned).collect()
    }

    /// How many packets had the cluster's mark since it was asked before.
    pub fn marked(&self) -> u64 {
        let rules = self
            .pod
            .sh("
            iptables -t mangle -vnxL OUTPUT 1
            iptables -t mangle -Z OUTPUT 1
        ")
            .unwrap();
        let packets = rules.split_whitespace().next();
        packets.unwrap().parse().unwrap()
    }
}

impl Running {
    /// What somebody gets by the Unix socket.
    pub fn curl_by_pipe(&self, url: &str) -> String {
        let pipe: PathBuf = self.folder.path().join("front.sock");
        curl(Command::new("curl").arg("--unix-socket").arg(pipe).arg(url))
    }

    /// The proxy's log, when it has that many lines.
    pub async fn log(&self, lines: usize) -> Vec<String> {
        let path = self.folder.path().join("log");
        let read = || std::fs::read_to_string(&path).unwrap_or_default();
        let written = || read().lines().count() >= lines;
        assert!(wait::until(wait::PATIENCE, written).await, "{}", read());
        read().lines().map(str::to_owned).collect()
    }
}

/// The proxy is somebody else, and makes its socket there.
fn open_to_all() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    folder
}

fn curl(command: &mut Command) -> String {
    let facts = "\n%{http_code}";
    let output = command.args(["-s", "-m", "30", "-w", facts]).output();
    let output = output.unwrap();
    match String::from_utf8_lossy(&output.stdout).rsplit_once('\n') {
        Some((body, facts)) => format!("{facts} {}", body.trim_end()),
        None => format!("curl: {}", output.status),
    }
}

/// The same by this binary and as user 1337, which the rules know.
fn as_sidecar(binary: &Path, inner: &Command, rights: Rights) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=1337", "--regid=1337", "--clear-groups"]);
    if rights == Rights::NetAdmin {
        command.args(["--inh-caps=+net_admin", "--ambient-caps=+net_admin"]);
    } else {
        command.args(["--inh-caps=-all", "--ambient-caps=-all"]);
    }
    command.arg(binary).args(inner.get_args());
    command
}
