//! Listener filters.

use envoy_types::pb::envoy::config::listener::v3::{
    self as proto,
    listener_filter::ConfigType,
    listener_filter_chain_match_predicate::{MatchSet, Rule},
};
use envoy_types::pb::envoy::extensions::filters::listener::{
    original_src::v3 as original_src, tls_inspector::v3 as tls,
};
use tandem_model::listener::{
    ListenerFilter, ListenerFilterKind, OriginalSrc, PortPredicate, TlsInspector,
};

use crate::cx::Cx;
use crate::value;

const ORIGINAL_DST: &str = "envoy.extensions.filters.listener.original_dst.v3.OriginalDst";
const ORIGINAL_SRC: &str = "envoy.extensions.filters.listener.original_src.v3.OriginalSrc";
const TLS_INSPECTOR: &str = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
const HTTP_INSPECTOR: &str = "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector";

pub(super) fn listener_filter(
    cx: &Cx<'_>,
    proto: &proto::ListenerFilter,
) -> Option<ListenerFilter> {
    let disabled = match &proto.filter_disabled {
        Some(proto) => Some(predicate(&cx.field("filter_disabled"), proto)?),
        None => None,
    };
    let Some(ConfigType::TypedConfig(any)) = &proto.config_type else {
        cx.error("expected a typed_config");
        return None;
    };
    let cx = &cx.field("typed_config");
    let kind = match value::type_name(any) {
        ORIGINAL_DST => ListenerFilterKind::OriginalDst,
        ORIGINAL_SRC => ListenerFilterKind::OriginalSrc(original_src(&value::unpack(cx, any)?)),
        HTTP_INSPECTOR => ListenerFilterKind::HttpInspector,
        TLS_INSPECTOR => ListenerFilterKind::TlsInspector(tls_inspector(value::unpack(cx, any)?)),
        other => {
            cx.error(format!("filter type '{other}' is not supported"));
            return None;
        }
    };
    Some(ListenerFilter {
        name: proto.name.as_str().into(),
        disabled,
        kind,
    })
}

/// No mark is 0; that of a socket without one is 0 too.
fn original_src(proto: &original_src::OriginalSrc) -> OriginalSrc {
    OriginalSrc {
        mark: (proto.mark != 0).then_some(proto.mark),
    }
}

fn tls_inspector(proto: tls::TlsInspector) -> TlsInspector {
    let default = TlsInspector::default();
    TlsInspector {
        initial_read_buffer_size: value::u32_or(
            proto.initial_read_buffer_size.as_ref(),
            default.initial_read_buffer_size,
        ),
        max_client_hello_size: value::u32_or(
            proto.max_client_hello_size.as_ref(),
            default.max_client_hello_size,
        ),
        close_on_parsing_errors: proto.close_connection_on_client_hello_parsing_errors,
    }
}

fn predicate(
    cx: &Cx<'_>,
    proto: &proto::ListenerFilterChainMatchPredicate,
) -> Option<PortPredicate> {
    Some(match &proto.rule {
        Some(Rule::AnyMatch(_)) => PortPredicate::Always,
        Some(Rule::OrMatch(set)) => PortPredicate::Or(rules(&cx.field("or_match"), set)),
        Some(Rule::AndMatch(set)) => PortPredicate::And(rules(&cx.field("and_match"), set)),
        Some(Rule::NotMatch(rule)) => {
            PortPredicate::Not(Box::new(predicate(&cx.field("not_match"), rule)?))
        }
        Some(Rule::DestinationPortRange(range)) => PortPredicate::Range(range.start, range.end),
        None => {
            cx.error("expected a rule");
            return None;
        }
    })
}

fn rules(cx: &Cx<'_>, set: &MatchSet) -> Vec<PortPredicate> {
    cx.each("rules", &set.rules, predicate)
}
