//! Access logs: one line or entry for each request, however it ends.

mod entries;
mod filter;
mod finish;
mod layer;
mod sinks;
#[cfg(test)]
mod tests;

pub use entries::{EntrySink, EntrySinks, Worker};
pub use layer::{AccessLog, AccessLogLayer};
pub use sinks::Sinks;

pub(crate) use finish::{Finish, Unwritten, cut_off_here};

use std::sync::Arc;

use http::HeaderName;
use http::header::{REFERER, USER_AGENT};
use tandem_core::ext::CaptureSpec;
use tandem_core::format::{self, Context};
use tandem_core::headers::{X_ENVOY_ORIGINAL_PATH, X_FORWARDED_FOR, X_REQUEST_ID};
use tandem_model::access_log::{
    AccessLog as Config, Entries, Filter, LogFormat, LoggedHeader, LoggedHeaders, Output,
};
use tandem_model::format::{Format, HeaderArg, HeaderKey, Operator};
use tandem_model::scheme::X_FORWARDED_PROTO;

/// Access logs ready to be written to.
#[derive(Clone, Debug)]
pub struct Logs {
    entries: Arc<[Entry]>,
    sinks: Sinks,
    /// Which response headers the lines show.
    response_headers: Arc<[HeaderName]>,
    /// Whether any line shows trailers or the gRPC status.
    wants_trailers: bool,
}

#[derive(Debug)]
struct Entry {
    target: Target,
    filter: Option<Filter>,
}

#[derive(Debug)]
enum Target {
    Lines(sinks::SinkId, LogFormat),
    Entries(Arc<dyn EntrySink>),
}

impl Logs {
    /// Opens the sinks of a configuration.
    pub fn new(configs: &[Arc<Config>], sinks: &Sinks, services: &EntrySinks) -> Self {
        let entries: Arc<[_]> = configs
            .iter()
            .map(|config| Entry {
                target: match &config.output {
                    Output::Lines { sink, format } => {
                        Target::Lines(sinks.open(sink), format.clone())
                    }
                    Output::Grpc(log) => Target::Entries(services.open(log)),
                },
                filter: config.filter.clone(),
            })
            .collect();
        let mut response_headers = vec![tandem_core::grpc::GRPC_STATUS];
        let mut filters = entries.iter().filter_map(|entry| entry.filter.as_ref());
        let mut wants_trailers = filters.any(Filter::asks_for_grpc_status);
        for LoggedHeaders {
            response, trailers, ..
        } in logged_headers(configs)
        {
            named(response, &mut response_headers);
            wants_trailers |= !trailers.is_empty();
        }
        for operator in formats(configs)
            .iter()
            .flat_map(|format| format.operators())
        {
            match operator {
                Operator::Resp(arg) => names(arg, &mut response_headers),
                Operator::Trailer(_)
                | Operator::ResponseTrailersBytes
                | Operator::GrpcStatus(_)
                | Operator::GrpcStatusNumber => wants_trailers = true,
                _ => {}
            }
        }
        Self {
            entries,
            sinks: sinks.clone(),
            response_headers: response_headers.into(),
            wants_trailers,
        }
    }

    /// Writes a line to each that wants one.
    pub fn write(&self, context: &Context<'_>) {
        for entry in &*self.entries {
            let filter = entry.filter.as_ref();
            if filter.is_some_and(|filter| !filter::holds(filter, context)) {
                continue;
            }
            match &entry.target {
                Target::Lines(sink, line) => self.sinks.append(*sink, |out| match line {
                    LogFormat::Text(text) => format::write(text, context, out),
                    LogFormat::Json(json) => format::write_json(json, context, out),
                }),
                Target::Entries(sink) => sink.log(context),
            }
        }
    }
}

/// What has to be kept of request headers for these logs and formats.
pub(crate) fn capture<'a>(
    configs: &'a [Arc<Config>],
    more: impl IntoIterator<Item = &'a Format>,
) -> Arc<CaptureSpec> {
    let mut headers = Vec::new();
    let mut all = formats(configs);
    all.extend(more);
    let mut wire = false;
    for operator in all.iter().flat_map(|format| format.operators()) {
        match operator {
            Operator::Req(arg) => names(arg, &mut headers),
            Operator::Path(_) => headers.push(X_ENVOY_ORIGINAL_PATH),
            Operator::DownstreamWireBytesReceived
            | Operator::DownstreamWireBytesSent
            | Operator::UpstreamWireBytesReceived
            | Operator::UpstreamWireBytesSent => wire = true,
            _ => {}
        }
    }
    let mut matched = Vec::new();
    for filter in configs.iter().filter_map(|config| config.filter.as_ref()) {
        filter::names(filter, &mut matched);
    }
    let mut measured = all.iter().any(|format| format.measures());
    for LoggedHeaders { request, .. } in logged_headers(configs) {
        measured = true;
        headers.extend(IN_ENTRIES);
        headers.push(X_FORWARDED_PROTO);
        named(request, &mut matched);
    }
    Arc::new(CaptureSpec {
        headers,
        matched,
        measured,
        wire,
    })
}

/// Request headers that every entry has.
const IN_ENTRIES: [HeaderName; 5] = [
    USER_AGENT,
    REFERER,
    X_FORWARDED_FOR,
    X_REQUEST_ID,
    X_ENVOY_ORIGINAL_PATH,
];

/// What the logs want that are sent to a service.
fn logged_headers(configs: &[Arc<Config>]) -> impl Iterator<Item = &LoggedHeaders> {
    configs.iter().filter_map(|config| match &config.output {
        Output::Grpc(log) => match &log.entries {
            Entries::Http(headers) => Some(headers),
            Entries::Tcp => None,
        },
        Output::Lines { .. } => None,
    })
}

/// The ordinary headers among them.
fn named(headers: &[LoggedHeader], into: &mut Vec<HeaderName>) {
    for header in headers {
        match &header.key {
            HeaderKey::Name(name) if !into.contains(name) => into.push(name.clone()),
            _ => {}
        }
    }
}

fn formats(configs: &[Arc<Config>]) -> Vec<&Format> {
    configs
        .iter()
        .flat_map(|config| match &config.output {
            Output::Lines {
                format: LogFormat::Text(format),
                ..
            } => vec![format],
            Output::Lines {
                format: LogFormat::Json(json),
                ..
            } => json.formats(),
            Output::Grpc(_) => Vec::new(),
        })
        .collect()
}

fn names(arg: &HeaderArg, into: &mut Vec<HeaderName>) {
    for key in std::iter::once(&arg.main).chain(&arg.alternative) {
        let name = match key {
            HeaderKey::Name(name) => name,
            // HTTP/1 says it nowhere else.
            HeaderKey::Scheme => &X_FORWARDED_PROTO,
            _ => continue,
        };
        if !into.contains(name) {
            into.push(name.clone());
        }
    }
}
