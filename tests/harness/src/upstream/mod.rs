//! An upstream that records what reaches it and answers by [`Script`].
//!
//! It speaks HTTP/1.1 and HTTP/2 with prior knowledge on the same port.

mod h1;
mod h2c;
mod log;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub use log::{End, Log, Seen};

use crate::script::Script;

/// The header that says which request an attempt belongs to.
pub const CASE: &str = "x-case";
/// The header with the [`Script`].
pub const SCRIPT: &str = "x-script";

/// Listening sockets with one record; dropping it closes everything.
pub struct Upstream {
    ports: Vec<u16>,
    log: Arc<Log>,
    tasks: JoinSet<()>,
}

impl Upstream {
    /// Listens on as many ports as there are names; a name shows up in each record.
    pub async fn start(names: &[&'static str]) -> Self {
        let log = Arc::new(Log::default());
        let mut tasks = JoinSet::new();
        let mut ports = Vec::new();
        for name in names {
            let listener = bind().await;
            ports.push(listener.local_addr().unwrap().port());
            tasks.spawn(accept(listener, name, Arc::clone(&log)));
        }
        Self { ports, log, tasks }
    }

    /// The ports, in the order of the names.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// The first port.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// What was seen.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Closes the listening sockets and every connection.
    pub async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// Listens on a port that is not ephemeral: those of closed connections would come back.
async fn bind() -> TcpListener {
    loop {
        // Another process may have taken the port since it was found free.
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", crate::ports::free())).await {
            return listener;
        }
    }
}

static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

async fn accept(listener: TcpListener, name: &'static str, log: Arc<Log>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let id = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
                    log.connected();
                    connections.spawn(serve(stream, name, id, Arc::clone(&log)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, name: &'static str, id: u64, log: Arc<Log>) {
    let _ = stream.set_nodelay(true);
    // The connection preface of HTTP/2 begins like a request line that HTTP/1 does not have.
    let mut start = [0; 4];
    loop {
        match stream.peek(&mut start).await {
            Ok(0) | Err(_) => return,
            Ok(read) if read < 4 && b"PRI ".starts_with(&start[..read]) => {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            Ok(_) => break,
        }
    }
    if &start == b"PRI " {
        h2c::serve(stream, name, id, log).await;
    } else {
        h1::serve(stream, name, id, log).await;
    }
}

/// The answer for a request with these headers, which may be a further attempt.
fn script_for(headers: &crate::Headers, log: &Log) -> Script {
    let get = |name| crate::head::get(headers, name);
    let attempt = get(CASE).map_or(0, |case| log.attempt(case));
    get(SCRIPT).map_or_else(Script::default, |text| Script::parse(text, attempt))
}
