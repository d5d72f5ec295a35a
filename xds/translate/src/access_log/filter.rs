//! Filters of access logs.

use envoy_types::pb::envoy::config::accesslog::v3::{
    self as proto, AccessLogFilter, access_log_filter::FilterSpecifier,
};
use envoy_types::pb::envoy::data::accesslog::v3::AccessLogType;
use tandem_model::FractionalPercent;
use tandem_model::access_log::{Comparison, Filter, Op};
use tandem_model::runtime::RuntimeKey;

use crate::cx::Cx;
use crate::{matcher, value};

pub(super) fn filter(cx: &Cx<'_>, proto: &AccessLogFilter) -> Option<Filter> {
    use FilterSpecifier as Kind;
    match proto.filter_specifier.as_ref()? {
        Kind::StatusCodeFilter(proto) => {
            comparison(proto.comparison.as_ref()).map(Filter::StatusCode)
        }
        Kind::DurationFilter(proto) => comparison(proto.comparison.as_ref()).map(Filter::Duration),
        // Health checks are told apart by a filter of Envoy's that is not there to mark any.
        Kind::NotHealthCheckFilter(_) => Some(Filter::All(Vec::new())),
        Kind::RuntimeFilter(proto) => Some(Filter::Sampled {
            share: value::fraction(proto.percent_sampled.as_ref())
                .unwrap_or(FractionalPercent::NONE),
            key: RuntimeKey::named(&proto.runtime_key),
            independent: proto.use_independent_randomness,
        }),
        Kind::AndFilter(proto) => {
            let filters = cx.field("and_filter");
            all(&filters, &proto.filters).map(Filter::All)
        }
        Kind::OrFilter(proto) => {
            let filters = cx.field("or_filter");
            all(&filters, &proto.filters).map(Filter::Any)
        }
        Kind::HeaderFilter(proto) => {
            let cx = &cx.field("header_filter");
            matcher::header(&cx.field("header"), proto.header.as_ref()?).map(Filter::Header)
        }
        Kind::ResponseFlagFilter(proto) => Some(Filter::ResponseFlags(
            proto
                .flags
                .iter()
                .map(|flag| flag.as_str().into())
                .collect(),
        )),
        Kind::GrpcStatusFilter(proto) => Some(Filter::GrpcStatus {
            statuses: proto
                .statuses
                .iter()
                .filter_map(|&status| u32::try_from(status).ok())
                .collect(),
            exclude: proto.exclude,
        }),
        Kind::LogTypeFilter(proto) => {
            let takes = |ty: AccessLogType| proto.types.contains(&(ty as i32)) != proto.exclude;
            Some(Filter::LogType {
                request: takes(AccessLogType::DownstreamEnd),
                tcp: takes(AccessLogType::TcpConnectionEnd),
            })
        }
        Kind::TraceableFilter(_) | Kind::ExtensionFilter(_) | Kind::MetadataFilter(_) => {
            cx.error("this filter is not supported");
            None
        }
    }
}

fn all(cx: &Cx<'_>, protos: &[AccessLogFilter]) -> Option<Vec<Filter>> {
    let filters = cx.each("filters", protos, filter);
    (filters.len() == protos.len()).then_some(filters)
}

fn comparison(proto: Option<&proto::ComparisonFilter>) -> Option<Comparison> {
    use proto::comparison_filter::Op as Proto;
    let proto = proto?;
    Some(Comparison {
        op: match proto.op() {
            Proto::Eq => Op::Equal,
            Proto::Ne => Op::NotEqual,
            Proto::Ge => Op::AtLeast,
            Proto::Le => Op::AtMost,
        },
        value: proto.value.as_ref().map_or(0, |value| value.default_value),
        key: (proto.value.as_ref()).map(|value| RuntimeKey::named(&value.runtime_key)),
    })
}
