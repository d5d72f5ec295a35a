//! Serving one downstream connection: finding its protocol, then request by request.
//!
//! The codecs end here: what they refuse becomes a request marked [`Rejected`], so that it is
//! answered, logged and counted like any other; whatever answers is one [`HttpService`].
//!
//! [`Rejected`]: tandem_core::ext::Rejected

mod draining;
mod h1;
mod h2;
mod stats;
mod upgrade;

pub(crate) use draining::{Draining, Level};

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tandem_core::HttpService;
use tandem_core::ext::ConnectionInfo;
use tandem_core::stats::Registry;
use tandem_model::HttpConnectionManager;
use tandem_model::hcm::CodecType;
use tandem_transport::deadline::Deadline;
use tandem_transport::detect::{Detected, detect};
use tandem_transport::h1::Limits;
use tandem_transport::metered::Metered;
use tandem_transport::rewind::Rewind;
use tandem_transport::scratch;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use stats::Stats;

/// What the connections of one HTTP listener share on one worker.
#[derive(Debug)]
pub(crate) struct Server {
    manager: Arc<HttpConnectionManager>,
    service: HttpService,
    limits: Limits,
    stats: Stats,
    draining: Arc<Draining>,
}

/// Marks the request that stands for bytes which were none: there is nothing of it to log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unreadable;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client closed it.
    Remote,
    /// This side did.
    Local,
}

impl Server {
    /// Serves by the connection manager's settings.
    pub(crate) fn new(
        manager: Arc<HttpConnectionManager>,
        service: HttpService,
        stats: &Registry,
        draining: Arc<Draining>,
    ) -> Self {
        let limits = Limits {
            max_bytes: to_usize(manager.max_request_headers_kb) * 1024,
            max_headers: to_usize(manager.max_headers_count),
            accept_http_10: manager.accept_http_10,
            allow_absolute_url: manager.allow_absolute_url,
            allow_chunked_length: manager.allow_chunked_length,
        };
        Self {
            stats: Stats::new(&stats.http(&manager.stat_prefix)),
            manager,
            service,
            limits,
            draining,
        }
    }

    /// Serves a connection to its end. Nothing but the socket and this future's own state is
    /// held before its first bytes have come.
    pub(crate) async fn serve<IO>(self: Arc<Self>, io: IO, info: Arc<ConnectionInfo>)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let open = self.stats.open(info.is_tls());
        let mut io = Metered::new(io, Arc::clone(&self));
        let expires = self.expiry();
        let mut input = BytesMut::new();
        let alpn = info.tls.as_ref().and_then(|tls| tls.alpn.as_deref());
        let agreed = alpn.map(str::as_bytes);
        let end = match self.detect(&mut io, &mut input, agreed, expires).await {
            None => End::Remote,
            Some(Detected::Http2) => {
                let _counted = self.stats.open_http2();
                let io = Rewind::new(input.freeze(), io);
                Box::pin(h2::serve(Arc::clone(&self), io, Arc::clone(&info), expires)).await
            }
            Some(_) => {
                let _counted = self.stats.open_http1();
                let info = Arc::clone(&info);
                let mut connection =
                    h1::Connection::new(Arc::clone(&self), io, info, input, expires);
                connection.run().await
            }
        };
        self.stats.closed(open, end);
    }

    /// Reads until it is known what the connection speaks, unless that was agreed on by ALPN;
    /// `None` if it ended before.
    async fn detect<IO>(
        &self,
        io: &mut IO,
        input: &mut BytesMut,
        agreed: Option<&[u8]>,
        expires: Option<Instant>,
    ) -> Option<Detected>
    where
        IO: AsyncRead + Unpin,
    {
        match (self.manager.codec, agreed) {
            (CodecType::Http1, _) => return Some(Detected::Http1),
            (CodecType::Http2, _) | (CodecType::Auto, Some(b"h2")) => {
                return Some(Detected::Http2);
            }
            (CodecType::Auto, Some(_)) => return Some(Detected::Http1),
            (CodecType::Auto, None) => {}
        }
        let mut deadline = Deadline::new();
        let idle = self.after(self.manager.idle_timeout);
        deadline.set([idle, expires].into_iter().flatten().min());
        let mut drained = std::pin::pin!(self.draining.reached(Level::Soon));
        poll_fn(|cx| {
            loop {
                let read = scratch::poll_read(io, cx, scratch::SIZE, |_, _, data| {
                    input.extend_from_slice(data);
                    !data.is_empty()
                });
                match read {
                    Poll::Ready(Ok(true)) => match detect(input) {
                        Detected::Undecided => {}
                        decided => return Poll::Ready(Some(decided)),
                    },
                    Poll::Ready(_) => return Poll::Ready(None),
                    Poll::Pending => break,
                }
            }
            if drained.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            ready!(deadline.poll(cx));
            match expires {
                Some(at) if Instant::now() >= at => self.stats.max_duration_reached.inc(),
                _ => self.stats.idle_timeout.inc(),
            }
            Poll::Ready(None)
        })
        .await
    }

    fn expiry(&self) -> Option<Instant> {
        self.after(self.manager.max_connection_duration)
    }

    fn after(&self, duration: Option<Duration>) -> Option<Instant> {
        duration.and_then(|duration| Instant::now().checked_add(duration))
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
