//! Calling a gRPC method of another application.
//!
//! A call whose `content_type` is `application/grpc` (alone, or with `+proto` and the like) is
//! an unary gRPC call: `method` is the rpc's path (`/package.Service/Method`), `data.value` the
//! encoded message. The answer's `data.value` is the encoded response; a status other than OK
//! comes back as it is.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body as _;
use tandem_api_proto::layotto::InvokeServiceRequest;
use tandem_core::grpc::GRPC_STATUS;
use tandem_core::{Body, Response};
use tonic::{Code, Status};

use super::response::{answered, origin};
use super::{Answer, headers};
use crate::grpc::{MAX_MESSAGE, framed, unframe};
use crate::status::{Error, Origin};

/// Whether the call is meant for a gRPC method.
pub(super) fn is_wanted(request: &InvokeServiceRequest) -> bool {
    request
        .message
        .as_ref()
        .and_then(|call| call.content_type.strip_prefix("application/grpc"))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}

/// The message with its prefix.
pub(super) fn body(message: &[u8]) -> Body {
    let mut buffer = framed(message.len());
    buffer.extend_from_slice(message);
    Body::from(buffer.freeze())
}

/// A gRPC answer as the message that the caller gets.
pub(super) async fn convert(response: Response) -> Result<Answer, Error> {
    let origin = origin(&response);
    let (mut parts, body) = response.into_parts();
    if let Some(status) = failed(&parts.headers) {
        return Err(refused(&status, parts.headers, origin));
    }
    let (bytes, trailers) = collect(body).await?;
    if let Some(status) = failed(&trailers) {
        parts.headers.extend(trailers);
        return Err(refused(&status, parts.headers, origin));
    }
    if bytes.is_empty() && !trailers.contains_key(GRPC_STATUS) {
        return Err(Error::InvokeBody("expected a gRPC status".into()));
    }
    let value = unframe(bytes).map_err(|error| Error::InvokeBody(error.to_string()))?;
    Ok(answered(parts.headers, value, trailers))
}

/// The status, if it is there and not OK.
fn failed(headers: &HeaderMap) -> Option<Status> {
    Status::from_header_map(headers).filter(|status| status.code() != Code::Ok)
}

fn refused(status: &Status, headers: HeaderMap, origin: Origin) -> Error {
    Error::InvokeStatus {
        code: status.code(),
        message: status.message().to_owned(),
        metadata: Box::new(headers::with_status(headers)),
        origin,
    }
}

/// All data and the trailers.
async fn collect(mut body: Body) -> Result<(Bytes, HeaderMap), Error> {
    let mut data = BytesMut::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| Error::InvokeBody(error.to_string()))?;
        match frame.into_data() {
            Ok(bytes) => data.extend_from_slice(&bytes),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
        if data.len() > MAX_MESSAGE {
            return Err(Error::TooLarge {
                size: data.len(),
                limit: MAX_MESSAGE,
            });
        }
    }
    Ok((data.freeze(), trailers))
}
