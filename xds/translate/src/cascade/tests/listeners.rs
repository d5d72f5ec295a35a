//! Listeners that cannot listen, and how many there are.

use super::*;

/// A listener that comes under another name, or again, has its address already.
#[test]
fn a_listener_that_cannot_listen_is_refused_and_others_are_not_asked_again() {
    let mut rig = rig();
    rig.serve();
    let refused = rig.send(
        Kind::Listener,
        vec![listener("l", 1, "r"), listener("m", 666, "r")],
    );
    assert_eq!(refused.unwrap_err(), "m: cannot bind 127.0.0.1:666");
    assert!(rig.steps().is_empty());
}

#[test]
fn listeners_are_counted() {
    let mut rig = rig();
    rig.serve();
    let counts = |rig: &Rig| {
        let counts = rig.cascade.listener_counts();
        let moved = [counts.added, counts.modified, counts.removed];
        (moved, counts.active, counts.warming)
    };
    assert_eq!(counts(&rig), ([1, 0, 0], 1, 0));
    for _ in 0..2 {
        // The same again is no other version.
        rig.send(
            Kind::Listener,
            vec![listener("l", 2, "r"), listener("m", 3, "other")],
        )
        .unwrap();
        assert_eq!(counts(&rig), ([2, 1, 0], 1, 1));
    }
    rig.send(Kind::Listener, vec![listener("l", 2, "r")])
        .unwrap();
    assert_eq!(counts(&rig), ([2, 1, 1], 1, 0));
}

/// What files and REST have may not even be bytes: the listener before it stays, and the refusal
/// is shown until the name is gone.
#[test]
fn a_resource_with_a_fault_is_refused_by_name() {
    let mut rig = rig();
    rig.serve();
    let faulty = |name: &str, port| Resource {
        fault: Some("nane: no such field".to_owned()),
        ..listener(name, port, "r")
    };
    let refused = rig.send(Kind::Listener, vec![faulty("l", 2), faulty("m", 3)]);
    let expected = "l: nane: no such field\nm: nane: no such field";
    assert_eq!(refused.unwrap_err(), expected);
    assert!(rig.steps().is_empty());
    let dump = rig.cascade.dump();
    assert_eq!(dump.listeners.len(), 2);
    let details = &dump.listeners[0]["error_state"]["details"];
    assert_eq!(details, "nane: no such field");
    rig.send(Kind::Listener, vec![listener("l", 1, "r")])
        .unwrap();
    let dump = rig.cascade.dump();
    assert_eq!(dump.listeners.len(), 1);
    assert!(dump.listeners[0].get("error_state").is_none());

    // Nobody asked for this name: it may be a slip of the pen.
    let unasked = Resource {
        fault: Some("expected a mapping".to_owned()),
        ..resource("resources[0]", Vec::new())
    };
    let refused = rig.send(Kind::Routes, vec![unasked]);
    assert_eq!(refused.unwrap_err(), "resources[0]: expected a mapping");
}

/// As in Envoy, what is served is not judged anew where it comes again.
#[test]
fn what_comes_again_is_as_right_as_it_was() {
    let mut rig = rig();
    rig.serve();
    let again = || vec![super::waiting::own_routes("l", 1, &["c"])];
    rig.send(Kind::Listener, again()).unwrap();
    rig.send(Kind::Cluster, Vec::new()).unwrap();
    rig.pass(GRACE);
    rig.steps();
    rig.send(Kind::Listener, again()).unwrap();
    assert!(rig.steps().is_empty());
    let new = vec![super::waiting::own_routes("m", 1, &["c"])];
    rig.send(Kind::Listener, new).unwrap_err();
}

/// State of the world may wrap resources, by any name.
#[test]
fn what_came_in_a_wrapper_with_another_name_is_served() {
    let mut rig = rig();
    rig.serve();
    let wrapped = |one: Resource| Resource {
        name: "wrapper".to_owned(),
        ..one
    };
    for _ in 0..2 {
        let clusters = vec![eds_cluster("c", 1), wrapped(eds_cluster("d", 1))];
        rig.send(Kind::Cluster, clusters).unwrap();
        let listeners = vec![listener("l", 1, "r"), wrapped(listener("m", 2, "r"))];
        rig.send(Kind::Listener, listeners).unwrap();
    }
    assert_eq!(rig.steps(), ["+Endpoints d", "listener m"]);
}

#[test]
fn how_sockets_share_a_port_cannot_be_changed() {
    let mut rig = rig();
    rig.serve();
    let Resource { value, .. } = listener("l", 1, "r");
    let mut alone = pb::listener::v3::Listener::decode(value.as_slice()).unwrap();
    alone.enable_reuse_port = Some(envoy_types::pb::google::protobuf::BoolValue { value: false });
    let alone = resource("l", alone.encode_to_vec());
    let refused = rig.send(Kind::Listener, vec![alone.clone()]);
    let expected = "l: enable_reuse_port: cannot be changed during an update";
    assert_eq!(refused.unwrap_err(), expected);
    assert!(rig.steps().is_empty());
    rig.send(Kind::Listener, Vec::new()).unwrap();
    rig.send(Kind::Listener, vec![alone]).unwrap();
}
