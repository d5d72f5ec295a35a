//! One HTTP/1 connection: read a head, dispatch it, write the response, again.
//!
//! Buffers live as long as they hold something: a connection between two requests owns its
//! socket and this state, nothing else.

mod input;
mod late;
mod output;
mod request;
mod response;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::BytesMut;
use tandem_core::error::LocalReply;
use tandem_core::ext::ConnectionInfo;
use tandem_core::ext::wire::Bytes;
use tandem_transport::deadline::Deadline;
use tandem_transport::h1::{Head, Refusal, Scan, head};
use tandem_transport::scratch;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::draining::{Level, Started};
use super::stats::add;
use super::{End, Server};
use input::Upload;
use output::Output;

/// The state of one connection.
pub(super) struct Connection<IO> {
    server: Arc<Server>,
    io: IO,
    info: Arc<ConnectionInfo>,
    /// Read and not yet understood.
    input: BytesMut,
    output: Output,
    /// The request body that is being read.
    upload: Option<Upload>,
    /// The request's bytes made no sense: nothing behind them is read.
    broken: bool,
    deadline: Deadline,
    drained: Started,
    expires: Option<Instant>,
    /// Whether it should end: what the client may just be sending is still answered.
    leaving: bool,
    requests: u32,
    /// What went over the wire for the requests so far.
    counted: Bytes,
}

/// What came instead of, or as, the next request.
enum Next {
    Request(Box<Head>),
    Refused(LocalReply),
    Closed(End),
}

/// What follows a response.
enum After {
    Continue,
    Close,
    Ended(End),
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<IO> {
    /// Begins with the bytes that detection has read.
    pub(super) fn new(
        server: Arc<Server>,
        io: IO,
        info: Arc<ConnectionInfo>,
        input: BytesMut,
        expires: Option<Instant>,
    ) -> Self {
        add(&info.wire_received, input.len());
        let drained = server.draining.reached(Level::Soon);
        Self {
            server,
            io,
            info,
            input,
            output: Output::default(),
            upload: None,
            broken: false,
            deadline: Deadline::new(),
            drained,
            expires,
            leaving: false,
            requests: 0,
            counted: Bytes::default(),
        }
    }

    /// Serves to the end.
    pub(super) async fn run(&mut self) -> End {
        loop {
            let exchange = match self.next().await {
                Next::Request(head) => self.begin(*head),
                Next::Refused(reply) => self.refuse(reply),
                Next::Closed(end) => return end,
            };
            match self.serve(exchange).await {
                After::Continue => {}
                After::Close => return self.linger().await,
                After::Ended(end) => return end,
            }
        }
    }

    /// Waits for the next request's head.
    async fn next(&mut self) -> Next {
        let mut scan = Scan::default();
        // Empty lines begin a request too: who sends nothing else is not idle, but too late.
        let mut begun = false;
        let mut waits = false;
        loop {
            let came = !self.input.is_empty();
            match self.head(&mut scan) {
                Ok(Some(head)) => return Next::Request(Box::new(head)),
                Ok(None) => {}
                Err(refusal) => {
                    self.server.stats.protocol_error.inc();
                    return Next::Refused(refusal.reply());
                }
            }
            if self.input.is_empty() {
                self.input = BytesMut::new();
            }
            if came && !begun {
                begun = true;
                self.deadline.set_after(late::limit(&self.server.manager));
            } else if !waits && !begun {
                let idle = self.server.after(self.server.manager.idle_timeout);
                self.deadline
                    .set([idle, self.expires].into_iter().flatten().min());
            }
            waits = true;
            if let Some(next) = self.more(begun).await {
                return next;
            }
        }
    }

    /// The next head, if all of it is there.
    fn head(&mut self, scan: &mut Scan) -> Result<Option<Head>, Refusal> {
        // Empty lines before a request are allowed (RFC 9112, 2.2).
        while self.input.starts_with(b"\r\n") {
            let _ = self.input.split_to(2);
        }
        if self.input.is_empty() {
            return Ok(None);
        }
        let Some(end) = scan.find_end(&self.input, &self.server.limits)? else {
            return Ok(None);
        };
        let bytes = if end == self.input.len() {
            std::mem::take(&mut self.input).freeze()
        } else {
            self.input.split_to(end).freeze()
        };
        head::parse(&bytes, &self.server.limits).map(Some)
    }

    /// Reads on; something else than bytes ends the wait for a request.
    async fn more(&mut self, begun: bool) -> Option<Next> {
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(read) = self.poll_read(cx) {
                    return Poll::Ready(match read {
                        Ok(0) | Err(_) => Some(Next::Closed(End::Remote)),
                        Ok(_) => None,
                    });
                }
                if self.input.is_empty() && Pin::new(&mut self.drained).poll(cx).is_ready() {
                    self.server.stats.drain_close.inc();
                    return Poll::Ready(Some(Next::Closed(End::Local)));
                }
                ready!(self.deadline.poll(cx));
                if let Some(next) = self.too_late(begun) {
                    return Poll::Ready(Some(next));
                }
            }
        })
        .await
    }

    /// What to do about it, unless that is to wait once more: a client that is idle for too long
    /// has `drain_timeout`, since a request that it sends at this very moment would fail.
    fn too_late(&mut self, begun: bool) -> Option<Next> {
        let (stats, manager) = (&self.server.stats, &self.server.manager);
        if begun {
            return Some(Next::Refused(late::reply(manager, stats)));
        }
        if self.leaving {
            return Some(Next::Closed(End::Local));
        }
        match self.is_expired() {
            true => stats.max_duration_reached.inc(),
            false => stats.idle_timeout.inc(),
        }
        self.leaving = true;
        self.deadline.set_after(Some(manager.drain_timeout));
        None
    }

    fn is_expired(&self) -> bool {
        self.expires
            .is_some_and(|expires| Instant::now() >= expires)
    }

    /// Lets the client read the last response before the connection goes: closing with unread
    /// input would make the system destroy what is on its way.
    async fn linger(&mut self) -> End {
        self.deadline
            .set_after(Some(self.server.manager.delayed_close_timeout));
        let mut shut = false;
        poll_fn(|cx| {
            if !shut {
                match Pin::new(&mut self.io).poll_shutdown(cx) {
                    Poll::Ready(Ok(())) => shut = true,
                    Poll::Ready(Err(_)) => return Poll::Ready(End::Remote),
                    Poll::Pending => {}
                }
            }
            loop {
                let read =
                    scratch::poll_read(&mut self.io, cx, scratch::SIZE, |_, _, data| data.len());
                match read {
                    Poll::Ready(Ok(0) | Err(_)) if shut => return Poll::Ready(End::Local),
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(End::Remote),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => break,
                }
            }
            ready!(self.deadline.poll(cx));
            self.server.stats.delayed_close_timeout.inc();
            Poll::Ready(End::Local)
        })
        .await
    }
}
