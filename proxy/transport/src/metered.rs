//! A stream whose bytes are counted as they move.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Who is told how much moved.
pub trait Meter {
    /// So many bytes were read.
    fn received(&self, n: usize);

    /// So many bytes were written.
    fn sent(&self, n: usize);
}

impl<M: Meter> Meter for Arc<M> {
    fn received(&self, n: usize) {
        M::received(self, n);
    }

    fn sent(&self, n: usize) {
        M::sent(self, n);
    }
}

impl<M: Meter> Meter for &M {
    fn received(&self, n: usize) {
        M::received(self, n);
    }

    fn sent(&self, n: usize) {
        M::sent(self, n);
    }
}

/// Reads and writes as what it wraps does.
#[derive(Debug)]
pub struct Metered<IO, M> {
    io: IO,
    meter: M,
}

impl<IO, M> Metered<IO, M> {
    /// Counts from now on.
    pub fn new(io: IO, meter: M) -> Self {
        Self { io, meter }
    }

    /// What it wraps.
    pub fn get_ref(&self) -> &IO {
        &self.io
    }
}

impl<IO: AsyncRead + Unpin, M: Meter + Unpin> AsyncRead for Metered<IO, M> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.meter.received(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin, M: Meter + Unpin> AsyncWrite for Metered<IO, M> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.meter.sent(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs))?;
        self.meter.sent(written);
        Poll::Ready(Ok(written))
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
    use std::cell::Cell;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[derive(Debug, Default)]
    struct Count(Cell<usize>, Cell<usize>);

    impl Meter for Count {
        fn received(&self, n: usize) {
            self.0.set(self.0.get() + n);
        }

        fn sent(&self, n: usize) {
            self.1.set(self.1.get() + n);
        }
    }

    /// What is counted is what moved, not what was offered or asked for.
    #[tokio::test]
    async fn bytes_that_moved_are_counted() {
        let (near, mut far) = tokio::io::duplex(4);
        let count = Count::default();
        let mut near = Metered::new(near, &count);
        assert_eq!(near.write(b"offered").await.unwrap(), 4);
        far.read_exact(&mut [0; 4]).await.unwrap();
        far.write_all(b"abc").await.unwrap();
        assert_eq!(near.read(&mut [0; 64]).await.unwrap(), 3);
        drop(far);
        assert_eq!(near.read(&mut [0; 64]).await.unwrap(), 0);
        near.write(b"x").await.unwrap_err();
        assert_eq!((count.0.get(), count.1.get()), (3, 4));
    }
}
