//! The application behind the sidecars: it says which version it is and what it was asked.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::network::Machine;

/// An application that runs: HTTP on 8080, lines on 9000.
pub struct App {
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

struct State {
    version: &'static str,
    sick: AtomicBool,
    served: AtomicUsize,
    /// Who called.
    clients: Mutex<BTreeSet<String>>,
}

impl State {
    fn met(&self, client: SocketAddr) {
        self.clients.lock().unwrap().insert(client.ip().to_string());
    }
}

impl App {
    /// Starts it on a machine.
    ///
    /// # Errors
    /// When nothing can listen there.
    pub fn start(machine: &Machine, version: &'static str) -> std::io::Result<Self> {
        let state = Arc::new(State {
            version,
            sick: AtomicBool::new(false),
            served: AtomicUsize::new(0),
            clients: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(http(machine.listen("0.0.0.0:8080")?, Arc::clone(&state)));
        tasks.spawn(lines(machine.listen("0.0.0.0:9000")?, Arc::clone(&state)));
        Ok(Self {
            state,
            _tasks: tasks,
        })
    }

    /// Whether it answers 503 from now on.
    pub fn set_sick(&self, sick: bool) {
        self.state.sick.store(sick, Relaxed);
    }

    /// The addresses that called since this was asked before.
    pub fn clients(&self) -> Vec<String> {
        let clients = std::mem::take(&mut *self.state.clients.lock().unwrap());
        clients.into_iter().collect()
    }

    /// How many requests came to it.
    pub fn served(&self) -> usize {
        self.state.served.load(Relaxed)
    }
}

async fn http(listener: TcpListener, state: Arc<State>) {
    let mut open = JoinSet::new();
    while let Ok((stream, client)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        open.spawn(async move {
            let service = service_fn(move |request| {
                state.met(client);
                answer(Arc::clone(&state), request)
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// `/slow` takes a while; other paths say what came: the version, then a header a line.
async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<String>, Infallible> {
    state.served.fetch_add(1, Relaxed);
    if request.uri().path().starts_with("/slow") {
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    let mut said = format!("{}\n", state.version);
    for (name, value) in request.headers() {
        said += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
    }
    let mut response = Response::new(said);
    response
        .headers_mut()
        .insert("x-version", state.version.parse().unwrap());
    if state.sick.load(Relaxed) {
        *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}

async fn lines(listener: TcpListener, state: Arc<State>) {
    let mut open = JoinSet::new();
    while let Ok((stream, client)) = listener.accept().await {
        let state = Arc::clone(&state);
        open.spawn(async move {
            let _ = echo(stream, client, &state).await;
        });
    }
}

async fn echo(stream: TcpStream, client: SocketAddr, state: &State) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        state.met(client);
        let version = state.version;
        stream
            .write_all(format!("{version}:{line}").as_bytes())
            .await?;
        line.clear();
    }
    Ok(())
}
