//! The first layer: every request gets its record.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use tandem_core::ext::{CaptureSpec, ConnectionInfo, Interim, Protocol, StreamInfo};
use tandem_core::{Error, Request, grpc};
use tower::{Layer, Service};

use super::Settings;
use super::client;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Wraps services in [`Stream`].
#[derive(Clone, Debug)]
pub struct StreamLayer(Arc<Shared>);

/// What the records of one connection manager have in common.
#[derive(Debug)]
struct Shared {
    settings: Arc<Settings>,
    capture: Arc<CaptureSpec>,
    /// For requests that came without a connection (made within the process).
    nowhere: Arc<ConnectionInfo>,
}

impl StreamLayer {
    /// Records begin with the connection's facts.
    pub(crate) fn new(settings: Arc<Settings>, capture: Arc<CaptureSpec>) -> Self {
        let nowhere = Arc::new(ConnectionInfo {
            listener: Arc::clone(&settings.listener),
            ..Default::default()
        });
        Self(Arc::new(Shared {
            settings,
            capture,
            nowhere,
        }))
    }
}

impl<S> Layer<S> for StreamLayer {
    type Service = Stream<S>;

    fn layer(&self, inner: S) -> Stream<S> {
        Stream {
            inner,
            shared: Arc::clone(&self.0),
        }
    }
}

/// Gives requests their record.
#[derive(Clone, Debug)]
pub struct Stream<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S: Service<Request, Error = Error>> Service<Request> for Stream<S> {
    type Response = S::Response;
    type Error = Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> S::Future {
        let Shared {
            settings,
            capture,
            nowhere,
        } = &*self.shared;
        let connection = request
            .extensions_mut()
            .remove::<Arc<ConnectionInfo>>()
            .unwrap_or_else(|| Arc::clone(nowhere));
        let protocol = Protocol::of(request.version());
        let mut info = StreamInfo::new(connection, protocol, NEXT.fetch_add(1, Relaxed));
        info.is_grpc = grpc::is_grpc(request.headers());
        info.capture = Some(Arc::clone(capture));
        info.wire = capture.wire.then(Arc::default);
        if settings.manager.proxy_100_continue {
            info.interim = request.extensions_mut().remove::<Arc<Interim>>();
        }
        let client = client::find(&settings.manager, request.headers(), info.connection.remote);
        info.client = client.address;
        info.internal = client.internal;
        request.extensions_mut().insert(Arc::new(info));
        self.inner.call(request)
    }
}
