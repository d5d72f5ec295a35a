//! A namespace with services, and rules that take the application's connections.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tandem_harness::netns::{APP_UID, Namespace};
use tandem_harness::{Kind, Process, wait};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{COUNTERS, Seen, servers};

const ADDRESSES: &str = "
ip addr add 10.50.0.9/32 dev lo
ip addr add 10.50.0.10/32 dev lo
ip -6 addr add fd50::9/128 dev lo nodad
";
// By port, as answers to an address of these networks are to be left alone.
const TRANSPARENT: &str = "
ip route add local 10.60.0.0/24 dev lo
ip -6 route add local fd60::/64 dev lo
iptables -t mangle -A PREROUTING -p tcp -d 10.60.0.0/24 --dport 80:81 -j TPROXY --on-port 15006
ip6tables -t mangle -A PREROUTING -p tcp -d fd60::/64 --dport 80:81 -j TPROXY --on-port 15006
";

pub struct Network {
    namespace: Namespace,
    _servers: JoinSet<()>,
}

/// A proxy that runs in the network.
pub struct Running {
    _process: Process,
    _folder: TempDir,
}

impl Network {
    /// `None`, loudly, where there can be none.
    pub fn new() -> Option<Self> {
        let made = Namespace::new().and_then(|namespace| {
            namespace.sh(ADDRESSES)?;
            for iptables in ["iptables", "ip6tables"] {
                namespace.sh(&format!(
                    "{iptables} -t nat -A OUTPUT -p tcp -m owner --uid-owner {APP_UID} \
                     -j REDIRECT --to-ports 15001"
                ))?;
            }
            Ok(namespace)
        });
        match made {
            Ok(namespace) => Some(Self {
                _servers: servers::start(&namespace),
                namespace,
            }),
            Err(error) => {
                eprintln!("SKIPPED: no interception here: {error}");
                None
            }
        }
    }

    /// Other rules: nothing is redirected, some networks are taken as they are. False, loudly,
    /// where there can be none.
    pub fn transparent(&self) -> bool {
        let cleared = self.namespace.sh("iptables -t nat -F; ip6tables -t nat -F");
        cleared.unwrap();
        for iptables in ["iptables", "ip6tables"] {
            let rules = format!("{iptables} -t mangle");
            let rule = format!("{rules} -A PREROUTING -p tcp -j TPROXY --on-port 15006");
            if let Err(error) = self.namespace.sh(&rule) {
                eprintln!("SKIPPED: no TPROXY here: {error}");
                return false;
            }
            self.namespace.sh(&format!("{rules} -F")).unwrap();
        }
        self.namespace.sh(TRANSPARENT).unwrap();
        true
    }

    /// Starts a proxy in it, and waits until it is ready.
    pub async fn start(&self, kind: Kind, bootstrap: &str) -> Running {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("bootstrap.yaml");
        std::fs::write(&config, bootstrap).unwrap();
        let mut process = Process::spawn(
            &format!("{kind:?}"),
            &mut self.namespace.wrap(&kind.command(&config)),
        );
        let ready = "curl -sf -m 1 http://127.0.0.1:15000/ready";
        let ready = wait::until(3 * wait::PATIENCE, || {
            process.exited().is_some() || self.namespace.sh(ready).is_ok()
        });
        assert!(
            ready.await && process.exited().is_none(),
            "{}",
            process.output()
        );
        Running {
            _process: process,
            _folder: folder,
        }
    }

    /// What curl gets for the application, which knows of no proxy.
    pub fn curl(&self, url: &str) -> String {
        let mut curl = self.namespace.app_command("curl");
        let output = curl.args([
            "-s",
            "-m",
            "30",
            "-w",
            "\n%{http_code} via=%header{x-via}",
            url,
        ]);
        let output = output.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match text.rsplit_once('\n') {
            Some((body, facts)) => format!("{facts} body={body}"),
            None => format!("curl: {}", output.status),
        }
    }

    /// What the application hears when it says nothing.
    pub fn listen_as_app(&self, address: &str) -> String {
        self.namespace.act_as_app(|| hear(address))
    }

    /// The same for somebody whose traffic is not taken.
    pub fn listen_as_root(&self, address: &str) -> String {
        self.namespace.act(|| hear(address))
    }

    /// What the proxy counted.
    pub fn counters(&self) -> Seen {
        let stats = "curl -sf http://127.0.0.1:15000/stats";
        let stats = self.namespace.sh(stats).unwrap();
        let counted = stats.lines().filter_map(|line| line.split_once(": "));
        let wanted = counted.filter(|(name, _)| {
            let ours = name.starts_with("listener.")
                && !name.contains("admin")
                && !name.contains("worker_")
                && COUNTERS.iter().any(|counter| name.ends_with(counter));
            ours || name.starts_with("http_inspector.") || *name == "cluster.pass.upstream_cx_total"
        });
        wanted
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

fn hear(address: &str) -> String {
    let address: SocketAddr = address.parse().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut heard = [0; 100];
    match stream.read(&mut heard) {
        Ok(length) => String::from_utf8_lossy(&heard[..length]).trim().to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => String::new(),
        Err(error) => error.to_string(),
    }
}
