//! One entry: what a request or a connection was, when it is over.

use std::sync::atomic::Ordering::Relaxed;

use envoy_types::pb::envoy::config::core::v3::RequestMethod;
use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogType, ConnectionProperties, HttpAccessLogEntry, HttpRequestProperties,
    HttpResponseProperties, TcpAccessLogEntry, http_access_log_entry::HttpVersion,
};
use envoy_types::pb::google::protobuf::UInt32Value;
use http::HeaderMap;
use http::header::{REFERER, USER_AGENT};
use tandem_core::ext::Protocol;
use tandem_core::format::{self, Context};
use tandem_core::headers::{X_ENVOY_ORIGINAL_PATH, X_FORWARDED_FOR, X_REQUEST_ID};
use tandem_model::access_log::{LoggedHeader, LoggedHeaders};
use tandem_model::format::{HeaderArg, HeaderKey, Operator};

use super::common::{add_times, common};

/// About a request.
pub(super) fn http(request: &Context<'_>, headers: &LoggedHeaders) -> HttpAccessLogEntry {
    let mut common = common(request, AccessLogType::DownstreamEnd);
    add_times(&mut common, request.info, request.duration);
    let version = match request.info.protocol {
        Protocol::Http10 => HttpVersion::Http10,
        Protocol::Http11 => HttpVersion::Http11,
        Protocol::Http2 => HttpVersion::Http2,
        Protocol::Tcp => HttpVersion::ProtocolUnspecified,
    };
    HttpAccessLogEntry {
        common_properties: Some(common),
        protocol_version: version.into(),
        request: Some(of_request(request, &headers.request)),
        response: Some(of_response(request, headers)),
    }
}

/// About a TCP connection.
pub(super) fn tcp(request: &Context<'_>) -> TcpAccessLogEntry {
    let mut common = common(request, AccessLogType::TcpConnectionEnd);
    let received = request.info.bytes_received.load(Relaxed);
    let sent = request.info.bytes_sent.load(Relaxed);
    (
        common.downstream_wire_bytes_received,
        common.downstream_wire_bytes_sent,
    ) = (received, sent);
    if common.upstream_local_address.is_some() {
        (
            common.upstream_wire_bytes_received,
            common.upstream_wire_bytes_sent,
        ) = (sent, received);
    }
    TcpAccessLogEntry {
        common_properties: Some(common),
        connection_properties: Some(ConnectionProperties {
            received_bytes: received,
            sent_bytes: sent,
        }),
    }
}

fn of_request(request: &Context<'_>, more: &[LoggedHeader]) -> HttpRequestProperties {
    let Some(captured) = request.info.logged_request() else {
        // It never became a request.
        return HttpRequestProperties::default();
    };
    let header = |name| said(request, HeaderKey::Name(name)).unwrap_or_default();
    let method = RequestMethod::from_str_name(captured.method.as_str());
    let none = HeaderMap::new();
    let kept = captured.matched.as_deref().unwrap_or(&none);
    let more = more.iter().filter_map(|header| {
        let value = match &header.key {
            HeaderKey::Name(name) => joined(kept, name),
            key => said(request, key.clone()),
        };
        Some((header.name.to_string(), value?))
    });
    HttpRequestProperties {
        request_method: method.unwrap_or(RequestMethod::MethodUnspecified).into(),
        scheme: said(request, HeaderKey::Scheme).unwrap_or_default(),
        authority: said(request, HeaderKey::Authority).unwrap_or_default(),
        path: said(request, HeaderKey::Path).unwrap_or_default(),
        user_agent: header(USER_AGENT),
        referer: header(REFERER),
        forwarded_for: header(X_FORWARDED_FOR),
        request_id: header(X_REQUEST_ID),
        original_path: header(X_ENVOY_ORIGINAL_PATH),
        request_headers_bytes: request.info.request_header_bytes.load(Relaxed),
        request_body_bytes: request.info.bytes_received.load(Relaxed),
        request_headers: more.collect(),
        ..HttpRequestProperties::default()
    }
}

fn of_response(request: &Context<'_>, headers: &LoggedHeaders) -> HttpResponseProperties {
    let status = request.response.map(|(status, _)| status.as_u16());
    let none = HeaderMap::new();
    let all = |wanted: &[LoggedHeader], found: &HeaderMap| {
        let values = wanted.iter().filter_map(|header| {
            let value = match &header.key {
                HeaderKey::Name(name) => joined(found, name),
                HeaderKey::Status => status.map(|status| status.to_string()),
                _ => None,
            };
            Some((header.name.to_string(), value?))
        });
        values.collect()
    };
    HttpResponseProperties {
        response_code: status.map(|status| UInt32Value {
            value: status.into(),
        }),
        response_headers_bytes: request.info.response_header_bytes.load(Relaxed),
        response_body_bytes: request.info.bytes_sent.load(Relaxed),
        response_headers: all(
            &headers.response,
            request.response.map_or(&none, |(_, headers)| headers),
        ),
        response_trailers: all(&headers.trailers, request.trailers.unwrap_or(&none)),
        response_code_details: text(request, &Operator::ResponseCodeDetails).unwrap_or_default(),
        ..HttpResponseProperties::default()
    }
}

/// A request header as lines of text have it.
fn said(request: &Context<'_>, key: HeaderKey) -> Option<String> {
    let arg = HeaderArg {
        main: key,
        alternative: None,
    };
    text(request, &Operator::Req(arg))
}

fn text(request: &Context<'_>, operator: &Operator) -> Option<String> {
    let mut bytes = Vec::new();
    format::append(operator, request, &mut bytes).then(|| readable(&bytes))
}

/// All values of a header.
fn joined(headers: &HeaderMap, name: &http::HeaderName) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let mut bytes = values.next()?.as_bytes().to_vec();
    for value in values {
        bytes.push(b',');
        bytes.extend_from_slice(value.as_bytes());
    }
    Some(readable(&bytes))
}

/// Messages hold text only: what is none becomes exclamation marks, as in Envoy.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '!'));
    }
    text
}
