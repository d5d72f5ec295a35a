//! The operators that exist.

use std::sync::Arc;

use http::HeaderName;

use super::{TimeFormat, TlsFact, TlsSide};

/// A header operator's argument: a first choice, an alternative.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderArg {
    /// Looked at first.
    pub main: HeaderKey,
    /// Looked at when the first is missing (`X?Y`).
    pub alternative: Option<HeaderKey>,
}

/// A header or pseudo-header in an operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeaderKey {
    /// An ordinary header.
    Name(HeaderName),
    /// `:METHOD`.
    Method,
    /// `:PATH`.
    Path,
    /// `:AUTHORITY`.
    Authority,
    /// `:SCHEME`.
    Scheme,
    /// `:STATUS`.
    Status,
}

/// Each operator is documented by Envoy's access-log page under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "named as in Envoy's documentation, which defines them"
)]
pub enum Operator {
    Req(HeaderArg),
    Resp(HeaderArg),
    Trailer(HeaderArg),
    StartTime(Option<TimeFormat>),
    EmitTime(Option<TimeFormat>),
    Protocol,
    ResponseCode,
    ResponseCodeDetails,
    ConnectionTerminationDetails,
    ResponseFlags,
    ResponseFlagsLong,
    BytesReceived,
    BytesSent,
    UpstreamWireBytesReceived,
    UpstreamWireBytesSent,
    DownstreamWireBytesReceived,
    DownstreamWireBytesSent,
    /// Milliseconds from start to end.
    Duration,
    /// `REQUEST_DURATION`: start to the last byte of the request.
    RequestDuration,
    /// `RESPONSE_DURATION`: start to the first byte from the upstream.
    ResponseDuration,
    /// `RESPONSE_TX_DURATION`: first upstream byte to last downstream byte.
    ResponseTxDuration,
    CommonDuration(DurationSpec),
    UpstreamHost,
    UpstreamCluster,
    UpstreamLocalAddress,
    UpstreamLocalAddressWithoutPort,
    UpstreamLocalPort,
    UpstreamRemoteAddress,
    UpstreamRemoteAddressWithoutPort,
    UpstreamRemotePort,
    UpstreamRequestAttemptCount,
    UpstreamTransportFailureReason,
    UpstreamProtocol,
    DownstreamRemoteAddress,
    DownstreamRemoteAddressWithoutPort,
    DownstreamRemotePort,
    DownstreamDirectRemoteAddress,
    DownstreamDirectRemoteAddressWithoutPort,
    DownstreamDirectRemotePort,
    DownstreamLocalAddress,
    DownstreamLocalAddressWithoutPort,
    DownstreamLocalPort,
    RequestedServerName,
    RouteName,
    VirtualClusterName,
    Hostname,
    ConnectionId,
    StreamId,
    GrpcStatus(GrpcStatusFormat),
    GrpcStatusNumber,
    /// Read once, when the format is parsed; `None`: not set.
    Environment(Option<Arc<str>>),
    FilterChainName,
    ListenerName,
    UniqueId,
    AccessLogType,
    TraceId,
    QueryParameter(Arc<str>),
    QueryParameters,
    Path(PathSpec),
    RequestHeadersBytes,
    ResponseHeadersBytes,
    ResponseTrailersBytes,
    /// `REQUEST_TX_DURATION`: start to the last byte of the request to the upstream.
    RequestTxDuration,
    UpstreamHostName,
    UpstreamHostNameWithoutPort,
    UpstreamConnectionId,
    /// Empty in logs.
    LocalReplyBody,
    /// Metadata and state that only filters write which are not here.
    WrittenByNobody,
    /// A fact of TLS connections.
    Tls(TlsSide, TlsFact),
}

/// `%PATH(X:Y)%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PathSpec {
    /// With the query.
    pub query: bool,
    /// Which path.
    pub kind: PathKind,
}

/// A path as it came or as it went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathKind {
    /// As it came, if it was rewritten.
    Original,
    /// As it went on.
    Path,
    /// As it came.
    OriginalOrPath,
}

/// `%GRPC_STATUS(X)%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GrpcStatusFormat {
    /// `NotFound`.
    #[default]
    CamelString,
    /// `NOT_FOUND`.
    SnakeString,
    /// `5`.
    Number,
}

/// `%COMMON_DURATION(START:END:PRECISION)%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DurationSpec {
    /// From …
    pub from: TimePoint,
    /// … to.
    pub to: TimePoint,
    /// In what.
    pub unit: DurationUnit,
}

/// A moment in a request's life, by Envoy's short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimePoint {
    /// `DS_RX_BEG`: the request's headers were read.
    RequestStart,
    /// `DS_RX_END`: the whole request was read.
    RequestEnd,
    /// `US_TX_BEG`: the request goes to the upstream.
    UpstreamStart,
    /// `US_TX_END`: the whole request went to the upstream.
    UpstreamEnd,
    /// `DS_TX_BEG`: the response goes to the client.
    ResponseBegun,
    /// `US_RX_BEG`: the upstream's response began.
    ResponseStart,
    /// `DS_TX_END`: the response was written.
    ResponseEnd,
}

/// The unit of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DurationUnit {
    /// `ms`.
    Milliseconds,
    /// `us`.
    Microseconds,
    /// `ns`.
    Nanoseconds,
}
