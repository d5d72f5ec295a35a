//! Access logs: one line for each request, however it ends.

mod filter;
mod finish;
mod layer;
mod sinks;
#[cfg(test)]
mod tests;

pub use layer::{AccessLog, AccessLogLayer};
pub use sinks::Sinks;

pub(crate) use finish::Finish;

use std::sync::Arc;

use tandem_core::ext::CaptureSpec;
use tandem_core::format::{self, Context};
use tandem_model::access_log::{AccessLog as Config, Filter, LogFormat};
use tandem_model::format::{Format, HeaderArg, HeaderKey, Operator};
use tandem_model::scheme::X_FORWARDED_PROTO;

/// Access logs ready to be written to.
#[derive(Clone, Debug)]
pub struct Logs {
    entries: Arc<[Entry]>,
    sinks: Sinks,
    /// Which response headers the lines show.
    response_headers: Arc<[http::HeaderName]>,
    /// Whether any line shows trailers or the gRPC status.
    wants_trailers: bool,
}

#[derive(Debug)]
struct Entry {
    sink: sinks::SinkId,
    format: LogFormat,
    filter: Option<Filter>,
}

impl Logs {
    /// Opens the sinks of a configuration.
    pub fn new(configs: &[Arc<Config>], sinks: &Sinks) -> Self {
        let entries: Arc<[_]> = configs
            .iter()
            .map(|config| Entry {
                sink: sinks.open(&config.sink),
                format: config.format.clone(),
                filter: config.filter.clone(),
            })
            .collect();
        let mut response_headers = vec![tandem_core::grpc::GRPC_STATUS];
        let mut filters = entries.iter().filter_map(|entry| entry.filter.as_ref());
        let mut wants_trailers = filters.any(Filter::asks_for_grpc_status);
        for operator in formats(configs)
            .iter()
            .flat_map(|format| format.operators())
        {
            match operator {
                Operator::Resp(arg) => names(arg, &mut response_headers),
                Operator::Trailer(_) | Operator::GrpcStatus(_) | Operator::GrpcStatusNumber => {
                    wants_trailers = true;
                }
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
            self.sinks.append(entry.sink, |out| match &entry.format {
                LogFormat::Text(text) => format::write(text, context, out),
                LogFormat::Json(json) => format::write_json(json, context, out),
            });
        }
    }
}

/// What has to be kept of request headers for these logs and formats.
pub(crate) fn capture<'a>(
    configs: &'a [Arc<Config>],
    more: impl IntoIterator<Item = &'a Format>,
) -> Arc<CaptureSpec> {
    let mut headers = Vec::new();
    let logs = formats(configs);
    for operator in logs.into_iter().chain(more).flat_map(Format::operators) {
        if let Operator::Req(arg) = operator {
            names(arg, &mut headers);
        }
    }
    let mut matched = Vec::new();
    for filter in configs.iter().filter_map(|config| config.filter.as_ref()) {
        filter::names(filter, &mut matched);
    }
    Arc::new(CaptureSpec { headers, matched })
}

fn formats(configs: &[Arc<Config>]) -> Vec<&Format> {
    configs
        .iter()
        .flat_map(|config| match &config.format {
            LogFormat::Text(format) => vec![format],
            LogFormat::Json(json) => json.formats(),
        })
        .collect()
}

fn names(arg: &HeaderArg, into: &mut Vec<http::HeaderName>) {
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
