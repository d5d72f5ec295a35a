//! Request bodies: one chunk at a time from the connection to whoever reads.
//!
//! The connection reads the next piece only when the last one was taken, so a reader that
//! stalls stops its client. Both ends live on one worker thread; the lock is never contended.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tandem_core::Error;

/// The connection's end.
#[derive(Debug)]
pub struct Sender(Arc<Mutex<Slot>>);

/// The reader's end: an `http_body::Body`.
#[derive(Debug)]
pub struct Receiver(Arc<Mutex<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    data: Option<Bytes>,
    end: Option<End>,
    /// Bytes that are still to come, if that is known.
    left: Option<u64>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    abandoned: bool,
}

#[derive(Debug)]
enum End {
    Complete(Option<HeaderMap>),
    Failed(Error),
    Taken,
}

/// Both ends of a body; `length` as the head declared it.
pub fn channel(length: Option<u64>) -> (Sender, Receiver) {
    let slot = Arc::new(Mutex::new(Slot {
        left: length,
        ..Slot::default()
    }));
    (Sender(Arc::clone(&slot)), Receiver(slot))
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the connection should do with the next bytes of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Read and send them.
    Wanted,
    /// Read and drop them: nobody will ask.
    Abandoned,
}

impl Sender {
    /// Ready when the last piece was taken.
    pub fn poll_demand(&mut self, cx: &mut Context<'_>) -> Poll<Demand> {
        let mut slot = lock(&self.0);
        if slot.abandoned {
            Poll::Ready(Demand::Abandoned)
        } else if slot.data.is_none() {
            Poll::Ready(Demand::Wanted)
        } else {
            slot.writer = Some(cx.waker().clone());
            Poll::Pending
        }
    }

    /// Hands over a piece; only after [`Demand::Wanted`].
    pub fn send(&mut self, data: Bytes) {
        let mut slot = lock(&self.0);
        if data.is_empty() || slot.abandoned {
            return;
        }
        slot.left = slot.left.map(|left| left.saturating_sub(data.len() as u64));
        slot.data = Some(data);
        wake(&mut slot.reader);
    }

    /// The body is complete.
    pub fn finish(self, trailers: Option<HeaderMap>) {
        self.end(End::Complete(trailers));
    }

    /// The body will never be complete.
    pub fn fail(self, error: Error) {
        self.end(End::Failed(error));
    }

    fn end(&self, end: End) {
        let mut slot = lock(&self.0);
        if slot.end.is_none() {
            slot.end = Some(end);
            wake(&mut slot.reader);
        }
    }
}

/// A connection that ends takes its client with it.
impl Drop for Sender {
    fn drop(&mut self) {
        self.end(End::Failed(Error::new(
            tandem_core::error::Kind::DownstreamReset,
        )));
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut slot = lock(&self.0);
        slot.abandoned = true;
        slot.data = None;
        wake(&mut slot.writer);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl http_body::Body for Receiver {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut slot = lock(&self.0);
        if let Some(data) = slot.data.take() {
            wake(&mut slot.writer);
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let Some(end) = slot.end.replace(End::Taken) else {
            slot.end = None;
            slot.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(match end {
            End::Complete(Some(trailers)) => Some(Ok(Frame::trailers(trailers))),
            End::Failed(error) => Some(Err(error)),
            End::Complete(None) | End::Taken => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        let slot = lock(&self.0);
        slot.data.is_none() && matches!(slot.end, Some(End::Complete(None) | End::Taken))
    }

    fn size_hint(&self) -> SizeHint {
        let slot = lock(&self.0);
        let waiting = slot.data.as_ref().map_or(0, |data| data.len() as u64);
        match slot.left {
            Some(left) => SizeHint::with_exact(left + waiting),
            None => SizeHint::default(),
        }
    }
}
