//! What one delta stream asks for.

use std::collections::{BTreeMap, BTreeSet};

use envoy_types::pb::envoy::service::discovery::v3 as wire;
use envoy_types::pb::google::protobuf::Any;
use wire::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource};

use super::plane::{Said, nonce};

/// One type on one delta stream.
#[derive(Debug, Default)]
pub struct Asked {
    begun: bool,
    /// The names that are asked for.
    pub names: BTreeSet<String>,
    held: BTreeMap<String, Any>,
}

impl Asked {
    /// A request came.
    pub fn take(&mut self, request: DeltaDiscoveryRequest) {
        let first = !self.begun;
        self.begun = true;
        if first && request.resource_names_subscribe.is_empty() {
            self.names.insert("*".to_owned());
        }
        for name in request.resource_names_unsubscribe {
            self.names.remove(&name);
            self.held.remove(&name);
        }
        self.names.extend(request.resource_names_subscribe);
    }

    /// What is to be sent, if it is anything new.
    pub fn response(&mut self, url: &str, said: &Said) -> Option<DeltaDiscoveryResponse> {
        let wanted = |name: &String| self.names.contains("*") || self.names.contains(name);
        let mut resources = Vec::new();
        for (name, any) in said.all.iter().filter(|(name, _)| wanted(name)) {
            if self.held.get(name) != Some(any) {
                self.held.insert(name.clone(), any.clone());
                resources.push(Resource {
                    name: name.clone(),
                    version: said.version.to_string(),
                    resource: Some(any.clone()),
                    ..Default::default()
                });
            }
        }
        let gone: Vec<String> = (self.held.keys())
            .filter(|name| !said.all.contains_key(*name))
            .cloned()
            .collect();
        for name in &gone {
            self.held.remove(name);
        }
        if resources.is_empty() && gone.is_empty() {
            return None;
        }
        Some(DeltaDiscoveryResponse {
            system_version_info: said.version.to_string(),
            nonce: nonce(said.version, self.held.len()),
            type_url: url.to_owned(),
            resources,
            removed_resources: gone,
            ..Default::default()
        })
    }
}
