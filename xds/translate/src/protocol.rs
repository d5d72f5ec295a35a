//! Options of the HTTP protocols, for both directions.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use tandem_model::hcm::{Http2Options, UnderscoresAction};

use crate::cx::Cx;
use crate::value;

/// `common_http_protocol_options`, with the defaults that both directions share.
pub(crate) struct Common {
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_connection_duration: Option<Duration>,
    pub(crate) max_stream_duration: Option<Duration>,
    pub(crate) max_requests_per_connection: u32,
    pub(crate) max_headers_count: u32,
    pub(crate) max_response_headers_kb: u32,
    pub(crate) underscores: UnderscoresAction,
}

impl Common {
    pub(crate) fn of(cx: &Cx<'_>, proto: Option<&core::HttpProtocolOptions>) -> Self {
        use core::http_protocol_options::HeadersWithUnderscoresAction as Action;
        let cx = &cx.field("common_http_protocol_options");
        let options = proto.copied().unwrap_or_default();
        let limit = |field, value, default| value::limit(cx, field, value, default);
        Self {
            idle_timeout: limit(
                "idle_timeout",
                options.idle_timeout.as_ref(),
                Some(Duration::from_secs(3600)),
            ),
            max_connection_duration: limit(
                "max_connection_duration",
                options.max_connection_duration.as_ref(),
                None,
            ),
            max_stream_duration: limit(
                "max_stream_duration",
                options.max_stream_duration.as_ref(),
                None,
            ),
            max_requests_per_connection: value::u32_or(
                options.max_requests_per_connection.as_ref(),
                0,
            ),
            max_headers_count: value::u32_or(options.max_headers_count.as_ref(), 100),
            max_response_headers_kb: value::u32_or(options.max_response_headers_kb.as_ref(), 60),
            underscores: match options.headers_with_underscores_action() {
                Action::Allow => UnderscoresAction::Allow,
                Action::RejectRequest => UnderscoresAction::RejectRequest,
                Action::DropHeader => UnderscoresAction::DropHeader,
            },
        }
    }
}

pub(crate) fn http2(cx: &Cx<'_>, proto: Option<&core::Http2ProtocolOptions>) -> Http2Options {
    let default = Http2Options::default();
    let Some(proto) = proto else { return default };
    let keepalive = proto.connection_keepalive.as_ref();
    let cx = &cx.field("connection_keepalive");
    Http2Options {
        max_concurrent_streams: value::u32_or(
            proto.max_concurrent_streams.as_ref(),
            default.max_concurrent_streams,
        ),
        initial_stream_window_size: value::u32_or(
            proto.initial_stream_window_size.as_ref(),
            default.initial_stream_window_size,
        ),
        initial_connection_window_size: value::u32_or(
            proto.initial_connection_window_size.as_ref(),
            default.initial_connection_window_size,
        ),
        keepalive_interval: keepalive
            .and_then(|k| value::limit(cx, "interval", k.interval.as_ref(), None)),
        keepalive_timeout: keepalive
            .and_then(|k| value::duration(cx, "timeout", k.timeout.as_ref()))
            .unwrap_or(default.keepalive_timeout),
        allow_connect: proto.allow_connect,
    }
}
