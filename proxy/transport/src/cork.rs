//! Small writes of one turn held back and sent as one, for HTTP/2.
//!
//! h2 flushes after every DATA frame of more than 255 bytes, so that each response, and the
//! trailers behind it, would be a write of its own: on a connection with many streams most of
//! the time would go into `writev`. Whoever drives the connection says when its turn is over,
//! and what has gathered is sent as soon as nothing else is ready ([`gather`]).

mod gather;

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use gather::{Gather, Held};

/// Most bytes held back.
const HOLD: usize = 32 * 1024;
/// Writes of at least this size are not worth copying.
const LARGE: usize = 8 * 1024;

/// The side that the protocol writes to.
#[derive(Debug)]
pub struct Corked<IO>(Arc<Mutex<Inner<IO>>>);

/// The side of whoever drives the protocol.
#[derive(Debug)]
pub struct Uncork<IO>(Arc<Mutex<Inner<IO>>>);

struct Inner<IO> {
    io: IO,
    held: Vec<u8>,
    sent: usize,
    gather: Arc<Gather>,
    /// Whether it is among those that are sent soon.
    waits: bool,
    /// Of the task that drives the connection.
    driver: Option<Waker>,
    /// Whether something that was not held may still be below: encrypted, and not yet sent.
    below: bool,
    /// Whether the socket took nothing when it was last offered something.
    full: bool,
    /// Whether it has taken something since somebody asked.
    moved: bool,
    /// Until the driver has taken over (during a handshake), every flush is obeyed.
    driven: bool,
    failed: Option<io::ErrorKind>,
}

impl<IO: fmt::Debug> fmt::Debug for Inner<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("io", &self.io)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

/// Splits a connection into the side that is written to and the one that sends. Both belong to
/// the runtime that this is called in.
pub fn cork<IO>(io: IO) -> (Corked<IO>, Uncork<IO>) {
    let inner = Arc::new(Mutex::new(Inner {
        io,
        held: Vec::new(),
        sent: 0,
        gather: Gather::current(),
        waits: false,
        driver: None,
        below: false,
        full: false,
        moved: false,
        driven: false,
        failed: None,
    }));
    (Corked(Arc::clone(&inner)), Uncork(inner))
}

fn lock<IO>(inner: &Mutex<Inner<IO>>) -> MutexGuard<'_, Inner<IO>> {
    // Never contended: both sides live in one task.
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<IO: AsyncWrite + Unpin + Send + 'static> Uncork<IO> {
    /// Has what the protocol wrote in this turn sent soon; to be called after every poll of it.
    ///
    /// What the socket does not take yet is sent in a later turn: the task is woken for it. A
    /// failure is what the protocol meets at its next read.
    pub fn send(&self, cx: &mut Context<'_>) {
        let mut inner = lock(&self.0);
        inner.driven = true;
        if inner.waits || inner.held.is_empty() && !inner.below {
            return;
        }
        if inner.sent > 0 {
            // The socket was full: this turn is the one that it was woken for.
            inner.send(cx);
            return;
        }
        inner.waits = true;
        if !inner
            .driver
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            inner.driver = Some(cx.waker().clone());
        }
        let held: Arc<dyn Held> = Arc::<Mutex<Inner<IO>>>::clone(&self.0);
        inner.gather.add(held);
    }

    /// Whether the peer reads slowly: bytes wait for room in the socket, and others have found it
    /// since this was last asked.
    pub fn is_slow(&self) -> bool {
        let mut inner = lock(&self.0);
        let moved = std::mem::take(&mut inner.moved);
        inner.full && moved
    }

    /// Sends what is left at once: there will be no other turn.
    pub fn finish(&self, cx: &mut Context<'_>) {
        let mut inner = lock(&self.0);
        if !inner.held.is_empty() || inner.below {
            inner.send(cx);
        }
    }
}

impl<IO: AsyncWrite + Unpin + Send> Held for Mutex<Inner<IO>> {
    fn send(&self) {
        let mut inner = lock(self);
        inner.waits = false;
        let Some(driver) = inner.driver.clone() else {
            return;
        };
        inner.send(&mut Context::from_waker(&driver));
    }
}

impl<IO: AsyncWrite + Unpin> Inner<IO> {
    fn send(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            self.failed = Some(error.kind());
            self.held = Vec::new();
            self.sent = 0;
            cx.waker().wake_by_ref();
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.held.len() {
            let polled = Pin::new(&mut self.io).poll_write(cx, &self.held[self.sent..]);
            self.full = polled.is_pending();
            let taken = ready!(polled)?;
            self.moved = true;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += taken;
        }
        // An idle connection holds no buffer.
        spare::put(std::mem::take(&mut self.held));
        self.sent = 0;
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.below = false;
        Poll::Ready(Ok(()))
    }

    /// Notes a write that was not held.
    fn wrote_below(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.below = true;
        self.full = polled.is_pending();
        self.moved |= polled.is_ready();
        polled
    }

    /// Where to add `more` bytes.
    fn buffer(&mut self, more: usize) -> &mut Vec<u8> {
        if self.held.capacity() == 0 {
            self.held = spare::take();
        }
        self.held.reserve(more);
        &mut self.held
    }

    fn check(&self) -> io::Result<()> {
        self.failed.map_or(Ok(()), |kind| Err(kind.into()))
    }

    /// Whether `more` bytes are to be held; makes room if there is none.
    fn poll_holds(&mut self, more: usize, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.check()?;
        if more < LARGE && self.held.len() + more <= HOLD {
            return Poll::Ready(Ok(true));
        }
        ready!(self.poll_send(cx))?;
        Poll::Ready(Ok(more < LARGE))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Corked<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut inner = lock(&self.0);
        if !ready!(inner.poll_holds(buf.len(), cx))? {
            let polled = Pin::new(&mut inner.io).poll_write(cx, buf);
            return inner.wrote_below(polled);
        }
        inner.buffer(buf.len()).extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = lock(&self.0);
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if !ready!(inner.poll_holds(length, cx))? {
            let polled = Pin::new(&mut inner.io).poll_write_vectored(cx, bufs);
            return inner.wrote_below(polled);
        }
        let held = inner.buffer(length);
        for buf in bufs {
            held.extend_from_slice(buf);
        }
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0).io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.0);
        inner.check()?;
        if inner.driven {
            return Poll::Ready(Ok(()));
        }
        inner.poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.0);
        inner.check()?;
        ready!(inner.poll_send(cx))?;
        Pin::new(&mut inner.io).poll_shutdown(cx)
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Corked<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = lock(&self.0);
        if let Some(kind) = inner.failed {
            return Poll::Ready(Err(kind.into()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut inner.io).poll_read(cx, buf);
        if buf.filled().len() > before {
            inner.gather.has_read();
        }
        polled
    }
}

/// One buffer for each thread, since its connections take their turns one after the other.
mod spare {
    use std::cell::Cell;

    use super::HOLD;

    thread_local! {
        static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }

    pub(super) fn take() -> Vec<u8> {
        SPARE.take()
    }

    pub(super) fn put(mut buffer: Vec<u8>) {
        if (1..=HOLD).contains(&buffer.capacity()) {
            buffer.clear();
            SPARE.set(buffer);
        }
    }
}

#[cfg(test)]
mod tests;
