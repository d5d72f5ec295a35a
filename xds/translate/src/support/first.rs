//! Lists whose first entry that is understood counts: the others are there for those who do not
//! understand it, and need not be understood.

use std::ops::Range;

use crate::schema::Message;
use crate::view::{self, View};
use crate::wire::Raw;

/// Policies of load balancing that may be in a list.
pub(crate) const POLICIES: [&str; 4] = [
    "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin",
    "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest",
    "envoy.extensions.load_balancing_policies.random.v3.Random",
    "envoy.extensions.load_balancing_policies.cluster_provided.v3.ClusterProvided",
];

/// What such a list has.
const POLICY: &str = "envoy.config.cluster.v3.LoadBalancingPolicy.Policy";

/// The entries of a list that count: all, if it is no such list; none, if no entry is understood,
/// which is refused where the list is read.
pub(super) fn counting(ty: Message, raws: &[Raw<'_>]) -> Range<usize> {
    if ty.name() != POLICY {
        return 0..raws.len();
    }
    let mut places = 0..raws.len();
    let first = places.find(|&place| is_understood(ty, view::bytes_of(raws[place])));
    first.map_or(0..0, |first| first..first + 1)
}

fn is_understood(ty: Message, policy: &[u8]) -> bool {
    let extension = inner(ty, policy, "typed_extension_config");
    let any = extension.and_then(|(ty, bytes)| inner(ty, &bytes, "typed_config"));
    any.is_some_and(|(_, bytes)| {
        let url = view::any(&bytes).map_or("", |(url, _)| url);
        let name = url.rsplit('/').next().unwrap_or_default();
        POLICIES.contains(&name)
    })
}

/// A message in a message.
fn inner(ty: Message, bytes: &[u8], field: &str) -> Option<(Message, Vec<u8>)> {
    let field = ty.field_named(field)?;
    let crate::schema::Kind::Message(inner) = field.kind() else {
        return None;
    };
    let view = View::of(ty, bytes).ok()?;
    Some((inner, view::merged(view.get(field)?).to_vec()))
}
