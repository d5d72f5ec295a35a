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

const CONNECT: Duration = Duration::from_secs(3);

/// One machine of the network.
pub struct Machine(Namespace);

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
        let machine = |address| Machine::new(&bridge, address);
        let network = Self {
            control: machine(CONTROL)?,
            client: machine(CLIENT)?,
            echo: [machine(ECHO[0])?, machine(ECHO[1])?],
            outsider: machine(OUTSIDER)?,
            _bridge: bridge,
        };
        for machine in [&network.client, &network.echo[0], &network.echo[1]] {
            let rules = include_str!("../config/capture.rules");
            machine
                .0
                .sh(&format!("iptables-restore <<'END'\n{rules}END"))?;
        }
        Ok(network)
    }
}

impl Machine {
    fn new(bridge: &Namespace, address: &str) -> Result<Self, String> {
        let machine = Namespace::new()?;
        let port = address.replace("10.77.0.", "port");
        bridge.sh(&format!(
            "ip link add {port} type veth peer name eth0 netns {}; ip link set {port} master br0 up",
            machine.name()
        ))?;
        // Connections to addresses that nobody has are taken only if there is a way to them.
        machine.sh(&format!(
            "ip addr add {address}/24 dev eth0; ip link set eth0 up; ip route add default via 10.77.0.1"
        ))?;
        Ok(Self(machine))
    }

    /// A command that runs on it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
        self.0.command(program)
    }

    /// Connects from it, as somebody whose traffic is taken where traffic is taken.
    ///
    /// # Errors
    /// As `connect`.
    pub fn connect(&self, to: &str) -> IoResult<TcpStream> {
        let to: SocketAddr = to.parse().map_err(std::io::Error::other)?;
        let stream = self.0.act(|| StdStream::connect_timeout(&to, CONNECT))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        TcpStream::from_std(stream)
    }

    /// Listens on it.
    ///
    /// # Errors
    /// As `bind` and `listen`.
    pub fn listen(&self, at: &str) -> IoResult<TcpListener> {
        let socket = self.0.act(|| StdListener::bind(at))?;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket)
    }
}
