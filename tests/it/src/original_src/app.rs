//! The application: it says who its connection is from, and which of its connections that is.

use std::fs::Permissions;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use tandem_harness::netns::Namespace;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinSet;

const HTTP1: [&str; 4] = [
    "10.70.0.9:80",
    "[fd70::9]:80",
    "10.70.0.9:90",
    "127.0.0.1:81",
];
const HTTP2: [&str; 1] = ["10.70.0.9:82"];

/// It, until this is dropped.
pub struct App {
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl App {
    /// Starts it in the pod; `pipe` is a Unix socket of its own.
    pub fn start(pod: &Namespace, pipe: &Path) -> Self {
        let mut tasks = JoinSet::new();
        let connections = Arc::<AtomicUsize>::default();
        let all = HTTP1.iter().map(|at| (at, false));
        for (address, http2) in all.chain(HTTP2.iter().map(|at| (at, true))) {
            let socket = pod.act(|| StdListener::bind(address)).unwrap();
            socket.set_nonblocking(true).unwrap();
            let socket = TcpListener::from_std(socket).unwrap();
            tasks.spawn(accept(socket, http2, Arc::clone(&connections)));
        }
        let socket = UnixListener::bind(pipe).unwrap();
        std::fs::set_permissions(pipe, Permissions::from_mode(0o777)).unwrap();
        tasks.spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let _ = http1(stream, "nobody\n".to_owned()).await;
            }
        });
        Self {
            connections,
            _tasks: tasks,
        }
    }

    /// Counts connections from the beginning.
    pub fn forget(&self) {
        self.connections.store(0, Relaxed);
    }
}

async fn accept(socket: TcpListener, is_http2: bool, connections: Arc<AtomicUsize>) {
    let mut open = JoinSet::new();
    while let Ok((stream, peer)) = socket.accept().await {
        let number = 1 + connections.fetch_add(1, Relaxed);
        let name = said(peer, number);
        open.spawn(async move {
            let _ = match is_http2 {
                true => http2(stream, name).await.map_err(std::io::Error::other),
                false => http1(stream, name).await,
            };
        });
    }
}

fn said(peer: SocketAddr, number: usize) -> String {
    format!("{} by connection {number}\n", peer.ip())
}

/// Answers requests without bodies, one after the other.
async fn http1(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    name: String,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            let length = name.len();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{name}");
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}

async fn http2(stream: TcpStream, name: String) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (_, mut respond) = request?;
        let mut body = respond.send_response(http::Response::new(()), false)?;
        body.send_data(Bytes::from(name.clone()), true)?;
    }
    Ok(())
}
