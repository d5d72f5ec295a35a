//! Who asks: what a proxy says of itself to its control plane.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::r#type::v3::SemanticVersion;
use envoy_types::pb::google::protobuf as pb;
use serde_json::{Map, Value, json};

/// The proxy's identity, free of generated types. A field left empty is not said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Unique to the proxy. Control planes refuse a node without one.
    pub id: String,
    /// The service that the proxy belongs to.
    pub cluster: String,
    /// Where it runs.
    pub locality: Locality,
    /// Free to the control plane's conventions.
    pub metadata: Map<String, Value>,
    /// The kind of proxy, such as `envoy`.
    pub user_agent: String,
    /// The proxy's version.
    pub version: Option<Version>,
    /// What it was built with.
    pub extensions: Vec<Extension>,
    /// What it understands beyond the protocol, such as `envoy.lb.does_not_support_overprovisioning`.
    pub features: Vec<String>,
}

/// A place, from the large to the small.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Locality {
    /// Such as `eu-west-1`.
    pub region: String,
    /// Such as `eu-west-1b`.
    pub zone: String,
    /// Such as a rack.
    pub sub_zone: String,
}

/// A version, in either of the two forms that there are.
#[derive(Clone, Debug, PartialEq)]
pub enum Version {
    /// Any text.
    Text(String),
    /// A number of three parts, and more about the build.
    Build {
        /// Major, minor, patch.
        number: (u32, u32, u32),
        /// Free, such as `revision.sha`.
        metadata: Map<String, Value>,
    },
}

/// Something that configuration can use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extension {
    /// Such as `envoy.filters.http.router`.
    pub name: String,
    /// Such as `envoy.filters.http`.
    pub category: String,
    /// The types of its configuration.
    pub type_urls: Vec<String>,
    /// Whether it was built in but is switched off.
    pub disabled: bool,
}

impl From<Node> for core::Node {
    fn from(node: Node) -> Self {
        let version = node.version.map(|version| match version {
            Version::Text(text) => core::node::UserAgentVersionType::UserAgentVersion(text),
            Version::Build { number, metadata } => {
                core::node::UserAgentVersionType::UserAgentBuildVersion(build(number, metadata))
            }
        });
        let locality = (node.locality != Locality::default()).then_some(core::Locality {
            region: node.locality.region,
            zone: node.locality.zone,
            sub_zone: node.locality.sub_zone,
        });
        Self {
            id: node.id,
            cluster: node.cluster,
            metadata: filled(node.metadata),
            locality,
            user_agent_name: node.user_agent,
            user_agent_version_type: version,
            extensions: node.extensions.into_iter().map(extension).collect(),
            client_features: node.features,
            ..Self::default()
        }
    }
}

/// As read from a bootstrap. Dynamic parameters and listening addresses are left out: the first
/// belong to names that are not asked for, the second are deprecated.
impl From<core::Node> for Node {
    fn from(node: core::Node) -> Self {
        use core::node::UserAgentVersionType::{UserAgentBuildVersion, UserAgentVersion};
        let locality = node.locality.unwrap_or_default();
        let version = node.user_agent_version_type.map(|version| match version {
            UserAgentVersion(text) => Version::Text(text),
            UserAgentBuildVersion(build) => {
                let number = build.version.unwrap_or_default();
                Version::Build {
                    number: (number.major_number, number.minor_number, number.patch),
                    metadata: build.metadata.map(map).unwrap_or_default(),
                }
            }
        });
        let extensions = node.extensions.into_iter().map(|one| Extension {
            name: one.name,
            category: one.category,
            type_urls: one.type_urls,
            disabled: one.disabled,
        });
        Self {
            id: node.id,
            cluster: node.cluster,
            locality: Locality {
                region: locality.region,
                zone: locality.zone,
                sub_zone: locality.sub_zone,
            },
            metadata: node.metadata.map(map).unwrap_or_default(),
            user_agent: node.user_agent_name,
            version,
            extensions: extensions.collect(),
            features: node.client_features,
        }
    }
}

fn map(structure: pb::Struct) -> Map<String, Value> {
    let fields = structure.fields.into_iter();
    fields.map(|(name, one)| (name, plain(one))).collect()
}

fn plain(value: pb::Value) -> Value {
    use pb::value::Kind;
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::NumberValue(value)) => number(value),
        Some(Kind::StringValue(value)) => value.into(),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(plain).collect(),
        Some(Kind::StructValue(structure)) => map(structure).into(),
    }
}

/// Whole numbers without a fraction, as people write them.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return (value as i64).into();
    }
    value.into()
}

fn build(
    (major, minor, patch): (u32, u32, u32),
    metadata: Map<String, Value>,
) -> core::BuildVersion {
    core::BuildVersion {
        version: Some(SemanticVersion {
            major_number: major,
            minor_number: minor,
            patch,
        }),
        metadata: filled(metadata),
    }
}

fn extension(extension: Extension) -> core::Extension {
    core::Extension {
        name: extension.name,
        category: extension.category,
        type_urls: extension.type_urls,
        disabled: extension.disabled,
        ..core::Extension::default()
    }
}

fn filled(map: Map<String, Value>) -> Option<pb::Struct> {
    (!map.is_empty()).then(|| structure(map))
}

fn structure(map: Map<String, Value>) -> pb::Struct {
    let fields: HashMap<_, _> = map
        .into_iter()
        .map(|(name, one)| (name, value(one)))
        .collect();
    pb::Struct { fields }
}

fn value(value: Value) -> pb::Value {
    use pb::value::Kind;
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        // All numbers are floating there.
        Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or(f64::NAN)),
        Value::String(value) => Kind::StringValue(value),
        Value::Array(values) => Kind::ListValue(pb::ListValue {
            values: values.into_iter().map(self::value).collect(),
        }),
        Value::Object(map) => Kind::StructValue(structure(map)),
    };
    pb::Value { kind: Some(kind) }
}

impl Node {
    /// As REST says it: with the names of the protocol's fields.
    pub(crate) fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut say = |name: &str, value: Value| {
            let empty = match &value {
                Value::Null => true,
                Value::String(text) => text.is_empty(),
                Value::Array(values) => values.is_empty(),
                Value::Object(map) => map.is_empty(),
                Value::Bool(_) | Value::Number(_) => false,
            };
            if !empty {
                json.insert(name.to_owned(), value);
            }
        };
        say("id", self.id.as_str().into());
        say("cluster", self.cluster.as_str().into());
        say("metadata", self.metadata.clone().into());
        if self.locality != Locality::default() {
            say(
                "locality",
                json!({
                    "region": self.locality.region,
                    "zone": self.locality.zone,
                    "sub_zone": self.locality.sub_zone,
                }),
            );
        }
        say("user_agent_name", self.user_agent.as_str().into());
        match &self.version {
            None => {}
            Some(Version::Text(text)) => say("user_agent_version", text.as_str().into()),
            Some(Version::Build { number, metadata }) => say(
                "user_agent_build_version",
                json!({
                    "version": {
                        "major_number": number.0,
                        "minor_number": number.1,
                        "patch": number.2,
                    },
                    "metadata": metadata,
                }),
            ),
        }
        let extensions = self.extensions.iter().map(|one| {
            json!({
                "name": one.name,
                "category": one.category,
                "type_urls": one.type_urls,
                "disabled": one.disabled,
            })
        });
        say("extensions", extensions.collect());
        say("client_features", self.features.as_slice().into());
        json.into()
    }
}
