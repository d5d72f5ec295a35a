//! Fakes for the tests of this crate: upstream servers, clusters, requests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "test support; each file uses some"
)]

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tandem_core::ext::{ConnectionInfo, Protocol, StreamInfo};
use tandem_core::stats::Registry;
use tandem_core::{Body, HttpService};
use tandem_model::cluster::*;
use tandem_model::{Address, Cluster};
use tandem_upstream::{ClusterManager, RoutePolicy, forward};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// An address that refuses connections as long as the socket is there: it is bound, and so given to
/// nobody else, and does not listen. Who asks for the address by its number may have it too.
pub(crate) fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// Serves every connection with `handler`, HTTP/1 or HTTP/2; counts connections.
pub(crate) async fn server<F, R>(http2: bool, handler: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let handler = handler.clone();
            let service = service_fn(move |request| {
                let response = handler(request);
                async move { Ok::<_, Infallible>(response.await) }
            });
            tokio::spawn(async move {
                let io = TokioIo::new(stream);
                if http2 {
                    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(io, service).await;
                } else {
                    let builder = hyper::server::conn::http1::Builder::new();
                    let _ = builder.serve_connection(io, service).await;
                }
            });
        }
    });
    (addr, connections)
}

/// Answers each connection's first bytes by script: one entry for each connection.
pub(crate) async fn scripted(script: Vec<Option<&'static str>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for answer in script {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(play(stream, answer));
        }
    });
    addr
}

async fn play(mut stream: TcpStream, answer: Option<&'static str>) {
    let mut buffer = [0; 4096];
    let _ = stream.read(&mut buffer).await;
    match answer {
        Some(answer) => {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        // Silence.
        None => tokio::time::sleep(Duration::from_secs(3600)).await,
    }
}

/// A cluster named `c` of these addresses, with Envoy's defaults.
pub(crate) fn cluster(addresses: &[SocketAddr]) -> Cluster {
    let endpoint = |addr: &SocketAddr| Endpoint::new(Address::Socket(*addr));
    Cluster {
        load_assignment: LoadAssignment {
            localities: vec![LocalityEndpoints {
                endpoints: addresses.iter().map(endpoint).collect(),
                ..Default::default()
            }],
            overprovisioning_factor: 140,
        },
        ..Cluster::new("c")
    }
}

/// One worker on one cluster.
pub(crate) struct Rig {
    pub stats: Registry,
    pub manager: Arc<ClusterManager>,
    pub service: HttpService,
    pub info: std::sync::Mutex<Option<Arc<StreamInfo>>>,
    pub protocol: Protocol,
    /// Where the connections of the requests were going.
    pub going_to: Option<SocketAddr>,
}

impl Rig {
    pub(crate) fn new(cluster: Cluster, policy: RoutePolicy) -> Self {
        let stats = Registry::default();
        let control = tokio::runtime::Handle::current();
        let manager = ClusterManager::new(&[Arc::new(cluster)], &stats, &control);
        Self {
            stats,
            ..Self::of(&manager, policy)
        }
    }

    /// Another worker, without statistics.
    pub(crate) fn of(manager: &Arc<ClusterManager>, policy: RoutePolicy) -> Self {
        Self {
            stats: Registry::default(),
            manager: Arc::clone(manager),
            service: forward(manager.worker(), Arc::new(policy)),
            info: Default::default(),
            protocol: Protocol::Http11,
            going_to: None,
        }
    }

    pub(crate) async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Body>, tandem_core::Error> {
        self.send_to("c", request).await
    }

    pub(crate) async fn send_to(
        &self,
        cluster: &str,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, tandem_core::Error> {
        let connection = ConnectionInfo {
            original_destination: self.going_to,
            ..ConnectionInfo::default()
        };
        let mut info = StreamInfo::new(Arc::new(connection), self.protocol, 1);
        info.is_grpc = tandem_core::grpc::is_grpc(request.headers());
        let _ = info.cluster.set(cluster.into());
        let info = Arc::new(info);
        *self.info.lock().unwrap() = Some(Arc::clone(&info));
        request.extensions_mut().insert(info);
        self.service.dispatch(request).await
    }

    pub(crate) fn info(&self) -> Arc<StreamInfo> {
        self.info.lock().unwrap().clone().unwrap()
    }

    /// The value of `cluster.c.<name>`.
    pub(crate) fn stat(&self, name: &str) -> i64 {
        let name = format!("cluster.c.{name}");
        let text = self.stats.text(|n| n == name, false);
        let value = text.trim().rsplit(' ').next().unwrap_or("");
        value.parse().unwrap_or(-1)
    }

    /// Waits, at most ten seconds, until `cluster.c.<name>` is `expected`.
    pub(crate) async fn until(&self, name: &str, expected: i64) {
        let end = tokio::time::Instant::now() + Duration::from_secs(10);
        while self.stat(name) != expected {
            let late = tokio::time::Instant::now() >= end;
            assert!(!late, "{name}: {}", self.stat(name));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) fn get(path: &str) -> Request<Body> {
    let request = Request::get(path).header("host", "example.org");
    request.body(Body::empty()).unwrap()
}

pub(crate) fn post(body: Body) -> Request<Body> {
    let request = Request::post("/").header("host", "example.org");
    request.body(body).unwrap()
}

pub(crate) async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect_bounded(1 << 24).await;
    String::from_utf8(bytes.unwrap().unwrap().to_vec()).unwrap()
}

/// A body whose chunks the test sends one by one.
pub(crate) fn channel() -> (tokio::sync::mpsc::UnboundedSender<Bytes>, Body) {
    let (send, receive) = tokio::sync::mpsc::unbounded_channel();
    (send, Body::new(Channel(receive)))
}

struct Channel(tokio::sync::mpsc::UnboundedReceiver<Bytes>);

impl http_body::Body for Channel {
    type Data = Bytes;
    type Error = tandem_core::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, tandem_core::Error>>> {
        self.0
            .poll_recv(cx)
            .map(|chunk| chunk.map(|chunk| Ok(http_body::Frame::data(chunk))))
    }
}

/// What has happened to sockets until now is known to the runtime: something that happens to
/// another one, later, has woken its reader.
pub(crate) async fn events_are_heard() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
    let (near, far) = tokio::join!(near, listener.accept());
    let (mut near, (mut far, _)) = (near.unwrap(), far.unwrap());
    // Polled in this order: the reader waits before there is anything to read.
    let (read, written) = tokio::join!(biased; far.read_u8(), near.write_u8(1));
    assert_eq!(read.unwrap(), 1);
    written.unwrap();
}
