//! Why the mesh could not carry a request (or a body) through.
//!
//! An error says the *fact*; `rescue` says which status, flag and text that is, so that HTTP and
//! gRPC cannot disagree. What a filter or a route decides (an abort, a denial, a redirect) is a
//! `LocalReply` of its own, which `rescue` writes in the same way.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// A request that failed on its way, boxed: it is one word in every `Result`.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    headers: HeaderMap,
}

/// The facts.
#[derive(Clone, Debug)]
pub enum Kind {
    /// No virtual host or route took the request.
    NoRoute,
    /// The route names a cluster that does not exist; the status comes from the route.
    ClusterNotFound(StatusCode),
    /// The cluster has no host to send to.
    NoHealthyUpstream,
    /// A circuit breaker is full.
    Overflow,
    /// A connection to the upstream could not be made.
    ConnectFailure(ConnectFailure),
    /// The upstream went away or reset the stream.
    UpstreamReset(UpstreamReset),
    /// The route's timeout passed before the response was complete.
    RequestTimeout,
    /// The timeout of the last try passed.
    PerTryTimeout,
    /// Nothing came of the last try for too long.
    PerTryIdleTimeout,
    /// Nothing moved on the stream for too long.
    StreamIdleTimeout,
    /// The client did not send the whole request in time.
    DownstreamRequestTimeout,
    /// The stream lived too long.
    MaxStreamDuration,
    /// The client went away; there is nobody to answer.
    DownstreamReset,
    /// An answer that a layer decided on: a refusal, a fault, a redirect.
    Reply(Box<LocalReply>),
}

/// How connecting failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The peer refused, or the network did.
    Refused,
    /// It took longer than `connect_timeout`.
    Timeout,
    /// It could not come from the address that it was to come from.
    Bind,
    /// The system refused an option that its socket is to have.
    Option,
}

/// How an upstream stream broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamReset {
    /// What broke.
    pub reason: ResetReason,
    /// Whether any part of the request had been handed to the connection.
    pub request_sent: bool,
}

/// The reason of an upstream reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetReason {
    /// The peer reset the stream.
    Remote,
    /// The peer refused the stream (REFUSED_STREAM, or GOAWAY before it).
    RemoteRefused,
    /// The connection ended.
    ConnectionTermination,
    /// The peer broke the protocol.
    Protocol,
    /// This side reset the stream.
    Local,
}

/// An answer made here instead of by an upstream.
#[derive(Clone, Debug)]
pub struct LocalReply {
    /// The HTTP status; for gRPC requests it is mapped unless `grpc` says otherwise.
    pub status: StatusCode,
    /// The gRPC status to use.
    pub grpc: Option<u32>,
    /// The body (text), or the gRPC message.
    pub body: Bytes,
    /// More headers.
    pub headers: HeaderMap,
    /// The flags to log.
    pub flags: crate::ResponseFlags,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub details: Cow<'static, str>,
    /// Close the connection after it.
    pub close: bool,
}

impl LocalReply {
    /// A reply without flags or headers.
    pub fn new(
        status: StatusCode,
        body: impl Into<Bytes>,
        details: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            grpc: None,
            body: body.into(),
            headers: HeaderMap::new(),
            flags: crate::ResponseFlags::NONE,
            details: details.into(),
            close: false,
        }
    }

    /// With flags to log.
    #[must_use]
    pub fn flags(mut self, flags: crate::ResponseFlags) -> Self {
        self.flags = flags;
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: http::HeaderName, value: http::HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// With a gRPC status of its own.
    #[must_use]
    pub fn grpc(mut self, status: u32) -> Self {
        self.grpc = Some(status);
        self
    }

    /// Closing the connection after it.
    #[must_use]
    pub fn close(mut self) -> Self {
        self.close = true;
        self
    }
}

impl Error {
    /// From a fact.
    pub fn new(kind: Kind) -> Self {
        Self(Box::new(Inner {
            kind,
            source: None,
            headers: HeaderMap::new(),
        }))
    }

    /// From a fact with the error that caused it.
    pub fn with_source(
        kind: Kind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            source: Some(source.into()),
            headers: HeaderMap::new(),
        }))
    }

    /// From a reply that a layer decided on.
    pub fn reply(reply: LocalReply) -> Self {
        Self::new(Kind::Reply(Box::new(reply)))
    }

    /// From an upstream stream that broke.
    pub fn upstream_reset(reason: ResetReason, request_sent: bool) -> Self {
        Self::new(Kind::UpstreamReset(UpstreamReset {
            reason,
            request_sent,
        }))
    }

    /// From a body that hyper was reading: whose body it is decides who went away, so a
    /// connection's own code maps its bodies more precisely.
    pub fn from_hyper_body(error: hyper::Error) -> Self {
        Self::with_source(Kind::DownstreamReset, error)
    }

    /// With headers for the reply that this becomes.
    #[must_use]
    pub fn with_reply_headers(mut self, headers: HeaderMap) -> Self {
        self.0.headers.extend(headers);
        self
    }

    /// Headers for the reply that this becomes.
    pub fn reply_headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The fact.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// The error behind it.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0.kind {
            Kind::NoRoute => "no route matched",
            Kind::ClusterNotFound(_) => "the route's cluster does not exist",
            Kind::NoHealthyUpstream => "no healthy upstream",
            Kind::Overflow => "circuit breaker is full",
            Kind::ConnectFailure(ConnectFailure::Refused) => "connection to the upstream failed",
            Kind::ConnectFailure(ConnectFailure::Bind) => {
                "connection to the upstream could not be bound to its source"
            }
            Kind::ConnectFailure(ConnectFailure::Option) => {
                "connection to the upstream could not have its socket options"
            }
            Kind::ConnectFailure(ConnectFailure::Timeout) => "connection to the upstream timed out",
            Kind::UpstreamReset(_) => "the upstream reset the stream",
            Kind::RequestTimeout => "request timed out",
            Kind::PerTryTimeout => "try timed out",
            Kind::PerTryIdleTimeout => "try was silent for too long",
            Kind::StreamIdleTimeout => "stream was idle too long",
            Kind::DownstreamRequestTimeout => "request was not received in time",
            Kind::MaxStreamDuration => "stream lived too long",
            Kind::DownstreamReset => "the client went away",
            Kind::Reply(reply) => return f.write_str(&reply.details),
        })?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
