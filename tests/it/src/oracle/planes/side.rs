//! One of the two processes that the control plane feeds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tandem_harness::client::Request;
use tandem_harness::client::h1::{self, Connection};
use tandem_harness::{Kind, Proxy, ports, wait};
use tempfile::TempDir;

use crate::mesh::plane::Plane;
use crate::mesh::resources::bootstrap;
use crate::oracle::fields::{self, Fields, Names};

/// The listeners that resources may name; each process has ports of its own for them.
pub const LISTENERS: [&str; 3] = ["main", "other", "third"];

/// One request, and what Envoy answers it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The listener it goes to.
    pub listener: &'static str,
    /// Its host.
    pub host: &'static str,
    /// Its path.
    pub path: &'static str,
    /// Another field.
    pub field: (&'static str, &'static str),
    /// Status and body; a status of 0 when nothing listens there.
    pub answer: (u16, &'static str),
}

/// A request to `/` of listener `main`.
pub fn ask(status: u16, body: &'static str) -> Ask {
    Ask {
        listener: "main",
        host: "a.test",
        path: "/",
        field: ("x-nothing", "1"),
        answer: (status, body),
    }
}

impl Ask {
    /// To another listener.
    pub fn on(mut self, listener: &'static str) -> Self {
        self.listener = listener;
        self
    }

    /// To another host.
    pub fn host(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    /// With this field.
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.field = (name, value);
        self
    }

    fn name(&self) -> String {
        format!(
            "{} {}{} {}.",
            self.listener, self.host, self.path, self.field.1
        )
    }

    /// Whether these fields hold the answer that is expected.
    pub fn is_answered(&self, fields: &Fields) -> bool {
        let (status, body) = (self.answer.0.to_string(), self.answer.1);
        let name = self.name();
        fields.get(&format!("{name}status")) == Some(&status)
            && (status == "0"
                || fields
                    .get(&format!("{name}body"))
                    .is_some_and(|b| b == body))
    }
}

/// One process, and where it listens.
pub struct Side {
    /// Its node's id.
    pub node: &'static str,
    pub proxy: Proxy,
    ports: BTreeMap<&'static str, u16>,
    names: Names,
    log: PathBuf,
    read: usize,
    /// No line came in time for the last request.
    late: bool,
    /// How many of its answers were compared.
    pub heard: usize,
}

/// What there is before there is a process: its ports are in what the control plane says to it.
pub struct Place {
    node: &'static str,
    ports: BTreeMap<&'static str, u16>,
    folder: TempDir,
}

impl Place {
    pub fn new(node: &'static str) -> Self {
        let ports = LISTENERS.map(|name| (name, ports::free()));
        Self {
            node,
            ports: ports.into(),
            folder: TempDir::new().unwrap(),
        }
    }

    /// Resources as they are for it: `{{listener}}` is a port and `{{log}}` a file.
    pub fn render(&self, text: &str) -> String {
        let log = self.folder.path().join("access.log");
        let text = text.replace("{{log}}", &log.display().to_string());
        let fill = |text: String, (name, port): (&&str, &u16)| {
            text.replace(&format!("{{{{{name}}}}}"), &port.to_string())
        };
        self.ports.iter().fold(text, fill)
    }

    /// Starts the process.
    pub async fn start(&self, kind: Kind, variant: &str, plane: &Plane, more: &str) -> Side {
        let admin = ports::free();
        let id = format!("id: {}", self.node);
        let config = bootstrap(variant, plane.port, admin).replace("id: me", &id) + more;
        let proxy = Proxy::start(kind, &config, admin).await.unwrap();
        let names = self
            .ports
            .iter()
            .map(|(name, port)| (*port, (*name).to_owned()));
        Side {
            node: self.node,
            proxy,
            ports: self.ports.clone(),
            names: Names(names.collect()),
            log: self.folder.path().join("access.log"),
            read: 0,
            late: false,
            heard: 0,
        }
    }
}

impl Side {
    /// The names of more ports.
    pub fn knows(&mut self, port: u16, name: &str) {
        self.names.0.push((port, name.to_owned()));
    }

    /// Where a listener is.
    pub fn port(&self, listener: &str) -> u16 {
        self.ports[listener]
    }

    /// Sends a request; what came of it.
    pub async fn ask(&mut self, ask: &Ask, fields: &mut Fields) {
        let name = ask.name();
        if std::mem::take(&mut self.late) {
            // A line that was too late for the last request is not this one's.
            let written = std::fs::metadata(&self.log).map(|log| log.len());
            self.read = written.map_or(self.read, |length| usize::try_from(length).unwrap());
        }
        let Ok(mut connection) = Connection::open(self.ports[ask.listener]).await else {
            fields.insert(format!("{name}status"), "0".into());
            return;
        };
        let (field, value) = ask.field;
        let request = Request {
            method: "GET".into(),
            path: ask.path.into(),
            authority: ask.host.into(),
            headers: vec![(field.into(), value.into())],
            ..Request::default()
        };
        let sent = connection.send(&h1::encode(&request)).await;
        match connection.response("GET").await {
            Ok(response) if sent.is_ok() => {
                fields::response(fields, &name, &response, &self.names);
                self.logged(&name, fields).await;
            }
            other => {
                fields.insert(format!("{name}status"), format!("none: {:?}", other.err()));
            }
        }
    }

    /// The line of the access log, if there is one.
    async fn logged(&mut self, name: &str, fields: &mut Fields) {
        let read = self.read;
        let new = || {
            let bytes = std::fs::read(&self.log).unwrap_or_default();
            String::from_utf8_lossy(&bytes[read.min(bytes.len())..]).into_owned()
        };
        self.late = !wait::until(Duration::from_millis(400), || new().ends_with('\n')).await;
        let lines = new();
        self.read += lines.len();
        for line in lines.lines() {
            fields::log_line(fields, &format!("{name}log."), line, &self.names);
        }
    }
}
