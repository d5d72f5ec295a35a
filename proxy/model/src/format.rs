//! Parsed substitution formats: the `%…%` operators of access logs and header values.

use std::sync::Arc;

use http::HeaderName;

/// A text with operators in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// Literal pieces and operators, in order.
    pub segments: Vec<Segment>,
    /// Write nothing instead of `-` where an operator has no value (`omit_empty_values`).
    pub omit_empty: bool,
}

/// A piece of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Text as it is.
    Literal(Arc<str>),
    /// A value, cut to a length if one is given (`:Z`).
    Operator(Operator, Option<usize>),
}

/// A JSON access-log line: values in key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonFormat {
    /// The tree.
    pub root: Vec<(Arc<str>, JsonValue)>,
    /// Leave keys without a value out instead of `null`.
    pub omit_empty: bool,
}

/// A value of a JSON access-log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonValue {
    /// A format; a lone operator keeps its type (number, `null`), others are strings.
    Format(Format),
    /// An object.
    Object(Vec<(Arc<str>, JsonValue)>),
    /// An array.
    Array(Vec<JsonValue>),
    /// A literal that is not a string: rendered JSON.
    Literal(Arc<str>),
}

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

/// The operators that exist; each is documented by Envoy's access-log page under its name.
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
    UpstreamHost,
    UpstreamCluster,
    UpstreamLocalAddress,
    UpstreamRemoteAddress,
    UpstreamRequestAttemptCount,
    UpstreamTransportFailureReason,
    UpstreamProtocol,
    DownstreamRemoteAddress,
    DownstreamRemoteAddressWithoutPort,
    DownstreamRemotePort,
    DownstreamDirectRemoteAddress,
    DownstreamDirectRemoteAddressWithoutPort,
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
    Environment(Arc<str>),
    FilterChainName,
    ListenerName,
    UniqueId,
    AccessLogType,
    TraceId,
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

/// A parsed `strftime`-like time format, with Envoy's `%3f` style of fractions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat {
    /// The format as configured.
    pub pattern: Arc<str>,
}
