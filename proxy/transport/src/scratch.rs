//! One read buffer per worker thread, so that a connection that waits holds none.
//!
//! Bytes are read into it and at once parsed, copied out in their exact size or written on to
//! another socket; nothing stays in it across a wait. An idle connection thus costs its state
//! and no buffer.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use socket2::{SockRef, Socket};
use tokio::io::{AsyncRead, ReadBuf};

/// Size of the buffer: one large TCP receive.
pub const SIZE: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SIZE].into_boxed_slice());
}

/// Reads once, up to `limit` bytes, and hands what came (nothing at the end of the stream) to
/// `take`. `take` must not read through this function itself.
///
/// A read that does not fill the buffer tells tokio that the socket is drained, which saves
/// the read that would only say so.
pub fn poll_read<IO, T>(
    io: &mut IO,
    cx: &mut Context<'_>,
    limit: usize,
    take: impl FnOnce(&mut IO, &mut Context<'_>, &[u8]) -> T,
) -> Poll<io::Result<T>>
where
    IO: AsyncRead + Unpin,
{
    SCRATCH.with(|scratch| {
        let mut scratch = scratch.borrow_mut();
        let end = limit.min(SIZE);
        let mut buf = ReadBuf::new(&mut scratch[..end]);
        ready!(Pin::new(&mut *io).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(take(io, cx, buf.filled())))
    })
}

/// Shows `look` what a socket has to read, up to `limit` bytes, and leaves it there. Nothing is
/// shown at the end of the stream.
pub(crate) fn peek<T>(
    socket: SockRef<'_>,
    limit: usize,
    look: impl FnOnce(&[u8]) -> io::Result<T>,
) -> io::Result<T> {
    SCRATCH.with(|scratch| {
        let mut scratch = scratch.borrow_mut();
        let end = limit.min(SIZE);
        let n = peek_into(&socket, &mut scratch[..end])?;
        look(&scratch[..n])
    })
}

fn peek_into(socket: &Socket, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: initialised bytes may be seen as perhaps uninitialised ones as long as no
    // uninitialised ones are written through the view: `recv` writes bytes or nothing.
    #[allow(
        unsafe_code,
        reason = "socket2 peeks into memory that need not be initialised"
    )]
    let buf = unsafe { &mut *(std::ptr::from_mut(buf) as *mut [std::mem::MaybeUninit<u8>]) };
    socket.peek(buf)
}

/// Reads once into memory of its own, up to `limit` bytes (at most [`SIZE`]); for bodies too
/// large to be copied. Empty at the end of the stream.
pub fn poll_read_owned<IO>(
    io: &mut IO,
    cx: &mut Context<'_>,
    limit: usize,
) -> Poll<io::Result<Bytes>>
where
    IO: AsyncRead + Unpin,
{
    let mut owned = BytesMut::with_capacity(limit.min(SIZE));
    let mut buf = ReadBuf::uninit(owned.spare_capacity_mut());
    ready!(Pin::new(io).poll_read(cx, &mut buf))?;
    let filled = buf.filled().len();
    // SAFETY: `ReadBuf` guarantees that the first `filled` bytes of the spare capacity, which
    // starts at the (empty) buffer's beginning, are initialised.
    #[allow(unsafe_code, reason = "reading into memory that is not zeroed first")]
    unsafe {
        owned.set_len(filled);
    }
    Poll::Ready(Ok(owned.freeze()))
}
