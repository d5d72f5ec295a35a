//! A server on a socket that takes its connections with it when it goes.

use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};
use tonic::body::Body;
use tonic::codegen::StdError;
use tonic::codegen::http::{Request, Response};
use tower::{Service, ServiceExt};

/// A running server. Dropping it closes the port and resets its connections.
pub(crate) struct Served(AbortHandle);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A listener on any free port.
pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A port that is bound and not listening: nobody else is given it, and who asks for it by its
/// number may listen there.
pub(crate) fn reserved() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// What listeners have in common.
pub(crate) trait Listen: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    fn next(&self) -> impl Future<Output = Self::Stream> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;
    async fn next(&self) -> TcpStream {
        self.accept().await.unwrap().0
    }
}

impl Listen for UnixListener {
    type Stream = UnixStream;
    async fn next(&self) -> UnixStream {
        self.accept().await.unwrap().0
    }
}

/// Handles each connection as `handle` says.
pub(crate) fn serve<L, W>(
    listener: L,
    mut handle: impl FnMut(L::Stream) -> W + Send + 'static,
) -> Served
where
    L: Listen + Sync,
    W: Future<Output = ()> + Send + 'static,
{
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let stream = listener.next().await;
            connections.spawn(handle(stream));
        }
    });
    Served(task.abort_handle())
}

/// One connection of HTTP/2.
pub(crate) async fn http2<S>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    service: S,
) where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<StdError> + Send,
{
    let service = service.map_request(|request: Request<Incoming>| request.map(Body::new));
    let _ = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}

/// One connection of HTTP/1.
pub(crate) async fn http1<S>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    service: S,
) where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<StdError> + Send,
{
    let service = service.map_request(|request: Request<Incoming>| request.map(Body::new));
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}
