//! A socket that is read in large pieces under TLS.
//!
//! rustls asks for 4 KiB at a time, which is a quarter of a record. More is read at once, and
//! what is not asked for yet is kept: only where there is more than that, so a connection with
//! small messages, or one that waits, holds no buffer.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read at once: two records.
const SIZE: usize = 2 * (16 * 1024 + 256);

thread_local! {
    static PIECE: RefCell<Box<[u8]>> = RefCell::new(vec![0; SIZE].into_boxed_slice());
}

/// The socket.
#[derive(Debug)]
pub struct Ahead<IO> {
    io: IO,
    kept: Vec<u8>,
    given: usize,
}

impl<IO> Ahead<IO> {
    /// Reads ahead of what is asked for.
    pub fn new(io: IO) -> Self {
        Self {
            io,
            kept: Vec::new(),
            given: 0,
        }
    }

    /// What it reads from.
    pub fn get_ref(&self) -> &IO {
        &self.io
    }

    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = &self.kept[self.given..];
        let n = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..n]);
        self.given += n;
        if self.given == self.kept.len() {
            self.kept = Vec::new();
            self.given = 0;
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Ahead<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.kept.is_empty() {
            this.give(buf);
            return Poll::Ready(Ok(()));
        }
        PIECE.with_borrow_mut(|piece| {
            let mut read = ReadBuf::new(piece);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut read))?;
            let all = read.filled();
            let (now, later) = all.split_at(all.len().min(buf.remaining()));
            buf.put_slice(now);
            if !later.is_empty() {
                this.kept = later.to_vec();
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Ahead<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn bytes_come_in_order_and_nothing_is_kept_in_the_end() {
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        let sent: Vec<u8> = (0..50_000_u32).map(|n| (n % 251) as u8).collect();
        far.write_all(&sent).await.expect("written");
        drop(far);
        let mut ahead = Ahead::new(near);
        let (mut got, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let n = ahead.read(&mut piece).await.expect("read");
            if n == 0 {
                break;
            }
            got.extend_from_slice(&piece[..n]);
        }
        assert_eq!(got, sent);
        assert_eq!(ahead.kept.capacity(), 0);
    }
}
