//! What the rules say, in words.

use std::sync::Arc;

use http::StatusCode;
use tandem_core::Request;
use tandem_core::ext::{ConnectionInfo, StreamInfo};
use tandem_core::filter::Verdict;
use tandem_model::filter::rbac::{Action, ConnectionRbac, Facts, Rbac};

use super::facts;

/// Of a request.
pub(crate) fn explain(config: &Rbac, request: &Request) -> Verdict {
    let info = request.extensions().get::<Arc<StreamInfo>>();
    verdict(config, &facts::of_request(request, info))
}

/// Of a connection.
pub(crate) fn explain_connection(config: &ConnectionRbac, connection: &ConnectionInfo) -> Verdict {
    verdict(&config.rbac, &facts::of_connection(connection))
}

fn verdict(config: &Rbac, facts: &Facts<'_>) -> Verdict {
    let Some(rules) = &config.rules else {
        return Verdict::default();
    };
    let decided = rules.decide(facts);
    let policy = decided.policy.and_then(|at| rules.policies.get(at));
    let says = match (decided.allowed, policy) {
        (true, Some(policy)) => format!("access allowed by policy '{}'", policy.name),
        (false, Some(policy)) => format!("access denied by policy '{}'", policy.name),
        (true, None) => "access allowed: no policy denies it".to_owned(),
        (false, None) => {
            let names = rules.policies.iter().map(|policy| &*policy.name);
            let names = names.collect::<Vec<_>>().join(", ");
            format!("access denied: none of the policies that allow matches ({names})")
        }
    };
    let says = match rules.action {
        Action::Log => "access is only logged".to_owned(),
        Action::Allow | Action::Deny => says,
    };
    Verdict {
        says,
        refuses: (!decided.allowed).then_some(StatusCode::FORBIDDEN),
    }
}
