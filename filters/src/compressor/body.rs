//! A body that is compressed as it is read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tandem_core::error::{Kind, ResetReason, UpstreamReset};
use tandem_core::stats::Counter;
use tandem_core::{Body, Error};

use super::encoder::Encoder;

/// Bytes before and after.
#[derive(Clone, Debug)]
pub(super) struct Totals {
    pub(super) uncompressed: Counter,
    pub(super) compressed: Counter,
}

/// What is read from `inner`, compressed; trailers come after the compressor's end.
pub(super) struct Compressed {
    inner: Body,
    /// `None` when it has written its end.
    encoder: Option<Encoder>,
    trailers: Option<HeaderMap>,
    totals: Totals,
}

impl Compressed {
    pub(super) fn new(inner: Body, encoder: Encoder, totals: Totals) -> Self {
        Self {
            inner,
            encoder: Some(encoder),
            trailers: None,
            totals,
        }
    }

    fn encode(&mut self, input: &[u8], last: bool) -> Result<Bytes, Error> {
        self.totals.uncompressed.add(input.len() as u64);
        let output = match (last, &mut self.encoder) {
            (_, None) => Ok(Bytes::new()),
            (false, Some(encoder)) => encoder.flush(input),
            (true, encoder) => match encoder.take() {
                Some(encoder) => encoder.finish(input),
                None => Ok(Bytes::new()),
            },
        };
        let broken = UpstreamReset {
            reason: ResetReason::Local,
            request_sent: true,
        };
        let output =
            output.map_err(|error| Error::with_source(Kind::UpstreamReset(broken), error))?;
        self.totals.compressed.add(output.len() as u64);
        Ok(output)
    }
}

impl http_body::Body for Compressed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        loop {
            if let Some(trailers) = this.trailers.take() {
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            if this.encoder.is_none() {
                return Poll::Ready(None);
            }
            let (input, last) = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => (Bytes::new(), true),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => (data, this.inner.is_end_stream()),
                    Err(frame) => {
                        this.trailers = frame.into_trailers().ok();
                        (Bytes::new(), true)
                    }
                },
            };
            if input.is_empty() && !last {
                continue;
            }
            let output = this.encode(&input, last)?;
            if !output.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(output))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }
}
