//! A socket that notes whether its peer was cut short, and is read to the end even when nothing
//! can be written any more: who refuses a request early may close before all of it came, and what
//! was said before that is still there to read.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use memchr::memmem::Finder;
use tandem_core::ext::wire::Counters;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::consume_budget;

/// Sets `heard` by what is read: whether the peer has begun to
/// say something and has not finished it.
#[derive(Debug)]
pub(super) struct Watched<IO> {
    pub(super) stream: IO,
    pub(super) heard: Arc<AtomicBool>,
    /// What goes either way.
    pub(super) counters: Arc<Counters>,
    /// Why nothing can be written; told when there is nothing left to read.
    pub(super) deaf: Option<io::Error>,
}

impl<IO> Watched<IO> {
    /// A write to a peer that closed is one into the void, of `all` bytes.
    fn wrote(&mut self, polled: Poll<io::Result<usize>>, all: usize) -> Poll<io::Result<usize>> {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        match polled {
            Poll::Ready(Err(error))
                if matches!(
                    error.kind(),
                    BrokenPipe | ConnectionAborted | ConnectionReset
                ) =>
            {
                self.deaf.get_or_insert(error);
                Poll::Ready(Ok(all))
            }
            Poll::Ready(Ok(n)) => {
                self.counters.sent(n);
                Poll::Ready(Ok(n))
            }
            other => other,
        }
    }
}

/// Bytes that cost the task as much of its budget as one read. Of a peer that sends faster than
/// it is read, each read fills a buffer that grows: by their number alone a turn would take too long
/// for the others on this worker.
const TURN: usize = 16 * 1024;
/// What a read costs that has heads one behind the other, each of which takes its time.
const CROWDED: usize = 64;
/// Where such a read is recognized.
const LOOKED_AT: usize = 1024;

/// The end of a head, and another behind it.
static BEHIND: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\r\n\r\nHTTP/1."));

/// Takes what was read off the task's budget.
fn charge(read: &[u8], cx: &mut Context<'_>) {
    let begin = &read[..read.len().min(LOOKED_AT)];
    let cost = match BEHIND.find(begin) {
        Some(_) => CROWDED,
        None => read.len() / TURN,
    };
    for _ in 0..cost {
        if pin!(consume_budget()).poll(cx).is_pending() {
            return;
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            let read = &buf.filled()[before..];
            self.counters.received(read.len());
            charge(read, cx);
            // The end of a head, if nothing has answered the request by it, is an interim one's.
            let said_all = buf.filled()[before..].ends_with(b"\r\n\r\n");
            self.heard.store(!said_all, Relaxed);
        } else if let (Poll::Ready(Ok(())), Some(error)) = (&polled, &self.deaf) {
            let error = io::Error::new(error.kind(), error.to_string());
            return Poll::Ready(Err(error));
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(polled, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(polled, bufs.iter().map(|buf| buf.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
