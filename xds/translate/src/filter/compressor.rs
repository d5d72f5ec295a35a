//! Compression.

mod library;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::filters::http::compressor::v3::{
    Compressor as Proto, CompressorPerRoute, compressor as proto, compressor_per_route::Override,
};
use envoy_types::pb::google::protobuf::Any;
use http::StatusCode;
use tandem_model::filter::PerRouteConfig;
use tandem_model::filter::compressor::{Compressor, Direction, ResponseDirection};
use tandem_model::matching::{StringMatch, StringMatcher};
use tandem_model::runtime::{RuntimeFlag, RuntimeKey};

use crate::cx::Cx;
use crate::{matcher, value};

/// Envoy's own least length.
const MIN_CONTENT_LENGTH: u32 = 30;

/// Envoy's own types.
const CONTENT_TYPES: &[&str] = &[
    "text/html",
    "text/plain",
    "text/css",
    "application/javascript",
    "application/x-javascript",
    "text/javascript",
    "text/x-javascript",
    "text/ecmascript",
    "text/js",
    "text/jscript",
    "text/x-js",
    "application/ecmascript",
    "application/x-json",
    "application/xml",
    "application/json",
    "image/svg+xml",
    "text/xml",
    "application/xhtml+xml",
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web+thrift",
];

pub(super) fn compressor(cx: &Cx<'_>, any: &Any) -> Option<Compressor> {
    let proto: Proto = value::unpack(cx, any)?;
    let Some(library) = &proto.compressor_library else {
        cx.error("expected a compressor_library");
        return None;
    };
    let request = proto.request_direction_config.as_ref();
    let request = request.map(|config| {
        let cx = &cx.field("request_direction_config");
        direction(cx, config.common_config.as_ref())
    });
    Some(Compressor {
        library_name: library.name.as_str().into(),
        library: library::library(&cx.field("compressor_library"), library)?,
        request,
        response: match &proto.response_direction_config {
            Some(config) => response(&cx.field("response_direction_config"), config),
            None => deprecated(&proto),
        },
        choose_first: proto.choose_first,
    })
}

/// What a route says of a compressor.
pub(super) fn per_route(cx: &Cx<'_>, any: &Any) -> Option<PerRouteConfig> {
    let proto: CompressorPerRoute = value::unpack(cx, any)?;
    if proto.r#override == Some(Override::Disabled(true)) {
        return Some(PerRouteConfig::Disabled);
    }
    cx.error("expected 'disabled: true', nothing else is supported");
    None
}

fn direction(cx: &Cx<'_>, proto: Option<&proto::CommonDirectionConfig>) -> Direction {
    let none = proto::CommonDirectionConfig::default();
    let proto = proto.unwrap_or(&none);
    let cx = &cx.field("common_config");
    let matchers = cx.each(
        "content_type_matcher",
        &proto.content_type_matcher,
        matcher::string,
    );
    #[allow(deprecated, reason = "what takes its place is new")]
    let named = &proto.content_type;
    Direction {
        enabled: flag(proto.enabled.as_ref()),
        min_content_length: length(proto.min_content_length.as_ref()),
        content_types: match matchers.is_empty() {
            true => types(named),
            false => matchers,
        },
    }
}

fn response(cx: &Cx<'_>, proto: &proto::ResponseDirectionConfig) -> ResponseDirection {
    let statuses = &proto.uncompressible_response_codes;
    ResponseDirection {
        common: direction(cx, proto.common_config.as_ref()),
        named: true,
        disable_on_etag: proto.disable_on_etag_header,
        weaken_etag: proto.weaken_etag_on_compress,
        remove_accept_encoding: proto.remove_accept_encoding_header,
        uncompressible: cx.each("uncompressible_response_codes", statuses, status),
    }
}

/// The fields that were there before the directions had their own.
#[allow(deprecated, reason = "they hold where the new ones are not set")]
fn deprecated(proto: &Proto) -> ResponseDirection {
    ResponseDirection {
        common: Direction {
            enabled: flag(proto.runtime_enabled.as_ref()),
            min_content_length: length(proto.content_length.as_ref()),
            content_types: types(&proto.content_type),
        },
        named: false,
        disable_on_etag: proto.disable_on_etag_header,
        weaken_etag: false,
        remove_accept_encoding: proto.remove_accept_encoding_header,
        uncompressible: Vec::new(),
    }
}

fn status(cx: &Cx<'_>, status: &u32) -> Option<StatusCode> {
    let code = u16::try_from(*status).ok();
    let code = code.filter(|code| (200..600).contains(code));
    let code = code.and_then(|code| StatusCode::from_u16(code).ok());
    if code.is_none() {
        cx.error(format!(
            "expected an HTTP status from 200 to 599, got {status}"
        ));
    }
    code
}

fn length(proto: Option<&envoy_types::pb::google::protobuf::UInt32Value>) -> u64 {
    value::u32_or(proto, MIN_CONTENT_LENGTH).into()
}

fn flag(proto: Option<&core::RuntimeFeatureFlag>) -> RuntimeFlag {
    let key = proto.and_then(|proto| value::text(&proto.runtime_key));
    RuntimeFlag {
        default: value::bool_or(proto.and_then(|proto| proto.default_value.as_ref()), true),
        key: key.map(|key| RuntimeKey::named(&key)),
    }
}

fn types(named: &[String]) -> Vec<StringMatcher> {
    let exact = |name: &str| StringMatcher {
        matches: StringMatch::Exact(name.into()),
        ignore_case: true,
    };
    match named.is_empty() {
        true => CONTENT_TYPES.iter().map(|name| exact(name)).collect(),
        false => named.iter().map(|name| exact(name)).collect(),
    }
}
