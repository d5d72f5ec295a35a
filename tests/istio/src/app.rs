//! The application behind the sidecars: it says which version it is and what it was asked.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
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
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(http(machine.listen("0.0.0.0:8080")?, Arc::clone(&state)));
        tasks.spawn(lines(machine.listen("0.0.0.0:9000")?, version));
        Ok(Self {
            state,
            _tasks: tasks,
        })
    }

    /// Whether it answers 503 from now on.
    pub fn set_sick(&self, sick: bool) {
        self.state.sick.store(sick, Relaxed);
    }

    /// How many requests came to it.
    pub fn served(&self) -> usize {
        self.state.served.load(Relaxed)
    }
}

async fn http(listener: TcpListener, state: Arc<State>) {
    let mut open = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        open.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
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
        tokio::time::sleep(Duration::from_millis(500)).await;
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

async fn lines(listener: TcpListener, version: &'static str) {
    let mut open = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        open.spawn(async move {
            let _ = echo(stream, version).await;
        });
    }
}

async fn echo(stream: TcpStream, version: &str) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        stream
            .write_all(format!("{version}:{line}").as_bytes())
            .await?;
        line.clear();
    }
    Ok(())
}
