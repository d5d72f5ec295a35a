//! The router filter.

use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router as Proto;
use envoy_types::pb::google::protobuf::Any;
use tandem_model::filter::router::Router;

use crate::cx::Cx;
use crate::value;

pub(super) fn router(cx: &Cx<'_>, any: &Any) -> Option<Router> {
    let proto: Proto = value::unpack(cx, any)?;
    Some(Router {
        suppress_envoy_headers: proto.suppress_envoy_headers,
        strict_check_headers: cx.each(
            "strict_check_headers",
            &proto.strict_check_headers,
            |cx, name| value::header_name(cx, name),
        ),
        respect_expected_rq_timeout: proto.respect_expected_rq_timeout,
    })
}
