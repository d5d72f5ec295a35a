//! Control planes, and whoever else this process calls itself, are reached as everything is:
//! through a cluster, with its endpoints, TLS, breakers and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use http::uri::{Authority, Scheme};
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use tandem_core::error::Kind;
use tandem_core::ext::{ConnectionInfo, Protocol, StreamInfo};
use tandem_core::{Body, BoxFuture, Error, HttpService};
use tandem_model::config_source::ControlPlane;
use tandem_upstream::{Clusters, RoutePolicy};
use tower::Service;

/// Calls of one service, as `tonic` makes them.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    cluster: Arc<str>,
    authority: Authority,
    /// This service's own: it may be a secret that no other is to see.
    metadata: Arc<[(HeaderName, HeaderValue)]>,
    inner: HttpService,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Transport {
    /// Calls go to the service's cluster, with its metadata, and may last for ever.
    pub(crate) fn new(plane: &ControlPlane, clusters: &Clusters) -> Self {
        let policy = RoutePolicy {
            timeout: None,
            ..RoutePolicy::default()
        };
        // A name that is no authority (`outbound|15010||istiod`) is not said.
        let authority = Authority::try_from(&*plane.authority);
        Self {
            cluster: Arc::clone(&plane.cluster),
            authority: authority.unwrap_or_else(|_| Authority::from_static("control-plane")),
            metadata: plane.initial_metadata.as_slice().into(),
            inner: tandem_upstream::forward(clusters.clone(), Arc::new(policy)),
        }
    }
}

impl Service<http::Request<tonic::body::Body>> for Transport {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = BoxFuture<Result<http::Response<Body>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let mut request = request.map(|body| {
            Body::new(body.map_err(|status| Error::with_source(Kind::DownstreamReset, status)))
        });
        let mut uri = std::mem::take(request.uri_mut()).into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.authority.clone());
        if let Ok(uri) = http::Uri::from_parts(uri) {
            *request.uri_mut() = uri;
        }
        *request.version_mut() = http::Version::HTTP_2;
        for (name, value) in &*self.metadata {
            request.headers_mut().append(name.clone(), value.clone());
        }
        let connection = Arc::new(ConnectionInfo::default());
        let mut info = StreamInfo::new(connection, Protocol::Http2, NEXT.fetch_add(1, Relaxed));
        info.is_grpc = true;
        let _ = info.cluster.set(Arc::clone(&self.cluster));
        request.extensions_mut().insert(Arc::new(info));
        self.inner.dispatch(request)
    }
}
