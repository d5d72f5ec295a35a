//! What filters would do to a request, for whoever asks instead of sending one.

use tandem_core::Request;
use tandem_core::ext::ConnectionInfo;
use tandem_core::filter::Verdict;
use tandem_model::filter::FilterConfig;
use tandem_model::listener::ConnectionFilter;

use crate::{compressor, fault, rbac};

/// What an HTTP filter would do to a request.
pub fn explain(config: &FilterConfig, request: &Request) -> Verdict {
    match config {
        FilterConfig::Compressor(config) => compressor::explain(config, request),
        FilterConfig::Fault(config) => fault::explain(config, request),
        FilterConfig::Rbac(config) => rbac::explain(config, request),
        FilterConfig::Runtime(_) => Verdict {
            says: "answers calls of the runtime APIs; all others pass".to_owned(),
            refuses: None,
        },
    }
}

/// What a network filter would do to a connection.
pub fn explain_connection(config: &ConnectionFilter, connection: &ConnectionInfo) -> Verdict {
    match config {
        ConnectionFilter::Rbac(config) => rbac::explain_connection(config, connection),
    }
}
