//! Services whose code was generated for tonic, as [`HttpService`]s.

use tandem_core::{Body, Error as MeshError, HttpService, Request};
use tonic::Status;
use tower::{Service, ServiceExt as _};

use tandem_core::error::{Kind, ResetReason};

/// Erases a generated server.
pub(crate) fn erase<S>(service: S) -> HttpService
where
    S: Service<Request, Response = http::Response<tonic::body::Body>>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Error: Into<MeshError>,
    S::Future: Send + 'static,
{
    HttpService::new(service.map_response(|response: http::Response<_>| response.map(body)))
}

/// A tonic body as one of ours.
pub(crate) fn body(body: tonic::body::Body) -> Body {
    Body::new(http_body_mapped(body))
}

/// tonic turns failures of a stream into trailers, so that what is left is the transport's.
fn http_body_mapped(
    body: tonic::body::Body,
) -> impl http_body::Body<Data = bytes::Bytes, Error = MeshError> + Send + 'static {
    http_body_util::BodyExt::map_err(body, |status: Status| {
        MeshError::with_source(
            Kind::UpstreamReset(tandem_core::error::UpstreamReset {
                reason: ResetReason::Local,
                request_sent: true,
            }),
            status,
        )
    })
}
