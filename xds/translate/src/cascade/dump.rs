//! What control planes sent, in the shape of Envoy's `/config_dump`.

mod named;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use tandem_model::scope::ScopesKey;

use super::{Cascade, Received, Refused};
use crate::json;
use crate::resource::Kind;
use crate::schema::Message;

/// The dynamic part of each section.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// `version_info` of the clusters: of the update that was accepted last.
    pub clusters_version: String,
    /// The same of the listeners.
    pub listeners_version: String,
    /// `dynamic_active_clusters`.
    pub active_clusters: Vec<Value>,
    /// `dynamic_warming_clusters`.
    pub warming_clusters: Vec<Value>,
    /// `dynamic_listeners`.
    pub listeners: Vec<Value>,
    /// `dynamic_route_configs`.
    pub routes: Vec<Value>,
    /// `dynamic_scoped_route_configs`.
    pub scopes: Vec<Value>,
    /// `ecds_filters`.
    pub extensions: Vec<Value>,
    /// `static_endpoint_configs` of the bootstrap's clusters whose endpoints are discovered.
    pub static_endpoints: Vec<Value>,
    /// `dynamic_endpoint_configs`.
    pub endpoints: Vec<Value>,
    /// `dynamic_active_secrets`.
    pub active_secrets: Vec<Value>,
    /// `dynamic_warming_secrets`.
    pub warming_secrets: Vec<Value>,
}

impl Cascade {
    /// Everything that came from control planes: what is served, what warms, what was refused.
    pub fn dump(&self) -> Dump {
        let version = |kind| self.versions.get(&kind).cloned().unwrap_or_default();
        let mut dump = Dump {
            clusters_version: version(Kind::Cluster),
            listeners_version: version(Kind::Listener),
            ..Dump::default()
        };
        let mut clusters: Vec<_> = self.clusters.dump().collect();
        clusters.sort_by_key(|(name, active, _)| (*name, !active));
        for (name, active, received) in clusters {
            let mut state = state("cluster", Kind::Cluster, received);
            let refused = self.clusters.refused.get(&**name);
            add_error(&mut state, Kind::Cluster, refused);
            match active {
                true => dump.active_clusters.push(state.into()),
                false => dump.warming_clusters.push(state.into()),
            }
        }
        let unknown = self.clusters.refused.iter();
        let unknown = unknown.filter(|(name, _)| !self.clusters.knows(name));
        dump.warming_clusters
            .extend(sorted(unknown).map(|(_, refused)| only_error(Kind::Cluster, refused)));
        dump.listeners = self.listeners_dump();
        let mut routes: Vec<_> = self.routes.dump().collect();
        routes.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        for (key, received) in routes {
            let mut state = state("route_config", Kind::Routes, received);
            let refused = self.routes.refused.get(&*key.name);
            add_error(&mut state, Kind::Routes, refused);
            dump.routes.push(state.into());
        }
        dump.scopes = self.scopes_dump();
        dump.extensions = self.extensions_dump();
        self.dump_endpoints(&mut dump);
        self.dump_secrets(&mut dump);
        dump
    }

    /// What the scoped routes of each connection manager have, by its own name.
    fn scopes_dump(&self) -> Vec<Value> {
        let mut followed = self.listeners.followed();
        followed.sort_by(|(a, _), (b, _)| a.cmp(b));
        followed.dedup();
        let one = |(name, key): (Arc<str>, ScopesKey)| {
            let came = self.scopes.dump(&key);
            let newest = came.iter().copied().max_by_key(|received| received.at);
            let mut entry = Map::new();
            entry.insert("name".to_owned(), (*name).into());
            if let Some(newest) = newest {
                entry.insert("version_info".to_owned(), newest.version.as_str().into());
                entry.insert("last_updated".to_owned(), time(newest.at));
            }
            let configs = came.iter().map(|received| resource(Kind::Scopes, received));
            let configs: Vec<Value> = configs.collect();
            entry.insert("scoped_route_configs".to_owned(), configs.into());
            let refused = self
                .scopes
                .refused
                .values()
                .max_by_key(|one| one.received.at);
            add_error(&mut entry, Kind::Scopes, refused);
            entry.into()
        };
        followed.into_iter().map(one).collect()
    }

    fn extensions_dump(&self) -> Vec<Value> {
        let mut by_name: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for (key, received) in self.extensions.dump() {
            by_name.insert(&key.name, state("ecds_filter", Kind::Extension, received));
        }
        for (name, refused) in &self.extensions.refused {
            let state = by_name.entry(name).or_default();
            add_error(state, Kind::Extension, Some(refused));
        }
        by_name.into_values().map(Value::from).collect()
    }

    fn listeners_dump(&self) -> Vec<Value> {
        let mut by_name: HashMap<&str, Map<String, Value>> = HashMap::new();
        for (name, active, received) in self.listeners.dump() {
            let key = if active {
                "active_state"
            } else {
                "warming_state"
            };
            let state = state("listener", Kind::Listener, received);
            by_name
                .entry(name)
                .or_default()
                .insert(key.to_owned(), state.into());
        }
        for (name, refused) in &self.listeners.refused {
            add_error(
                by_name.entry(name).or_default(),
                Kind::Listener,
                Some(refused),
            );
        }
        let mut all: Vec<_> = by_name.into_iter().collect();
        all.sort_by_key(|(name, _)| *name);
        let named = all.into_iter().map(|(name, mut entry)| {
            entry.insert("name".to_owned(), name.into());
            entry.into()
        });
        named.collect()
    }
}

fn sorted<'a>(
    refused: impl Iterator<Item = (&'a String, &'a Refused)>,
) -> impl Iterator<Item = (&'a String, &'a Refused)> {
    let mut all: Vec<_> = refused.collect();
    all.sort_by_key(|(name, _)| *name);
    all.into_iter()
}

fn state(field: &str, kind: Kind, received: &Received) -> Map<String, Value> {
    let mut state = Map::new();
    state.insert("version_info".to_owned(), received.version.as_str().into());
    state.insert(field.to_owned(), resource(kind, received));
    state.insert("last_updated".to_owned(), time(received.at));
    state
}

fn only_error(kind: Kind, refused: &Refused) -> Value {
    let mut state = Map::new();
    add_error(&mut state, kind, Some(refused));
    state.into()
}

fn add_error(state: &mut Map<String, Value>, kind: Kind, refused: Option<&Refused>) {
    let Some(refused) = refused else { return };
    let error = json!({
        "failed_configuration": resource(kind, &refused.received),
        "last_update_attempt": time(refused.received.at),
        "details": refused.reason,
        "version_info": refused.received.version,
    });
    state.insert("error_state".to_owned(), error);
}

/// A resource with its type, as an `Any` is written.
fn resource(kind: Kind, received: &Received) -> Value {
    let value = Message::named(kind.type_name())
        .and_then(|ty| json::message(ty, &received.bytes).ok())
        .unwrap_or_default();
    let mut whole = Map::new();
    whole.insert("@type".to_owned(), kind.type_url().into());
    if let Value::Object(fields) = value {
        whole.extend(fields);
    }
    whole.into()
}

/// A time as protobuf's JSON has it.
fn time(at: SystemTime) -> Value {
    prost_types::Timestamp::from(at).to_string().into()
}
