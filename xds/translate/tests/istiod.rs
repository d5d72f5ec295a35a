//! What a real istiod pushed: each resource is accepted, or refused for the reason that is listed
//! beside it (`istiod/README.md`).

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests too")]

use std::collections::HashSet;

use base64::Engine as _;
use serde_json::Value;
use tandem_xds_translate::Errors;
use tandem_xds_translate::resource::{self, Kind};

fn pushed() -> Vec<Value> {
    serde_json::from_str(include_str!("istiod/pushed.json")).unwrap()
}

fn text<'a>(resource: &'a Value, field: &str) -> &'a str {
    resource[field].as_str().unwrap()
}

fn judge(resource: &Value, clusters: &HashSet<&str>) -> Result<(), Errors> {
    let engine = base64::engine::general_purpose::STANDARD;
    let bytes = &engine.decode(text(resource, "value")).unwrap();
    let named = |kind: &Kind| kind.type_name() == text(resource, "type");
    let known = |name: &str| clusters.contains(name);
    match Kind::ALL.into_iter().find(named).unwrap() {
        Kind::Cluster => resource::cluster(bytes).map(drop),
        Kind::Endpoints => resource::endpoints(bytes).map(drop),
        Kind::Listener => resource::listener(bytes, &known).map(drop),
        Kind::Routes => resource::routes(bytes, &known).map(drop),
        Kind::Scopes | Kind::VirtualHosts => panic!("istiod pushes none"),
        Kind::Secret => resource::secret(bytes).map(drop),
        Kind::Extension => resource::extension(bytes).map(drop),
        Kind::Runtime => resource::runtime(bytes).map(drop),
    }
}

#[test]
fn everything_is_accepted_or_refused_for_the_reason_that_is_listed() {
    let pushed = pushed();
    let clusters = pushed
        .iter()
        .filter(|resource| text(resource, "type").ends_with(".Cluster"));
    let clusters: HashSet<&str> = clusters.map(|resource| text(resource, "name")).collect();
    let mut wrong = String::new();
    for resource in &pushed {
        let outcome = judge(resource, &clusters).map_err(|errors| {
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            lines
        });
        let actual = outcome.err().map(Value::from).unwrap_or_default();
        if actual != resource["refused"] {
            let (name, pushes) = (text(resource, "name"), &resource["pushes"]);
            wrong += &format!("{}\n", serde_json::json!([name, pushes, actual]));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
