//! Circuit breakers.

use envoy_types::pb::envoy::config::cluster::v3::circuit_breakers::thresholds::RetryBudget as BudgetProto;
use envoy_types::pb::envoy::config::cluster::v3::{CircuitBreakers, circuit_breakers};
use envoy_types::pb::envoy::config::core::v3::RoutingPriority;
use tandem_model::cluster::{RetryBudget, Thresholds};

use crate::cx::Cx;
use crate::value;

/// The limits of the DEFAULT and the HIGH priority.
pub(super) fn thresholds(cx: &Cx<'_>, proto: Option<&CircuitBreakers>) -> [Thresholds; 2] {
    let mut found = [None, None];
    let list = &cx.field("thresholds");
    for (i, proto) in proto
        .map_or(&[][..], |proto| &proto.thresholds)
        .iter()
        .enumerate()
    {
        let slot = usize::from(proto.priority() == RoutingPriority::High);
        if found[slot].replace(limits(proto)).is_some() {
            list.index(i).error("expected every priority once");
        }
    }
    found.map(Option::unwrap_or_default)
}

fn limits(proto: &circuit_breakers::Thresholds) -> Thresholds {
    let default = Thresholds::default();
    Thresholds {
        max_connections: value::u32_or(proto.max_connections.as_ref(), default.max_connections),
        max_pending_requests: value::u32_or(
            proto.max_pending_requests.as_ref(),
            default.max_pending_requests,
        ),
        max_requests: value::u32_or(proto.max_requests.as_ref(), default.max_requests),
        max_retries: value::u32_or(proto.max_retries.as_ref(), default.max_retries),
        retry_budget: proto.retry_budget.as_ref().map(budget),
        track_remaining: proto.track_remaining,
    }
}

fn budget(proto: &BudgetProto) -> RetryBudget {
    RetryBudget {
        budget_percent: value::percent(proto.budget_percent.as_ref(), 20.0),
        min_retry_concurrency: value::u32_or(proto.min_retry_concurrency.as_ref(), 3),
    }
}
