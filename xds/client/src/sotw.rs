//! State of the world: every response carries all that the control plane has for a subscription.
//!
//! ```text
//! start ──request(version, names)──▶ waiting ──response──▶ asked the consumer
//!                                       ▲                        │
//!                                       └──ACK: new version──────┤
//!                                       └──NACK: old version─────┘
//! ```
//!
//! While an answer is due, changes of the subscription wait and go out with it: a request between
//! a response and its answer would carry the nonce and so be taken for the answer.

use std::collections::{BTreeMap, BTreeSet};

use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use envoy_types::pb::google::protobuf::Any;

use crate::names::Names;
use crate::request::{EncodedNames, SotwRequest};
use crate::status::invalid;
use crate::update::{Malformed, Resource, Update};

/// What is wrong with resources of a response, by their place in it.
pub(crate) type Faults = BTreeMap<usize, String>;

/// One type's subscription on a state-of-the-world stream.
#[derive(Debug)]
pub struct Sotw {
    type_url: String,
    names: Names,
    /// The same as requests carry them, until they change.
    encoded: Option<EncodedNames>,
    /// The version accepted last. It outlives the stream.
    version: String,
    /// Whether another control plane gave that version.
    foreign: bool,
    /// The newest response of this stream.
    nonce: String,
    /// Whether that response waits for the consumer.
    due: Option<String>,
    dirty: bool,
}

impl Sotw {
    /// A subscription to everything (`wildcard`) or, so far, to nothing.
    pub fn new(type_url: impl Into<String>, wildcard: bool) -> Self {
        Self {
            type_url: type_url.into(),
            names: Names::new(wildcard),
            encoded: None,
            version: String::new(),
            foreign: false,
            nonce: String::new(),
            due: None,
            dirty: wildcard,
        }
    }

    /// The version accepted last, empty before the first.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Asks for more names; `*` is everything.
    pub fn subscribe<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let new = !self.names.insert(names).is_empty();
        self.changed(new);
    }

    /// No longer asks for these names.
    pub fn unsubscribe<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let gone = !self.names.remove(names).is_empty();
        self.changed(gone);
    }

    fn changed(&mut self, names: bool) {
        if names {
            self.dirty = true;
            self.encoded = None;
        }
    }

    /// A new stream begins: nonces belong to the old one, versions stay.
    pub fn start(&mut self) {
        self.foreign = false;
        self.nonce.clear();
        self.due = None;
        self.dirty = !self.names.is_nothing();
    }

    /// A stream to a control plane that did not give the version held begins. Equal versions of
    /// two mean nothing, so it is not claimed; on a later stream to the first it is again.
    pub fn start_elsewhere(&mut self) {
        self.start();
        self.foreign = true;
    }

    /// What the subscription has to say now, if anything. The caller adds the node.
    pub fn poll_request(&mut self) -> Option<SotwRequest> {
        (self.due.is_none() && std::mem::take(&mut self.dirty)).then(|| self.request(None))
    }

    /// Reads a response. Afterwards [`Sotw::accept`] or [`Sotw::reject`] is due for its nonce,
    /// also when it is malformed.
    pub fn response(&mut self, response: DiscoveryResponse) -> Result<Update, Malformed> {
        let (mut update, resources) = self.head(response);
        for any in resources {
            update.push_any(&self.type_url, any)?;
        }
        refuse_again(&mut update);
        Ok(update)
    }

    /// Reads a response that somebody wrote by hand, perhaps: what is wrong with a resource is
    /// its fault alone, and so is what was wrong with it before it was bytes.
    pub(crate) fn fetched(&mut self, response: DiscoveryResponse, mut faults: Faults) -> Update {
        let (mut update, resources) = self.head(response);
        for (i, any) in resources.into_iter().enumerate() {
            let place = update.added.len();
            let wrong = update.push_any(&self.type_url, any).err();
            let wrong = wrong.map(|malformed| malformed.to_string());
            let Some(fault) = faults.remove(&i).or(wrong) else {
                continue;
            };
            let one = update.added.get_mut(place);
            if let Some(one) = one.filter(|one| !one.name.is_empty()) {
                one.fault = Some(fault);
                continue;
            }
            // Which one it is meant to replace is not known, so none is taken away.
            update.complete = false;
            update.added.truncate(place);
            update.added.push(Resource {
                name: format!("resources[{i}]"),
                version: update.version.clone(),
                fault: Some(fault),
                ..Resource::default()
            });
        }
        refuse_again(&mut update);
        update
    }

    /// What was asked for by name and is not in this update.
    pub(crate) fn missing(&self, update: &Update) -> Vec<String> {
        let added = update.added.iter().map(|one| &*one.name);
        let refreshed = update.refreshed.iter().map(|(name, _)| &**name);
        let there: BTreeSet<&str> = added.chain(refreshed).collect();
        self.names.without(&there)
    }

    /// What a response says of itself, and its resources.
    fn head(&mut self, response: DiscoveryResponse) -> (Update, Vec<Any>) {
        self.nonce.clone_from(&response.nonce);
        self.due = Some(response.version_info.clone());
        let update = Update {
            complete: self.names.is_wildcard(),
            version: response.version_info,
            nonce: response.nonce,
            control_plane: response.control_plane.map(|plane| plane.identifier),
            ..Update::default()
        };
        (update, response.resources)
    }

    /// The ACK for `nonce`; nothing if a newer response or stream has made it stale.
    pub fn accept(&mut self, nonce: &str) -> Option<SotwRequest> {
        self.version = self.take_due(nonce)?;
        self.foreign = false;
        Some(self.request(None))
    }

    /// The NACK for `nonce`, with the reason; nothing if it is stale.
    pub fn reject(&mut self, nonce: &str, reason: &str) -> Option<SotwRequest> {
        self.take_due(nonce)?;
        Some(self.request(Some(reason)))
    }

    fn take_due(&mut self, nonce: &str) -> Option<String> {
        if nonce != self.nonce {
            return None;
        }
        let version = self.due.take()?;
        // The answer carries the names, so it also says what was waiting for it.
        self.dirty = false;
        Some(version)
    }

    /// Whether there is anything to ask for.
    pub(crate) fn is_needed(&self) -> bool {
        !self.names.is_nothing()
    }

    /// The subscription as it stands, and why a response is refused. The caller adds the node.
    fn request(&mut self, refused: Option<&str>) -> SotwRequest {
        let names = &self.names;
        let encoded = (self.encoded).get_or_insert_with(|| EncodedNames::new(&names.request()));
        let encoded = encoded.clone();
        let rest = DiscoveryRequest {
            error_detail: refused.map(invalid),
            ..self.without_names()
        };
        SotwRequest::new(rest, encoded)
    }

    /// The same with a list of names, for a request that is not protobuf.
    pub(crate) fn listed(&self) -> DiscoveryRequest {
        DiscoveryRequest {
            resource_names: self.names.request(),
            ..self.without_names()
        }
    }

    fn without_names(&self) -> DiscoveryRequest {
        DiscoveryRequest {
            version_info: match self.foreign {
                true => String::new(),
                false => self.version.clone(),
            },
            type_url: self.type_url.clone(),
            response_nonce: self.nonce.clone(),
            ..DiscoveryRequest::default()
        }
    }
}

/// As in Envoy, of resources with one name the first counts, and each further one is refused.
fn refuse_again(update: &mut Update) {
    let mut seen = BTreeSet::new();
    for one in &mut update.added {
        if !seen.insert(&*one.name) {
            let name = &one.name;
            (one.fault).get_or_insert_with(|| format!("duplicate resource `{name}`"));
        }
    }
}
