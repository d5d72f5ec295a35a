//! HTTP/2 connections: many requests on one, another when it is full or going away.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use h2::client::SendRequest;
use tandem_core::Error;
use tandem_core::error::{ConnectFailure, Kind, ResetReason, UpstreamReset};
use tandem_core::ext::{Protocol, UpstreamFacts};
use tandem_core::headers::own_values;
use tandem_model::hcm::Http2Options;
use tandem_transport::cork::cork;
use tandem_transport::tls::Offer;

use super::line::Line;
use super::{HostPool, Live, Pending, Stream};
use crate::breaker::{Breaker, Permit};
use crate::host::Host;
use crate::transport::Wire;

/// Open connections.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    open: Vec<Arc<Connection>>,
    connecting: bool,
}

/// Requests that wait for room on a connection, and why there will be none.
pub(super) type Waiting = Line<Result<(), Refusal>>;

type Refusal = (ConnectFailure, Option<String>);

/// One connection; its task reads and writes, requests use handles.
#[derive(Debug)]
pub(crate) struct Connection {
    pool: Weak<HostPool>,
    sender: SendRequest<Bytes>,
    pub(crate) facts: Arc<UpstreamFacts>,
    streams: AtomicU32,
    requests: AtomicU32,
    most_streams: u32,
    closing: AtomicBool,
    /// Of its host, when it was opened.
    drains: u32,
    opened: Instant,
    idle_since: Mutex<Instant>,
}

/// One stream's place on a connection.
#[derive(Debug)]
pub(crate) struct Slot {
    connection: Arc<Connection>,
}

impl HostPool {
    fn http2(&self) -> MutexGuard<'_, Pool> {
        self.http2.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place on an open connection, if one has room.
    pub(crate) fn open_http2(&self) -> Option<Slot> {
        let http = &self.cluster.config.http;
        let mut pool = self.http2();
        let mut place = 0;
        while let Some(connection) = pool.open.get(place) {
            if connection.is_closing() || connection.is_drained(self) {
                pool.open.swap_remove(place);
                continue;
            }
            if connection.has_room() {
                let slot = Slot::new(connection);
                let used = connection.requests.fetch_add(1, Relaxed) + 1;
                if http.max_requests_per_connection != 0 && used >= http.max_requests_per_connection
                {
                    self.cluster.stats.upstream_cx_max_requests.inc();
                    pool.open.swap_remove(place);
                }
                return Some(slot);
            }
            place += 1;
        }
        None
    }

    /// Waits for the connection being opened, or for a new one.
    pub(crate) async fn wait_http2(self: &Arc<Self>, high_priority: bool) -> Result<Slot, Error> {
        let breaker = self.cluster.breaker(high_priority);
        let pending = Pending::begin(self, breaker)?;
        let slot = async {
            loop {
                if let Some(slot) = self.try_http2(breaker).await? {
                    return Ok(slot);
                }
            }
        }
        .await;
        pending.over();
        slot
    }

    /// The same; `None` when it is worth another look.
    pub(super) async fn try_http2(
        self: &Arc<Self>,
        breaker: &Arc<Breaker>,
    ) -> Result<Option<Slot>, Error> {
        let stats = &self.cluster.stats;
        {
            let mut pool = self.http2();
            if !pool.connecting {
                let permit = match breaker.take(|b| &b.connections) {
                    Some(permit) => Some(permit),
                    None if pool.open.is_empty() => Some(breaker.force(|b| &b.connections)),
                    None => None,
                };
                if let Some(permit) = permit {
                    pool.connecting = true;
                    // On its own, since others wait for it too and outlive this request.
                    tokio::spawn(open(Arc::clone(self), permit));
                } else {
                    stats.upstream_cx_overflow.inc();
                }
            }
        }
        if let Some(Err((failure, cause))) = self.waiting_http2.join().come().await {
            stats.upstream_rq_pending_failure_eject.inc();
            let kind = Kind::ConnectFailure(failure);
            return Err(match cause {
                Some(cause) => Error::with_source(kind, cause),
                None => Error::new(kind),
            });
        }
        Ok(self.open_http2())
    }
}

async fn open(pool: Arc<HostPool>, permit: Permit) {
    let live = Live::new(&pool, permit);
    if !pool.is_auto() {
        pool.cluster.stats.upstream_cx_http2_total.inc();
    }
    let result = connect(&pool, live).await;
    pool.http2().connecting = false;
    match result {
        Ok(()) => pool.waiting_http2.tell_all(|| Ok(())),
        Err(error) => {
            let failure = match error.kind() {
                Kind::ConnectFailure(failure) => *failure,
                _ => ConnectFailure::Refused,
            };
            let cause = error.cause().map(ToString::to_string);
            pool.waiting_http2
                .tell_all(|| Err((failure, cause.clone())));
        }
    }
}

async fn connect(pool: &Arc<HostPool>, live: Live) -> Result<(), Error> {
    let target = pool.target();
    let wire = pool.connect(&target, pool.offer(Offer::Http2)).await?;
    if pool.is_http2(&wire, true) {
        return join(pool, &target, wire, live).await;
    }
    let connection = pool.shake_http1(&target, wire, live).await?;
    pool.give_back_http1(connection);
    Ok(())
}

/// Adds a connection of what was connected.
pub(super) async fn join(
    pool: &Arc<HostPool>,
    target: &Host,
    wire: Wire<Stream>,
    live: Live,
) -> Result<(), Error> {
    if pool.is_auto() {
        pool.cluster.stats.upstream_cx_http2_total.inc();
    }
    let connection = handshake(pool, target, wire, live).await?;
    pool.http2().open.push(connection);
    pool.tell_all_of_auto();
    pool.keep_swept();
    Ok(())
}

async fn handshake(
    pool: &Arc<HostPool>,
    target: &Host,
    wire: Wire<Stream>,
    mut live: Live,
) -> Result<Arc<Connection>, Error> {
    let config = &pool.cluster.config;
    let options = &config.http.http2;
    let facts = UpstreamFacts {
        host: Arc::clone(target.text()),
        cluster: Arc::clone(&config.name),
        hostname: Arc::clone(&pool.host.hostname),
        connection: UpstreamFacts::new_connection(),
        local: wire.io.get_ref().local_addr(),
        protocol: Some(Protocol::Http2),
        tls: wire.tls,
    };
    // What a stalled reader may make us hold is bounded by the buffer limit, not the window.
    let window = options
        .initial_stream_window_size
        .min(config.per_connection_buffer_limit_bytes.max(65_535));
    let (stream, uncork) = cork(wire.io);
    let (sender, mut driver) = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(window)
        .initial_connection_window_size(options.initial_connection_window_size)
        .initial_max_send_streams(options.max_concurrent_streams as usize)
        .max_header_list_size(config.http.max_response_headers_kb * 1024)
        .max_send_buffer_size(256 * 1024)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(|error| {
            Error::with_source(Kind::ConnectFailure(ConnectFailure::Refused), error)
        })?;
    let connection = Arc::new(Connection {
        pool: Arc::downgrade(pool),
        sender,
        facts: Arc::new(facts),
        streams: AtomicU32::new(0),
        requests: AtomicU32::new(0),
        most_streams: options.max_concurrent_streams,
        closing: AtomicBool::new(false),
        drains: pool.host.state.drains.load(Relaxed),
        opened: live.opened,
        idle_since: Mutex::new(live.opened),
    });
    let pings = driver.ping_pong();
    let driver = poll_fn(move |cx| {
        let polled = Pin::new(&mut driver).poll(cx);
        match polled {
            Poll::Ready(_) => uncork.finish(cx),
            Poll::Pending => uncork.send(cx),
        }
        polled
    });
    let (watched, pool, options) = (
        Arc::downgrade(&connection),
        Arc::downgrade(pool),
        options.clone(),
    );
    tokio::spawn(async move {
        let ended = match (options.keepalive_interval, pings) {
            (Some(_), Some(pings)) => {
                let mut driver = pin!(driver);
                tokio::select! {
                    ended = &mut driver => ended,
                    () = keep_alive(pings, &options) => Ok(()),
                }
            }
            _ => driver.await,
        };
        live.by_peer = true;
        if let Some(connection) = watched.upgrade() {
            live.busy = connection.streams.load(Relaxed) > 0;
            connection.closing.store(true, Relaxed);
        }
        if let Some(pool) = pool.upgrade() {
            if ended.is_err_and(|error| error.is_library()) {
                pool.cluster.stats.upstream_cx_protocol_error.inc();
            }
            pool.http2().open.retain(|open| !open.closing.load(Relaxed));
            pool.waiting_http2.tell_all(|| Ok(()));
        }
        drop(live);
    });
    Ok(connection)
}

/// Resolves when the peer left a ping unanswered.
async fn keep_alive(mut pings: h2::PingPong, options: &Http2Options) {
    let interval = options.keepalive_interval.unwrap_or_default();
    loop {
        tokio::time::sleep(interval).await;
        let pong = pings.ping(h2::Ping::opaque());
        match tokio::time::timeout(options.keepalive_timeout, pong).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// Hands out no more streams; each connection ends with its last.
pub(super) fn close_idle(pool: &HostPool) {
    let open = std::mem::take(&mut pool.http2().open);
    drop(open);
}

/// Drops connections without streams that are too old.
pub(super) fn sweep(pool: &Arc<HostPool>) {
    let (http, stats) = (&pool.cluster.config.http, &pool.cluster.stats);
    let now = Instant::now();
    pool.http2().open.retain(|connection| {
        if connection.is_drained(pool) {
            return false;
        }
        let age = now.saturating_duration_since(connection.opened);
        if http.max_connection_duration.is_some_and(|most| age >= most) {
            stats.upstream_cx_max_duration_reached.inc();
            return false;
        }
        let since = *connection
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let idle = connection.streams.load(Relaxed) == 0
            && http
                .idle_timeout
                .is_some_and(|most| now.saturating_duration_since(since) >= most);
        if idle {
            stats.upstream_cx_idle_timeout.inc();
        }
        !idle
    });
}

impl Connection {
    /// Whether it takes no more streams: closed, or the peer said GOAWAY.
    fn is_closing(&self) -> bool {
        self.closing.load(Relaxed)
            || matches!(
                self.sender
                    .clone()
                    .poll_ready(&mut Context::from_waker(Waker::noop())),
                Poll::Ready(Err(_))
            )
    }

    /// Whether its host's connections were given up since it was opened.
    fn is_drained(&self, pool: &HostPool) -> bool {
        self.drains != pool.host.state.drains.load(Relaxed)
    }

    fn has_room(&self) -> bool {
        let peers = self.sender.current_max_send_streams();
        let streams = self.streams.load(Relaxed);
        streams < self.most_streams && (streams as usize) < peers
    }
}

impl Slot {
    fn new(connection: &Arc<Connection>) -> Self {
        connection.streams.fetch_add(1, Relaxed);
        Self {
            connection: Arc::clone(connection),
        }
    }

    /// The connection's facts.
    pub(crate) fn facts(&self) -> &Arc<UpstreamFacts> {
        &self.connection.facts
    }

    /// A handle to send one request with.
    pub(crate) fn sender(&self) -> SendRequest<Bytes> {
        self.connection.sender.clone()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.connection.streams.fetch_sub(1, Relaxed) == 1 {
            let mut since = self
                .connection
                .idle_since
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *since = Instant::now();
        }
        // There may be room now for the request that waits longest.
        if let Some(pool) = self.connection.pool.upgrade()
            && pool.waiting_http2.tell_next(Ok(())).is_err()
            && pool.is_auto()
        {
            let _ = pool.waiting_http1.tell_next(None);
        }
    }
}

/// What an h2 error says of the upstream.
pub(crate) fn broken(error: h2::Error, request_sent: bool) -> Error {
    let reason = if error.is_reset() && error.is_remote() {
        match error.reason() {
            Some(h2::Reason::REFUSED_STREAM) => ResetReason::RemoteRefused,
            _ => ResetReason::Remote,
        }
    } else if error.is_go_away() && error.is_remote() {
        // The peer has not looked at streams after the last it named.
        ResetReason::RemoteRefused
    } else if error.is_library() {
        ResetReason::Protocol
    } else {
        ResetReason::ConnectionTermination
    };
    let kind = Kind::UpstreamReset(UpstreamReset {
        reason,
        request_sent,
    });
    Error::with_source(kind, error)
}

/// Sends the rest of a request body as fast as the peer's windows allow.
pub(crate) async fn pump(
    body: crate::upload::Outgoing,
    mut stream: h2::SendStream<Bytes>,
) -> Result<(), Error> {
    use http_body::Body as _;
    let mut body = pin!(body);
    loop {
        let frame = poll_fn(|cx| {
            if let Poll::Ready(reset) = stream.poll_reset(cx) {
                return Poll::Ready(Err(reset));
            }
            body.as_mut().poll_frame(cx).map(Ok)
        })
        .await;
        let frame = match frame {
            // Without an error it wants no more of the body: the response may still be whole.
            Err(_) => return Ok(()),
            Ok(None) => {
                let _ = stream.send_data(Bytes::new(), true);
                return Ok(());
            }
            Ok(Some(Err(error))) => {
                stream.send_reset(h2::Reason::CANCEL);
                return Err(error);
            }
            Ok(Some(Ok(frame))) => frame,
        };
        match frame.into_data() {
            Ok(mut data) => {
                while !data.is_empty() {
                    stream.reserve_capacity(data.len());
                    let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else {
                        return Ok(());
                    };
                    let part = data.split_to(room.min(data.len()));
                    if stream.send_data(part, false).is_err() {
                        return Ok(());
                    }
                }
            }
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                own_values(&mut trailers);
                let _ = stream.send_trailers(trailers);
                return Ok(());
            }
        }
    }
}
