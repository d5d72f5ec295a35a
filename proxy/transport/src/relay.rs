//! Copying both ways between two byte streams.
//!
//! Bytes are read into the worker's scratch buffer and written straight on. Only what the
//! other side does not take at once is kept, so a connection that waits holds no buffer, and
//! one whose reader stalls holds at most one read of 64 KiB per direction.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::scratch;

/// How long a relay may live.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// End it when no byte moved for so long.
    pub idle: Option<Duration>,
    /// End it then, however busy.
    pub until: Option<Instant>,
}

/// Why a relay ended.
#[derive(Debug)]
pub enum Ended {
    /// Both sides closed their directions in order.
    Closed,
    /// The first stream failed.
    First(io::Error),
    /// The second stream failed.
    Second(io::Error),
    /// No byte moved for too long.
    Idle,
    /// It lived too long.
    Expired,
}

/// Bytes moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// From the first stream to the second.
    pub forward: u64,
    /// From the second stream to the first.
    pub backward: u64,
}

/// One direction.
#[derive(Debug, Default)]
struct Half {
    kept: Vec<u8>,
    written: usize,
    moved: u64,
    eof: bool,
    shut: bool,
}

/// Which end of a direction failed.
enum Fault {
    Reading(io::Error),
    Writing(io::Error),
}

/// Copies until both directions have ended; each end of a stream is passed on as a shutdown
/// of the other stream's writing side. `moved` is kept up to date while it runs.
pub async fn run<A, B>(first: &mut A, second: &mut B, limits: Limits, moved: &mut Moved) -> Ended
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let mut forward = Half::default();
    let mut backward = Half::default();
    let mut deadline = Deadline::new();
    let mut armed = false;
    poll_fn(|cx| {
        let before = forward.moved + backward.moved;
        let there = forward.poll(first, second, cx);
        let back = backward.poll(second, first, cx);
        moved.forward = forward.moved;
        moved.backward = backward.moved;
        match (there, back) {
            (Poll::Ready(Err(Fault::Reading(e))), _) | (_, Poll::Ready(Err(Fault::Writing(e)))) => {
                return Poll::Ready(Ended::First(e));
            }
            (Poll::Ready(Err(Fault::Writing(e))), _) | (_, Poll::Ready(Err(Fault::Reading(e)))) => {
                return Poll::Ready(Ended::Second(e));
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(Ended::Closed),
            _ => {}
        }
        if limits.idle.is_none() && limits.until.is_none() {
            return Poll::Pending;
        }
        let active = !armed || before != forward.moved + backward.moved;
        armed = true;
        poll_limits(&mut deadline, active, limits, cx)
    })
    .await
}

fn poll_limits(
    deadline: &mut Deadline,
    active: bool,
    limits: Limits,
    cx: &mut Context<'_>,
) -> Poll<Ended> {
    if active {
        let idle = limits
            .idle
            .and_then(|idle| Instant::now().checked_add(idle));
        deadline.set([idle, limits.until].into_iter().flatten().min());
    }
    ready!(deadline.poll(cx));
    let expired = limits.until.is_some_and(|until| Instant::now() >= until);
    Poll::Ready(if expired { Ended::Expired } else { Ended::Idle })
}

impl Half {
    fn poll<R, W>(
        &mut self,
        from: &mut R,
        to: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            if self.shut {
                return Poll::Ready(Ok(()));
            }
            while self.written < self.kept.len() {
                let n = ready!(Pin::new(&mut *to).poll_write(cx, &self.kept[self.written..]))
                    .and_then(nonzero)
                    .map_err(Fault::Writing)?;
                self.written += n;
                self.moved += n as u64;
            }
            if !self.kept.is_empty() {
                self.kept = Vec::new();
                self.written = 0;
            }
            if self.eof {
                ready!(Pin::new(&mut *to).poll_shutdown(cx)).map_err(Fault::Writing)?;
                self.shut = true;
                continue;
            }
            let outcome = ready!(scratch::poll_read(
                from,
                cx,
                scratch::SIZE,
                |_, cx, data| self.pass_on(to, cx, data)
            ))
            .map_err(Fault::Reading)?;
            outcome.map_err(Fault::Writing)?;
            if self.kept.is_empty() && !self.eof {
                ready!(flush(to, cx))?;
            }
        }
    }

    /// Writes what it can of `data` and keeps the rest.
    fn pass_on<W: AsyncWrite + Unpin>(
        &mut self,
        to: &mut W,
        cx: &mut Context<'_>,
        mut data: &[u8],
    ) -> io::Result<()> {
        self.eof = data.is_empty();
        while !data.is_empty() {
            match Pin::new(&mut *to).poll_write(cx, data) {
                Poll::Ready(n) => {
                    let n = nonzero(n?)?;
                    self.moved += n as u64;
                    data = &data[n..];
                }
                Poll::Pending => {
                    self.kept = data.to_vec();
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Sockets have nothing to flush; layered streams do. A pending flush does not stop reading.
fn flush<W: AsyncWrite + Unpin>(to: &mut W, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
    match Pin::new(to).poll_flush(cx) {
        Poll::Ready(Err(error)) => Poll::Ready(Err(Fault::Writing(error))),
        _ => Poll::Ready(Ok(())),
    }
}

fn nonzero(n: usize) -> io::Result<usize> {
    match n {
        0 => Err(io::ErrorKind::WriteZero.into()),
        n => Ok(n),
    }
}

#[cfg(test)]
mod tests;
