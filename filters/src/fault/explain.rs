//! Which faults a request may get, in words.

use http::StatusCode;
use tandem_core::Request;
use tandem_core::filter::Verdict;
use tandem_model::filter::fault::Fault;

use super::decide::{Abort, decide};

/// Lies within every share that is not empty …
const LUCKY: u64 = 0;
/// … and within none but the whole, of 100, 10,000 and 1,000,000.
const UNLUCKY: u64 = 999_999;

/// Of a request.
pub(crate) fn explain(config: &Fault, request: &Request) -> Verdict {
    let (possible, certain) = (
        decide(config, request, || LUCKY),
        decide(config, request, || UNLUCKY),
    );
    let chance = |certain: bool, share: String| match certain {
        true => "every request".to_owned(),
        false => format!("{share} of requests"),
    };
    let mut says = Vec::new();
    if let (Some(time), Some(delay)) = (possible.delay, &config.delay) {
        let share = delay.percentage.now().to_string();
        says.push(format!(
            "delays {} by {time:?}",
            chance(certain.delay.is_some(), share)
        ));
    }
    if let (Some(status), Some(abort)) = (possible.abort, &config.abort) {
        let share = abort.percentage.now().to_string();
        let with = match status {
            Abort::Http(status) => status.as_u16().to_string(),
            Abort::Grpc(status) => format!("gRPC status {status}"),
        };
        says.push(format!(
            "aborts {} with {with}",
            chance(certain.abort.is_some(), share)
        ));
    }
    Verdict {
        says: says.join(", "),
        refuses: certain.abort.map(|abort| match abort {
            Abort::Http(status) => status,
            Abort::Grpc(_) => StatusCode::OK,
        }),
    }
}
