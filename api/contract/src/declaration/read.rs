//! Dapr's `Component` YAML: `apiVersion: dapr.io/v1alpha1`, several documents a file.

use std::{fs, path::Path, path::PathBuf};

use super::{
    Context, Declaration, Dialect, Fault, Faults, Field, Value,
    fault::Place,
    yaml::{self, Node, Shape},
};
use crate::options::parse_duration;

/// Reads the declarations in files, and in folders (their `.yaml` and `.yml` files by name, not
/// those of sub-folders), and leaves out those that are not meant for this application: by
/// `scopes`, and by `metadata.namespace` if the process has a namespace.
///
/// # Errors
/// Everything that is wrong with any of the files: what cannot be read, what is not YAML, unknown
/// kinds and fields, names used twice.
pub fn read(paths: &[PathBuf], context: &Context) -> Result<Vec<Declaration>, Faults> {
    let (mut declarations, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        match files(path) {
            Err(error) => {
                faults.push(Place::new(&*path.to_string_lossy(), 0).fault(error.to_string()));
            }
            Ok(files) => {
                for file in files {
                    let name = file.to_string_lossy();
                    match crate::file::read(&file) {
                        Err(error) => faults.push(Place::new(&*name, 0).fault(error.to_string())),
                        Ok(text) => match parse(&name, &text, context) {
                            Ok(read) => declarations.extend(read),
                            Err(found) => faults.extend(found.0),
                        },
                    }
                }
            }
        }
    }
    faults.extend(duplicates(&declarations));
    if faults.is_empty() {
        Ok(declarations)
    } else {
        Err(Faults(faults))
    }
}

/// As [`read`], for the text of one file.
///
/// # Errors
/// As [`read`], without the duplicates.
pub fn parse(file: &str, text: &str, context: &Context) -> Result<Vec<Declaration>, Faults> {
    let mut reader = Reader {
        file,
        faults: Vec::new(),
    };
    let mut declarations = Vec::new();
    for document in yaml::documents(file, text)? {
        declarations.extend(reader.document(&document, context));
    }
    if reader.faults.is_empty() {
        Ok(declarations)
    } else {
        Err(Faults(reader.faults))
    }
}

fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("yaml" | "yml")) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn duplicates(declarations: &[Declaration]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, later) in declarations.iter().enumerate() {
        if let Some(first) = declarations[..index]
            .iter()
            .find(|first| first.name == later.name)
        {
            let (name, place) = (&later.name, &first.place);
            let message = format!("component '{name}' is declared already at {place}");
            faults.push(later.place.fault(message));
        }
    }
    faults
}

struct Reader<'a> {
    file: &'a str,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn document(&mut self, document: &Node, context: &Context) -> Option<Declaration> {
        let place = self.place(document);
        let before = self.faults.len();
        let known = ["apiVersion", "kind", "metadata", "spec", "auth", "scopes"];
        let top = self.map(document, "the document", &known);
        match self.text(get(top, "kind"), "kind").as_deref() {
            Some("Component") => {}
            None => {
                self.faults.push(place.fault("field 'kind' is missing"));
                return None;
            }
            // Fields of other kinds would be faults of their own, and mislead.
            Some(other) => {
                self.faults.truncate(before);
                let message = format!("kind '{other}' is not supported: expected 'Component'");
                self.faults.push(place.fault(message));
                return None;
            }
        }
        if let Some(version) = self.text(get(top, "apiVersion"), "apiVersion")
            && version != "dapr.io/v1alpha1"
        {
            let message = format!("apiVersion '{version}': expected 'dapr.io/v1alpha1'");
            self.faults.push(place.fault(message));
        }
        // Kubernetes adds more of its own to metadata; none of it changes what a component does.
        let about = self.map(get(top, "metadata").unwrap_or(&EMPTY), "metadata", &[]);
        let name = self.needed(about, "name", "metadata.name", &place);
        let namespace = self.text(get(about, "namespace"), "metadata.namespace");
        let scopes = self.scopes(get(top, "scopes"));
        let auth = self.map(get(top, "auth").unwrap_or(&EMPTY), "auth", &["secretStore"]);
        let secret_store = self.text(get(auth, "secretStore"), "auth.secretStore");
        let known = ["type", "version", "ignoreErrors", "initTimeout", "metadata"];
        let spec = self.map(get(top, "spec").unwrap_or(&EMPTY), "spec", &known);
        let kind = self.needed(spec, "type", "spec.type", &place);
        if let Some(version) = self.text(get(spec, "version"), "spec.version")
            && !matches!(version.as_str(), "" | "v0" | "v1" | "v2")
        {
            self.faults
                .push(place.fault(format!("spec.version '{version}' is not supported")));
        }
        let ignore_errors = match self.text(get(spec, "ignoreErrors"), "spec.ignoreErrors") {
            None => false,
            Some(text) if text == "true" || text == "false" => text == "true",
            Some(text) => {
                let message = format!("spec.ignoreErrors: expected true or false, found '{text}'");
                self.faults.push(place.fault(message));
                false
            }
        };
        let mut init_timeout = std::time::Duration::from_secs(5);
        if let Some(text) = self.text(get(spec, "initTimeout"), "spec.initTimeout") {
            match parse_duration(&text) {
                Some(duration) => init_timeout = duration,
                None => self.faults.push(place.fault(format!(
                    "spec.initTimeout: expected a duration such as 5s or 1m, found '{text}'"
                ))),
            }
        }
        let fields = self.fields(get(spec, "metadata"), context);
        let meant = (scopes.is_empty() || scopes.contains(&context.app_id))
            && (context.namespace.is_none()
                || namespace.is_none()
                || namespace == context.namespace);
        meant.then(|| Declaration {
            name: name.unwrap_or_default(),
            kind: kind.unwrap_or_default(),
            fields,
            scopes,
            secret_store,
            ignore_errors,
            init_timeout,
            place,
            dialect: Dialect::Dapr,
        })
    }

    fn fields(&mut self, node: Option<&Node>, context: &Context) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for item in self.list(node, "spec.metadata") {
            let place = self.place(item);
            let known = ["name", "value", "secretKeyRef", "envRef"];
            let entry = self.map(item, "spec.metadata[]", &known);
            let Some(name) = self.needed(entry, "name", "spec.metadata[].name", &place) else {
                continue;
            };
            if fields
                .iter()
                .any(|field| field.name.eq_ignore_ascii_case(&name))
            {
                self.faults
                    .push(place.fault(format!("field '{name}' is there twice")));
            }
            let given = ["value", "secretKeyRef", "envRef"]
                .into_iter()
                .filter(|given| get(entry, given).is_some())
                .count();
            if given > 1 {
                self.faults.push(place.fault(format!(
                    "field '{name}': expected one of 'value', 'secretKeyRef' and 'envRef'"
                )));
            }
            let value = if let Some(secret) = get(entry, "secretKeyRef") {
                let secret = self.map(secret, "secretKeyRef", &["name", "key"]);
                let of = self.needed(secret, "name", "secretKeyRef.name", &place);
                let of = of.unwrap_or_default();
                let key = self.text(get(secret, "key"), "secretKeyRef.key");
                Value::Secret {
                    key: key.unwrap_or_else(|| of.clone()),
                    name: of,
                }
            } else if let Some(env) = get(entry, "envRef") {
                Value::Env(self.text(Some(env), "envRef").unwrap_or_default())
            } else {
                let what = format!("spec.metadata '{name}'");
                let text = self.text(get(entry, "value"), &what).unwrap_or_default();
                Value::Literal(fill_in(text, context))
            };
            fields.push(Field { name, value, place });
        }
        fields
    }

    fn scopes(&mut self, node: Option<&Node>) -> Vec<String> {
        let items = self.list(node, "scopes");
        items
            .iter()
            .filter_map(|item| self.text(Some(item), "scopes[]"))
            .collect()
    }

    fn place(&self, node: &Node) -> Place {
        Place::new(self.file, node.line)
    }

    /// The entries of a map, all of which must be known; `known` empty means anything goes.
    fn map<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> &'n [(String, Node)] {
        let entries = match &node.shape {
            Shape::Map(entries) => entries,
            Shape::Null => return &[],
            Shape::Scalar(_) | Shape::List(_) => {
                let fault = self
                    .place(node)
                    .fault(format!("{what}: expected named fields"));
                self.faults.push(fault);
                return &[];
            }
        };
        for (name, node) in entries {
            if !known.is_empty() && !known.contains(&name.as_str()) {
                let message = format!("field '{name}' is not known in {what}");
                self.faults.push(self.place(node).fault(message));
            }
        }
        entries
    }

    fn list<'n>(&mut self, node: Option<&'n Node>, what: &str) -> &'n [Node] {
        match node.map(|node| (&node.shape, node)) {
            None | Some((Shape::Null, _)) => &[],
            Some((Shape::List(items), _)) => items,
            Some((_, node)) => {
                self.faults
                    .push(self.place(node).fault(format!("{what}: expected a list")));
                &[]
            }
        }
    }

    fn text(&mut self, node: Option<&Node>, what: &str) -> Option<String> {
        let node = node?;
        match &node.shape {
            Shape::Null => None,
            Shape::Scalar(text) => Some(text.clone()),
            Shape::List(_) | Shape::Map(_) => {
                self.faults.push(
                    self.place(node)
                        .fault(format!("{what}: expected one value")),
                );
                None
            }
        }
    }

    fn needed(
        &mut self,
        entries: &[(String, Node)],
        name: &str,
        what: &str,
        place: &Place,
    ) -> Option<String> {
        let text = self
            .text(get(entries, name), what)
            .filter(|text| !text.is_empty());
        if text.is_none() {
            self.faults
                .push(place.fault(format!("field '{what}' is missing")));
        }
        text
    }
}

static EMPTY: Node = Node {
    line: 0,
    shape: Shape::Null,
};

fn get<'n>(entries: &'n [(String, Node)], name: &str) -> Option<&'n Node> {
    entries
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, node)| node)
}

/// Fills in what Dapr lets values refer to. `{namespace}` is `NAMESPACE.APP`, as there.
fn fill_in(text: String, context: &Context) -> String {
    if !text.contains('{') {
        return text;
    }
    let mut text = text;
    while text.contains("{uuid}") {
        text = text.replacen("{uuid}", &uuid::Uuid::new_v4().to_string(), 1);
    }
    let namespace = match &context.namespace {
        Some(namespace) => format!("{namespace}.{}", context.app_id),
        None => context.app_id.clone(),
    };
    text.replace("{appID}", &context.app_id)
        .replace("{podName}", &context.pod_name)
        .replace("{namespace}", &namespace)
}
