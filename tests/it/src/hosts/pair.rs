//! Two hosts with a wire between them; on each a Tandem, with mutual TLS from one to the other.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener as StdListener, TcpStream};
use std::time::{Duration, Instant};

use tandem_harness::calm::Watched;
use tandem_harness::certs::{Authority, Folder};
use tandem_harness::netns::Namespace;
use tandem_harness::{Kind, Process, wait};
use tokio::net::TcpListener;

use crate::mesh::backend::Backend;

/// No request may take longer than its own timeout by more than this, and for how long the machine
/// stood still: less than any timeout of `/single`, so that it tells what waits for one from what
/// does not.
pub const SLACK: Duration = Duration::from_millis(1900);

/// The longest timeout that the bootstrap gives.
pub const LONGEST: Duration = Duration::from_secs(4);

const WIRE: &str = "
ip addr add 10.78.0.1/24 dev wire
ip link set wire up
nft add table inet trouble
nft add chain inet trouble out '{ type filter hook output priority 0; }'
nft add chain inet trouble in '{ type filter hook input priority 0; }'
";
const OTHER_END: &str = "
ip addr add 10.78.0.2/24 dev wire
ip addr add 10.78.0.3/24 dev wire
ip link set wire up
";

pub struct Pair {
    near: Namespace,
    _far: Namespace,
    _app: Backend,
    processes: [Process; 2],
    folder: Folder,
    asked: std::cell::Cell<usize>,
}

/// What a request came to.
#[derive(Clone, Debug)]
pub struct Answer {
    number: usize,
    pub status: u16,
    /// The server's address that answered, if one did.
    pub at: String,
    pub took: Duration,
}

impl Pair {
    /// `None`, loudly, where there can be none.
    pub async fn start() -> Option<Self> {
        let made = Namespace::new().and_then(|near| {
            let far = Namespace::new()?;
            near.link(&far, "wire")?;
            far.sh(OTHER_END)?;
            near.sh(WIRE)?;
            Ok((near, far))
        });
        let (near, far) = match made {
            Ok(made) => made,
            Err(error) => {
                eprintln!("SKIPPED: no hosts of our own here: {error}");
                return None;
            }
        };
        let folder = Folder::new();
        let authority = Authority::new();
        folder.write("roots.pem", &authority.pem);
        for name in ["near", "far"] {
            let identity = format!("spiffe://mesh/ns/default/sa/{name}");
            folder.put(name, &authority.issue(&[&identity]));
        }
        let socket = far.act(|| StdListener::bind("127.0.0.1:8080")).unwrap();
        socket.set_nonblocking(true).unwrap();
        let app = Backend::on(TcpListener::from_std(socket).unwrap(), "app");
        let processes = [
            run(&near, &folder, "near", include_str!("near.yaml")).await,
            run(&far, &folder, "far", include_str!("far.yaml")).await,
        ];
        Some(Self {
            near,
            _far: far,
            _app: app,
            processes,
            folder,
            asked: Default::default(),
        })
    }

    /// Sets rules of the wire, as nftables writes them: each with its chain, `out` or `in`.
    pub fn trouble(&self, rules: &[&str]) {
        self.heal();
        for rule in rules {
            let line = format!("nft 'add rule inet trouble {rule}'");
            self.near.sh(&line).unwrap();
        }
    }

    /// All packets pass.
    pub fn heal(&self) {
        self.near.sh("nft flush table inet trouble").unwrap();
    }

    /// Watches whether the machine and the near host's process run from now on.
    pub fn watched(&self) -> Watched<'_> {
        Watched::start(&self.processes[0])
    }

    /// Makes a request of the application on the near host.
    pub fn ask(&self, path: &str) -> Answer {
        let number = self.asked.get() + 1;
        self.asked.set(number);
        self.near.act(|| request(path, number))
    }

    /// The flags that the log has for a request.
    pub async fn flags(&self, answer: &Answer) -> String {
        let log = self.folder.path("near.log");
        let mut line = String::new();
        let start = format!("{} ", answer.number);
        let logged = wait::until(wait::PATIENCE, || {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            let mut lines = log.lines();
            let found = lines.find_map(|line| line.strip_prefix(&start));
            found.inspect(|found| line = (*found).to_owned()).is_some()
        });
        assert!(logged.await, "no line of {answer:?}");
        line
    }

    /// A counter of the near host's process.
    pub fn stat(&self, name: &str) -> u64 {
        self.shown("stats", &format!("{name}: ")).unwrap_or(0)
    }

    /// How often a server of cluster `pair` was connected to or asked, in vain or not.
    pub fn tried(&self, server: &str) -> u64 {
        let counted = ["cx_total", "rq_total"].map(|name| {
            let line = format!("pair::{server}:10443::{name}::");
            self.shown("clusters", &line).unwrap()
        });
        counted.into_iter().sum()
    }

    /// The number behind the first line of an admin page that begins so.
    fn shown(&self, page: &str, start: &str) -> Option<u64> {
        let curl = format!("curl -sf http://127.0.0.1:15000/{page}");
        let page = self.near.sh(&curl).unwrap();
        let mut values = page.lines().filter_map(|line| line.strip_prefix(start));
        values.next().map(|value| value.parse().unwrap())
    }
}

async fn run(namespace: &Namespace, folder: &Folder, name: &str, bootstrap: &str) -> Process {
    let root = folder.root().display().to_string();
    folder.write(&format!("{name}.yaml"), &bootstrap.replace("FOLDER", &root));
    let command = Kind::Tandem.command(&folder.path(&format!("{name}.yaml")));
    let mut process = Process::spawn(name, &mut namespace.wrap(&command));
    let ready = wait::until(wait::PATIENCE, || {
        let ready = "curl -sf -m 1 http://127.0.0.1:15000/ready";
        process.exited().is_some() || namespace.sh(ready).is_ok()
    });
    let runs = ready.await && process.exited().is_none();
    assert!(runs, "{}", process.output());
    process
}

fn request(path: &str, number: usize) -> Answer {
    let begun = Instant::now();
    let mut stream = TcpStream::connect("127.0.0.1:10000").unwrap();
    stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: mesh\r\nx-number: {number}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("an answer in time");
    let mut lines = answer.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let at = lines.find_map(|line| line.strip_prefix("x-at: "));
    Answer {
        number,
        status: status.unwrap().parse().unwrap(),
        at: at.unwrap_or_default().to_owned(),
        took: begun.elapsed(),
    }
}
