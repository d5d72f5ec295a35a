//! The machines: namespaces on one bridge, with a route that leads nowhere.

use std::io::Result as IoResult;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::time::Duration;

use tandem_harness::netns::Namespace;
use tokio::net::{TcpListener, TcpStream};

/// Where istiod is.
pub const CONTROL: &str = "10.77.0.10";
/// Where the client is.
pub const CLIENT: &str = "10.77.0.21";
/// Where the versions of echo are.
pub const ECHO: [&str; 2] = ["10.77.0.22", "10.77.0.23"];
const OUTSIDER: &str = "10.77.0.30";

/// Who proxies are: the rules leave what they send alone.
pub const UID: u32 = 1337;

const CONNECT: Duration = Duration::from_secs(3);

/// How a machine's traffic is taken: Istio's interception modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Clients' addresses are lost.
    Redirect,
    /// They are kept up to the application, by a proxy that has the right to.
    Tproxy,
}

impl Mode {
    /// As istiod is told of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redirect => "REDIRECT",
            Self::Tproxy => "TPROXY",
        }
    }

    /// Who a proxy is on such a machine, as in a pod that Istio injected; its group is always 1337.
    /// Under TPROXY the rules would send what user 1337 sends to its own machine back to it.
    pub fn user(self) -> u32 {
        match self {
            Self::Redirect => UID,
            Self::Tproxy => 0,
        }
    }

    fn rules(self) -> &'static str {
        match self {
            Self::Redirect => include_str!("../config/capture.rules"),
            Self::Tproxy => include_str!("../config/tproxy.rules"),
        }
    }
}

/// One machine of the network.
pub struct Machine {
    namespace: Namespace,
    /// How its traffic is taken, if it is.
    pub mode: Mode,
}

/// All of them.
pub struct Network {
    _bridge: Namespace,
    /// The control plane's.
    pub control: Machine,
    /// The client's; its traffic is taken.
    pub client: Machine,
    /// Those of the versions of echo; their traffic is taken.
    pub echo: [Machine; 2],
    /// Somebody's without a sidecar.
    pub outsider: Machine,
}

impl Network {
    /// Makes them.
    ///
    /// # Errors
    /// What the system says: it takes root, and a kernel that allows it.
    pub fn new() -> Result<Self, String> {
        let bridge = Namespace::new()?;
        bridge.sh(
            "ip link add br0 type bridge; ip addr add 10.77.0.1/24 dev br0; ip link set br0 up",
        )?;
        let machine = |address| Machine::new(&bridge, address, Mode::Redirect);
        let network = Self {
            control: machine(CONTROL)?,
            client: machine(CLIENT)?,
            echo: [
                machine(ECHO[0])?,
                Machine::new(&bridge, ECHO[1], Mode::Tproxy)?,
            ],
            outsider: machine(OUTSIDER)?,
            _bridge: bridge,
        };
        for machine in [&network.client, &network.echo[0], &network.echo[1]] {
            machine.take()?;
        }
        Ok(network)
    }
}

impl Machine {
    fn new(bridge: &Namespace, address: &str, mode: Mode) -> Result<Self, String> {
        let namespace = Namespace::new()?;
        let port = address.replace("10.77.0.", "port");
        bridge.sh(&format!(
            "ip link add {port} type veth peer name eth0 netns {}; ip link set {port} master br0 up",
            namespace.name()
        ))?;
        // Connections to addresses that nobody has are taken only if there is a way to them.
        namespace.sh(&format!(
            "ip addr add {address}/24 dev eth0; ip link set eth0 up; ip route add default via 10.77.0.1"
        ))?;
        Ok(Self { namespace, mode })
    }

    /// From now on its traffic is taken.
    fn take(&self) -> Result<(), String> {
        let rules = self.mode.rules();
        let load = format!("iptables-restore <<'END'\n{rules}END");
        self.namespace.sh(&load)?;
        if self.mode == Mode::Tproxy {
            self.namespace.sh(
                "ip rule add fwmark 1337 lookup 133; ip route add local 0.0.0.0/0 dev lo table 133",
            )?;
        }
        Ok(())
    }

    /// A command that runs on it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
        self.namespace.command(program)
    }

    /// Connects from it, as somebody whose traffic is taken where traffic is taken.
    ///
    /// # Errors
    /// As `connect`.
    pub fn connect(&self, to: &str) -> IoResult<TcpStream> {
        let to: SocketAddr = to.parse().map_err(std::io::Error::other)?;
        let stream = self
            .namespace
            .act(|| StdStream::connect_timeout(&to, CONNECT))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        TcpStream::from_std(stream)
    }

    /// Listens on it.
    ///
    /// # Errors
    /// As `bind` and `listen`.
    pub fn listen(&self, at: &str) -> IoResult<TcpListener> {
        let socket = self.namespace.act(|| StdListener::bind(at))?;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket)
    }
}
