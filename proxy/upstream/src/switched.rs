//! A connection after a switch of protocols: bytes both ways. It counts as a connection and as a
//! request for as long as somebody relays it.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tandem_core::ext::Tunnel;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::active::Active;
use crate::pool::http1::Connection;

/// What the connection has become, for whoever serves the client.
pub(crate) fn tunnel(
    response: &mut Response<Incoming>,
    connection: Box<Connection>,
    active: Active,
) -> Tunnel {
    Tunnel::new(Switched {
        state: State::Begun(hyper::upgrade::on(response)),
        connection,
        shut: false,
        _active: active,
    })
}

struct Switched {
    state: State,
    connection: Box<Connection>,
    /// Whether our side has ended.
    shut: bool,
    _active: Active,
}

enum State {
    /// The rest of the request is on its way.
    Begun(OnUpgrade),
    Done(TokioIo<Upgraded>),
}

impl Switched {
    fn poll_io(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TokioIo<Upgraded>>>> {
        if let State::Begun(switch) = &mut self.state {
            self.connection.drive(cx);
            let upgraded = ready!(Pin::new(switch).poll(cx)).map_err(io::Error::other)?;
            self.connection.live.by_peer = false;
            self.state = State::Done(TokioIo::new(upgraded));
        }
        match &mut self.state {
            State::Done(io) => Poll::Ready(Ok(Pin::new(io))),
            State::Begun(_) => Poll::Pending,
        }
    }

    /// The peer's side has ended, or all of it: who was the first?
    fn ended(&mut self) {
        self.connection.live.by_peer = !self.shut;
    }
}

impl AsyncRead for Switched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = ready!(self.poll_io(cx))?.poll_read(cx, buf);
        if polled.is_ready() && buf.filled().len() == before {
            self.ended();
        }
        polled
    }
}

impl AsyncWrite for Switched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = ready!(self.poll_io(cx))?.poll_write(cx, buf);
        if let Poll::Ready(Err(_)) = polled {
            self.ended();
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = ready!(self.poll_io(cx))?.poll_write_vectored(cx, bufs);
        if let Poll::Ready(Err(_)) = polled {
            self.ended();
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        matches!(&self.state, State::Done(io) if io.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_io(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = ready!(self.poll_io(cx))?.poll_shutdown(cx);
        self.shut |= !self.connection.live.by_peer;
        polled
    }
}
