//! What entries about requests and about connections have in common.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use envoy_types::pb::envoy::config::core::v3::{
    self as core, address, socket_address::PortSpecifier,
};
use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogCommon, AccessLogType, ResponseFlags as Proto, response_flags::Unauthorized,
    response_flags::unauthorized,
};
use envoy_types::pb::google::protobuf;
use tandem_core::ResponseFlags as Flags;
use tandem_core::ext::StreamInfo;
use tandem_core::format::Context;

use super::tls;

/// The common part of an entry; times are those of a request.
pub(super) fn common(request: &Context<'_>, ty: AccessLogType) -> AccessLogCommon {
    let info = request.info;
    let connection = &info.connection;
    let pipe = connection.pipe.as_deref();
    let flags = info.flags();
    let upstream = info.upstream.load_full();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    // Envoy knows the cluster by its settings, which one that is not there has not.
    let cluster = info.cluster.get();
    let cluster = cluster.filter(|_| !flags.contains(Flags::NO_CLUSTER_FOUND));
    AccessLogCommon {
        downstream_remote_address: end(info.client.or(connection.remote), pipe),
        downstream_direct_remote_address: end(connection.remote, pipe),
        downstream_local_address: end(connection.local, pipe),
        tls_properties: (connection.tls.as_deref()).map(|facts| tls::properties(facts, connection)),
        start_time: Some(time(info.start_time)),
        duration: request.duration.map(duration),
        upstream_remote_address: upstream.as_deref().map(|upstream| host(&upstream.host)),
        upstream_local_address: upstream.as_deref().and_then(|up| up.local).map(socket),
        upstream_cluster: text(cluster.map(|name| &**name)),
        upstream_transport_failure_reason: text(info.transport_failure.get().map(|text| &**text)),
        upstream_request_attempt_count: info.attempts.load(Relaxed),
        route_name: text(info.route.get().map(|name| &**name)),
        response_flags: (flags != Flags::NONE).then(|| response_flags(flags)),
        stream_id: text(info.id().and_then(|id| id.to_str().ok())),
        access_log_type: ty.into(),
        downstream_transport_failure_reason: text(connection.transport_failure.get().map(|t| &**t)),
        connection_termination_details: text(connection.termination_details.get().map(|t| &**t)),
        ..AccessLogCommon::default()
    }
}

/// Adds when the parts of a request and of its response went where. Nothing is held back on the
/// way: what was read from one side at its end was written to the other side then.
pub(super) fn add_times(common: &mut AccessLogCommon, info: &StreamInfo, ended: Option<Duration>) {
    let read = info.request_duration();
    let sent = info.upstream_sent();
    let answered = info.response_duration();
    let begun = info.answered();
    common.time_to_last_rx_byte = read.map(duration);
    common.time_to_first_upstream_tx_byte = sent.map(duration);
    common.time_to_last_upstream_tx_byte = sent.zip(read).map(|(a, b)| duration(a.max(b)));
    common.time_to_first_upstream_rx_byte = answered.map(duration);
    common.time_to_last_upstream_rx_byte = answered.and(ended).map(duration);
    common.time_to_first_downstream_tx_byte = begun.map(duration);
    common.time_to_last_downstream_tx_byte = begun.and(ended).map(duration);
}

fn socket(address: SocketAddr) -> core::Address {
    let address = core::SocketAddress {
        address: address.ip().to_string(),
        port_specifier: Some(PortSpecifier::PortValue(address.port().into())),
        ..core::SocketAddress::default()
    };
    core::Address {
        address: Some(address::Address::SocketAddress(address)),
    }
}

fn host(name: &str) -> core::Address {
    match name.parse() {
        Ok(address) => socket(address),
        Err(_) => path(name),
    }
}

/// One end of a connection: an address, or else the path of the Unix socket.
fn end(address: Option<SocketAddr>, pipe: Option<&str>) -> Option<core::Address> {
    address.map(socket).or_else(|| pipe.map(path))
}

fn path(path: &str) -> core::Address {
    core::Address {
        address: Some(address::Address::Pipe(core::Pipe {
            path: path.to_owned(),
            mode: 0,
        })),
    }
}

fn time(time: SystemTime) -> protobuf::Timestamp {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let protobuf::Duration { seconds, nanos } = duration(since);
    protobuf::Timestamp { seconds, nanos }
}

fn duration(duration: Duration) -> protobuf::Duration {
    protobuf::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

fn response_flags(flags: Flags) -> Proto {
    let is = |flag| flags.contains(flag);
    Proto {
        no_healthy_upstream: is(Flags::NO_HEALTHY_UPSTREAM),
        upstream_request_timeout: is(Flags::UPSTREAM_REQUEST_TIMEOUT),
        local_reset: is(Flags::LOCAL_RESET),
        upstream_remote_reset: is(Flags::UPSTREAM_REMOTE_RESET),
        upstream_connection_failure: is(Flags::UPSTREAM_CONNECTION_FAILURE),
        upstream_connection_termination: is(Flags::UPSTREAM_CONNECTION_TERMINATION),
        upstream_overflow: is(Flags::UPSTREAM_OVERFLOW),
        no_route_found: is(Flags::NO_ROUTE),
        delay_injected: is(Flags::DELAY_INJECTED),
        fault_injected: is(Flags::FAULT_INJECTED),
        rate_limited: is(Flags::RATE_LIMITED),
        unauthorized_details: is(Flags::UNAUTHORIZED_EXTERNAL_SERVICE).then(|| Unauthorized {
            reason: unauthorized::Reason::ExternalService.into(),
        }),
        downstream_connection_termination: is(Flags::DOWNSTREAM_CONNECTION_TERMINATION),
        upstream_retry_limit_exceeded: is(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED),
        stream_idle_timeout: is(Flags::STREAM_IDLE_TIMEOUT),
        downstream_protocol_error: is(Flags::DOWNSTREAM_PROTOCOL_ERROR),
        upstream_max_stream_duration_reached: is(Flags::UPSTREAM_MAX_STREAM_DURATION_REACHED),
        duration_timeout: is(Flags::DURATION_TIMEOUT),
        upstream_protocol_error: is(Flags::UPSTREAM_PROTOCOL_ERROR),
        no_cluster_found: is(Flags::NO_CLUSTER_FOUND),
        overload_manager: is(Flags::OVERLOAD_MANAGER),
        dns_resolution_failure: is(Flags::DNS_FAILURE),
        no_filter_config_found: is(Flags::NO_FILTER_CONFIG),
        downstream_remote_reset: is(Flags::DOWNSTREAM_REMOTE_RESET),
        ..Proto::default()
    }
}
