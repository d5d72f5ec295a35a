//! Single values: durations, percentages, names of headers.

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::r#type::v3 as kind;
use envoy_types::pb::google::protobuf;
use http::{HeaderName, HeaderValue};
use prost::Message;
use tandem_model::runtime::{RuntimeFraction, RuntimeKey};
use tandem_model::{FractionalPercent, Percent};

use crate::cx::Cx;

/// A duration that is not negative.
pub(crate) fn duration(
    cx: &Cx<'_>,
    field: &str,
    value: Option<&protobuf::Duration>,
) -> Option<Duration> {
    let value = value?;
    let seconds = u64::try_from(value.seconds);
    let nanos = u32::try_from(value.nanos)
        .ok()
        .filter(|n| *n < 1_000_000_000);
    match (seconds, nanos) {
        (Ok(seconds), Some(nanos)) => Some(Duration::new(seconds, nanos)),
        _ => {
            cx.field(field)
                .error("expected a duration that is not negative");
            None
        }
    }
}

/// A limit that zero turns off: `default` if it is not set.
pub(crate) fn limit(
    cx: &Cx<'_>,
    field: &str,
    value: Option<&protobuf::Duration>,
    default: Option<Duration>,
) -> Option<Duration> {
    match value {
        None => default,
        Some(_) => duration(cx, field, value).filter(|d| !d.is_zero()),
    }
}

pub(crate) fn fraction(value: Option<&kind::FractionalPercent>) -> Option<FractionalPercent> {
    use kind::fractional_percent::DenominatorType;
    value.map(|value| FractionalPercent {
        numerator: value.numerator,
        denominator: match value.denominator() {
            DenominatorType::Hundred => 100,
            DenominatorType::TenThousand => 10_000,
            DenominatorType::Million => 1_000_000,
        },
    })
}

pub(crate) fn runtime_fraction(value: &core::RuntimeFractionalPercent) -> RuntimeFraction {
    RuntimeFraction {
        default: fraction(value.default_value.as_ref()).unwrap_or(FractionalPercent::NONE),
        key: text(&value.runtime_key).map(|key| RuntimeKey::named(&key)),
    }
}

pub(crate) fn percent(value: Option<&kind::Percent>, default: f64) -> Percent {
    Percent::from_f64(value.map_or(default, |value| value.value))
}

pub(crate) fn u32_or(value: Option<&protobuf::UInt32Value>, default: u32) -> u32 {
    value.map_or(default, |value| value.value)
}

pub(crate) fn bool_or(value: Option<&protobuf::BoolValue>, default: bool) -> bool {
    value.map_or(default, |value| value.value)
}

pub(crate) fn header_name(cx: &Cx<'_>, name: &str) -> Option<HeaderName> {
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) => Some(name),
        Err(_) => {
            cx.error(format!("expected a header name, got {name:?}"));
            None
        }
    }
}

pub(crate) fn header_value(cx: &Cx<'_>, value: &str) -> Option<HeaderValue> {
    match HeaderValue::from_str(value) {
        Ok(value) => Some(value),
        Err(_) => {
            cx.error(format!("expected a header value, got {value:?}"));
            None
        }
    }
}

pub(crate) fn port(cx: &Cx<'_>, value: u32) -> Option<u16> {
    match u16::try_from(value) {
        Ok(port) => Some(port),
        Err(_) => {
            cx.error(format!("expected a port up to 65535, got {value}"));
            None
        }
    }
}

/// `None` if it is empty.
pub(crate) fn text(value: &str) -> Option<Arc<str>> {
    (!value.is_empty()).then(|| value.into())
}

/// What is in an `Any` whose type has been looked at.
pub(crate) fn unpack<M: Message + Default>(cx: &Cx<'_>, any: &protobuf::Any) -> Option<M> {
    cx.ok(M::decode(any.value.as_slice()))
}

/// The message type that an `Any` holds.
pub(crate) fn type_name(any: &protobuf::Any) -> &str {
    any.type_url.rsplit('/').next().unwrap_or_default()
}

/// What a source holds now.
pub(crate) fn data(cx: &Cx<'_>, source: &core::DataSource) -> Option<bytes::Bytes> {
    use core::data_source::Specifier;
    match source.specifier.as_ref()? {
        Specifier::InlineString(text) => Some(text.clone().into_bytes().into()),
        Specifier::InlineBytes(bytes) => Some(bytes.clone().into()),
        Specifier::Filename(path) => {
            match tandem_xds_client::poll::read(std::path::Path::new(path)) {
                Ok(bytes) => Some(bytes.into()),
                Err(error) => {
                    let reason = format!("expected a file that can be read: {path}: {error}");
                    cx.field("filename").error(reason);
                    None
                }
            }
        }
        Specifier::EnvironmentVariable(name) => match std::env::var(name) {
            Ok(text) => Some(text.into_bytes().into()),
            Err(_) => {
                let reason = format!("expected a variable that is set, '{name}' is not");
                cx.field("environment_variable").error(reason);
                None
            }
        },
    }
}
