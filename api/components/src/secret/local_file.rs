//! `secretstores.local.file`: secrets are in a JSON file. Nested objects are flattened with
//! `nestedSeparator` (default `:`); with `multiValued`, each entry of the top level is one secret
//! whose parts are flattened.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;
use tandem_api_contract::{Error, file, options::Options, secret::SecretStore};

pub(super) struct LocalFile {
    secrets: BTreeMap<String, BTreeMap<String, String>>,
    file: String,
}

impl LocalFile {
    /// Reads the file at once, so that a fault shows at start and names its field.
    pub(super) fn new(options: &mut Options<'_>) -> Self {
        let file = options.required("secretsFile").to_owned();
        let separator = options.text("nestedSeparator").unwrap_or(":").to_owned();
        let multi_valued = options.boolean("multiValued").unwrap_or(false);
        let mut secrets = BTreeMap::new();
        if !file.is_empty() {
            match read(&file) {
                Err(why) => options.refuse("secretsFile", &why),
                Ok(entries) => {
                    for (name, value) in entries {
                        let mut flat = BTreeMap::new();
                        if multi_valued && value.is_object() {
                            flatten(&value, "", &separator, &mut flat);
                            secrets.insert(name, flat);
                        } else {
                            flatten(&value, &name, &separator, &mut flat);
                            for (name, text) in flat {
                                secrets.insert(name.clone(), [(name, text)].into());
                            }
                        }
                    }
                }
            }
        }
        Self { secrets, file }
    }
}

impl SecretStore for LocalFile {
    fn get(&self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        self.secrets
            .get(name)
            .cloned()
            .ok_or_else(|| Error::not_found(format!("'{}' has no secret '{name}'", self.file)))
    }
}

fn read(path: &str) -> Result<serde_json::Map<String, Value>, String> {
    let text = file::read(Path::new(path)).map_err(|error| format!("'{path}': {error}"))?;
    match serde_json::from_str(&text).map_err(|error| format!("'{path}': {error}"))? {
        Value::Object(entries) => Ok(entries),
        _ => Err(format!("'{path}': expected a JSON object")),
    }
}

fn flatten(value: &Value, path: &str, separator: &str, into: &mut BTreeMap<String, String>) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}{separator}{name}"),
    };
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                flatten(value, &below(name), separator, into);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(value, &below(&index.to_string()), separator, into);
            }
        }
        Value::String(text) => {
            into.insert(path.to_owned(), text.clone());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            into.insert(path.to_owned(), value.to_string());
        }
    }
}
