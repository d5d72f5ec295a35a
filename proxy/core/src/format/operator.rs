//! One operator's value.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Uri};
use tandem_model::format::{
    DurationSpec, DurationUnit, GrpcStatusFormat, HeaderArg, HeaderKey, Operator, TimePoint,
};
use tandem_model::scheme::{self, X_FORWARDED_PROTO};

use super::{Context, size, status, target, time, tls, wire};
use crate::ext::{Captured, Protocol, StreamInfo};
use crate::{ResponseFlags, headers, id};

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// A number, which JSON does not quote.
    Number,
}

pub(super) type Out<'a> = &'a mut Vec<u8>;

/// Appends the operator's value; `None`: it has none (what was appended so far is to be cut).
pub(super) fn write(operator: &Operator, context: &Context<'_>, out: Out<'_>) -> Option<Kind> {
    use Operator as O;
    let info = context.info;
    let connection = &info.connection;
    let pipe = connection.pipe.as_deref();
    let upstream = || info.upstream.load_full();
    let remote = || upstream().filter(|upstream| upstream.connection != 0);
    match operator {
        O::Req(arg) => header(arg, out, |key, out| request_header(context, key, out)),
        O::Resp(arg) => header(arg, out, |key, out| {
            let (status, headers) = context.response?;
            match key {
                HeaderKey::Status => number(out, u64::from(status.as_u16())).map(|_| ()),
                HeaderKey::Name(name) => value(headers, name, out),
                _ => None,
            }
        }),
        O::Trailer(arg) => header(arg, out, |key, out| match key {
            HeaderKey::Name(name) => value(context.trailers?, name, out),
            _ => None,
        }),
        O::StartTime(format) => {
            time::write(format.as_ref(), info.start_time, out);
            Some(Kind::Text)
        }
        O::EmitTime(format) => {
            time::write(format.as_ref(), SystemTime::now(), out);
            Some(Kind::Text)
        }
        O::Protocol if info.protocol == Protocol::Tcp => None,
        O::Protocol => text(out, info.protocol.as_str()),
        O::ResponseCode => number(
            out,
            context
                .response
                .map_or(0, |(status, _)| u64::from(status.as_u16())),
        ),
        O::ResponseCodeDetails => match info.details.get() {
            Some(details) => text(out, details),
            // What nobody here had to say anything about is the upstream's own answer.
            None => {
                let came = context.response.is_some() && info.response_duration().is_some();
                came.then(|| text(out, "via_upstream"))?
            }
        },
        O::ConnectionTerminationDetails => text(out, info.connection.termination_details.get()?),
        O::ResponseFlags => {
            info.flags()
                .write(last_flags(info), |(_, short, _)| short, out);
            Some(Kind::Text)
        }
        O::ResponseFlagsLong => {
            info.flags()
                .write(last_flags(info), |(_, _, long)| long, out);
            Some(Kind::Text)
        }
        O::BytesReceived => number(out, info.bytes_received.load(Relaxed)),
        O::BytesSent => number(out, info.bytes_sent.load(Relaxed)),
        O::DownstreamWireBytesReceived => number(out, wire::downstream(info)?.received),
        O::DownstreamWireBytesSent => number(out, wire::downstream(info)?.sent),
        O::UpstreamWireBytesReceived => number(out, wire::upstream(info)?.received),
        O::UpstreamWireBytesSent => number(out, wire::upstream(info)?.sent),
        O::Duration => millis(out, context.duration?),
        O::RequestDuration => millis(out, info.request_duration()?),
        O::ResponseDuration => millis(out, info.response_duration()?),
        O::ResponseTxDuration => millis(
            out,
            context.duration?.checked_sub(info.response_duration()?)?,
        ),
        O::CommonDuration(spec) => span(out, spec, context),
        O::UpstreamHost => text(out, &upstream()?.host),
        O::UpstreamRemoteAddress => text(out, &remote()?.host),
        O::UpstreamRemoteAddressWithoutPort => {
            let upstream = remote()?;
            match upstream.host.parse::<SocketAddr>() {
                Ok(_) => text(out, tandem_model::matching::strip_port(&upstream.host)),
                Err(_) => text(out, &upstream.host),
            }
        }
        O::UpstreamRemotePort => port(out, remote()?.host.parse().ok(), Some("")),
        O::UpstreamCluster => text(out, info.cluster.get()?),
        O::UpstreamLocalAddress => address(out, upstream()?.local, None),
        O::UpstreamLocalAddressWithoutPort => ip(out, upstream()?.local, None),
        O::UpstreamLocalPort => port(out, upstream()?.local, None),
        O::UpstreamRequestAttemptCount => number(out, u64::from(info.attempts.load(Relaxed))),
        // Envoy writes it as one word.
        O::UpstreamTransportFailureReason => {
            text(out, &info.transport_failure.get()?.replace(' ', "_"))
        }
        O::UpstreamProtocol => text(out, upstream()?.protocol?.as_str()),
        O::DownstreamRemoteAddress => address(out, info.client.or(connection.remote), pipe),
        O::DownstreamRemoteAddressWithoutPort => ip(out, info.client.or(connection.remote), pipe),
        O::DownstreamRemotePort => port(out, info.client.or(connection.remote), pipe),
        O::DownstreamDirectRemoteAddress => address(out, connection.remote, pipe),
        O::DownstreamDirectRemoteAddressWithoutPort => ip(out, connection.remote, pipe),
        O::DownstreamDirectRemotePort => port(out, connection.remote, pipe),
        O::DownstreamLocalAddress => address(out, connection.local, pipe),
        O::DownstreamLocalAddressWithoutPort => ip(out, connection.local, pipe),
        O::DownstreamLocalPort => port(out, connection.local, pipe),
        O::RouteName => text(out, some(info.route.get()?)?),
        O::Hostname => text(out, some(hostname())?),
        O::ConnectionId => number(out, connection.id),
        O::StreamId => {
            out.extend_from_slice(info.id()?.as_bytes());
            Some(Kind::Text)
        }
        O::GrpcStatus(format) => status::write(out, context, *format),
        O::GrpcStatusNumber => status::write(out, context, GrpcStatusFormat::Number),
        O::Environment(value) => text(out, value.as_ref()?),
        O::FilterChainName => text(out, some(&connection.filter_chain)?),
        O::ListenerName => text(out, some(&connection.listener)?),
        O::UniqueId => {
            out.extend_from_slice(&id::text());
            Some(Kind::Text)
        }
        O::AccessLogType => text(out, log_type(info)),
        O::QueryParameter(name) => target::query_parameter(out, context, name),
        O::RequestedServerName => text(out, connection.server_name.as_ref()?),
        O::Tls(side, fact) => tls::write(*side, fact, context, out),
        O::QueryParameters => text(out, some(target::uri(context)?.query()?)?),
        O::Path(spec) => target::path(out, context, *spec),
        O::RequestHeadersBytes => number(out, size::request(context)?),
        O::ResponseHeadersBytes => number(out, size::response(context)?),
        O::ResponseTrailersBytes => number(out, context.trailers.map_or(0, headers::size)),
        O::RequestTxDuration => millis(out, info.upstream_sent_all()?),
        O::UpstreamHostName => text(out, upstream()?.name()),
        O::UpstreamHostNameWithoutPort => {
            text(out, tandem_model::matching::strip_port(upstream()?.name()))
        }
        O::UpstreamConnectionId => number(out, upstream().map_or(0, |facts| facts.connection)),
        O::LocalReplyBody => Some(Kind::Text),
        O::VirtualClusterName | O::TraceId | O::WrittenByNobody => None,
    }
}

/// Envoy prints flags as they were added: its TCP proxy gives up last.
fn last_flags(info: &StreamInfo) -> ResponseFlags {
    match info.protocol {
        Protocol::Tcp => ResponseFlags::UPSTREAM_RETRY_LIMIT_EXCEEDED,
        _ => ResponseFlags::NONE,
    }
}

fn log_type(info: &StreamInfo) -> &'static str {
    match info.protocol {
        _ if info.of_listener => "NotSet",
        Protocol::Tcp => "TcpConnectionEnd",
        _ => "DownstreamEnd",
    }
}

fn header(
    arg: &HeaderArg,
    out: Out<'_>,
    mut write: impl FnMut(&HeaderKey, Out<'_>) -> Option<()>,
) -> Option<Kind> {
    if write(&arg.main, out).is_some() {
        return Some(Kind::Text);
    }
    write(arg.alternative.as_ref()?, out).map(|()| Kind::Text)
}

pub(super) fn request_header(context: &Context<'_>, key: &HeaderKey, out: Out<'_>) -> Option<()> {
    let captured = match &context.request {
        Some(_) => None,
        None => Some(context.info.logged_request()?),
    };
    let (method, uri) = match (&context.request, captured) {
        (Some(live), _) => (live.method, live.uri),
        (None, Some(captured)) => (&captured.method, &captured.uri),
        (None, None) => return None,
    };
    match key {
        HeaderKey::Method => put(out, method.as_str()),
        HeaderKey::Path => put(out, uri.path_and_query()?.as_str()),
        HeaderKey::Scheme => {
            let encrypted = context.info.connection.is_tls();
            let scheme = match (&context.request, captured) {
                (Some(live), _) => scheme::of(uri.scheme_str(), live.headers, encrypted),
                (None, Some(captured)) => uri.scheme_str().unwrap_or_else(|| {
                    scheme::forwarded(kept(context, captured, &X_FORWARDED_PROTO), encrypted)
                }),
                (None, None) => return None,
            };
            put(out, scheme)
        }
        HeaderKey::Authority => authority(context, captured, uri, out),
        HeaderKey::Status => None,
        HeaderKey::Name(name) => match (&context.request, captured) {
            (Some(live), _) => value(live.headers, name, out),
            (None, Some(captured)) => bytes(kept(context, captured, name)?, out),
            (None, None) => None,
        },
    }
}

/// A header that was kept for the log.
fn kept<'a>(
    context: &Context<'_>,
    captured: &'a Captured,
    name: &http::HeaderName,
) -> Option<&'a HeaderValue> {
    let spec = context.info.capture.as_ref()?;
    let index = spec.headers.iter().position(|wanted| wanted == name)?;
    captured.headers.get(index)?.as_ref()
}

/// Where it went: the name of the endpoint, if a route put that in place of the client's.
fn authority(
    context: &Context<'_>,
    captured: Option<&Captured>,
    uri: &Uri,
    out: Out<'_>,
) -> Option<()> {
    if captured.is_some()
        && let Some(host) = context.info.endpoint_authority.load_full()
    {
        return put(out, &host);
    }
    if let Some(authority) = uri.authority() {
        return put(out, authority.as_str());
    }
    match (&context.request, captured) {
        (Some(live), _) => value(live.headers, &http::header::HOST, out),
        (None, Some(captured)) => bytes(captured.host.as_ref()?, out),
        (None, None) => None,
    }
}

fn value(headers: &HeaderMap, name: &http::HeaderName, out: Out<'_>) -> Option<()> {
    // Of several fields the first, as Envoy does.
    bytes(headers.get(name)?, out)
}

fn bytes(value: &HeaderValue, out: Out<'_>) -> Option<()> {
    out.extend_from_slice(value.as_bytes());
    Some(())
}

fn put(out: Out<'_>, value: &str) -> Option<()> {
    out.extend_from_slice(value.as_bytes());
    Some(())
}

pub(super) fn text(out: Out<'_>, value: &str) -> Option<Kind> {
    put(out, value).map(|()| Kind::Text)
}

pub(super) fn some(value: &str) -> Option<&str> {
    (!value.is_empty()).then_some(value)
}

pub(super) fn number(out: Out<'_>, value: u64) -> Option<Kind> {
    decimal(out, value);
    Some(Kind::Number)
}

fn decimal(out: Out<'_>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn millis(out: Out<'_>, value: Duration) -> Option<Kind> {
    number(out, u64::try_from(value.as_millis()).ok()?)
}

/// An address; without one, the path of the Unix socket.
fn address(out: Out<'_>, address: Option<SocketAddr>, pipe: Option<&str>) -> Option<Kind> {
    let Some(address) = address else {
        return text(out, pipe?);
    };
    match address {
        SocketAddr::V4(address) => {
            dotted(out, *address.ip());
            out.push(b':');
            decimal(out, address.port());
        }
        SocketAddr::V6(address) => {
            let _ = write!(out, "{address}");
        }
    }
    Some(Kind::Text)
}

/// What `Display` writes, without its way through a formatter: each line has several.
fn dotted(out: Out<'_>, ip: Ipv4Addr) {
    for (index, octet) in ip.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        decimal(out, octet);
    }
}

fn ip(out: Out<'_>, address: Option<SocketAddr>, pipe: Option<&str>) -> Option<Kind> {
    let Some(address) = address else {
        return text(out, pipe?);
    };
    match address.ip() {
        IpAddr::V4(ip) => dotted(out, ip),
        IpAddr::V6(ip) => {
            let _ = write!(out, "{ip}");
        }
    }
    Some(Kind::Text)
}

/// Of a Unix socket it is empty, which is not the same as unknown.
fn port(out: Out<'_>, address: Option<SocketAddr>, pipe: Option<&str>) -> Option<Kind> {
    let Some(address) = address else {
        return pipe.map(|_| Kind::Text);
    };
    number(out, u64::from(address.port()))
}

fn span(out: Out<'_>, spec: &DurationSpec, context: &Context<'_>) -> Option<Kind> {
    if context.info.protocol == Protocol::Tcp {
        return None;
    }
    let at = |point| match point {
        TimePoint::RequestStart => Some(Duration::ZERO),
        TimePoint::RequestEnd => context.info.request_duration(),
        TimePoint::UpstreamStart => context.info.upstream_sent(),
        TimePoint::UpstreamEnd => context.info.upstream_sent_all(),
        TimePoint::ResponseBegun => context.info.answered(),
        TimePoint::ResponseStart => context.info.response_duration(),
        TimePoint::ResponseEnd => context.duration,
    };
    let length = at(spec.to)?.checked_sub(at(spec.from)?)?;
    let value = match spec.unit {
        DurationUnit::Milliseconds => length.as_millis(),
        DurationUnit::Microseconds => length.as_micros(),
        DurationUnit::Nanoseconds => length.as_nanos(),
    };
    number(out, u64::try_from(value).ok()?)
}

fn hostname() -> &'static str {
    static NAME: OnceLock<Arc<str>> = OnceLock::new();
    NAME.get_or_init(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Arc::from(name.trim())
    })
}
