//! HTTP/1.1 connections: one request at a time, the latest used first.
//!
//! A connection has no task of its own: the request that uses it polls it, so a request wakes
//! nobody. Before a request is written hyper reads; a connection that the peer closed while it
//! was idle gives the request back unsent, and the next connection takes it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tandem_core::Error;
use tandem_core::error::{Kind, ResetReason, UpstreamReset};
use tandem_core::ext::wire::{self, Counters, Share};
use tandem_core::ext::{Protocol, UpstreamFacts};
use tandem_transport::tls::Offer;

use super::line::Line;
use super::watched::Watched;
use super::{HostPool, Live, Pending, Stream, http2};
use crate::breaker::{Breaker, Permit};
use crate::host::Host;
use crate::transport::Wire;
use crate::upload::Outgoing;

/// Idle connections.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    #[allow(
        clippy::vec_box,
        reason = "moved through futures and bodies as one word"
    )]
    idle: Vec<Box<Connection>>,
    open: usize,
}

/// Requests that wait for a connection. `None` says "you may try to open one".
pub(super) type Waiting = Line<Option<Box<Connection>>>;

/// Reads and writes one connection; hyper does not name the type that knows upgrades.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// One connection and what polls it.
pub(crate) struct Connection {
    sender: SendRequest<Outgoing>,
    driver: Driver,
    ended: bool,
    /// Whether the peer said anything since the latest request.
    heard: Arc<AtomicBool>,
    counters: Arc<Counters>,
    /// The request that it carries, if that wants to know its bytes.
    pub(crate) carries: Option<Share>,
    requests: u32,
    idle_since: Instant,
    pub(crate) facts: Arc<UpstreamFacts>,
    pub(crate) live: Live,
}

/// Why a request got no response on a connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing of it was written.
    Unsent(Box<Request<Outgoing>>),
    /// It broke.
    Broken(Error),
}

impl HostPool {
    fn http1(&self) -> MutexGuard<'_, Pool> {
        self.http1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that waits idle, if there is one young enough.
    pub(crate) fn idle_http1(&self) -> Option<Box<Connection>> {
        loop {
            let mut connection = self.http1().idle.pop()?;
            if !connection.live.is_drained() {
                connection.live.busy = true;
                return Some(connection);
            }
        }
    }

    /// A new connection, or one that another request gives back while this waits for a slot.
    pub(crate) async fn wait_http1(
        self: &Arc<Self>,
        high_priority: bool,
    ) -> Result<Box<Connection>, Error> {
        let breaker = self.cluster.breaker(high_priority);
        let pending = Pending::begin(self, breaker)?;
        let connection = async {
            loop {
                if let Some(connection) = self.try_http1(breaker).await? {
                    return Ok(connection);
                }
            }
        }
        .await;
        pending.over();
        connection
    }

    /// The same; `None` when it is worth another look.
    pub(super) async fn try_http1(
        self: &Arc<Self>,
        breaker: &Arc<Breaker>,
    ) -> Result<Option<Box<Connection>>, Error> {
        let permit = breaker.take(|b| &b.connections);
        // A pool without any connection may always open one, or its requests would wait for
        // ever behind other pools' connections.
        let permit = match permit {
            None if self.http1().open == 0 => Some(breaker.force(|b| &b.connections)),
            permit => permit,
        };
        if let Some(permit) = permit {
            return self.open_http1(permit).await;
        }
        self.cluster.stats.upstream_cx_overflow.inc();
        Ok(self.waiting_http1.join().come().await.flatten())
    }

    async fn open_http1(
        self: &Arc<Self>,
        permit: Permit,
    ) -> Result<Option<Box<Connection>>, Error> {
        // Made before connecting, so that whatever happens the slot is given back.
        let mut live = Live::new(self, permit);
        live.busy = true;
        let stats = &self.cluster.stats;
        if !self.is_auto() {
            stats.upstream_cx_http1_total.inc();
        }
        let target = self.target();
        let connected = self.connect(&target, self.offer(Offer::Http1)).await;
        let wire = connected.inspect_err(|_| stats.upstream_rq_pending_failure_eject.inc())?;
        if self.is_http2(&wire, false) {
            live.busy = false;
            http2::join(self, &target, wire, live).await?;
            return Ok(None);
        }
        self.shake_http1(&target, wire, live).await.map(Some)
    }

    /// A connection of what was connected.
    pub(super) async fn shake_http1(
        self: &Arc<Self>,
        target: &Host,
        wire: Wire<Stream>,
        live: Live,
    ) -> Result<Box<Connection>, Error> {
        if self.is_auto() {
            self.cluster.stats.upstream_cx_http1_total.inc();
        }
        let facts = UpstreamFacts {
            host: Arc::clone(target.text()),
            cluster: Arc::clone(&self.cluster.config.name),
            hostname: Arc::clone(&self.host.hostname),
            connection: UpstreamFacts::new_connection(),
            local: wire.io.get_ref().local_addr(),
            protocol: Some(Protocol::Http11),
            tls: wire.tls,
        };
        let http = &self.cluster.config.http;
        let mut builder = Builder::new();
        builder.max_buf_size((http.max_response_headers_kb as usize * 1024).max(8 * 1024));
        if http.max_headers_count != 100 {
            builder.max_headers(http.max_headers_count as usize);
        }
        let heard = Arc::new(AtomicBool::new(false));
        let counters = Arc::<Counters>::default();
        let io = TokioIo::new(Watched {
            stream: wire.io,
            heard: Arc::clone(&heard),
            counters: Arc::clone(&counters),
            deaf: None,
        });
        let (sender, driver) = builder
            .handshake(io)
            .await
            .map_err(|error| no_head(error, false))?;
        Ok(Box::new(Connection {
            sender,
            driver: Box::pin(driver.with_upgrades()),
            ended: false,
            heard,
            counters,
            carries: None,
            requests: 0,
            idle_since: live.opened,
            facts: Arc::new(facts),
            live,
        }))
    }

    /// Takes a connection back, for the next request, if it can serve one.
    pub(crate) fn give_back_http1(self: &Arc<Self>, mut connection: Box<Connection>) {
        let http = &self.cluster.config.http;
        let stats = &self.cluster.stats;
        connection.carries = None;
        if !connection.is_reusable() || self.is_over() || connection.live.is_drained() {
            return;
        }
        connection.live.busy = false;
        if http.max_requests_per_connection != 0
            && connection.requests >= http.max_requests_per_connection
        {
            stats.upstream_cx_max_requests.inc();
            return;
        }
        connection.idle_since = Instant::now();
        if let Some(longest) = http.max_connection_duration
            && connection.idle_since - connection.live.opened >= longest
        {
            stats.upstream_cx_max_duration_reached.inc();
            return;
        }
        connection.live.busy = true;
        if let Err(Some(mut connection)) = self.waiting_http1.tell_next(Some(connection)) {
            connection.live.busy = false;
            self.http1().idle.push(connection);
            self.tell_all_of_auto();
            self.keep_swept();
        }
    }
}

/// A connection of any kind is being opened.
pub(super) fn count_open(pool: &HostPool) {
    pool.http1().open += 1;
}

/// Whether a connection of any kind is open or being opened.
pub(super) fn is_connected(pool: &HostPool) -> bool {
    pool.http1().open > 0
}

/// A connection ended: the request that waits longest may open one.
pub(super) fn wake_next(pool: &HostPool) {
    let open = &mut pool.http1().open;
    *open = open.saturating_sub(1);
    let _ = pool.waiting_http1.tell_next(None);
}

/// Drops what waits idle.
pub(super) fn close_idle(pool: &HostPool) {
    let idle = std::mem::take(&mut pool.http1().idle);
    // Only now: ending a connection takes the pool's lock.
    drop(idle);
}

/// Drops idle connections that were closed or are too old.
pub(super) fn sweep(pool: &Arc<HostPool>) {
    let (http, stats) = (&pool.cluster.config.http, &pool.cluster.stats);
    let now = Instant::now();
    let is_over = |limit: Option<std::time::Duration>, since: Instant| {
        limit.is_some_and(|limit| now.saturating_duration_since(since) >= limit)
    };
    let mut dropped = Vec::new();
    {
        let mut pool = pool.http1();
        let mut kept = Vec::with_capacity(pool.idle.len());
        for mut connection in pool.idle.drain(..) {
            let _ = connection.drive(&mut Context::from_waker(Waker::noop()));
            if is_over(http.idle_timeout, connection.idle_since) {
                stats.upstream_cx_idle_timeout.inc();
                dropped.push(connection);
            } else if is_over(http.max_connection_duration, connection.live.opened) {
                stats.upstream_cx_max_duration_reached.inc();
                dropped.push(connection);
            } else if connection.ended
                || connection.sender.is_closed()
                || connection.live.is_drained()
            {
                dropped.push(connection);
            } else {
                kept.push(connection);
            }
        }
        pool.idle = kept;
    }
    // Only now: ending a connection takes the pool's lock.
    drop(dropped);
}

impl Connection {
    /// What it carries from now on belongs to this request.
    pub(crate) fn carry(&mut self, wire: Option<&Arc<wire::Wire>>) {
        self.carries = wire.map(|wire| wire.begin(&self.counters));
    }

    /// Sends a request and waits for the response's head.
    pub(crate) async fn send(
        &mut self,
        request: &mut Option<Request<Outgoing>>,
    ) -> Result<Response<Incoming>, Failure> {
        self.requests += 1;
        self.heard.store(false, Relaxed);
        let request = request.take().unwrap_or_default();
        let mut response = pin!(self.sender.try_send_request(request));
        let (driver, ended, live) = (&mut self.driver, &mut self.ended, &mut self.live);
        let result = poll_fn(|cx| {
            poll_driver(driver, ended, live, cx);
            match response.as_mut().poll(cx) {
                Poll::Pending if *ended => Poll::Ready(None),
                other => other.map(Some),
            }
        })
        .await;
        match result {
            Some(Ok(response)) => Ok(response),
            Some(Err(mut error)) => match error.take_message() {
                Some(request) => Err(Failure::Unsent(Box::new(request))),
                None => {
                    let heard = self.heard.load(Relaxed);
                    Err(Failure::Broken(no_head(error.into_error(), heard)))
                }
            },
            None => Err(Failure::Broken(Error::upstream_reset(
                ResetReason::ConnectionTermination,
                true,
            ))),
        }
    }

    /// Reads and writes what can be read and written now.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        poll_driver(&mut self.driver, &mut self.ended, &mut self.live, cx)
    }

    /// Whether another request may use it.
    fn is_reusable(&mut self) -> bool {
        if !self.ended && !self.sender.is_ready() {
            // The end of a body is noticed by the poll after it.
            let _ = self.drive(&mut Context::from_waker(Waker::noop()));
        }
        !self.ended && self.sender.is_ready()
    }

    /// Lets it run on its own, for a request still being sent.
    pub(crate) fn detach(self) -> tokio::task::AbortHandle {
        let Self {
            mut driver,
            mut ended,
            mut live,
            sender,
            carries,
            ..
        } = self;
        tokio::spawn(async move {
            let _open = (sender, carries);
            poll_fn(|cx| {
                poll_driver(&mut driver, &mut ended, &mut live, cx);
                if ended {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        })
        .abort_handle()
    }
}

fn poll_driver(
    driver: &mut Driver,
    ended: &mut bool,
    live: &mut Live,
    cx: &mut Context<'_>,
) -> bool {
    if !*ended && driver.as_mut().poll(cx).is_ready() {
        *ended = true;
        live.by_peer = true;
        // A request that it took and did not begin to write comes back only from one that is gone.
        *driver = Box::pin(std::future::pending());
    }
    *ended
}

/// Why there was no head. A peer that ends the connection in silence has closed it; one that
/// ends it after a part of a head, or sent something else, has broken the protocol.
fn no_head(error: hyper::Error, heard: bool) -> Error {
    let broke_protocol = error.is_parse() || (error.is_incomplete_message() && heard);
    reset(broke_protocol, error)
}

/// Why a body broke off: cut by a reset, or shorter or otherwise framed than it said.
pub(crate) fn no_body(error: hyper::Error) -> Error {
    use std::error::Error as _;
    use std::io::ErrorKind;
    let cut = error
        .source()
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|io| {
            matches!(
                io.kind(),
                ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::TimedOut
            )
        });
    reset(!cut, error)
}

fn reset(broke_protocol: bool, error: hyper::Error) -> Error {
    let reason = if broke_protocol {
        ResetReason::Protocol
    } else {
        ResetReason::ConnectionTermination
    };
    Error::with_source(
        Kind::UpstreamReset(UpstreamReset {
            reason,
            request_sent: true,
        }),
        error,
    )
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("facts", &self.facts)
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}
