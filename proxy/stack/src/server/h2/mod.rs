//! One HTTP/2 connection: accepts streams, each of which runs as a task of its own on the same
//! worker, and looks after the connection's life.

mod body;
mod stream;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection};
use h2::{Ping, PingPong, Reason};
use tandem_core::ext::ConnectionInfo;
use tandem_model::hcm::Http2Options;
use tandem_transport::cork::{Corked, Uncork, cork};
use tandem_transport::deadline::Deadline;
use tandem_transport::rewind::Rewind;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::draining::{Level, Started};
use super::{End, Server, to_usize};

/// Most bytes that a client may send on one stream before somebody has read them. The
/// configured window may be smaller, not larger: a stalled upstream must stop its client.
const MAX_STREAM_WINDOW: u32 = 256 * 1024;
/// The same for a whole connection.
const MAX_CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// Most response bytes buffered per stream.
const MAX_SEND_BUFFER: usize = 64 * 1024;
/// Streams that may be reset before they were even taken up. A client that vanishes resets
/// all that it has open, which must not look like an attack to the others on a shared
/// connection.
const MAX_PENDING_ACCEPT_RESETS: usize = 256;
/// From so many streams on that a client reset before their response, they are held against
/// it if they are more than half of all (Envoy's `premature_reset_total_stream_count`).
const PREMATURE_RESETS: u32 = 500;

/// What the streams of a connection share with it.
#[derive(Debug, Default)]
struct Shared {
    active: AtomicUsize,
    premature_resets: AtomicU32,
}

/// The life of a connection beside its streams.
struct Life {
    server: Arc<Server>,
    shared: Arc<Shared>,
    drained: Started,
    /// The same, at once: for those that have not served anything yet. One that is opened while
    /// clients are asked to leave is good for what comes first on it.
    drained_unused: Started,
    expires: Option<Instant>,
    deadline: Deadline,
    /// Whether it had streams when last looked at; `None`: not looked at yet.
    idle: Option<bool>,
    ending: bool,
    accepted: u32,
    ping: Option<KeepAlive>,
}

struct KeepAlive {
    pings: PingPong,
    timer: Deadline,
    waiting: bool,
    interval: Duration,
    timeout: Duration,
}

/// Serves to the end.
pub(super) async fn serve<IO>(
    server: Arc<Server>,
    io: Rewind<IO>,
    info: Arc<ConnectionInfo>,
    expires: Option<Instant>,
) -> End
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (io, uncork) = cork(io);
    let handshake = builder(&server).handshake::<_, Bytes>(io);
    let limit = server.manager.idle_timeout.unwrap_or(Duration::MAX);
    let mut connection = match tokio::time::timeout(limit, handshake).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            if !error.is_io() {
                server.stats.protocol_error.inc();
            }
            return End::Local;
        }
        Err(_) => return End::Local,
    };
    let mut life = Life {
        drained: server.draining.reached(Level::Gently),
        drained_unused: server.draining.reached(Level::Soon),
        shared: Arc::default(),
        expires,
        deadline: Deadline::new(),
        idle: None,
        ending: false,
        accepted: 0,
        ping: connection
            .ping_pong()
            .and_then(|pings| KeepAlive::new(pings, &server.manager.http2)),
        server,
    };
    let end = poll_fn(|cx| life.turn(&mut connection, &uncork, &info, cx)).await;
    info.ended.store(true, Relaxed);
    end
}

fn builder(server: &Server) -> Builder {
    let options = &server.manager.http2;
    let mut builder = Builder::new();
    builder
        .initial_window_size(options.initial_stream_window_size.min(MAX_STREAM_WINDOW))
        .initial_connection_window_size(
            options
                .initial_connection_window_size
                .min(MAX_CONNECTION_WINDOW),
        )
        .max_concurrent_streams(options.max_concurrent_streams)
        .max_header_list_size(server.manager.max_request_headers_kb.saturating_mul(1024))
        .max_pending_accept_reset_streams(
            MAX_PENDING_ACCEPT_RESETS.min(to_usize(options.max_concurrent_streams)),
        )
        .max_send_buffer_size(MAX_SEND_BUFFER);
    builder
}

impl Life {
    /// One poll, and then what it wrote is sent.
    fn turn<IO>(
        &mut self,
        connection: &mut Connection<Corked<Rewind<IO>>, Bytes>,
        uncork: &Uncork<Rewind<IO>>,
        info: &Arc<ConnectionInfo>,
        cx: &mut Context<'_>,
    ) -> Poll<End>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let polled = self.poll(connection, info, cx);
        match polled {
            Poll::Ready(_) => uncork.finish(cx),
            Poll::Pending => uncork.send(cx),
        }
        polled
    }

    fn poll<IO>(
        &mut self,
        connection: &mut Connection<Corked<Rewind<IO>>, Bytes>,
        info: &Arc<ConnectionInfo>,
        cx: &mut Context<'_>,
    ) -> Poll<End>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        loop {
            while let Poll::Ready(accepted) = connection.poll_accept(cx) {
                match accepted {
                    Some(Ok((request, respond))) => {
                        self.accepted = self.accepted.saturating_add(1);
                        let active = stream::Active::new(&self.shared);
                        let serving = stream::serve(
                            Arc::clone(&self.server),
                            Arc::clone(info),
                            request,
                            respond,
                            active,
                        );
                        // A task is moved several times before it runs and once more when it
                        // ends: a pointer is cheaper than the whole of it.
                        tokio::spawn(Box::pin(serving));
                    }
                    Some(Err(error)) => return Poll::Ready(self.failed(&error)),
                    None if self.ending => return Poll::Ready(End::Local),
                    None => return Poll::Ready(End::Remote),
                }
            }
            if !self.poll_events(connection, cx) {
                return Poll::Pending;
            }
        }
    }

    fn failed(&self, error: &h2::Error) -> End {
        if error.is_library() && !error.is_io() {
            self.server.stats.protocol_error.inc();
        }
        if error.is_library() {
            End::Local
        } else {
            End::Remote
        }
    }

    /// Whether something was done to the connection that it must now act on.
    fn poll_events<IO>(
        &mut self,
        connection: &mut Connection<Corked<Rewind<IO>>, Bytes>,
        cx: &mut Context<'_>,
    ) -> bool
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let premature = self.shared.premature_resets.load(Relaxed);
        if premature >= PREMATURE_RESETS && premature > self.accepted / 2 {
            self.shared.premature_resets.store(0, Relaxed);
            self.server.stats.protocol_error.inc();
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            return true;
        }
        if let Some(ping) = &mut self.ping
            && ping.poll(cx)
        {
            connection.abrupt_shutdown(Reason::NO_ERROR);
            return true;
        }
        if !self.ending && self.should_end(cx) {
            self.ending = true;
            connection.graceful_shutdown();
            return true;
        }
        false
    }

    /// Whether it is time to say goodbye; streams that run are finished.
    fn should_end(&mut self, cx: &mut Context<'_>) -> bool {
        let server = Arc::clone(&self.server);
        let (stats, manager) = (&server.stats, &server.manager);
        let most = manager.max_requests_per_connection;
        if most > 0 && self.accepted >= most {
            stats.max_requests_reached.inc();
            return true;
        }
        let drained = match self.accepted {
            0 => &mut self.drained_unused,
            _ => &mut self.drained,
        };
        if Pin::new(drained).poll(cx).is_ready() {
            stats.drain_close.inc();
            return true;
        }
        let idle = self.shared.active.load(Relaxed) == 0;
        if self.idle != Some(idle) {
            self.idle = Some(idle);
            let idle_at = server.after(manager.idle_timeout.filter(|_| idle));
            self.deadline
                .set([idle_at, self.expires].into_iter().flatten().min());
        }
        if self.deadline.poll(cx).is_pending() {
            return false;
        }
        if self
            .expires
            .is_some_and(|expires| Instant::now() >= expires)
        {
            stats.max_duration_reached.inc();
        } else {
            stats.idle_timeout.inc();
        }
        true
    }
}

impl KeepAlive {
    fn new(pings: PingPong, options: &Http2Options) -> Option<Self> {
        let interval = options.keepalive_interval?;
        let mut timer = Deadline::new();
        timer.set_after(Some(interval));
        Some(Self {
            pings,
            timer,
            waiting: false,
            interval,
            timeout: options.keepalive_timeout,
        })
    }

    /// Whether the peer has stopped answering.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if self.waiting
            && let Poll::Ready(Ok(_)) = self.pings.poll_pong(cx)
        {
            self.waiting = false;
            self.timer.set_after(Some(self.interval));
        }
        while self.timer.poll(cx).is_ready() {
            if self.waiting || self.pings.send_ping(Ping::opaque()).is_err() {
                self.timer.set(None);
                return self.waiting;
            }
            self.waiting = true;
            self.timer.set_after(Some(self.timeout));
            let _ = self.pings.poll_pong(cx);
        }
        false
    }
}
