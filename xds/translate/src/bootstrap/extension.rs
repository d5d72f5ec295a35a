//! Extensions of the process.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use prost::Message;

use crate::cx::Cx;
use crate::value;

const INTERNAL_LISTENER: &str = "envoy.extensions.bootstrap.internal_listener.v3.InternalListener";
/// Both mean the same, and look the same on the wire.
const TYPED_STRUCTS: [&str; 2] = ["udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct"];

/// A message by its name and loose fields.
#[derive(Clone, PartialEq, Message)]
struct TypedStruct {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Struct>,
}

/// The one that is accepted makes internal listeners possible, and changes nothing where there
/// are none: their addresses are refused where they stand.
pub(super) fn all(cx: &Cx<'_>, protos: &[TypedExtensionConfig]) {
    cx.each("bootstrap_extensions", protos, extension);
}

fn extension(cx: &Cx<'_>, proto: &TypedExtensionConfig) -> Option<()> {
    let cx = &cx.field("typed_config");
    let Some(any) = &proto.typed_config else {
        cx.error("expected a typed_config");
        return None;
    };
    let name = value::type_name(any);
    let (url, fields) = match TYPED_STRUCTS.contains(&name) {
        true => {
            let within: TypedStruct = value::unpack(cx, any)?;
            (within.type_url, within.value.unwrap_or_default())
        }
        false => (any.type_url.clone(), Struct::default()),
    };
    if url.rsplit('/').next() != Some(INTERNAL_LISTENER) {
        cx.error(format!("type '{url}' is not supported here"));
        return None;
    }
    for (name, value) in &fields.fields {
        field(&cx.field("value").key(name), name, value);
    }
    Some(())
}

/// A field of an internal listener's settings, as a loose value.
fn field(cx: &Cx<'_>, name: &str, value: &Value) {
    let fits = match &value.kind {
        Some(Kind::NumberValue(size)) => size.fract() == 0.0 && (1.0..=1024.0).contains(size),
        _ => false,
    };
    if !matches!(name, "buffer_size_kb" | "bufferSizeKb") {
        cx.error("not supported");
    } else if !fits {
        cx.error("expected a whole number from 1 to 1024");
    }
}
