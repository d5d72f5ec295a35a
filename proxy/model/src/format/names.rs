//! The operators by name: what is in these tables is accepted, listed in the documentation and
//! compared with Envoy's.

use super::arguments::{self as read, Read, wrong};
use super::operator::Operator;
use super::{FormatError, tls};

use Operator as O;

/// An operator that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its name.
    pub name: String,
    /// Of what it takes, an example; empty if it takes nothing.
    pub argument: &'static str,
}

/// Finds the operator; `argument` is what stood between parentheses.
pub(super) fn operator(name: &str, argument: Option<&str>) -> Result<Operator, FormatError> {
    if let Some((_, operator)) = PLAIN.iter().find(|(known, _)| *known == name) {
        return match argument {
            None => Ok(operator.clone()),
            Some(got) => Err(wrong(name, "no argument", got)),
        };
    }
    if let Some((.., read)) = WITH_ARGUMENT.iter().find(|(known, ..)| *known == name) {
        return read(name, argument);
    }
    match tls::operator(name, argument) {
        Some((side, fact)) => Ok(Operator::Tls(side, fact)),
        None => Err(FormatError::Unknown(name.to_owned())),
    }
}

/// All of them, in alphabetical order.
pub fn accepted() -> Vec<Accepted> {
    let plain = PLAIN.iter().map(|(name, _)| ((*name).to_owned(), ""));
    let others = WITH_ARGUMENT.iter();
    let others = others.map(|(name, argument, _)| ((*name).to_owned(), *argument));
    let mut all: Vec<Accepted> = plain
        .chain(others)
        .chain(tls::names())
        .map(|(name, argument)| Accepted { name, argument })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

const WITH_ARGUMENT: &[(&str, &str, Read)] = &[
    (
        "COMMON_DURATION",
        "DS_RX_BEG:DS_TX_END:us",
        read::common_duration,
    ),
    ("DYNAMIC_METADATA", "NAMESPACE:KEY", read::written_by_nobody),
    ("EMIT_TIME", "%s", read::emit_time),
    ("ENVIRONMENT", "HOME", read::environment),
    ("FILTER_STATE", "KEY:PLAIN", read::written_by_nobody),
    ("GRPC_STATUS", "SNAKE_STRING", read::grpc_status),
    ("PATH", "NQ:ORIG_OR_PATH", read::path),
    ("QUERY_PARAM", "NAME", read::query_parameter),
    ("QUERY_PARAMS", "ORIG", read::query_parameters),
    ("REQ", "NAME?OTHER", read::request_header),
    ("REQUEST_HEADER", "NAME?OTHER", read::request_header),
    ("RESP", "NAME?OTHER", read::response_header),
    ("RESPONSE_HEADER", "NAME?OTHER", read::response_header),
    ("RESPONSE_TRAILER", "NAME?OTHER", read::trailer),
    ("START_TIME", "%s", read::start_time),
    ("TRAILER", "NAME?OTHER", read::trailer),
    (
        "UPSTREAM_FILTER_STATE",
        "KEY:PLAIN",
        read::written_by_nobody,
    ),
];

const PLAIN: &[(&str, Operator)] = &[
    ("ACCESS_LOG_TYPE", O::AccessLogType),
    ("BYTES_RECEIVED", O::BytesReceived),
    ("BYTES_SENT", O::BytesSent),
    ("CONNECTION_ID", O::ConnectionId),
    (
        "CONNECTION_TERMINATION_DETAILS",
        O::ConnectionTerminationDetails,
    ),
    ("DOWNSTREAM_DIRECT_LOCAL_ADDRESS", O::DownstreamLocalAddress),
    (
        "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
        O::DownstreamLocalAddressWithoutPort,
    ),
    ("DOWNSTREAM_DIRECT_LOCAL_PORT", O::DownstreamLocalPort),
    (
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
        O::DownstreamDirectRemoteAddress,
    ),
    (
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
        O::DownstreamDirectRemoteAddressWithoutPort,
    ),
    (
        "DOWNSTREAM_DIRECT_REMOTE_PORT",
        O::DownstreamDirectRemotePort,
    ),
    ("DOWNSTREAM_LOCAL_ADDRESS", O::DownstreamLocalAddress),
    (
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
        O::DownstreamLocalAddressWithoutPort,
    ),
    ("DOWNSTREAM_LOCAL_PORT", O::DownstreamLocalPort),
    ("DOWNSTREAM_REMOTE_ADDRESS", O::DownstreamRemoteAddress),
    (
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
        O::DownstreamRemoteAddressWithoutPort,
    ),
    ("DOWNSTREAM_REMOTE_PORT", O::DownstreamRemotePort),
    (
        "DOWNSTREAM_WIRE_BYTES_RECEIVED",
        O::DownstreamWireBytesReceived,
    ),
    ("DOWNSTREAM_WIRE_BYTES_SENT", O::DownstreamWireBytesSent),
    ("DURATION", O::Duration),
    ("FILTER_CHAIN_NAME", O::FilterChainName),
    ("GRPC_STATUS_NUMBER", O::GrpcStatusNumber),
    ("HOSTNAME", O::Hostname),
    ("LISTENER_NAME", O::ListenerName),
    ("LOCAL_REPLY_BODY", O::LocalReplyBody),
    ("PROTOCOL", O::Protocol),
    ("REQUESTED_SERVER_NAME", O::RequestedServerName),
    ("REQUEST_DURATION", O::RequestDuration),
    ("REQUEST_HEADERS_BYTES", O::RequestHeadersBytes),
    ("REQUEST_TX_DURATION", O::RequestTxDuration),
    ("RESPONSE_CODE", O::ResponseCode),
    ("RESPONSE_CODE_DETAILS", O::ResponseCodeDetails),
    ("RESPONSE_DURATION", O::ResponseDuration),
    ("RESPONSE_FLAGS", O::ResponseFlags),
    ("RESPONSE_FLAGS_LONG", O::ResponseFlagsLong),
    ("RESPONSE_HEADERS_BYTES", O::ResponseHeadersBytes),
    ("RESPONSE_TRAILERS_BYTES", O::ResponseTrailersBytes),
    ("RESPONSE_TX_DURATION", O::ResponseTxDuration),
    ("ROUTE_NAME", O::RouteName),
    ("STREAM_ID", O::StreamId),
    ("TRACE_ID", O::TraceId),
    ("UNIQUE_ID", O::UniqueId),
    ("UPSTREAM_CLUSTER", O::UpstreamCluster),
    ("UPSTREAM_CLUSTER_RAW", O::UpstreamCluster),
    ("UPSTREAM_CONNECTION_ID", O::UpstreamConnectionId),
    ("UPSTREAM_HOST", O::UpstreamHost),
    ("UPSTREAM_HOST_NAME", O::UpstreamHostName),
    (
        "UPSTREAM_HOST_NAME_WITHOUT_PORT",
        O::UpstreamHostNameWithoutPort,
    ),
    ("UPSTREAM_LOCAL_ADDRESS", O::UpstreamLocalAddress),
    (
        "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
        O::UpstreamLocalAddressWithoutPort,
    ),
    ("UPSTREAM_LOCAL_PORT", O::UpstreamLocalPort),
    ("UPSTREAM_PROTOCOL", O::UpstreamProtocol),
    ("UPSTREAM_REMOTE_ADDRESS", O::UpstreamRemoteAddress),
    (
        "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
        O::UpstreamRemoteAddressWithoutPort,
    ),
    ("UPSTREAM_REMOTE_PORT", O::UpstreamRemotePort),
    (
        "UPSTREAM_REQUEST_ATTEMPT_COUNT",
        O::UpstreamRequestAttemptCount,
    ),
    (
        "UPSTREAM_TRANSPORT_FAILURE_REASON",
        O::UpstreamTransportFailureReason,
    ),
    ("UPSTREAM_WIRE_BYTES_RECEIVED", O::UpstreamWireBytesReceived),
    ("UPSTREAM_WIRE_BYTES_SENT", O::UpstreamWireBytesSent),
    ("VIRTUAL_CLUSTER_NAME", O::VirtualClusterName),
];
