//! Runtime layers under a control plane.

use envoy_types::pb::envoy::service::runtime::v3::Runtime;
use envoy_types::pb::google::protobuf::{Struct, Value, value};
use tandem_model::config_source::{ResourceKey, Subscribed};
use tandem_model::runtime::{Layer, Layers, Source, Values};

use super::*;

/// A cascade with layer `l`, which waits three seconds.
fn rig() -> Rig {
    let now = Instant::now();
    let source = Source::Discovered(Subscribed {
        key: ResourceKey {
            origin: Origin::Ads,
            name: "l".into(),
        },
        initial_fetch_timeout: Some(Duration::from_secs(3)),
    });
    let bootstrap = tandem_model::Bootstrap {
        runtime: Layers(vec![Layer {
            name: "layer".into(),
            source,
            values: Values::new(),
        }]),
        ..Default::default()
    };
    Rig {
        cascade: Cascade::new(&bootstrap, &[], Anything::default(), now),
        published: Arc::default(),
        now,
    }
}

fn layer(name: &str, key: &str, kind: value::Kind) -> Resource {
    let fields = [(key.to_owned(), Value { kind: Some(kind) })].into();
    let runtime = Runtime {
        name: name.to_owned(),
        layer: Some(Struct { fields }),
    };
    resource(name, runtime.encode_to_vec())
}

#[test]
fn a_layer_is_asked_for_first_and_takes_what_comes() {
    let mut rig = rig();
    assert_eq!(rig.steps(), ["+Runtime l"]);
    assert!(rig.cascade.awaits(Kind::Runtime) && !rig.cascade.initialized());
    let sent = [
        layer("l", "a", value::Kind::NumberValue(7.0)),
        layer("other", "b", value::Kind::NumberValue(1.0)),
    ];
    assert_eq!(rig.send(Kind::Runtime, sent.into()), Ok(()));
    assert_eq!(rig.steps(), ["layer l: a=7"]);
    assert!(rig.cascade.initialized());
}

#[test]
fn what_is_wrong_is_refused_and_ends_the_wait() {
    let mut rig = rig();
    rig.steps();
    let wrong = layer("l", "a", value::Kind::NullValue(0));
    let refused = rig.send(Kind::Runtime, vec![wrong]).unwrap_err();
    assert!(
        refused.starts_with("l: layer[\"a\"]: expected a number"),
        "{refused}"
    );
    assert!(rig.steps().is_empty() && rig.cascade.initialized());
}

#[test]
fn a_layer_is_not_waited_for_for_ever() {
    let mut rig = rig();
    rig.pass(Duration::from_secs(2));
    assert!(!rig.cascade.initialized());
    rig.pass(Duration::from_secs(1));
    assert!(rig.cascade.initialized());
}

#[test]
fn a_layer_that_goes_has_no_values() {
    let mut rig = rig();
    let sent = layer("l", "a", value::Kind::NumberValue(7.0));
    rig.send(Kind::Runtime, vec![sent]).unwrap();
    rig.steps();
    let gone = Update {
        removed: vec!["l".to_owned()],
        ..Update::default()
    };
    let done = (rig.cascade).update(Kind::Runtime, &Origin::Ads, &gone, rig.now);
    assert_eq!(done, Ok(()));
    assert_eq!(rig.steps(), ["layer l: "]);
}
