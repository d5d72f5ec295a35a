//! One HTTP/2 connection: accepts streams, each of which runs as a task of its own on the same
//! worker, and looks after the connection's life.

mod body;
mod flood;
pub(super) mod goodbye;
mod stream;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
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
use flood::{FLOODED, Guarded};
use goodbye::Goodbye;

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
    goodbye: Goodbye,
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
    stage: Stage,
    /// Whether there were streams in the time that a client was given to leave.
    busy: bool,
    accepted: u32,
    ping: Option<KeepAlive>,
}

/// How near the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    /// The client was asked to leave. The protocol ends it in order when the client has said that
    /// it heard that (and [`Goodbye`] lets it hear this), and its last stream is done.
    Leaving,
    /// A client that does not say so has had its time: what is new is refused, and it ends as soon as
    /// nothing was under way for as long again.
    Overdue,
    /// The last bytes are written.
    Closing,
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
    let shared = Arc::<Shared>::default();
    let (io, uncork) = cork(Guarded::new(io, Arc::clone(&shared)));
    let mut deadline = Deadline::new();
    let idle = server.after(server.manager.idle_timeout);
    deadline.set([idle, expires].into_iter().flatten().min());
    // Both boxed: the connection has no room of its own for what comes before it.
    let Some(mut connection) = Box::pin(open(io, &mut deadline, &server)).await else {
        return End::Local;
    };
    let mut life = Life {
        drained: server.draining.reached(Level::Gently),
        drained_unused: server.draining.reached(Level::Soon),
        shared,
        expires,
        deadline,
        idle: None,
        stage: Stage::Serving,
        busy: false,
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

/// The connection, if its handshake comes to one.
async fn open<IO>(
    io: Corked<Guarded<IO>>,
    deadline: &mut Deadline,
    server: &Server,
) -> Option<Box<Connection<Corked<Guarded<IO>>, Bytes>>>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = builder(server).handshake::<_, Bytes>(io);
    match in_time(handshake, deadline, server).await? {
        Ok(connection) => Some(Box::new(connection)),
        Err(error) => {
            if !error.is_io() {
                server.stats.protocol_error.inc();
            }
            None
        }
    }
}

/// What becomes of a handshake, unless the connection should end before.
async fn in_time<F: Future>(
    handshake: F,
    deadline: &mut Deadline,
    server: &Server,
) -> Option<F::Output> {
    let mut handshake = pin!(handshake);
    let mut drained = pin!(server.draining.reached(Level::Soon));
    poll_fn(|cx| {
        if let Poll::Ready(shaken) = handshake.as_mut().poll(cx) {
            return Poll::Ready(Some(shaken));
        }
        if drained.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        deadline.poll(cx).map(|()| None)
    })
    .await
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
        connection: &mut Connection<Corked<Guarded<IO>>, Bytes>,
        uncork: &Uncork<Guarded<IO>>,
        info: &Arc<ConnectionInfo>,
        cx: &mut Context<'_>,
    ) -> Poll<End>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let polled = self.poll(connection, uncork, info, cx);
        match polled {
            Poll::Ready(_) => uncork.finish(cx),
            Poll::Pending => uncork.send(cx),
        }
        polled
    }

    fn poll<IO>(
        &mut self,
        connection: &mut Connection<Corked<Guarded<IO>>, Bytes>,
        uncork: &Uncork<Guarded<IO>>,
        info: &Arc<ConnectionInfo>,
        cx: &mut Context<'_>,
    ) -> Poll<End>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        loop {
            while let Poll::Ready(accepted) = connection.poll_accept(cx) {
                match accepted {
                    Some(Ok((_, mut respond))) if self.stage == Stage::Overdue => {
                        respond.send_reset(Reason::REFUSED_STREAM);
                    }
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
                    None if self.stage != Stage::Serving => return Poll::Ready(End::Local),
                    None => return Poll::Ready(End::Remote),
                }
            }
            match self.poll_events(connection, uncork, cx) {
                Poll::Ready(Some(end)) => return Poll::Ready(end),
                Poll::Ready(None) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn failed(&self, error: &h2::Error) -> End {
        let is_flood = error.get_io().is_some_and(|io| io.kind() == FLOODED);
        let is_ours = error.is_library() && !error.is_io();
        if is_flood || is_ours {
            self.server.stats.protocol_error.inc();
        }
        if is_flood || error.is_library() {
            End::Local
        } else {
            End::Remote
        }
    }

    /// Ready when something was done to the connection that it must now act on, or with its end.
    fn poll_events<IO>(
        &mut self,
        connection: &mut Connection<Corked<Guarded<IO>>, Bytes>,
        uncork: &Uncork<Guarded<IO>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<End>>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if self.stage == Stage::Closing {
            // The client takes nothing any more.
            ready!(self.deadline.poll(cx));
            self.server.stats.delayed_close_timeout.inc();
            return Poll::Ready(Some(End::Local));
        }
        let premature = self.shared.premature_resets.load(Relaxed);
        if premature >= PREMATURE_RESETS && premature > self.accepted / 2 {
            self.server.stats.protocol_error.inc();
            return self.close(connection, Reason::ENHANCE_YOUR_CALM);
        }
        // No other PING is sent while the one of the goodbye is not answered.
        if self.stage != Stage::Leaving
            && let Some(ping) = &mut self.ping
            && ping.poll(cx)
        {
            return self.close(connection, Reason::NO_ERROR);
        }
        if self.stage == Stage::Serving {
            if !self.should_end(cx) {
                return Poll::Pending;
            }
            self.stage = Stage::Leaving;
            if !self.server.draining.has_reached(Level::Soon) {
                self.shared.goodbye.hold();
            }
            connection.graceful_shutdown();
            self.wait(uncork);
            return Poll::Ready(None);
        }
        self.busy |= self.has_streams();
        // The process may want to end meanwhile.
        let hurries =
            self.shared.goodbye.holds() && Pin::new(&mut self.drained_unused).poll(cx).is_ready();
        if !hurries {
            ready!(self.deadline.poll(cx));
        }
        let has_answered = self.shared.goodbye.release();
        if has_answered {
            self.stage = Stage::Overdue;
        }
        if has_answered || hurries {
            self.wait(uncork);
            return Poll::Ready(None);
        }
        if self.busy || uncork.is_slow() {
            self.stage = Stage::Overdue;
            self.wait(uncork);
            return Poll::Ready(None);
        }
        self.close(connection, Reason::NO_ERROR)
    }

    /// Gives a client that was asked to leave its time, or once more as much.
    fn wait<IO: AsyncWrite + Unpin + Send + 'static>(&mut self, uncork: &Uncork<Guarded<IO>>) {
        self.busy = self.has_streams();
        let _ = uncork.is_slow();
        let limit = self.server.manager.drain_timeout;
        self.deadline.set_after(Some(limit));
    }

    /// Says goodbye for good; nothing is served any more.
    fn close<IO>(
        &mut self,
        connection: &mut Connection<Corked<Guarded<IO>>, Bytes>,
        reason: Reason,
    ) -> Poll<Option<End>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.stage = Stage::Closing;
        connection.abrupt_shutdown(reason);
        let limit = self.server.manager.delayed_close_timeout;
        self.deadline.set_after(Some(limit));
        Poll::Ready(None)
    }

    fn has_streams(&self) -> bool {
        self.shared.active.load(Relaxed) > 0
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
        let idle = !self.has_streams();
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
