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
