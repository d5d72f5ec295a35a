//! The one body type: a stream of data frames with optional trailers.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;

use crate::Error;

/// Why a body ended before its end; the same type as a failed request, so that one rescue
/// knows both.
pub type BodyError = Error;

/// A request or response body.
///
/// The common cases (nothing, one chunk, what hyper read from a socket) are not boxed.
#[derive(Default)]
pub struct Body(Inner);

#[derive(Default)]
enum Inner {
    #[default]
    Empty,
    Once(Option<Bytes>),
    Incoming(hyper::body::Incoming),
    Boxed(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>),
}

impl Body {
    /// No bytes, no trailers.
    pub fn empty() -> Self {
        Self(Inner::Empty)
    }

    /// Erases any body; a [`Body`] is passed through as it is.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let mut slot = Some(body);
        if let Some(body) = (&mut slot as &mut dyn std::any::Any).downcast_mut::<Option<Self>>() {
            return body.take().unwrap_or_default();
        }
        if let Some(body) =
            (&mut slot as &mut dyn std::any::Any).downcast_mut::<Option<hyper::body::Incoming>>()
        {
            return body.take().map(Self::from).unwrap_or_default();
        }
        match slot {
            Some(body) => Self(Inner::Boxed(Box::pin(body.map_err(Into::into)))),
            None => Self::empty(),
        }
    }

    /// Whether nothing is left to read: no data and no trailers.
    pub fn is_empty(&self) -> bool {
        self.is_end_stream()
    }

    /// Whether all that is left of it is here already: reading it never waits.
    pub fn is_at_hand(&self) -> bool {
        matches!(self.0, Inner::Empty | Inner::Once(_))
    }

    /// Reads everything, refusing more than `limit` bytes with `None`; trailers are dropped.
    pub async fn collect_bounded(mut self, limit: usize) -> Result<Option<Bytes>, BodyError> {
        let mut first: Option<Bytes> = None;
        let mut rest = bytes::BytesMut::new();
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            if first.as_ref().map_or(0, Bytes::len) + rest.len() + data.len() > limit {
                return Ok(None);
            }
            match &first {
                None => first = Some(data),
                Some(_) => rest.extend_from_slice(&data),
            }
        }
        let Some(first) = first else {
            return Ok(Some(Bytes::new()));
        };
        if rest.is_empty() {
            return Ok(Some(first));
        }
        let mut whole = bytes::BytesMut::with_capacity(first.len() + rest.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&rest);
        Ok(Some(whole.freeze()))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::empty()
        } else {
            Self(Inner::Once(Some(bytes)))
        }
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<hyper::body::Incoming> for Body {
    fn from(body: hyper::body::Incoming) -> Self {
        if body.is_end_stream() {
            Self::empty()
        } else {
            Self(Inner::Incoming(body))
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Inner::Empty => Poll::Ready(None),
            Inner::Once(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Incoming(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(Error::from_hyper_body))),
            Inner::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Empty | Inner::Once(None) => true,
            Inner::Once(Some(_)) => false,
            Inner::Incoming(body) => body.is_end_stream(),
            Inner::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Empty | Inner::Once(None) => SizeHint::with_exact(0),
            Inner::Once(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Incoming(body) => body.size_hint(),
            Inner::Boxed(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("size", &self.size_hint())
            .finish()
    }
}
