//! The writing side: response bytes that the socket has not taken yet.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::HeaderMap;
use tandem_transport::h1::encode;
use tokio::io::AsyncWrite;

/// Data up to this size is copied behind the head, so that one plain write sends both.
const COPY: usize = 4 * 1024;
/// So much is gathered before it is written.
const FULL: usize = 16 * 1024;
/// Buffers kept per worker, and up to which size.
const KEPT: usize = 64;
const KEPT_SIZE: usize = 2 * FULL;

thread_local! {
    /// Write buffers between two uses.
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes in the order they are to be written: `head`, `chunk`, `tail`.
#[derive(Debug, Default)]
pub(super) struct Output {
    head: Vec<u8>,
    at: usize,
    chunk: Bytes,
    tail: &'static [u8],
    written: u64,
}

impl Output {
    /// The buffer to append to; only while no chunk is waiting.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.head.capacity() == 0 {
            self.head = BUFFERS
                .with_borrow_mut(Vec::pop)
                .unwrap_or_else(|| Vec::with_capacity(1024));
        }
        &mut self.head
    }

    /// Appends body bytes.
    pub(super) fn data(&mut self, data: Bytes, chunked: bool) {
        if chunked {
            encode::chunk_size(self.buffer(), data.len());
        }
        if data.len() <= COPY {
            let buffer = self.buffer();
            buffer.extend_from_slice(&data);
            if chunked {
                buffer.extend_from_slice(b"\r\n");
            }
        } else {
            self.chunk = data;
            self.tail = if chunked { b"\r\n" } else { b"" };
        }
    }

    /// Appends the end of a chunked body.
    pub(super) fn last_chunk(&mut self, trailers: Option<&HeaderMap>) {
        if self.chunk.is_empty() && self.tail.is_empty() {
            encode::last_chunk(self.buffer(), trailers);
        } else if trailers.is_none_or(HeaderMap::is_empty) {
            self.tail = b"\r\n0\r\n\r\n";
        } else {
            // Rare enough to be copied.
            let (chunk, tail) = (std::mem::take(&mut self.chunk), self.tail);
            self.tail = b"";
            let buffer = self.buffer();
            buffer.extend_from_slice(&chunk);
            buffer.extend_from_slice(tail);
            encode::last_chunk(buffer, trailers);
        }
    }

    /// Whether it should be written before more is appended.
    pub(super) fn is_full(&self) -> bool {
        !self.chunk.is_empty() || !self.tail.is_empty() || self.head.len() - self.at >= FULL
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.head.len() == self.at && self.chunk.is_empty() && self.tail.is_empty()
    }

    /// Bytes written since the last call.
    pub(super) fn take_written(&mut self) -> usize {
        usize::try_from(std::mem::take(&mut self.written)).unwrap_or(usize::MAX)
    }

    /// Writes everything.
    pub(super) fn poll_flush<IO>(
        &mut self,
        io: &mut IO,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        IO: AsyncWrite + Unpin,
    {
        while !self.is_empty() {
            let head = &self.head[self.at..];
            let n = if self.chunk.is_empty() && self.tail.is_empty() {
                ready!(Pin::new(&mut *io).poll_write(cx, head))?
            } else {
                let parts = [
                    IoSlice::new(head),
                    IoSlice::new(&self.chunk),
                    IoSlice::new(self.tail),
                ];
                ready!(Pin::new(&mut *io).poll_write_vectored(cx, &parts))?
            };
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(n);
        }
        self.release();
        Pin::new(io).poll_flush(cx)
    }

    fn advance(&mut self, mut n: usize) {
        self.written += n as u64;
        let of_head = n.min(self.head.len() - self.at);
        self.at += of_head;
        n -= of_head;
        let of_chunk = n.min(self.chunk.len());
        self.chunk.advance(of_chunk);
        n -= of_chunk;
        self.tail = &self.tail[n..];
    }

    /// Gives the buffer to whoever writes next on this worker.
    fn release(&mut self) {
        self.at = 0;
        self.chunk = Bytes::new();
        let mut buffer = std::mem::take(&mut self.head);
        buffer.clear();
        if buffer.capacity() > 0 && buffer.capacity() <= KEPT_SIZE {
            BUFFERS.with_borrow_mut(|kept| {
                if kept.len() < KEPT {
                    kept.push(buffer);
                }
            });
        }
    }
}
