//! A cluster whose endpoints get another name (`eds_cluster_config.service_name`).

use super::*;

/// Cluster `c`, whose endpoints have that name.
fn cluster(service_name: &str) -> Resource {
    let mut resource = eds_cluster("c", 1);
    let mut cluster = pb::cluster::v3::Cluster::decode(&*resource.value).unwrap();
    let eds = cluster.eds_cluster_config.as_mut().unwrap();
    eds.service_name = service_name.to_owned();
    resource.value = cluster.encode_to_vec();
    resource
}

/// What is served of `c` has endpoints `a`; what warms waits for `b`.
fn between() -> Rig {
    let mut rig = rig();
    rig.send(Kind::Cluster, vec![cluster("a")]).unwrap();
    rig.send(Kind::Endpoints, vec![assignment("a", &[1])])
        .unwrap();
    assert_eq!(rig.steps(), ["+Endpoints a", "cluster c of 1"]);
    rig.send(Kind::Cluster, vec![cluster("b")]).unwrap();
    assert_eq!(rig.steps(), ["+Endpoints b"]);
    rig
}

#[test]
fn what_is_served_keeps_its_endpoints_until_the_new_ones_are_there() {
    let mut rig = between();
    rig.send(Kind::Endpoints, vec![assignment("a", &[1, 2])])
        .unwrap();
    assert_eq!(rig.steps(), ["endpoints c of 2"]);
    rig.send(Kind::Endpoints, vec![assignment("b", &[3, 4, 5])])
        .unwrap();
    assert_eq!(rig.steps(), ["cluster c of 3", "-Endpoints a"]);
}

#[test]
fn a_version_that_is_never_served_takes_its_endpoints_along() {
    let mut rig = between();
    rig.send(Kind::Cluster, vec![cluster("d")]).unwrap();
    assert_eq!(rig.steps(), ["+Endpoints d", "-Endpoints b"]);
    rig.send(Kind::Cluster, vec![cluster("a")]).unwrap();
    assert_eq!(rig.steps(), ["-Endpoints d"]);
    rig.send(Kind::Endpoints, vec![assignment("a", &[1, 2])])
        .unwrap();
    assert_eq!(rig.steps(), ["endpoints c of 2"]);
}

#[test]
fn a_cluster_that_goes_leaves_the_endpoints_of_all_its_versions() {
    let mut rig = between();
    rig.send(Kind::Cluster, Vec::new()).unwrap();
    assert_eq!(rig.steps(), ["-Endpoints b"]);
    rig.pass(LINGER);
    assert_eq!(rig.steps(), ["-Endpoints a", "no cluster c"]);
}
