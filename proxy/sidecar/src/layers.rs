//! The process's runtime layers: what `/runtime` shows and `/runtime_modify` changes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, json};
use tandem_core::stats::{Counter, Gauge, Registry};
use tandem_model::config_source::ResourceKey;
use tandem_model::runtime::{Layers, Value, Values, publish};

/// The layers, and what holds of them in the process.
#[derive(Debug)]
pub(crate) struct RuntimeLayers {
    layers: Mutex<Layers>,
    load_success: Counter,
    num_keys: Gauge,
    overrides: Gauge,
}

/// There is no layer that could be written to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoAdminLayer;

impl RuntimeLayers {
    /// Makes the bootstrap's layers hold.
    pub(crate) fn new(layers: Layers, stats: &Registry) -> Self {
        let scope = stats.plain("runtime");
        let count = i64::try_from(layers.0.len()).unwrap_or(i64::MAX);
        scope.gauge("num_layers").set(count);
        let this = Self {
            layers: Mutex::new(layers),
            load_success: scope.counter("load_success"),
            num_keys: scope.gauge("num_keys"),
            overrides: scope.gauge("admin_overrides_active"),
        };
        this.publish(&this.lock());
        this
    }

    /// Sets values in the admin layer; an empty one takes the value back.
    pub(crate) fn modify(&self, changes: &[(String, String)]) -> Result<(), NoAdminLayer> {
        let mut layers = self.lock();
        let admin = layers.admin().ok_or(NoAdminLayer)?;
        for (name, text) in changes {
            if text.is_empty() {
                admin.values.remove(name.as_str());
            } else {
                admin.values.insert(name.as_str().into(), Value::new(text));
            }
        }
        self.overrides.set(i64::from(!admin.values.is_empty()));
        self.publish(&layers);
        Ok(())
    }

    /// What a control plane says of a layer from now on.
    pub(crate) fn set(&self, key: &ResourceKey, values: &Values) {
        let mut layers = self.lock();
        for layer in layers.discovered(key) {
            layer.values.clone_from(values);
        }
        self.publish(&layers);
    }

    /// The layers' names, and each value in each layer, in Envoy's form.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let layers = self.lock();
        let in_layers = |name: &str| {
            let values = layers.0.iter().map(|layer| layer.values.get(name));
            let texts = values.map(|value| value.map_or("", Value::text).to_owned());
            texts.collect::<Vec<_>>()
        };
        let entries: Map<_, _> = (layers.merged().iter())
            .map(|(name, value)| {
                let entry = json!({
                    "layer_values": in_layers(name),
                    "final_value": value.text(),
                });
                (name.to_string(), entry)
            })
            .collect();
        let names: Vec<_> = layers.0.iter().map(|layer| &*layer.name).collect();
        json!({ "layers": names, "entries": entries })
    }

    fn publish(&self, layers: &Layers) {
        let merged = layers.merged();
        self.num_keys
            .set(i64::try_from(merged.len()).unwrap_or(i64::MAX));
        self.load_success.inc();
        publish(merged);
    }

    fn lock(&self) -> MutexGuard<'_, Layers> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tandem_model::runtime::{Layer, Source};

    use super::*;

    fn layer(name: &str, source: Source, values: &[(&str, &str)]) -> Layer {
        let values = values.iter();
        Layer {
            name: name.into(),
            source,
            values: values
                .map(|(name, text)| ((*name).into(), Value::new(text)))
                .collect::<Values>(),
        }
    }

    #[test]
    fn what_is_set_overrides_and_can_be_taken_back() {
        let layers = Layers(vec![
            layer("base", Source::Static, &[("a", "1"), ("b", "2")]),
            layer("admin", Source::Admin, &[]),
        ]);
        let runtime = RuntimeLayers::new(layers, &Registry::default());
        let set = |name: &str, value: &str| runtime.modify(&[(name.into(), value.into())]);
        assert_eq!(set("a", "7"), Ok(()));
        let shown = runtime.to_json();
        assert_eq!(shown["layers"], json!(["base", "admin"]));
        assert_eq!(
            shown["entries"]["a"],
            json!({"layer_values": ["1", "7"], "final_value": "7"})
        );
        assert_eq!(set("a", ""), Ok(()));
        assert_eq!(runtime.to_json()["entries"]["a"]["final_value"], "1");
    }

    #[test]
    fn without_an_admin_layer_nothing_is_set() {
        let runtime = RuntimeLayers::new(Layers::default(), &Registry::default());
        let changes = [("a".to_owned(), "1".to_owned())];
        assert_eq!(runtime.modify(&changes), Err(NoAdminLayer));
    }
}
