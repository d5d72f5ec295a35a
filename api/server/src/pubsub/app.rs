//! Connections to the application's callback server: gRPC over HTTP/2 without TLS.

use std::task::{Context, Poll};
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tandem_api_proto::layotto::app_callback_client::AppCallbackClient;
use tandem_core::BoxFuture;
use tandem_model::filter::runtime::{App, AppProtocol};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tower::Service;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(2);

/// A client of the application's callbacks.
pub(super) type Client = AppCallbackClient<Channel>;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Where an application takes callbacks, if it does.
pub(super) fn address(app: &App) -> Option<(String, u16)> {
    let port = match app.protocol {
        AppProtocol::Grpc => app.callback_port.or(app.port),
        AppProtocol::Http | AppProtocol::H2c => app.callback_port,
    };
    port.map(|port| (app.callback_host.to_string(), port))
}

/// A connection. Dropped, it takes no more calls; those that run go on.
pub(super) struct Connection {
    sender: Sender,
    origin: http::Uri,
    running: JoinHandle<()>,
}

type Sender = http2::SendRequest<Body>;

/// Connects.
pub(super) async fn connect(host: &str, port: u16) -> Result<Connection, Error> {
    let handshake = async {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let connection = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        Ok::<_, Error>(connection)
    };
    let (sender, connection) = tokio::time::timeout(CONNECT, handshake).await??;
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
    let running = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the application's connection broke");
        }
    });
    Ok(Connection {
        sender,
        origin,
        running,
    })
}

impl Connection {
    /// A client of this connection alone.
    pub(super) fn client(&self) -> Client {
        Line::new(self).client(self)
    }

    /// When it takes no more calls: the application closed it, or asked that it be left (GOAWAY)
    /// and there was a call that it could not take.
    pub(super) async fn ended(&mut self) {
        let _ = (&mut self.running).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// The way to an application, whose connection may be replaced by another. When it is dropped,
/// the application has gone.
pub(super) struct Line(watch::Sender<Sender>);

impl Line {
    pub(super) fn new(connection: &Connection) -> Self {
        Self(watch::Sender::new(connection.sender.clone()))
    }

    /// A client whose calls take the connection that there is at the time.
    pub(super) fn client(&self, first: &Connection) -> Client {
        AppCallbackClient::with_origin(Channel(self.0.subscribe()), first.origin.clone())
    }

    /// Calls take this connection from now on, those too that were waiting for one.
    pub(super) fn replace(&self, connection: &Connection) {
        self.0.send_replace(connection.sender.clone());
    }
}

/// A call that was not sent: there is no connection any more.
#[derive(Debug, thiserror::Error)]
#[error("the application has gone")]
struct Gone;

/// Whether a call failed because it could not be sent.
pub(super) fn has_gone(status: &tonic::Status) -> bool {
    std::error::Error::source(status).is_some_and(|cause| cause.is::<Gone>())
}

/// A line as the service that generated clients call.
#[derive(Clone)]
pub(super) struct Channel(watch::Receiver<Sender>);

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = Error;
    type Future = BoxFuture<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let mut line = self.0.clone();
        Box::pin(async move {
            loop {
                let mut sender = line.borrow_and_update().clone();
                let mut failure = match sender.try_send_request(request).await {
                    Ok(response) => return Ok(response),
                    Err(failure) => failure,
                };
                // What the connection did not take is for the next one.
                let Some(unsent) = failure.take_message() else {
                    return Err(failure.into_error().into());
                };
                line.changed().await.map_err(|_| Gone)?;
                request = unsent;
            }
        })
    }
}
