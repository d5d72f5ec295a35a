//! From an operator's name and argument to the operator.

use std::sync::Arc;

use http::HeaderName;

use super::operator::{
    DurationSpec, DurationUnit, GrpcStatusFormat, HeaderArg, HeaderKey, Operator, TimePoint,
};
use super::{FormatError, TimeFormat, tls};

/// Finds the operator; `argument` is what stood between parentheses.
pub(super) fn operator(name: &str, argument: Option<&str>) -> Result<Operator, FormatError> {
    if let Some(operator) = plain(name) {
        return match argument {
            None => Ok(operator),
            Some(got) => Err(wrong(name, "no argument", got)),
        };
    }
    let text = argument.unwrap_or_default();
    Ok(match name {
        "REQ" | "REQUEST_HEADER" => Operator::Req(header(name, text)?),
        "RESP" | "RESPONSE_HEADER" => Operator::Resp(header(name, text)?),
        "TRAILER" | "RESPONSE_TRAILER" => Operator::Trailer(header(name, text)?),
        "START_TIME" => Operator::StartTime(argument.filter(|a| !a.is_empty()).map(TimeFormat::parse)),
        "EMIT_TIME" => Operator::EmitTime(argument.filter(|a| !a.is_empty()).map(TimeFormat::parse)),
        "GRPC_STATUS" => Operator::GrpcStatus(match text {
            "" | "CAMEL_STRING" => GrpcStatusFormat::CamelString,
            "SNAKE_STRING" => GrpcStatusFormat::SnakeString,
            "NUMBER" => GrpcStatusFormat::Number,
            got => return Err(wrong(name, "CAMEL_STRING, SNAKE_STRING or NUMBER", got)),
        }),
        "ENVIRONMENT" if !text.is_empty() => {
            Operator::Environment(std::env::var(text).ok().filter(|v| !v.is_empty()).map(Arc::from))
        }
        "ENVIRONMENT" => return Err(wrong(name, "the name of a variable", text)),
        "QUERY_PARAM" if !text.is_empty() => Operator::QueryParameter(text.into()),
        "QUERY_PARAM" => return Err(wrong(name, "the name of a parameter", text)),
        "COMMON_DURATION" => Operator::CommonDuration(
            duration(text).ok_or_else(|| wrong(name, "START:END:ms|us|ns, where START and END are DS_RX_BEG, DS_RX_END, US_RX_BEG or DS_TX_END", text))?,
        ),
        _ => match tls::operator(name, argument) {
            Some((side, fact)) => Operator::Tls(side, fact),
            None => return Err(FormatError::Unknown(name.to_owned())),
        },
    })
}

fn plain(name: &str) -> Option<Operator> {
    use Operator as O;
    Some(match name {
        "PROTOCOL" => O::Protocol,
        "RESPONSE_CODE" => O::ResponseCode,
        "RESPONSE_CODE_DETAILS" => O::ResponseCodeDetails,
        "CONNECTION_TERMINATION_DETAILS" => O::ConnectionTerminationDetails,
        "RESPONSE_FLAGS" => O::ResponseFlags,
        "RESPONSE_FLAGS_LONG" => O::ResponseFlagsLong,
        "BYTES_RECEIVED" => O::BytesReceived,
        "BYTES_SENT" => O::BytesSent,
        "UPSTREAM_WIRE_BYTES_RECEIVED" => O::UpstreamWireBytesReceived,
        "UPSTREAM_WIRE_BYTES_SENT" => O::UpstreamWireBytesSent,
        "DOWNSTREAM_WIRE_BYTES_RECEIVED" => O::DownstreamWireBytesReceived,
        "DOWNSTREAM_WIRE_BYTES_SENT" => O::DownstreamWireBytesSent,
        "DURATION" => O::Duration,
        "REQUEST_DURATION" => O::RequestDuration,
        "RESPONSE_DURATION" => O::ResponseDuration,
        "RESPONSE_TX_DURATION" => O::ResponseTxDuration,
        "UPSTREAM_HOST" => O::UpstreamHost,
        "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => O::UpstreamCluster,
        "UPSTREAM_LOCAL_ADDRESS" => O::UpstreamLocalAddress,
        "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => O::UpstreamLocalAddressWithoutPort,
        "UPSTREAM_LOCAL_PORT" => O::UpstreamLocalPort,
        "UPSTREAM_REMOTE_ADDRESS" => O::UpstreamRemoteAddress,
        "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => O::UpstreamRemoteAddressWithoutPort,
        "UPSTREAM_REMOTE_PORT" => O::UpstreamRemotePort,
        "UPSTREAM_REQUEST_ATTEMPT_COUNT" => O::UpstreamRequestAttemptCount,
        "UPSTREAM_TRANSPORT_FAILURE_REASON" => O::UpstreamTransportFailureReason,
        "UPSTREAM_PROTOCOL" => O::UpstreamProtocol,
        "DOWNSTREAM_REMOTE_ADDRESS" => O::DownstreamRemoteAddress,
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => O::DownstreamRemoteAddressWithoutPort,
        "DOWNSTREAM_REMOTE_PORT" => O::DownstreamRemotePort,
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS" => O::DownstreamDirectRemoteAddress,
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => {
            O::DownstreamDirectRemoteAddressWithoutPort
        }
        "DOWNSTREAM_DIRECT_REMOTE_PORT" => O::DownstreamDirectRemotePort,
        "DOWNSTREAM_LOCAL_ADDRESS" | "DOWNSTREAM_DIRECT_LOCAL_ADDRESS" => O::DownstreamLocalAddress,
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT"
        | "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT" => O::DownstreamLocalAddressWithoutPort,
        "DOWNSTREAM_LOCAL_PORT" | "DOWNSTREAM_DIRECT_LOCAL_PORT" => O::DownstreamLocalPort,
        "REQUESTED_SERVER_NAME" => O::RequestedServerName,
        "ROUTE_NAME" => O::RouteName,
        "VIRTUAL_CLUSTER_NAME" => O::VirtualClusterName,
        "HOSTNAME" => O::Hostname,
        "CONNECTION_ID" => O::ConnectionId,
        "STREAM_ID" => O::StreamId,
        "GRPC_STATUS_NUMBER" => O::GrpcStatusNumber,
        "FILTER_CHAIN_NAME" => O::FilterChainName,
        "LISTENER_NAME" => O::ListenerName,
        "UNIQUE_ID" => O::UniqueId,
        "ACCESS_LOG_TYPE" => O::AccessLogType,
        "TRACE_ID" => O::TraceId,
        _ => return None,
    })
}

fn header(operator: &str, text: &str) -> Result<HeaderArg, FormatError> {
    let error = || wrong(operator, "a header name, optionally '?' and another", text);
    let (main, alternative) = match text.split_once('?') {
        Some((_, alternative)) if alternative.contains('?') => return Err(error()),
        Some((main, alternative)) => (main, Some(alternative)),
        None => (text, None),
    };
    Ok(HeaderArg {
        main: key(main).ok_or_else(error)?,
        alternative: match alternative.filter(|name| !name.is_empty()) {
            Some(name) => Some(key(name).ok_or_else(error)?),
            None => None,
        },
    })
}

fn key(name: &str) -> Option<HeaderKey> {
    let name = name.to_ascii_lowercase();
    Some(match name.as_str() {
        ":method" => HeaderKey::Method,
        ":path" => HeaderKey::Path,
        // HTTP/1's `Host` is the authority, as it is for Envoy's codec.
        ":authority" | "host" => HeaderKey::Authority,
        ":scheme" => HeaderKey::Scheme,
        ":status" => HeaderKey::Status,
        name => HeaderKey::Name(HeaderName::from_bytes(name.as_bytes()).ok()?),
    })
}

fn duration(text: &str) -> Option<DurationSpec> {
    let point = |name| {
        Some(match name {
            "DS_RX_BEG" => TimePoint::RequestStart,
            "DS_RX_END" => TimePoint::RequestEnd,
            "US_RX_BEG" => TimePoint::ResponseStart,
            "DS_TX_END" => TimePoint::ResponseEnd,
            _ => return None,
        })
    };
    let mut parts = text.split(':');
    let spec = DurationSpec {
        from: point(parts.next()?)?,
        to: point(parts.next()?)?,
        unit: match parts.next()? {
            "ms" => DurationUnit::Milliseconds,
            "us" => DurationUnit::Microseconds,
            "ns" => DurationUnit::Nanoseconds,
            _ => return None,
        },
    };
    parts.next().is_none().then_some(spec)
}

fn wrong(operator: &str, expected: &'static str, got: &str) -> FormatError {
    FormatError::Argument {
        operator: operator.to_owned(),
        expected,
        got: got.to_owned(),
    }
}
