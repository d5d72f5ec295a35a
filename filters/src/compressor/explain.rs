//! What a client may get, in words.

use http::header::ACCEPT_ENCODING;
use tandem_core::Request;
use tandem_core::filter::Verdict;
use tandem_model::filter::compressor::Compressor;

use super::negotiate::{self, Coding};

/// Of a request; which of several compressors it is depends on the answer too.
pub(crate) fn explain(config: &Compressor, request: &Request) -> Verdict {
    let coding = Coding {
        name: config.library.coding(),
        choose_first: config.choose_first,
    };
    let accepted = request.headers().get(ACCEPT_ENCODING);
    let accepted = accepted.and_then(|accepted| accepted.to_str().ok());
    let choice = accepted.map(|accepted| negotiate::choose(accepted, vec![coding]));
    let enabled = config.response.common.enabled.now();
    let may = enabled && choice.is_some_and(|choice| choice.coding().is_some());
    Verdict {
        says: match may {
            true => format!("may compress the answer ({})", coding.name),
            false => String::new(),
        },
        refuses: None,
    }
}
