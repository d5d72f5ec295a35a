//! What does not come, or is known not to be there.

use super::*;
use tandem_model::config_source::PathConfigSource;

use crate::cascade::Heard;

/// Who says all that there is says what is not there: nobody waits for that, and it is used when
/// it comes after all.
#[test]
fn what_a_source_lacks_is_not_waited_for() {
    let mut rig = rig();
    rig.send(Kind::Cluster, vec![eds_cluster("c", 1)]).unwrap();
    rig.send(Kind::Listener, vec![listener("l", 1, "r")])
        .unwrap();
    assert_eq!(rig.steps(), ["+Endpoints c", "+Routes r"]);
    rig.lacks(Kind::Endpoints, "other");
    assert!(rig.steps().is_empty());
    rig.lacks(Kind::Endpoints, "c");
    assert_eq!(rig.steps(), ["cluster c of 0"]);
    rig.lacks(Kind::Routes, "r");
    assert_eq!(rig.steps(), ["listener l"]);
    assert!(rig.cascade.initialized());
    rig.send(Kind::Endpoints, vec![assignment("c", &[1])])
        .unwrap();
    rig.send(Kind::Routes, vec![routes("r", &["c"])]).unwrap();
    assert_eq!(rig.steps(), ["endpoints c of 1", "routes r of 1"]);
    // Nor does it take away what came.
    rig.lacks(Kind::Endpoints, "c");
    assert!(rig.steps().is_empty());
}

/// Who gives up says what for.
#[test]
fn what_is_late_is_named() {
    let mut rig = rig();
    rig.send(Kind::Cluster, vec![eds_cluster("c", 1)]).unwrap();
    rig.send(Kind::Listener, vec![listener("l", 1, "r")])
        .unwrap();
    rig.steps();
    rig.pass(Duration::from_secs(3));
    let late = |action| match action {
        Action::Heard(kind, key, Heard::Late) => Some(format!("{kind:?} {}", key.name)),
        Action::EndpointsHeard(cluster, Heard::Late) => Some(format!("of {cluster}")),
        _ => None,
    };
    let late: Vec<_> = rig.cascade.actions().into_iter().filter_map(late).collect();
    assert_eq!(late, ["of c", "Endpoints c", "Routes r"]);
}

/// A refusal is an answer: what waits goes on without, and takes what comes after all.
#[test]
fn what_is_refused_at_first_is_not_waited_for() {
    let mut rig = rig();
    rig.send(
        Kind::Cluster,
        vec![eds_cluster("c", 1), eds_cluster("d", 1)],
    )
    .unwrap();
    rig.send(Kind::Listener, vec![listener("l", 1, "r")])
        .unwrap();
    rig.steps();
    let bad = |resource: Resource| Resource {
        fault: Some("nane: no such field".to_owned()),
        ..resource
    };
    let refused = rig.send(Kind::Endpoints, vec![bad(assignment("c", &[1]))]);
    assert_eq!(refused.unwrap_err(), "c: nane: no such field");
    // The other one was not in it.
    let counted = Action::EndpointsHeard("c".into(), Heard::Refused);
    let actions = rig.cascade.actions();
    assert!(
        matches!(&actions[..], [Action::SetCluster(cluster, None), heard]
        if &*cluster.name == "c" && *heard == counted)
    );
    rig.send(Kind::Routes, vec![bad(routes("r", &["c"]))])
        .unwrap_err();
    assert_eq!(rig.steps(), ["listener l"]);
    rig.send(Kind::Endpoints, vec![assignment("c", &[1])])
        .unwrap();
    rig.send(Kind::Routes, vec![routes("r", &["c"])]).unwrap();
    assert_eq!(rig.steps(), ["endpoints c of 1", "routes r of 1"]);
    assert!(!rig.cascade.initialized());
}

/// What an answer that cannot be read had is not known: it may have been anything that is waited
/// for from where it came.
#[test]
fn an_answer_that_cannot_be_read_ends_the_wait_for_all_of_its_kind() {
    let mut rig = rig();
    rig.cascade.unreadable(Kind::Cluster, &Origin::Ads, rig.now);
    assert!(!rig.cascade.awaits(Kind::Cluster));
    rig.send(
        Kind::Cluster,
        vec![eds_cluster("c", 1), eds_cluster("d", 1)],
    )
    .unwrap();
    rig.send(Kind::Listener, vec![listener("l", 1, "r")])
        .unwrap();
    rig.steps();
    for (kind, expected) in [
        (Kind::Endpoints, &["cluster c of 0", "cluster d of 0"][..]),
        (Kind::Routes, &["listener l"]),
    ] {
        let elsewhere = Origin::Path(std::sync::Arc::new(PathConfigSource {
            path: "elsewhere".into(),
            watched_directory: None,
        }));
        rig.cascade.unreadable(kind, &elsewhere, rig.now);
        assert!(rig.steps().is_empty());
        rig.cascade.unreadable(kind, &Origin::Ads, rig.now);
        assert_eq!(rig.steps(), expected);
    }
    assert!(rig.cascade.initialized());
}

impl Rig {
    fn lacks(&mut self, kind: Kind, name: &str) {
        let update = Update {
            missing: vec![name.to_owned()],
            ..Update::default()
        };
        let heard = self.cascade.update(kind, &Origin::Ads, &update, self.now);
        heard.unwrap();
    }
}
