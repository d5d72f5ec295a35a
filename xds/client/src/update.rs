//! What the control plane sent, in terms that no transport and no variant of xDS shows through.

use std::time::Duration;

use envoy_types::pb::envoy::service::discovery::v3::Resource as Wrapped;
use envoy_types::pb::google::protobuf::{self as pb, Any};
use prost::Message;

/// One resource as the control plane sent it. What its bytes mean is the consumer's business.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// The resource's name.
    pub name: String,
    /// Its version: its own in delta, the response's in state of the world.
    pub version: String,
    /// The serialized message; its type is the update's.
    pub value: Vec<u8>,
    /// How long it lives unless it is refreshed.
    pub ttl: Option<Duration>,
    /// Why it is to be refused, where that showed before it was bytes: `value` then lacks what
    /// could not be read.
    pub fault: Option<String>,
}

/// One response, to be answered with accept or reject by its nonce.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// Whether `added` is all there is: for wildcard subscriptions in state of the world, a
    /// resource that is neither there nor in `refreshed` is gone.
    pub complete: bool,
    /// The version of the whole, empty where the control plane gives none.
    pub version: String,
    /// Identifies the response in the answer.
    pub nonce: String,
    /// Who sent it, if it says so.
    pub control_plane: Option<String>,
    /// New and changed resources.
    pub added: Vec<Resource>,
    /// Names that are gone.
    pub removed: Vec<String>,
    /// Names that were asked for and are not there. Only of what is fetched: a file or an answer
    /// is all that its source has, while a stream may send the rest with the next response.
    pub missing: Vec<String>,
    /// Names whose `ttl` starts anew, without a change of the resource (heartbeats).
    pub refreshed: Vec<(String, Option<Duration>)>,
}

/// Why a response is refused before any consumer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub(crate) String);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// The type of a `Resource` that wraps another in state of the world.
const WRAPPER: &str = "type.googleapis.com/envoy.service.discovery.v3.Resource";

/// In every resource type of xDS the first field is the name.
#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

impl Update {
    /// Takes one entry of a state-of-the-world response, wrapped or not.
    pub(crate) fn push_any(&mut self, type_url: &str, any: Any) -> Result<(), Malformed> {
        if any.type_url == WRAPPER {
            let wrapped = Wrapped::decode(any.value.as_slice())
                .map_err(|error| Malformed(format!("resource wrapper: {error}")))?;
            return self.push_wrapped(type_url, wrapped);
        }
        let any = checked(type_url, any)?;
        let name = name(&any)?;
        self.added.push(Resource {
            name,
            version: self.version.clone(),
            value: any.value,
            ttl: None,
            fault: None,
        });
        Ok(())
    }

    /// Takes one entry of a delta response, or a wrapper of state of the world. One without a
    /// resource is a heartbeat.
    pub(crate) fn push_wrapped(&mut self, type_url: &str, entry: Wrapped) -> Result<(), Malformed> {
        let ttl = match entry.ttl {
            None => None,
            Some(ttl) => Some(
                lifetime(ttl)
                    .ok_or_else(|| Malformed(format!("ttl of `{}`: negative", entry.name)))?,
            ),
        };
        let Some(any) = entry.resource else {
            self.refreshed.push((entry.name, ttl));
            return Ok(());
        };
        let any = checked(type_url, any)?;
        let name = match entry.name {
            empty if empty.is_empty() => name(&any)?,
            name => name,
        };
        let version = match entry.version {
            empty if empty.is_empty() => self.version.clone(),
            version => version,
        };
        self.added.push(Resource {
            name,
            version,
            value: any.value,
            ttl,
            fault: None,
        });
        Ok(())
    }
}

fn lifetime(ttl: pb::Duration) -> Option<Duration> {
    let seconds = u64::try_from(ttl.seconds).ok()?;
    let nanos = u32::try_from(ttl.nanos).ok()?;
    Duration::from_secs(seconds).checked_add(Duration::from_nanos(u64::from(nanos)))
}

fn checked(type_url: &str, any: Any) -> Result<Any, Malformed> {
    if any.type_url == type_url {
        return Ok(any);
    }
    Err(Malformed(format!(
        "resource of type `{}`, expected `{type_url}`",
        any.type_url
    )))
}

fn name(any: &Any) -> Result<String, Malformed> {
    Named::decode(any.value.as_slice())
        .map(|named| named.name)
        .map_err(|error| Malformed(format!("name of a `{}`: {error}", any.type_url)))
}
