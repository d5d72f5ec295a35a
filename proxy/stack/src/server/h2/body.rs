//! Request bodies of HTTP/2 streams.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Frame, SizeHint};
use tandem_core::error::Kind;
use tandem_core::{Body, Error};

/// A body that is read from the connection as its reader asks for it: what was read is what
/// the client may send more of.
struct Stream {
    receive: RecvStream,
    data_done: bool,
}

/// Makes a body. One that has already come as a whole (a unary call) is handed over as plain
/// bytes, which can be sent again without being copied.
pub(super) fn begin(mut receive: RecvStream, cx: &mut Context<'_>) -> Body {
    if receive.is_end_stream() {
        return Body::empty();
    }
    let mut first = None;
    if let Poll::Ready(Some(Ok(data))) = receive.poll_data(cx) {
        let _ = receive.flow_control().release_capacity(data.len());
        if receive.is_end_stream() {
            return Body::from(data);
        }
        first = Some(data);
    }
    let stream = Stream {
        receive,
        data_done: false,
    };
    match first {
        None => Body::new(stream),
        Some(first) => Body::new(Begun {
            first: Some(first),
            stream,
        }),
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.data_done {
            match ready!(self.receive.poll_data(cx)) {
                Some(Ok(data)) => {
                    let _ = self.receive.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(gone(error)))),
                None => self.data_done = true,
            }
        }
        match ready!(self.receive.poll_trailers(cx)) {
            Ok(Some(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Ok(None) => Poll::Ready(None),
            Err(error) => Poll::Ready(Some(Err(gone(error)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.receive.is_end_stream()
    }
}

fn gone(error: h2::Error) -> Error {
    Error::with_source(Kind::DownstreamReset, error)
}

/// A body whose first bytes had already come.
struct Begun {
    first: Option<Bytes>,
    stream: Stream,
}

impl http_body::Body for Begun {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => Pin::new(&mut self.stream).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
