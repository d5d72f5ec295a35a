//! The request body on its way up: empty, one chunk, or a stream that may be replayed.
//!
//! Most requests have no body, or one that has already arrived whole; those cost nothing here.
//! A stream is teed while it is sent: what was read is kept for another try until it exceeds
//! the bound, then forgotten, and no other try can be made.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use tandem_core::error::Kind;
use tandem_core::{Body, Error};

/// A request body, as often as it has to be sent.
#[derive(Clone, Debug)]
pub(crate) enum Upload {
    /// Nothing.
    Empty,
    /// Everything, in one chunk.
    Full(Bytes),
    /// Still arriving.
    Stream(Arc<Stream>),
}

/// A body still arriving. The lock is never contended: one try at a time reads it.
#[derive(Debug)]
pub(crate) struct Stream {
    state: Mutex<State>,
    ended: AtomicBool,
    on_end: AtomicWaker,
}

#[derive(Debug)]
struct State {
    source: Body,
    kept: Vec<Bytes>,
    kept_bytes: u64,
    trailers: Option<HeaderMap>,
    /// How much may be kept; `None`: nothing is, any more.
    limit: Option<u64>,
    first: Option<Bytes>,
    error: Option<Error>,
    failed: bool,
}

/// One sending of an [`Upload`].
#[derive(Debug, Default)]
pub(crate) enum Outgoing {
    #[default]
    Empty,
    Full(Option<Bytes>),
    Stream {
        stream: Arc<Stream>,
        next: usize,
        trailers_given: bool,
    },
}

impl Upload {
    /// Looks what has arrived already; `replay_limit` is the bound for other tries, if any.
    pub(crate) fn begin(mut source: Body, replay_limit: Option<u64>) -> Result<Self, Error> {
        if source.is_end_stream() {
            return Ok(Self::Empty);
        }
        let mut first = None;
        // Whoever reads on polls again, so nobody needs to be woken here.
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(&mut source).poll_frame(&mut cx) {
            Poll::Ready(None) => return Ok(Self::Empty),
            Poll::Ready(Some(Err(error))) => return Err(error),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if source.is_end_stream() => return Ok(Self::Full(data)),
                Ok(data) => first = Some(data),
                Err(frame) => {
                    // Trailers only: keep them for the stream to give.
                    let trailers = frame.into_trailers().ok();
                    return Ok(Self::stream(source, None, trailers, replay_limit));
                }
            },
            Poll::Pending => {}
        }
        Ok(Self::stream(source, first, None, replay_limit))
    }

    fn stream(
        source: Body,
        first: Option<Bytes>,
        trailers: Option<HeaderMap>,
        limit: Option<u64>,
    ) -> Self {
        Self::Stream(Arc::new(Stream {
            ended: AtomicBool::new(trailers.is_some()),
            on_end: AtomicWaker::new(),
            state: Mutex::new(State {
                source,
                kept: Vec::new(),
                kept_bytes: 0,
                trailers,
                limit,
                first,
                error: None,
                failed: false,
            }),
        }))
    }

    /// A sending from the start; only right if [`Self::can_replay`] or for the first time.
    pub(crate) fn outgoing(&self) -> Outgoing {
        match self {
            Self::Empty => Outgoing::Empty,
            Self::Full(bytes) => Outgoing::Full(Some(bytes.clone())),
            Self::Stream(stream) => Outgoing::Stream {
                stream: Arc::clone(stream),
                next: 0,
                trailers_given: false,
            },
        }
    }

    /// Whether everything read so far can be sent again.
    pub(crate) fn can_replay(&self, limit: u64) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.len() as u64 <= limit,
            Self::Stream(stream) => {
                let state = stream.state();
                state.limit.is_some() && !state.failed
            }
        }
    }

    /// Why reading the body failed, if it did.
    pub(crate) fn take_error(&self) -> Option<Error> {
        match self {
            Self::Empty | Self::Full(_) => None,
            Self::Stream(stream) => stream.state().error.take(),
        }
    }

    /// The stream, if it has not ended.
    pub(crate) fn unfinished(&self) -> Option<&Arc<Stream>> {
        match self {
            Self::Stream(stream) if !stream.has_ended() => Some(stream),
            Self::Stream(_) | Self::Empty | Self::Full(_) => None,
        }
    }
}

impl Stream {
    /// Whether the client has sent everything.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Wakes the task when the client has sent everything.
    pub(crate) fn wake_at_end(&self, cx: &Context<'_>) {
        self.on_end.register(cx.waker());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.on_end.wake();
    }

    fn poll(
        &self,
        next: &mut usize,
        trailers_given: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut state = self.state();
        if let Some(again) = state.kept.get(*next) {
            *next += 1;
            return Poll::Ready(Some(Ok(Frame::data(again.clone()))));
        }
        if let Some(first) = state.first.take() {
            state.keep(&first, next);
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if self.has_ended() {
            let trailers = state.trailers.clone().filter(|_| !*trailers_given);
            *trailers_given = true;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        let frame = match Pin::new(&mut state.source).poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(frame) => frame,
        };
        match frame {
            None => {
                self.end();
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                state.error = Some(error);
                state.failed = true;
                Poll::Ready(Some(Err(Error::new(Kind::DownstreamReset))))
            }
            Some(Ok(frame)) => Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(data) => {
                    state.keep(&data, next);
                    if state.source.is_end_stream() {
                        self.end();
                    }
                    Frame::data(data)
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    state.trailers = Some(trailers.clone());
                    *trailers_given = true;
                    self.end();
                    Frame::trailers(trailers)
                }
            }))),
        }
    }
}

impl State {
    fn keep(&mut self, data: &Bytes, next: &mut usize) {
        let Some(limit) = self.limit else { return };
        self.kept_bytes += data.len() as u64;
        // A piece costs memory of its own, however little it holds.
        let pieces = (limit / 64).max(256);
        if self.kept_bytes > limit || self.kept.len() as u64 >= pieces {
            self.limit = None;
            self.kept = Vec::new();
        } else {
            self.kept.push(data.clone());
            *next += 1;
        }
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream {
                stream,
                next,
                trailers_given,
            } => stream.poll(next, trailers_given, cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty | Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Full(None) => SizeHint::with_exact(0),
            Self::Full(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream { .. } => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests;
