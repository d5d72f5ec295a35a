//! The connection to the application's callback server: gRPC over HTTP/2 without TLS.

use std::task::{Context, Poll};
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tandem_api_proto::layotto::app_callback_client::AppCallbackClient;
use tandem_core::BoxFuture;
use tandem_model::filter::runtime::{App, AppProtocol};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tower::Service;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(2);

/// A client of the application's callbacks.
pub(super) type Client = AppCallbackClient<Channel>;

/// Where an application takes callbacks, if it does.
pub(super) fn address(app: &App) -> Option<(String, u16)> {
    let port = match app.protocol {
        AppProtocol::Grpc => app.callback_port.or(app.port),
        AppProtocol::Http | AppProtocol::H2c => app.callback_port,
    };
    port.map(|port| (app.callback_host.to_string(), port))
}

/// Connects. The handle ends with the connection, and with it the news that the application
/// went away.
pub(super) async fn connect(
    host: &str,
    port: u16,
) -> Result<(Client, JoinHandle<()>), Box<dyn std::error::Error + Send + Sync>> {
    let handshake = async {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let connection = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(connection)
    };
    let (sender, connection) = tokio::time::timeout(CONNECT, handshake).await??;
    let running = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the application's connection broke");
        }
    });
    let authority = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let origin = http::Uri::builder()
        .scheme(http::uri::Scheme::HTTP)
        .authority(authority)
        .path_and_query("/")
        .build()?;
    Ok((
        AppCallbackClient::with_origin(Channel(sender), origin),
        running,
    ))
}

/// One HTTP/2 connection as the service that generated clients call.
#[derive(Clone)]
pub(super) struct Channel(http2::SendRequest<Body>);

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
