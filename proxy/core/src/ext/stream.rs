//! Facts about one request and its response, gathered as it runs, for logs and headers.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tandem_model::scheme;

use super::wire::Wire;
use super::{ConnectionInfo, Interim, Protocol, TlsFacts};
use crate::ResponseFlags;

/// The running record of one request; shared by reference; nothing ever waits for it.
///
/// It outlives the request's own future, so that a log line can be written however it ends.
#[derive(Debug)]
pub struct StreamInfo {
    /// The connection it came on.
    pub connection: Arc<ConnectionInfo>,
    /// Its protocol.
    pub protocol: Protocol,
    /// When its headers were complete.
    pub start: Instant,
    /// The same by the wall clock.
    pub start_time: SystemTime,
    /// Its number within the connection's worker; unique in the process.
    pub stream_id: u64,
    /// Whether it stands for the connection in its listener's log.
    pub of_listener: bool,
    /// Whether it is a gRPC request.
    pub is_grpc: bool,
    /// Whether it comes from an internal address (decides who may set `x-envoy-*`).
    pub internal: bool,
    /// The address of the client after `x-forwarded-for` was weighed; `None`: the peer's.
    pub client: Option<SocketAddr>,
    /// Request body bytes from the client.
    pub bytes_received: AtomicU64,
    /// Response body bytes to the client.
    pub bytes_sent: AtomicU64,
    /// Names and values of the request's headers, as they go to the upstream; only if logs want
    /// to know.
    pub request_header_bytes: AtomicU64,
    /// Likewise of the response's, as they go to the client.
    pub response_header_bytes: AtomicU64,
    /// Tries made.
    pub attempts: AtomicU32,
    /// The name of the route taken.
    pub route: OnceLock<Arc<str>>,
    /// The name of the virtual host taken.
    pub virtual_host: OnceLock<Arc<str>>,
    /// The name of the cluster chosen.
    pub cluster: OnceLock<Arc<str>>,
    /// The endpoint of the latest try.
    pub upstream: Latest<UpstreamFacts>,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub details: OnceLock<Cow<'static, str>>,
    /// `%UPSTREAM_TRANSPORT_FAILURE_REASON%`.
    pub transport_failure: OnceLock<Arc<str>>,
    /// Request headers for logs, as they came.
    pub received: OnceLock<Captured>,
    /// Request headers for logs, as they went to the upstream; only where they differ.
    pub sent: OnceLock<Captured>,
    /// What the endpoint's own name made of the authority, where a route asks for that.
    pub endpoint_authority: Latest<str>,
    /// The idle timeout of the route, where it has one of its own; zero is no limit.
    pub idle_timeout: OnceLock<Duration>,
    /// The request's id, once it has one.
    pub request_id: OnceLock<HeaderValue>,
    /// Where interim answers are left, if they are passed on.
    pub interim: Option<Arc<Interim>>,
    /// Its bytes on the wire, if logs want to know.
    pub wire: Option<Arc<Wire>>,
    /// What logs want of the request headers.
    pub capture: Option<Arc<CaptureSpec>>,
    flags: AtomicU32,
    request_end: AtomicU64,
    upstream_sent: AtomicU64,
    upstream_first_byte: AtomicU64,
    answered: AtomicU64,
    ends_by: AtomicU64,
}

/// The endpoint that a try went to.
#[derive(Debug)]
pub struct UpstreamFacts {
    /// Its address.
    pub host: Arc<str>,
    /// Its cluster.
    pub cluster: Arc<str>,
    /// Its own name, if it has one.
    pub hostname: Arc<str>,
    /// The number of the connection to it; 0: there is none.
    pub connection: u64,
    /// This side's address of the connection, when connected.
    pub local: Option<SocketAddr>,
    /// The protocol spoken.
    pub protocol: Option<Protocol>,
    /// What its handshake showed, if it is encrypted.
    pub tls: Option<Arc<TlsFacts>>,
}

impl UpstreamFacts {
    /// A number for a connection that is made.
    pub fn new_connection() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Relaxed)
    }

    /// Its name, or else its address.
    pub fn name(&self) -> &str {
        match &*self.hostname {
            "" => &self.host,
            name => name,
        }
    }
}

/// A fact that a later try replaces. It is written and read a few times by one thread, so an
/// uncontended lock is all it needs; an `ArcSwap` costs ten times as much to make and drop.
#[derive(Debug)]
pub struct Latest<T: ?Sized>(Mutex<Option<Arc<T>>>);

impl<T: ?Sized> Latest<T> {
    /// None yet.
    pub const fn empty() -> Self {
        Self(Mutex::new(None))
    }

    /// Replaces it.
    pub fn store(&self, value: Option<Arc<T>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    /// The latest one.
    pub fn load_full(&self) -> Option<Arc<T>> {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.clone()
    }
}

/// Which request headers logs will ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureSpec {
    /// Ordinary headers.
    pub headers: Vec<HeaderName>,
    /// Those of which logs want all values, or have conditions on.
    pub matched: Vec<HeaderName>,
    /// Whether logs want sizes of heads and more moments.
    pub measured: bool,
    /// Whether logs want bytes on the wire.
    pub wire: bool,
}

/// Request headers kept for logs.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The method.
    pub method: Method,
    /// The URI.
    pub uri: Uri,
    /// The `host` header, for requests whose URI has no authority.
    pub host: Option<HeaderValue>,
    /// The headers of the specification, in its order. Of several values the first.
    pub headers: Box<[Option<HeaderValue>]>,
    /// All values of those of which logs want them all.
    pub matched: Option<Box<HeaderMap>>,
}

impl StreamInfo {
    /// A record that begins now.
    pub fn new(connection: Arc<ConnectionInfo>, protocol: Protocol, stream_id: u64) -> Self {
        Self {
            connection,
            protocol,
            start: Instant::now(),
            start_time: SystemTime::now(),
            stream_id,
            of_listener: false,
            is_grpc: false,
            internal: false,
            client: None,
            bytes_received: AtomicU64::new(0),
            bytes_sent: AtomicU64::new(0),
            request_header_bytes: AtomicU64::new(0),
            response_header_bytes: AtomicU64::new(0),
            attempts: AtomicU32::new(0),
            route: OnceLock::new(),
            virtual_host: OnceLock::new(),
            cluster: OnceLock::new(),
            upstream: Latest::empty(),
            details: OnceLock::new(),
            transport_failure: OnceLock::new(),
            received: OnceLock::new(),
            sent: OnceLock::new(),
            endpoint_authority: Latest::empty(),
            idle_timeout: OnceLock::new(),
            request_id: OnceLock::new(),
            interim: None,
            wire: None,
            capture: None,
            flags: AtomicU32::new(0),
            request_end: AtomicU64::new(0),
            upstream_sent: AtomicU64::new(0),
            upstream_first_byte: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            ends_by: AtomicU64::new(0),
        }
    }

    /// Whether the client has got an interim answer.
    pub fn has_begun(&self) -> bool {
        let interim = self.interim.as_ref();
        interim.is_some_and(|interim| interim.has_come())
    }

    /// `%STREAM_ID%`: the request's id, or that of a connection without requests.
    pub fn id(&self) -> Option<&HeaderValue> {
        let of_connection = &self.connection.stream_id;
        self.request_id.get().or_else(|| of_connection.get())
    }

    /// Adds response flags.
    pub fn add_flags(&self, flags: ResponseFlags) {
        self.flags.fetch_or(flags.bits(), Relaxed);
    }

    /// The response flags so far.
    pub fn flags(&self) -> ResponseFlags {
        ResponseFlags::from_bits(self.flags.load(Relaxed))
    }

    /// Says why the response is what it is; the first to say it is right.
    pub fn set_details(&self, details: impl Into<Cow<'static, str>>) {
        let _ = self.details.set(details.into());
    }

    /// Notes that the whole request was read.
    pub fn mark_request_end(&self) {
        self.request_end.store(self.elapsed_nanos(), Relaxed);
    }

    /// Notes that the request ended with its headers.
    pub fn mark_request_end_at_start(&self) {
        self.request_end.store(1, Relaxed);
    }

    /// Start to the last byte of the request.
    pub fn request_duration(&self) -> Option<Duration> {
        nanos(self.request_end.load(Relaxed))
    }

    /// Whether logs want sizes of heads and more moments.
    pub fn is_measured(&self) -> bool {
        self.capture.as_ref().is_some_and(|spec| spec.measured)
    }

    /// Notes how large the request's head is (the latest state counts), if logs want to know.
    pub fn measure_request(&self, method: &Method, uri: &Uri, headers: &HeaderMap) {
        if self.is_measured() {
            let scheme = scheme::of(uri.scheme_str(), headers, self.connection.is_tls());
            let size = crate::headers::request_size(method, uri, scheme, headers);
            self.request_header_bytes.store(size, Relaxed);
        }
    }

    /// Notes that the request goes to an endpoint (the latest try counts), if logs want to know.
    pub fn mark_upstream_sent(&self) {
        if self.is_measured() {
            self.upstream_sent.store(self.elapsed_nanos(), Relaxed);
        }
    }

    /// Start to the request's first byte to the upstream.
    pub fn upstream_sent(&self) -> Option<Duration> {
        nanos(self.upstream_sent.load(Relaxed))
    }

    /// Start to the request's last byte to the upstream: what was read was not held back.
    pub fn upstream_sent_all(&self) -> Option<Duration> {
        let (sent, read) = (self.upstream_sent()?, self.request_duration()?);
        Some(sent.max(read))
    }

    /// Notes that the response goes to the client, if logs want to know.
    pub fn mark_answered(&self) {
        if self.is_measured() {
            self.answered.store(self.elapsed_nanos(), Relaxed);
        }
    }

    /// Start to the response's first byte to the client.
    pub fn answered(&self) -> Option<Duration> {
        nanos(self.answered.load(Relaxed))
    }

    /// Notes that the upstream's response headers arrived (the latest try counts).
    pub fn mark_upstream_first_byte(&self) {
        self.upstream_first_byte
            .store(self.elapsed_nanos(), Relaxed);
    }

    /// Start to the first byte of the upstream's response.
    pub fn response_duration(&self) -> Option<Duration> {
        nanos(self.upstream_first_byte.load(Relaxed))
    }

    /// Notes that somebody watches over it and ends it so long after its start.
    pub fn mark_ends_by(&self, after: Duration) {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.ends_by.store(nanos.max(1), Relaxed);
    }

    /// How long after its start it ends at the latest, if somebody sees to that.
    pub fn ends_by(&self) -> Option<Duration> {
        nanos(self.ends_by.load(Relaxed))
    }

    /// Keeps what logs want of request headers that came from the client.
    pub fn capture_received(&self, method: &Method, uri: &Uri, headers: &HeaderMap) {
        self.measure_request(method, uri, headers);
        if let Some(spec) = &self.capture {
            let _ = self.received.set(Captured::new(spec, method, uri, headers));
        }
    }

    /// Keeps what logs want of request headers that were changed on the way.
    pub fn capture_sent(&self, method: &Method, uri: &Uri, headers: &HeaderMap) {
        if let Some(spec) = &self.capture {
            let _ = self.sent.set(Captured::new(spec, method, uri, headers));
        }
    }

    /// The request headers to log: as sent, else as received.
    pub fn logged_request(&self) -> Option<&Captured> {
        self.sent.get().or_else(|| self.received.get())
    }

    fn elapsed_nanos(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos())
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

fn nanos(value: u64) -> Option<Duration> {
    (value != 0).then(|| Duration::from_nanos(value))
}

fn only(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let mut found = HeaderMap::new();
    for name in names {
        for value in headers.get_all(name) {
            found.append(name, value.clone());
        }
    }
    found
}

impl Captured {
    fn new(spec: &CaptureSpec, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        Self {
            method: method.clone(),
            uri: uri.clone(),
            host: headers.get(http::header::HOST).cloned(),
            headers: spec
                .headers
                .iter()
                .map(|name| headers.get(name).cloned())
                .collect(),
            matched: (!spec.matched.is_empty()).then(|| Box::new(only(headers, &spec.matched))),
        }
    }
}
