//! Delta: requests and responses carry only what changed.
//!
//! ```text
//! start ──request(names, versions held)──▶ running ──response──▶ asked the consumer
//!                                             ▲                        │
//!                                             └──ACK or NACK: nonce────┘
//! ```
//!
//! Changes of the subscription do not wait for an answer: without a nonce they cannot be taken
//! for one. Each response has an answer of its own, so several may be due.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse,
};

use crate::names::Names;
use crate::status::invalid;
use crate::update::{Malformed, Update};

/// What accepting a response changes in the versions held; `None` is removed.
type Changes = Vec<(String, Option<String>)>;

/// One type's subscription on a delta stream.
#[derive(Debug)]
pub struct Delta {
    type_url: String,
    names: Names,
    /// The version accepted last of each resource. They outlive the stream.
    versions: HashMap<String, String>,
    /// Whether another control plane gave those versions.
    foreign: bool,
    subscribe: BTreeSet<String>,
    unsubscribe: BTreeSet<String>,
    due: BTreeMap<String, Changes>,
    first: bool,
}

impl Delta {
    /// A subscription to everything (`wildcard`) or, so far, to nothing.
    pub fn new(type_url: impl Into<String>, wildcard: bool) -> Self {
        Self {
            type_url: type_url.into(),
            names: Names::new(wildcard),
            versions: HashMap::new(),
            foreign: false,
            subscribe: BTreeSet::new(),
            unsubscribe: BTreeSet::new(),
            due: BTreeMap::new(),
            first: true,
        }
    }

    /// The version held of a resource.
    pub fn version(&self, name: &str) -> Option<&str> {
        self.versions.get(name).map(String::as_str)
    }

    /// Asks for more names; `*` is everything.
    pub fn subscribe<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in self.names.insert(names) {
            self.unsubscribe.remove(&name);
            // Said even if an unsent unsubscribe cancels out: it makes the server send it again.
            self.subscribe.insert(name);
        }
    }

    /// No longer asks for these names, and forgets the versions held of them.
    pub fn unsubscribe<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let gone = self.names.remove(names);
        if gone.iter().any(|name| name == "*") {
            let names = &self.names;
            self.versions.retain(|name, _| names.contains(name));
        }
        for name in gone {
            if !self.names.is_wildcard() {
                self.versions.remove(&name);
            }
            self.subscribe.remove(&name);
            // Said even if the subscribe was never sent: the server may know it from before.
            self.unsubscribe.insert(name);
        }
    }

    /// These resources ended by their `ttl`: a new stream does not claim to hold them.
    pub fn forget<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            self.versions.remove(name);
        }
    }

    /// A new stream begins: its first request says everything again, with the versions held.
    pub fn start(&mut self) {
        self.subscribe.clear();
        self.unsubscribe.clear();
        self.due.clear();
        self.foreign = false;
        self.first = true;
    }

    /// A stream to a control plane that did not give the versions held begins. Equal versions of
    /// two mean nothing, so the resources are claimed without one: it sends them again, and says
    /// which of them it does not have.
    pub fn start_elsewhere(&mut self) {
        self.start();
        self.foreign = true;
    }

    /// What the subscription has to say now, if anything. The caller adds the node.
    pub fn poll_request(&mut self) -> Option<DeltaDiscoveryRequest> {
        if self.first {
            if self.names.is_nothing() {
                return None;
            }
            self.first = false;
            self.subscribe.clear();
            self.unsubscribe.clear();
            return Some(DeltaDiscoveryRequest {
                resource_names_subscribe: self.names.request(),
                initial_resource_versions: self.held().collect(),
                ..self.request()
            });
        }
        if self.subscribe.is_empty() && self.unsubscribe.is_empty() {
            return None;
        }
        Some(DeltaDiscoveryRequest {
            resource_names_subscribe: std::mem::take(&mut self.subscribe).into_iter().collect(),
            resource_names_unsubscribe: std::mem::take(&mut self.unsubscribe).into_iter().collect(),
            ..self.request()
        })
    }

    /// Reads a response. Afterwards [`Delta::accept`] or [`Delta::reject`] is due for its nonce,
    /// also when it is malformed.
    pub fn response(&mut self, response: DeltaDiscoveryResponse) -> Result<Update, Malformed> {
        self.due.insert(response.nonce.clone(), Changes::new());
        let mut update = Update {
            version: response.system_version_info,
            nonce: response.nonce,
            control_plane: response.control_plane.map(|plane| plane.identifier),
            ..Update::default()
        };
        for entry in response.resources {
            update.push_wrapped(&self.type_url, entry)?;
        }
        let mut seen = BTreeSet::new();
        let names = update.added.iter().map(|one| &one.name);
        if let Some(twice) = names
            .chain(&response.removed_resources)
            .find(|name| !seen.insert(*name))
        {
            return Err(Malformed(format!("duplicate resource `{twice}`")));
        }
        update.removed = response.removed_resources;
        let added = update.added.iter();
        let changes = added
            .map(|one| (one.name.clone(), Some(one.version.clone())))
            .chain(update.removed.iter().map(|name| (name.clone(), None)))
            .collect();
        self.due.insert(update.nonce.clone(), changes);
        Ok(update)
    }

    /// The ACK for `nonce`; nothing if it was answered or belongs to an older stream.
    pub fn accept(&mut self, nonce: &str) -> Option<DeltaDiscoveryRequest> {
        let changes = self.due.remove(nonce)?;
        if std::mem::take(&mut self.foreign) {
            self.versions.values_mut().for_each(String::clear);
        }
        for (name, version) in changes {
            match version {
                // What is held is asked for.
                Some(version) if self.versions.contains_key(&name) => {
                    self.versions.insert(name, version);
                }
                // What was unsubscribed meanwhile is not held.
                Some(version) if self.names.is_wildcard() || self.names.contains(&name) => {
                    self.versions.insert(name, version);
                }
                _ => {
                    self.versions.remove(&name);
                }
            }
        }
        Some(self.answer(nonce))
    }

    /// The NACK for `nonce`, with the reason; nothing if it is stale.
    pub fn reject(&mut self, nonce: &str, reason: &str) -> Option<DeltaDiscoveryRequest> {
        self.due.remove(nonce)?;
        Some(DeltaDiscoveryRequest {
            error_detail: Some(invalid(reason)),
            ..self.answer(nonce)
        })
    }

    fn held(&self) -> impl Iterator<Item = (String, String)> {
        let held = self.versions.iter();
        held.map(|(name, version)| match self.foreign {
            true => (name.clone(), String::new()),
            false => (name.clone(), version.clone()),
        })
    }

    fn answer(&self, nonce: &str) -> DeltaDiscoveryRequest {
        DeltaDiscoveryRequest {
            response_nonce: nonce.to_owned(),
            ..self.request()
        }
    }

    fn request(&self) -> DeltaDiscoveryRequest {
        DeltaDiscoveryRequest {
            type_url: self.type_url.clone(),
            ..DeltaDiscoveryRequest::default()
        }
    }
}
