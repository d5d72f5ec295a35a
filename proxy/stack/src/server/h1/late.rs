//! How long a request's head may take to come.

use std::time::Duration;

use http::StatusCode;
use tandem_core::error::{Kind, LocalReply};
use tandem_core::{Error, rescue};
use tandem_model::HttpConnectionManager;

use super::super::stats::Stats;

/// The limit that is passed first: that of heads, or one of the stream, which begins with the
/// request's first byte.
pub(super) fn limit(manager: &HttpConnectionManager) -> Option<Duration> {
    first(manager).map(|(limit, _)| limit)
}

/// What is said to a client that has passed it.
pub(super) fn reply(manager: &HttpConnectionManager, stats: &Stats) -> LocalReply {
    let of_stream = first(manager)
        .and_then(|(_, kind)| kind)
        .and_then(|kind| rescue::reply(&Error::new(kind)));
    let reply = of_stream.unwrap_or_else(|| {
        stats.header_timeout.inc();
        LocalReply::new(
            StatusCode::REQUEST_TIMEOUT,
            "request header timeout",
            "request_header_timeout",
        )
    });
    reply.close()
}

fn first(manager: &HttpConnectionManager) -> Option<(Duration, Option<Kind>)> {
    [
        (manager.request_headers_timeout, None),
        (manager.stream_idle_timeout, Some(Kind::StreamIdleTimeout)),
        (
            manager.request_timeout,
            Some(Kind::DownstreamRequestTimeout),
        ),
        (manager.max_stream_duration, Some(Kind::MaxStreamDuration)),
    ]
    .into_iter()
    .filter_map(|(limit, kind)| Some((limit.filter(|limit| !limit.is_zero())?, kind)))
    .min_by_key(|(limit, _)| *limit)
}
