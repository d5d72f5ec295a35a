//! Runtime layers.

use std::collections::HashSet;

use envoy_types::pb::envoy::config::bootstrap::v3 as proto;
use envoy_types::pb::envoy::service::runtime::v3::Runtime;
use envoy_types::pb::google::protobuf::{Struct, Value as Json, value::Kind};
use tandem_model::FractionalPercent;
use tandem_model::config_source::{ResourceKey, Subscribed};
use tandem_model::runtime::{Layer, Layers, Source, Value, Values};

use crate::config_source;
use crate::cx::Cx;

/// What Envoy obeys of the layers, and Tandem does not: a value there would be without effect.
const NOT_OBEYED: [&str; 7] = [
    "upstream.",
    "circuit_breakers.",
    "outlier_detection.",
    "health_check.",
    "overload.",
    "envoy.resource_limits.",
    "tracing.",
];
/// Mesh control planes set it, to a number that nothing reaches.
const CONNECTIONS: &str = "overload.global_downstream_max_connections";

pub(crate) fn layers(cx: &Cx<'_>, proto: Option<&proto::LayeredRuntime>) -> Layers {
    let cx = &cx.field("layered_runtime");
    let protos = proto.map_or(&[][..], |proto| &proto.layers);
    let layers = Layers(cx.each("layers", protos, layer));
    let mut names = HashSet::new();
    for (i, layer) in layers.0.iter().enumerate() {
        if !names.insert(&layer.name) {
            let reason = format!("expected every layer once, got '{}' again", layer.name);
            cx.field("layers").index(i).field("name").error(reason);
        }
    }
    let admins = layers.0.iter();
    if admins.filter(|layer| layer.source == Source::Admin).count() > 1 {
        cx.field("layers").error("expected at most one admin_layer");
    }
    layers
}

fn layer(cx: &Cx<'_>, proto: &proto::RuntimeLayer) -> Option<Layer> {
    use proto::runtime_layer::LayerSpecifier;
    let mut values = Values::new();
    let source = match &proto.layer_specifier {
        Some(LayerSpecifier::StaticLayer(all)) => {
            flatten(&cx.field("static_layer"), "", all, &mut values);
            Source::Static
        }
        Some(LayerSpecifier::AdminLayer(_)) => Source::Admin,
        Some(LayerSpecifier::RtdsLayer(rtds)) => discovered(&cx.field("rtds_layer"), rtds)?,
        _ => {
            cx.error("expected one of static_layer, admin_layer, rtds_layer");
            return None;
        }
    };
    Some(Layer {
        name: proto.name.as_str().into(),
        source,
        values,
    })
}

fn discovered(cx: &Cx<'_>, proto: &proto::runtime_layer::RtdsLayer) -> Option<Source> {
    let source = config_source::source(&cx.field("rtds_config"), proto.rtds_config.as_ref())?;
    if proto.name.is_empty() {
        cx.field("name").error("expected the resource's name");
        return None;
    }
    Some(Source::Discovered(Subscribed {
        key: ResourceKey {
            origin: source.origin,
            name: proto.name.as_str().into(),
        },
        initial_fetch_timeout: source.initial_fetch_timeout,
    }))
}

/// The values of a layer that came by itself.
pub(crate) fn values(cx: &Cx<'_>, proto: &Runtime) -> Values {
    let mut values = Values::new();
    if let Some(layer) = &proto.layer {
        flatten(&cx.field("layer"), "", layer, &mut values);
    }
    values
}

/// `a: {b: 1}` is `a.b: 1`, unless it is a share.
fn flatten(cx: &Cx<'_>, prefix: &str, fields: &Struct, values: &mut Values) {
    for (name, json) in &fields.fields {
        let cx = &cx.key(name);
        let full = match prefix {
            "" => name.clone(),
            prefix => format!("{prefix}.{name}"),
        };
        let inner = match &json.kind {
            Some(Kind::StructValue(inner)) => Some(inner),
            _ => None,
        };
        let is_share = |inner: &Struct| {
            inner.fields.contains_key("numerator") || inner.fields.contains_key("denominator")
        };
        let value = match (inner, &json.kind) {
            (Some(inner), _) if is_share(inner) => share(cx, inner),
            (Some(inner), _) => {
                flatten(cx, &full, inner, values);
                continue;
            }
            (None, Some(Kind::NumberValue(number))) => Some(Value::new(&number.to_string())),
            (None, Some(Kind::BoolValue(flag))) => Some(Value::new(&flag.to_string())),
            (None, Some(Kind::StringValue(text))) => Some(Value::new(text)),
            _ => {
                cx.error("expected a number, a word, a share, or values by their names");
                None
            }
        };
        if let Some(value) = value {
            obeyed(cx, &full, &value);
            values.insert(full.into(), value);
        }
    }
}

fn share(cx: &Cx<'_>, fields: &Struct) -> Option<Value> {
    let kind = |name: &str| {
        fields
            .fields
            .get(name)
            .and_then(|json: &Json| json.kind.as_ref())
    };
    let text = |name: &str| match kind(name) {
        Some(Kind::NumberValue(number)) => Some(number.to_string()),
        Some(Kind::StringValue(text)) => Some(text.clone()),
        _ => None,
    };
    let denominator = match text("denominator").as_deref() {
        None | Some("HUNDRED" | "0") => 100,
        Some("TEN_THOUSAND" | "1") => 10_000,
        Some("MILLION" | "2") => 1_000_000,
        Some(_) => {
            cx.field("denominator")
                .error("expected one of HUNDRED, TEN_THOUSAND, MILLION");
            return None;
        }
    };
    let numerator = text("numerator").unwrap_or_else(|| "0".to_owned());
    let Ok(numerator) = numerator.parse() else {
        cx.field("numerator").error("expected a number");
        return None;
    };
    Some(Value::share(FractionalPercent {
        numerator,
        denominator,
    }))
}

fn obeyed(cx: &Cx<'_>, name: &str, value: &Value) {
    let unreached = name == CONNECTIONS && value.as_integer() >= Some(i32::MAX as u64);
    if !unreached && NOT_OBEYED.iter().any(|prefix| name.starts_with(prefix)) {
        cx.error(format!("runtime key '{name}' is not supported"));
    }
}
