//! How an endpoint is chosen: `lb_policy`, or `load_balancing_policy`, which takes its place.

use envoy_types::pb::envoy::config::cluster::v3::{self as v3, cluster as proto};
use envoy_types::pb::envoy::extensions::load_balancing_policies as policies;
use envoy_types::pb::google::protobuf::Any;
use policies::common::v3::locality_lb_config::LocalityConfigSpecifier as Locality;
use policies::least_request::v3::LeastRequest;
use policies::random::v3::Random;
use policies::round_robin::v3::RoundRobin;
use proto::common_lb_config::LocalityConfigSpecifier as Common;
use proto::{LbConfig, LbPolicy as Proto};
use tandem_model::cluster::{Discovery, LbPolicy};

use crate::cx::Cx;
use crate::support::POLICIES;
use crate::value;

/// How an endpoint is chosen, and whether the weights of localities count.
pub(super) type Policy = (LbPolicy, bool);

pub(super) fn policy(cx: &Cx<'_>, proto: &v3::Cluster, discovery: &Discovery) -> Policy {
    let original = matches!(discovery, Discovery::OriginalDst(_));
    let list = proto.load_balancing_policy.as_ref();
    let provided = proto.lb_policy() == Proto::ClusterProvided;
    // Beside a list only ORIGINAL_DST still wants its own word.
    if original && !provided || list.is_none() && provided && !original {
        cx.field("lb_policy").error(
            "expected CLUSTER_PROVIDED for clusters of type ORIGINAL_DST, and for no others",
        );
    }
    let Some(list) = list else {
        return of_enum(cx, proto);
    };
    let common = proto.common_lb_config.as_ref();
    if common.is_some_and(|common| common.locality_config_specifier.is_some()) {
        cx.field("common_lb_config").error(
            "expected no settings of localities beside load_balancing_policy, which has its own",
        );
    }
    let cx = &cx.field("load_balancing_policy");
    let policy = of_list(&cx.field("policies"), list);
    if original != (policy.0 == LbPolicy::ClusterProvided) {
        cx.error("expected ClusterProvided for clusters of type ORIGINAL_DST, and for no others");
    }
    policy
}

fn of_enum(cx: &Cx<'_>, proto: &v3::Cluster) -> Policy {
    let common = proto.common_lb_config.as_ref();
    let weighted = common.and_then(|common| common.locality_config_specifier.as_ref());
    let weighted = matches!(weighted, Some(Common::LocalityWeightedLbConfig(_)));
    let cx = &cx.field("lb_policy");
    let policy = match proto.lb_policy() {
        Proto::RoundRobin => LbPolicy::RoundRobin,
        Proto::Random => LbPolicy::Random,
        Proto::ClusterProvided => LbPolicy::ClusterProvided,
        Proto::LeastRequest => {
            let choices = match &proto.lb_config {
                Some(LbConfig::LeastRequestLbConfig(config)) => config.choice_count.as_ref(),
                _ => None,
            };
            LbPolicy::LeastRequest {
                choice_count: value::u32_or(choices, 2),
            }
        }
        Proto::LoadBalancingPolicyConfig => {
            cx.error("expected load_balancing_policy, whose place this value keeps");
            LbPolicy::RoundRobin
        }
        other => {
            cx.error(format!("'{}' is not supported", other.as_str_name()));
            LbPolicy::RoundRobin
        }
    };
    (policy, weighted)
}

/// The first that is understood: the list is there for those who do not understand the others.
fn of_list(cx: &Cx<'_>, list: &v3::LoadBalancingPolicy) -> Policy {
    let configs = list.policies.iter().map(|policy| {
        let extension = policy.typed_extension_config.as_ref();
        extension.and_then(|extension| extension.typed_config.as_ref())
    });
    let mut found = configs.clone().map(|any| any.map(value::type_name));
    let place = found.position(|name| name.is_some_and(|name| POLICIES.contains(&name)));
    let any = place.and_then(|place| configs.clone().nth(place).flatten());
    let (Some(place), Some(any)) = (place, any) else {
        let got: Vec<_> = configs.flatten().map(value::type_name).collect();
        cx.error(format!(
            "expected a policy that is supported, got [{}]",
            got.join(", ")
        ));
        return (LbPolicy::RoundRobin, false);
    };
    let cx = &cx.index(place);
    let cx = &cx.field("typed_extension_config");
    let policy = of_config(&cx.field("typed_config"), any);
    policy.unwrap_or((LbPolicy::RoundRobin, false))
}

fn of_config(cx: &Cx<'_>, any: &Any) -> Option<Policy> {
    use policies::common::v3::LocalityLbConfig;
    let weighted = |config: Option<LocalityLbConfig>| {
        let specifier = config.and_then(|config| config.locality_config_specifier);
        matches!(specifier, Some(Locality::LocalityWeightedLbConfig(_)))
    };
    Some(match value::type_name(any).rsplit('.').next()? {
        "RoundRobin" => {
            let config = value::unpack::<RoundRobin>(cx, any)?;
            (LbPolicy::RoundRobin, weighted(config.locality_lb_config))
        }
        "Random" => {
            let config = value::unpack::<Random>(cx, any)?;
            (LbPolicy::Random, weighted(config.locality_lb_config))
        }
        "LeastRequest" => {
            let config = value::unpack::<LeastRequest>(cx, any)?;
            let choice_count = value::u32_or(config.choice_count.as_ref(), 2);
            (
                LbPolicy::LeastRequest { choice_count },
                weighted(config.locality_lb_config),
            )
        }
        _ => (LbPolicy::ClusterProvided, false),
    })
}
