//! The versions that are shown of what was sent more than once.

use super::*;

fn of_version(resource: Resource, version: &str) -> Resource {
    Resource {
        version: version.to_owned(),
        ..resource
    }
}

/// Of the cluster, the endpoints, the listener and the routes that are served.
fn shown(rig: &Rig) -> [String; 4] {
    let dump = rig.cascade.dump();
    let version = |state: &serde_json::Value| state["version_info"].as_str().unwrap().to_owned();
    [
        version(&dump.active_clusters[0]),
        version(&dump.endpoints[0]),
        version(&dump.listeners[0]["active_state"]),
        version(&dump.routes[0]),
    ]
}

fn say(rig: &mut Rig, number: u32, version: &str) {
    for (kind, resource) in [
        (Kind::Cluster, eds_cluster("c", i64::from(number))),
        (Kind::Endpoints, assignment("c", &[number])),
        (Kind::Listener, listener("l", number, "r")),
        (Kind::Routes, routes("r", &["c", "d"][..number as usize])),
    ] {
        rig.send(kind, vec![of_version(resource, version)]).unwrap();
    }
}

#[test]
fn what_comes_again_unchanged_keeps_its_version() {
    let mut rig = rig();
    say(&mut rig, 1, "1");
    assert_eq!(shown(&rig), ["1"; 4]);
    say(&mut rig, 1, "2");
    assert_eq!(shown(&rig), ["1"; 4]);
    say(&mut rig, 2, "3");
    assert_eq!(shown(&rig), ["3"; 4]);
}

/// Between, it was not there: what came then is not what is there now.
#[test]
fn a_cluster_that_is_back_has_the_version_that_it_is_back_with() {
    let mut rig = rig();
    say(&mut rig, 1, "1");
    rig.send(Kind::Cluster, Vec::new()).unwrap();
    let back = of_version(eds_cluster("c", 1), "3");
    rig.send(Kind::Cluster, vec![back]).unwrap();
    assert_eq!(shown(&rig)[0], "3");
}
