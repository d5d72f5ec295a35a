//! The objects, and everything that ever happened to them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::target::Target;

/// A watch that hears nothing for this long gets an empty line, so that dead ones are noticed.
const QUIET: Duration = Duration::from_secs(15);

/// Version and resource; namespace; name.
type Key = (String, String, String);

#[derive(Default)]
pub struct Store {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    all: BTreeMap<Key, Value>,
    /// What happened, to which object; its place is its number.
    log: Vec<(&'static str, Key, Value)>,
}

/// How far a watch has come.
pub struct Position {
    ahead: VecDeque<String>,
    seen: usize,
}

fn collection(target: &Target) -> String {
    format!("{}/{}", target.version, target.resource)
}

fn key(target: &Target) -> Key {
    (
        collection(target),
        target.namespace.clone(),
        target.name.clone(),
    )
}

impl State {
    fn record(&mut self, what: &'static str, key: Key, object: Value) {
        self.log.push((what, key, object));
    }

    fn objects<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = &'a Value> {
        let wanted = collection(target);
        self.all
            .iter()
            .filter_map(move |((of, namespace, name), object)| {
                (*of == wanted && target.selects(namespace, name)).then_some(object)
            })
    }
}

impl Store {
    pub fn get(&self, target: &Target) -> Option<Value> {
        self.state.lock().unwrap().all.get(&key(target)).cloned()
    }

    pub fn list(&self, target: &Target, metadata_only: bool) -> Value {
        let state = self.state.lock().unwrap();
        let items: Vec<Value> = state
            .objects(target)
            .map(|object| shown(object, metadata_only))
            .collect();
        let (version, kind) = match metadata_only {
            true => ("meta.k8s.io/v1", "PartialObjectMetadataList".into()),
            false => (&*target.version, format!("{}List", target.kind())),
        };
        json!({ "apiVersion": version, "kind": kind, "items": items,
            "metadata": { "resourceVersion": state.log.len().to_string() } })
    }

    pub fn put(&self, target: &Target, mut object: Value) -> Value {
        let mut state = self.state.lock().unwrap();
        let what = match state.all.contains_key(&key(target)) {
            true => "MODIFIED",
            false => "ADDED",
        };
        let number = state.log.len() + 1;
        object["apiVersion"] = target.version.clone().into();
        object["kind"] = target.kind().into();
        let metadata = &mut object["metadata"];
        metadata["name"] = target.name.clone().into();
        if !target.namespace.is_empty() {
            metadata["namespace"] = target.namespace.clone().into();
        }
        metadata["resourceVersion"] = number.to_string().into();
        if metadata["uid"].is_null() {
            metadata["uid"] = format!("00000000-0000-4000-8000-{number:012}").into();
        }
        state.all.insert(key(target), object.clone());
        state.record(what, key(target), object.clone());
        self.changed.send_replace(());
        object
    }

    /// A merge patch (RFC 7386); what is not there is made.
    pub fn merge(&self, target: &Target, patch: &Value) -> Value {
        let mut object = self.get(target).unwrap_or_else(|| json!({}));
        merge(&mut object, patch);
        self.put(target, object)
    }

    pub fn delete(&self, target: &Target) -> Option<Value> {
        let mut state = self.state.lock().unwrap();
        let mut object = state.all.remove(&key(target))?;
        object["metadata"]["resourceVersion"] = (state.log.len() + 1).to_string().into();
        state.record("DELETED", key(target), object);
        self.changed.send_replace(());
        Some(json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }))
    }

    /// Where a watch begins.
    pub fn begin(&self, target: &Target, metadata_only: bool) -> Position {
        let state = self.state.lock().unwrap();
        let mut ahead = VecDeque::new();
        if !target.initial && target.since > 0 {
            let seen = usize::try_from(target.since)
                .unwrap_or(usize::MAX)
                .min(state.log.len());
            return Position { ahead, seen };
        }
        ahead.extend(
            state
                .objects(target)
                .map(|object| line("ADDED", object, metadata_only)),
        );
        if target.initial {
            let end = json!({ "apiVersion": target.version, "kind": target.kind(), "metadata": {
                "resourceVersion": state.log.len().to_string(),
                "annotations": { "k8s.io/initial-events-end": "true" } } });
            ahead.push_back(line("BOOKMARK", &end, metadata_only));
        }
        Position {
            ahead,
            seen: state.log.len(),
        }
    }

    /// What comes next, and where that leads.
    pub async fn next(
        &self,
        target: &Target,
        mut at: Position,
        metadata_only: bool,
    ) -> (String, Position) {
        let mut changed = self.changed.subscribe();
        loop {
            {
                let state = self.state.lock().unwrap();
                let wanted = collection(target);
                let new = state.log.iter().skip(at.seen);
                let new = new.filter(|(_, (of, namespace, name), _)| {
                    *of == wanted && target.selects(namespace, name)
                });
                at.ahead
                    .extend(new.map(|(what, _, object)| line(what, object, metadata_only)));
                at.seen = state.log.len();
            }
            if !at.ahead.is_empty() {
                return (at.ahead.drain(..).collect(), at);
            }
            if tokio::time::timeout(QUIET, changed.changed())
                .await
                .is_err()
            {
                return ("\n".into(), at);
            }
        }
    }
}

fn shown(object: &Value, metadata_only: bool) -> Value {
    match metadata_only {
        true => {
            json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"] })
        }
        false => object.clone(),
    }
}

fn line(what: &str, object: &Value, metadata_only: bool) -> String {
    format!(
        "{}\n",
        json!({ "type": what, "object": shown(object, metadata_only) })
    )
}

fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (name, change) in changes {
        match change {
            Value::Null => drop(into.as_object_mut().map(|fields| fields.remove(name))),
            change => merge(&mut into[name.as_str()], change),
        }
    }
}
