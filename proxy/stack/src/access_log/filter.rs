//! Whether a request has a line in a log: decided before anything of the line is written.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tandem_core::ext::{Captured, Protocol, StreamInfo};
use tandem_core::format::Context;
use tandem_core::{ResponseFlags, grpc};
use tandem_model::FractionalPercent;
use tandem_model::access_log::Filter;
use tandem_model::headers::{HeaderMatcher, MatchedHeader};
use tandem_model::matching::RequestView;
use tandem_model::scheme::X_FORWARDED_PROTO;

/// Whether the condition holds of a request that is over.
pub(super) fn holds(filter: &Filter, context: &Context<'_>) -> bool {
    let info = context.info;
    match filter {
        Filter::StatusCode(comparison) => comparison.holds(
            context
                .response
                .map_or(0, |(status, _)| u64::from(status.as_u16())),
        ),
        Filter::Duration(comparison) => context
            .duration
            .is_some_and(|took| comparison.holds(millis(took))),
        Filter::Header(matcher) => match info.logged_request() {
            // What is refused for want of a host is refused before it is given a scheme.
            Some(captured) if matcher.name == MatchedHeader::Scheme && !has_host(captured) => {
                matcher.matches_headers(&HeaderMap::new())
            }
            Some(captured) => {
                let host = info.endpoint_authority.load_full();
                matcher.matches(&view(captured, info, host.as_deref()))
            }
            None => matcher.matches_headers(&HeaderMap::new()),
        },
        Filter::ResponseFlags(names) if names.is_empty() => info.flags() != ResponseFlags::NONE,
        Filter::ResponseFlags(names) => has_one(info.flags(), names),
        Filter::GrpcStatus { statuses, exclude } => {
            statuses.contains(&grpc_status(context)) != *exclude
        }
        Filter::Sampled {
            share,
            key,
            independent,
        } => {
            let id = if *independent { None } else { of_id(info) };
            let said = key.integer().map(|said| FractionalPercent {
                numerator: u32::try_from(said).unwrap_or(u32::MAX),
                ..*share
            });
            let share = said.unwrap_or(*share);
            share.hit(id.unwrap_or_else(rand::random))
        }
        Filter::LogType { request, tcp } => match info.protocol {
            Protocol::Tcp => *tcp,
            _ => *request,
        },
        Filter::All(filters) => filters.iter().all(|filter| holds(filter, context)),
        Filter::Any(filters) => filters.iter().any(|filter| holds(filter, context)),
    }
}

/// The headers that have to be kept for it, with all their values.
pub(super) fn names(filter: &Filter, into: &mut Vec<HeaderName>) {
    for HeaderMatcher { name, .. } in filter.header_matchers() {
        let name = match name {
            MatchedHeader::Name(name) => name,
            MatchedHeader::Scheme => &X_FORWARDED_PROTO,
            MatchedHeader::Method | MatchedHeader::Path | MatchedHeader::Authority => continue,
        };
        if !into.contains(name) {
            into.push(name.clone());
        }
    }
}

fn has_host(captured: &Captured) -> bool {
    captured.uri.authority().is_some() || captured.host.is_some()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn view<'a>(
    captured: &'a Captured,
    info: &StreamInfo,
    endpoint: Option<&'a str>,
) -> RequestView<'a> {
    static NONE: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);
    let uri = &captured.uri;
    let host = captured.host.as_ref().and_then(|host| host.to_str().ok());
    let authority = endpoint.or(uri.authority().map(|authority| authority.as_str()));
    RequestView {
        method: &captured.method,
        path_and_query: uri.path_and_query().map_or("", |path| path.as_str()),
        authority: authority.or(host).unwrap_or_default(),
        uri_scheme: uri.scheme_str(),
        encrypted: info.connection.is_tls(),
        headers: captured.matched.as_deref().unwrap_or(&NONE),
        is_grpc: info.is_grpc,
        random: 0,
    }
}

/// Flags that this proxy does not know are never set.
fn has_one(flags: ResponseFlags, names: &[Arc<str>]) -> bool {
    let named = |short: &str| names.iter().any(|name| **name == *short);
    let mut all = ResponseFlags::ALL.iter();
    all.any(|(flag, short, _)| flags.contains(*flag) && named(short))
}

/// As Envoy has it, of any answer: what is no gRPC says it by its HTTP status.
fn grpc_status(context: &Context<'_>) -> u32 {
    const UNKNOWN: u32 = 2;
    let told = |headers: &HeaderMap| {
        let value = headers.get(grpc::GRPC_STATUS)?;
        Some(value.to_str().ok()?.parse().unwrap_or(u32::MAX))
    };
    let of_answer = || {
        let (status, headers) = context.response?;
        told(headers).or_else(|| Some(grpc::status_from_http(status)))
    };
    let of_trailers = context.trailers.and_then(told);
    of_trailers.or_else(of_answer).unwrap_or(UNKNOWN)
}

/// The same number for a request wherever it passes: the first digits of its id.
fn of_id(info: &StreamInfo) -> Option<u64> {
    let id = info.request_id.get()?.to_str().ok()?;
    u64::from_str_radix(id.get(..8)?, 16).ok()
}
