//! Which metrics there are, and their labels.

use envoy_types::pb::envoy::config::metrics::v3 as proto;
use envoy_types::pb::envoy::r#type::matcher::v3::ListStringMatcher;
use tandem_model::matching::StringMatcher;
use tandem_model::metrics::{MetricsConfig, Selection, Tag, TagPattern, TagValue};

use crate::cx::Cx;
use crate::matcher;

/// The labels that some metric has by itself.
const OWN: [&str; 10] = [
    "envoy.cluster_name",
    "envoy.http_conn_manager_prefix",
    "envoy.listener_address",
    "envoy.response_code",
    "envoy.response_code_class",
    "envoy.ssl_cipher",
    "envoy.ssl_curve",
    "envoy.ssl_sigalg",
    "envoy.ssl_version",
    "envoy.tcp_prefix",
];

pub(super) fn config(cx: &Cx<'_>, proto: Option<&proto::StatsConfig>) -> MetricsConfig {
    let Some(proto) = proto else {
        return MetricsConfig::default();
    };
    let cx = &cx.field("stats_config");
    let matcher = proto.stats_matcher.as_ref();
    MetricsConfig {
        default_tags: proto.use_all_default_tags.is_none_or(|all| all.value),
        tags: cx.each("stats_tags", &proto.stats_tags, tag),
        selection: matcher.map_or(Selection::All, |proto| {
            selection(&cx.field("stats_matcher"), proto)
        }),
    }
}

fn tag(cx: &Cx<'_>, proto: &proto::TagSpecifier) -> Option<Tag> {
    use proto::tag_specifier::TagValue as Proto;
    let name = proto.tag_name.as_str();
    if name.is_empty() {
        cx.field("tag_name").error("expected a name");
        return None;
    }
    let value = match &proto.tag_value {
        Some(Proto::FixedValue(value)) => TagValue::Fixed(value.as_str().into()),
        Some(Proto::Regex(pattern)) if !pattern.is_empty() => {
            TagValue::Pattern(cx.field("regex").ok(TagPattern::new(pattern))?)
        }
        None | Some(Proto::Regex(_)) if OWN.contains(&name) => TagValue::Default,
        None | Some(Proto::Regex(_)) => {
            cx.error(format!(
                "expected a regex or a fixed_value, since '{name}' is none of the default tags {}",
                OWN.join(", ")
            ));
            return None;
        }
    };
    let name = name.into();
    Some(Tag { name, value })
}

fn selection(cx: &Cx<'_>, proto: &proto::StatsMatcher) -> Selection {
    use proto::stats_matcher::StatsMatcher as Proto;
    match &proto.stats_matcher {
        None | Some(Proto::RejectAll(false)) => Selection::All,
        Some(Proto::RejectAll(true)) => Selection::None,
        Some(Proto::ExclusionList(list)) => {
            Selection::Except(conditions(&cx.field("exclusion_list"), list))
        }
        Some(Proto::InclusionList(list)) => {
            Selection::Only(conditions(&cx.field("inclusion_list"), list))
        }
    }
}

fn conditions(cx: &Cx<'_>, list: &ListStringMatcher) -> Vec<StringMatcher> {
    cx.each("patterns", &list.patterns, matcher::string)
}
