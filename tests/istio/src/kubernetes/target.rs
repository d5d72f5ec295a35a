//! Which object or collection a path speaks of.

use serde_json::Value;

/// An object, or the collection it is in.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// `v1`, `apps/v1`.
    pub version: String,
    /// The plural, as in paths.
    pub resource: String,
    /// Empty for all, or for objects that have none.
    pub namespace: String,
    /// Empty for the collection.
    pub name: String,
    /// Whether changes are asked for.
    pub watch: bool,
    /// Whether a watch begins with what there is.
    pub initial: bool,
    /// Changes up to this one are known.
    pub since: u64,
    selector: String,
}

impl Target {
    /// An object without a namespace.
    pub fn new(version: &str, resource: &str, name: &str) -> Self {
        Self {
            version: version.into(),
            resource: resource.into(),
            name: name.into(),
            ..Self::default()
        }
    }

    /// Reads a request's target; `None` when it is about the API itself.
    pub fn read(path: &str, query: &str) -> Option<Self> {
        let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
        let (version, mut rest) = match words.as_slice() {
            ["api", version, rest @ ..] => ((*version).to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return None,
        };
        let mut target = Self {
            version,
            ..Self::default()
        };
        if let ["namespaces", namespace, of @ ..] = rest
            && !matches!(of, [] | ["status" | "finalize"])
        {
            target.namespace = (*namespace).into();
            rest = of;
        }
        target.resource = (*rest.first()?).into();
        target.name = rest.get(1).copied().unwrap_or_default().into();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match key {
                "watch" => target.watch = value == "true" || value == "1",
                "sendInitialEvents" => target.initial = value == "true",
                "resourceVersion" => target.since = value.parse().unwrap_or(0),
                "fieldSelector" => target.selector = value.replace("%3D", "="),
                _ => {}
            }
        }
        Some(target)
    }

    /// The object that a creation names in its body.
    pub fn named(&self, body: &Value) -> Self {
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        Self {
            name: name.into(),
            ..self.clone()
        }
    }

    /// Whether an object of this resource is meant.
    pub fn selects(&self, namespace: &str, name: &str) -> bool {
        let by_name = self.selector.strip_prefix("metadata.name=");
        (self.namespace.is_empty() || self.namespace == namespace)
            && by_name.is_none_or(|wanted| wanted == name)
    }

    /// What an object of the resource is called.
    pub fn kind(&self) -> String {
        const KINDS: [&str; 16] = [
            "ConfigMap",
            "Endpoints",
            "EndpointSlice",
            "NetworkPolicy",
            "Ingress",
            "IngressClass",
            "GatewayClass",
            "ServiceAccount",
            "ReplicaSet",
            "DaemonSet",
            "StatefulSet",
            "CustomResourceDefinition",
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ServiceEntry",
        ];
        let singular = self
            .resource
            .strip_suffix("ies")
            .map(|stem| format!("{stem}y"));
        let singular = singular.or_else(|| {
            self.resource
                .strip_suffix("sses")
                .map(|stem| format!("{stem}ss"))
        });
        let singular = singular.or_else(|| self.resource.strip_suffix('s').map(str::to_owned));
        let singular = singular.unwrap_or_else(|| self.resource.clone());
        let known = KINDS.iter().find(|kind| {
            kind.eq_ignore_ascii_case(&singular) || kind.eq_ignore_ascii_case(&self.resource)
        });
        known.map_or_else(
            || singular[..1].to_uppercase() + &singular[1..],
            |kind| (*kind).to_owned(),
        )
    }
}
