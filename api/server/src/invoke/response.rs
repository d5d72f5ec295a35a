//! The answer of a call.

use std::future::poll_fn;
use std::pin::Pin;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use tandem_api_proto::layotto::InvokeResponse;
use tandem_core::ext::LocalAnswer;
use tandem_core::headers::own_values;
use tandem_core::{Body, Error as MeshError, Response, rescue};

use super::{Answer, headers};
use crate::grpc::MAX_MESSAGE;
use crate::status::{Error, Origin};

/// How much of an unwelcome answer's body goes into the status message, which is a header.
const ERROR_BODY: usize = 2048;

/// What is said where no virtual host or route takes a call.
const NO_ROUTE: &str = "no virtual host or route of the outbound listener takes this id and method; \
     ids are virtual hosts of the bootstrap (--config) or of a control plane";

/// Passes on status 200; anything else is a failure.
pub(super) async fn received(outcome: Result<Response, MeshError>) -> Result<Response, Error> {
    let response = outcome.map_err(|error| unanswered(&error))?;
    if response.status() == StatusCode::OK {
        return Ok(response);
    }
    let origin = origin(&response);
    let status = response.status();
    let mut body = beginning(response.into_body()).await;
    // The mesh says no more, as Envoy does not; who asked by an id has no log at hand.
    if body.is_empty() && status == StatusCode::NOT_FOUND && origin == Origin::Mesh {
        NO_ROUTE.clone_into(&mut body);
    }
    Err(Error::InvokeResponse {
        status: status.as_u16(),
        body,
        origin,
    })
}

/// An HTTP answer as the message that the caller gets, and its metadata.
pub(super) async fn convert(response: Response) -> Result<Answer, Error> {
    let (mut parts, body) = response.into_parts();
    own_values(&mut parts.headers);
    headers::of_http(&mut parts.headers);
    let value = body
        .collect_bounded(MAX_MESSAGE)
        .await
        .map_err(|error| Error::InvokeBody(error.to_string()))?
        .ok_or(Error::TooLarge {
            size: MAX_MESSAGE + 1,
            limit: MAX_MESSAGE,
        })?;
    Ok(answered(parts.headers, value, HeaderMap::new()))
}

/// The message for a body, and the metadata.
pub(super) fn answered(headers: HeaderMap, value: bytes::Bytes, trailers: HeaderMap) -> Answer {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let data = tandem_api_proto::Any {
        type_url: String::new(),
        value,
    };
    let message = InvokeResponse {
        data: Some(data),
        content_type,
    };
    Answer {
        metadata: headers::to_metadata(headers),
        message,
        trailers: headers::to_metadata(trailers),
    }
}

/// Whether the application answered, or the mesh in its place.
pub(super) fn origin(response: &Response) -> Origin {
    match response.extensions().get::<LocalAnswer>() {
        Some(_) => Origin::Mesh,
        None => Origin::App,
    }
}

/// A stack that answers every failure itself does not get here.
fn unanswered(error: &MeshError) -> Error {
    match rescue::reply(error) {
        Some(reply) => Error::InvokeResponse {
            status: reply.status.as_u16(),
            body: text(&reply.body),
            origin: Origin::Mesh,
        },
        None => Error::BrokenOff(error.to_string()),
    }
}

async fn beginning(mut body: Body) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ERROR_BODY {
        match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    bytes.extend_from_slice(&data);
                }
            }
            Some(Err(_)) | None => break,
        }
    }
    bytes.truncate(ERROR_BODY);
    text(&bytes)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
