//! Filters whose settings come by themselves.

use envoy_types::pb::envoy::extensions::filters::http::{cors, rbac};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::google::protobuf::Any;
use pb::listener::v3 as proto;

use super::*;

const RBAC: &str = "envoy.extensions.filters.http.rbac.v3.RBAC";
const CORS: &str = "envoy.extensions.filters.http.cors.v3.Cors";

fn settings(ty: &str) -> Option<Any> {
    let bytes = match ty {
        RBAC => rbac::v3::Rbac::default().encode_to_vec(),
        CORS => cors::v3::Cors::default().encode_to_vec(),
        _ => Vec::new(),
    };
    any(ty, bytes)
}

fn extension(name: &str, ty: &str) -> Resource {
    let extension = core::TypedExtensionConfig {
        name: name.to_owned(),
        typed_config: settings(ty),
    };
    resource(name, extension.encode_to_vec())
}

/// A listener with a filter `x` whose settings come by themselves; `edit` says more of it.
fn discovering(types: &[&str], edit: impl FnOnce(&mut core::ExtensionConfigSource)) -> Resource {
    let mut listener = proto::Listener::decode(&*listener("l", 1, "r").value).unwrap();
    let filter = &mut listener.filter_chains[0].filters[0];
    let Some(proto::filter::ConfigType::TypedConfig(config)) = &mut filter.config_type else {
        panic!("{filter:?}")
    };
    let mut manager = hcm::HttpConnectionManager::decode(&*config.value).unwrap();
    let mut source = core::ExtensionConfigSource {
        config_source: Some(ads()),
        type_urls: (types.iter())
            .map(|ty| format!("type.googleapis.com/{ty}"))
            .collect(),
        ..Default::default()
    };
    edit(&mut source);
    let discovered = hcm::HttpFilter {
        name: "x".to_owned(),
        config_type: Some(hcm::http_filter::ConfigType::ConfigDiscovery(source)),
        ..Default::default()
    };
    manager.http_filters.insert(0, discovered);
    config.value = manager.encode_to_vec();
    resource("l", listener.encode_to_vec())
}

/// Clusters and routes are there.
fn rig() -> Rig {
    let mut rig = super::rig();
    rig.serve();
    rig
}

#[test]
fn a_listener_waits_for_its_filters_settings() {
    let mut rig = rig();
    let listener = || vec![discovering(&[RBAC], |_| ())];
    rig.send(Kind::Listener, listener()).unwrap();
    assert_eq!(rig.steps(), ["+Extension x"]);
    rig.send(Kind::Extension, vec![extension("x", RBAC)])
        .unwrap();
    assert_eq!(
        rig.steps(),
        [format!("extension x: {RBAC}"), "listener l".into()]
    );
    // The same again is nothing new.
    rig.send(Kind::Extension, vec![extension("x", RBAC)])
        .unwrap();
    rig.send(Kind::Listener, listener()).unwrap();
    assert!(rig.steps().is_empty());
    rig.send(Kind::Listener, vec![super::listener("l", 1, "r")])
        .unwrap();
    assert_eq!(
        rig.steps(),
        ["listener l", "-Extension x", "no extension x"]
    );
}

#[test]
fn a_listener_does_not_wait_for_ever() {
    let mut rig = rig();
    rig.send(Kind::Listener, vec![discovering(&[RBAC], |_| ())])
        .unwrap();
    rig.steps();
    rig.pass(Duration::from_secs(2));
    assert!(rig.steps().is_empty());
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.steps(), ["listener l"]);
}

#[test]
fn a_default_that_holds_at_once_is_not_waited_for() {
    let mut rig = rig();
    let listener = discovering(&[RBAC], |source| {
        source.default_config = settings(RBAC);
        source.apply_default_config_without_warming = true;
    });
    rig.send(Kind::Listener, vec![listener]).unwrap();
    assert_eq!(rig.steps(), ["+Extension x", "listener l"]);
}

#[test]
fn settings_that_are_taken_back_leave_the_default() {
    let mut rig = rig();
    rig.send(Kind::Listener, vec![discovering(&[RBAC], |_| ())])
        .unwrap();
    rig.send(Kind::Extension, vec![extension("x", RBAC)])
        .unwrap();
    rig.steps();
    let update = Update {
        removed: vec!["x".to_owned()],
        ..Update::default()
    };
    let now = rig.now;
    (rig.cascade)
        .update(Kind::Extension, &Origin::Ads, &update, now)
        .unwrap();
    assert_eq!(rig.steps(), ["extension x: none"]);
}

#[test]
fn settings_of_a_type_that_was_not_asked_for_are_refused() {
    let mut rig = rig();
    rig.send(Kind::Listener, vec![discovering(&[RBAC], |_| ())])
        .unwrap();
    rig.steps();
    let refused = rig.send(Kind::Extension, vec![extension("x", CORS)]);
    assert_eq!(
        refused.unwrap_err(),
        format!(
            "x: typed_config: expected one of the type_urls that listener 'l' takes ({RBAC}), \
             got '{CORS}'"
        )
    );
    let dump = rig.cascade.dump().extensions;
    assert_eq!(dump.len(), 1);
    assert_eq!(dump[0]["error_state"]["version_info"], "1");
    // A type that nobody knows is refused too, and what the next version takes is taken.
    let unknown = rig.send(Kind::Extension, vec![extension("x", "a.b.C")]);
    assert_eq!(
        unknown.unwrap_err(),
        "x: typed_config: filter type 'type.googleapis.com/a.b.C' is not supported"
    );
    rig.send(Kind::Listener, vec![discovering(&[CORS], |_| ())])
        .unwrap();
    rig.send(Kind::Extension, vec![extension("x", CORS)])
        .unwrap();
    assert_eq!(
        rig.steps(),
        [
            "listener l".into(),
            "listener l".into(),
            format!("extension x: {CORS}")
        ]
    );
}

#[test]
fn what_a_filter_says_of_its_discovery_is_judged_with_the_listener() {
    let refusal = |types: &[&str], edit: fn(&mut core::ExtensionConfigSource)| {
        let mut rig = rig();
        let refused = rig.send(Kind::Listener, vec![discovering(types, edit)]);
        let text = refused.unwrap_err();
        let start = "l: filter_chains[0].filters[0].typed_config.http_filters[0].config_discovery.";
        text.strip_prefix(start).unwrap_or(&text).to_owned()
    };
    assert_eq!(
        refusal(&["a.b.C"], |_| ()),
        "type_urls[0]: filter type 'a.b.C' is not supported"
    );
    assert_eq!(
        refusal(&[CORS], |source| source.default_config = settings(RBAC)),
        format!("default_config: expected one of the type_urls, got '{RBAC}'")
    );
    assert_eq!(
        refusal(&[RBAC], |source| source.config_source = None),
        "config_source: expected a value, it is required"
    );
    assert_eq!(
        refusal(&[RBAC], |source| {
            source.apply_default_config_without_warming = true;
        }),
        "apply_default_config_without_warming: expected a default_config that could be applied"
    );
}
