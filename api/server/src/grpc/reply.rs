//! Answers: a message with trailers, or trailers only.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use tandem_api_proto::Message;
use tandem_core::grpc::{GRPC_MESSAGE, GRPC_STATUS, encode_message};
use tandem_core::{Body, Response};

use super::frame::framed;
use crate::status::{Error, ORIGIN};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// A message, and status OK.
pub(crate) fn answer(message: &impl Message) -> Response {
    answer_with(HeaderMap::with_capacity(4), message, HeaderMap::new())
}

/// A message, status OK, and metadata before and behind it.
pub(crate) fn answer_with(
    headers: HeaderMap,
    message: &impl Message,
    trailers: HeaderMap,
) -> Response {
    let mut buffer = framed(message.encoded_len());
    message.encode_raw(&mut buffer);
    let mut response = Response::new(Body::new(One {
        message: Some(buffer.freeze()),
        trailers: Some(trailers),
    }));
    *response.headers_mut() = headers;
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// How much of a text goes into a status, which is a header: clients take no more than 8 or 16 KiB
/// of headers, and percent-encoding makes three of a byte.
const TEXT: usize = 2048;

/// A text, cut where it is too long: it may name a whole key.
fn bounded(mut text: String) -> String {
    if text.len() > TEXT {
        let end = (0..=TEXT).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

/// A failure, as headers only.
pub(crate) fn refuse(error: &Error) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.reserve(4);
    if let Error::InvokeStatus { metadata, .. } = error {
        headers.extend(
            metadata
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
    }
    headers.insert(CONTENT_TYPE, GRPC);
    headers.insert(GRPC_STATUS, HeaderValue::from(error.code() as i32));
    let message = encode_message(bounded(error.to_string()).as_bytes());
    headers.insert(GRPC_MESSAGE, message);
    headers.insert(
        HeaderName::from_static(ORIGIN),
        HeaderValue::from_static(error.origin().as_str()),
    );
    response
}

/// One message, then `grpc-status: 0`. Tells no size: servers of gRPC send no `content-length`.
struct One {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl http_body::Body for One {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(message) = self.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        Poll::Ready(self.trailers.take().map(|mut trailers| {
            trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
            Ok(Frame::trailers(trailers))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.trailers.is_none()
    }
}
