//! What is written of each decision, for who looks for the policy that decided.

use tandem_model::filter::rbac::{Decision, Facts, Rules};

/// Logs what rules said, at debug: without that level nothing of it is made.
pub(super) fn say(kind: &'static str, rules: &Rules, decision: Decision, facts: &Facts<'_>) {
    tracing::debug!(
        policy = policy(rules, decision),
        client = facts.client.map(tracing::field::display),
        path = facts.request.as_ref().map(|request| request.path()),
        "{kind}: {}",
        if decision.allowed {
            "allowed"
        } else {
            "denied"
        }
    );
}

/// The policy that matched, as the response code details name it.
fn policy(rules: &Rules, decision: Decision) -> &str {
    let policy = decision.policy.and_then(|at| rules.policies.get(at));
    policy.map_or("none", |policy| &policy.name)
}
