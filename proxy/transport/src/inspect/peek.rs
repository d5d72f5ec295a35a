//! Peeking until enough is there.

use std::io;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::scratch;

/// How looking at a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peeked<T> {
    /// This was found.
    Found(T),
    /// As much as may be looked at is there, and it does not decide.
    TooLong,
    /// The client ended its direction before.
    Closed,
}

/// Shows `judge` the first bytes, at most `most` of them, each time more have come, until it
/// finds something. No buffer is held while waiting.
///
/// # Errors
///
/// What the socket says.
pub async fn peek<T>(
    stream: &TcpStream,
    most: usize,
    mut judge: impl FnMut(&[u8]) -> Option<T>,
) -> io::Result<Peeked<T>> {
    let most = most.min(scratch::SIZE);
    let mut seen = 0;
    loop {
        let closed = stream.ready(Interest::READABLE).await?.is_read_closed();
        // "Would block" is what makes tokio wait for more to come: there is more to read, but
        // nothing that was not seen.
        let outcome = stream.try_io(Interest::READABLE, || {
            scratch::peek(SockRef::from(stream), most, |bytes| {
                if bytes.len() > seen
                    && let Some(found) = judge(bytes)
                {
                    return Ok(Peeked::Found(found));
                }
                seen = bytes.len();
                match seen {
                    0 => Ok(Peeked::Closed),
                    _ if seen == most => Ok(Peeked::TooLong),
                    _ if closed => Ok(Peeked::Closed),
                    _ => Err(io::ErrorKind::WouldBlock.into()),
                }
            })
        });
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return outcome,
        }
    }
}

/// Makes a connection known to the runtime anew. What was looked at and did not decide counts
/// there as read: without this nobody would be told of it again.
///
/// # Errors
///
/// What the system says.
pub fn rearm(stream: TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(stream.into_std()?)
}

#[cfg(test)]
mod tests;
