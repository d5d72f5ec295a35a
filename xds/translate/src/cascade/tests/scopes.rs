//! Scopes of routes.

use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use hcm::http_connection_manager::RouteSpecifier;
use hcm::scoped_routes::scope_key_builder::{FragmentBuilder, fragment_builder};
use hcm::scoped_routes::{ConfigSpecifier, ScopeKeyBuilder};
use pb::route::v3 as proto;
use proto::scoped_route_configuration::{Key, key};

use super::*;

/// Scope `name` for requests with `key`, by routes that come by RDS.
fn scope(name: &str, key: &str, routes: &str) -> Resource {
    let fragment = key::Fragment {
        r#type: Some(key::fragment::Type::StringKey(key.to_owned())),
    };
    let scope = proto::ScopedRouteConfiguration {
        name: name.to_owned(),
        route_configuration_name: routes.to_owned(),
        key: Some(Key {
            fragments: vec![fragment],
        }),
        ..Default::default()
    };
    resource(name, scope.encode_to_vec())
}

fn scoped_listener(name: &str, port: u32) -> Resource {
    use fragment_builder::{HeaderValueExtractor, Type, header_value_extractor::ExtractType};
    let fragment = FragmentBuilder {
        r#type: Some(Type::HeaderValueExtractor(HeaderValueExtractor {
            name: "x-scope".to_owned(),
            extract_type: Some(ExtractType::Index(0)),
            ..Default::default()
        })),
    };
    let scoped = hcm::ScopedRoutes {
        name: "s".to_owned(),
        scope_key_builder: Some(ScopeKeyBuilder {
            fragments: vec![fragment],
        }),
        rds_config_source: Some(ads()),
        config_specifier: Some(ConfigSpecifier::ScopedRds(hcm::ScopedRds {
            scoped_rds_config_source: Some(ads()),
            ..Default::default()
        })),
    };
    listener_by(name, port, RouteSpecifier::ScopedRoutes(scoped))
}

impl Rig {
    fn scopes(&mut self, added: Vec<Resource>, removed: &[&str]) -> Result<(), String> {
        let update = Update {
            added,
            removed: removed.iter().map(|name| (*name).to_owned()).collect(),
            ..Update::default()
        };
        self.cascade
            .update(Kind::Scopes, &Origin::Ads, &update, self.now)
    }

    /// Listener `l` with scopes `a` by routes `ra`, `b` by `rb`.
    fn serve_scopes(&mut self) {
        self.send(Kind::Cluster, Vec::new()).unwrap();
        self.send(Kind::Listener, vec![scoped_listener("l", 1)])
            .unwrap();
        self.scopes(vec![scope("a", "1", "ra"), scope("b", "2", "rb")], &[])
            .unwrap();
        let both = vec![routes("ra", &["c"]), routes("rb", &["c"])];
        self.send(Kind::Routes, both).unwrap();
        self.steps();
    }
}

#[test]
fn a_listener_waits_for_its_scopes_and_their_routes() {
    let mut rig = rig();
    rig.send(Kind::Cluster, Vec::new()).unwrap();
    rig.send(Kind::Listener, vec![scoped_listener("l", 1)])
        .unwrap();
    assert_eq!(rig.steps(), ["+Scopes *"]);
    rig.scopes(vec![scope("a", "1", "ra"), scope("b", "2", "rb")], &[])
        .unwrap();
    assert_eq!(rig.steps(), ["+Routes ra", "+Routes rb", "scopes "]);
    rig.send(Kind::Routes, vec![routes("ra", &["c"])]).unwrap();
    assert_eq!(rig.steps(), ["routes ra of 1", "scopes a"]);
    assert!(!rig.cascade.initialized());
    rig.send(Kind::Routes, vec![routes("rb", &["c"])]).unwrap();
    assert_eq!(rig.steps(), ["routes rb of 1", "scopes a,b", "listener l"]);
}

#[test]
fn a_listener_does_not_wait_for_scopes_for_ever() {
    let mut rig = rig();
    rig.send(Kind::Cluster, Vec::new()).unwrap();
    rig.send(Kind::Listener, vec![scoped_listener("l", 1)])
        .unwrap();
    rig.steps();
    rig.pass(Duration::from_secs(3));
    assert_eq!(rig.steps(), ["listener l"]);
    rig.scopes(vec![scope("a", "1", "ra")], &[]).unwrap();
    assert_eq!(rig.steps(), ["+Routes ra", "scopes "]);
}

/// A scope with other routes, and one that takes another's key, appear only with their routes.
#[test]
fn a_scope_is_replaced_when_its_successor_has_routes() {
    let mut rig = rig();
    rig.serve_scopes();
    rig.scopes(vec![scope("a", "1", "rc")], &[]).unwrap();
    assert_eq!(rig.steps(), ["+Routes rc"]);
    rig.send(Kind::Routes, vec![routes("rc", &["c"])]).unwrap();
    assert_eq!(
        rig.steps(),
        ["routes rc of 1", "scopes a,b", "-Routes ra", "no routes ra"]
    );
    rig.scopes(vec![scope("d", "2", "rd")], &["b"]).unwrap();
    assert_eq!(rig.steps(), ["+Routes rd"]);
    rig.send(Kind::Routes, vec![routes("rd", &["c"])]).unwrap();
    assert_eq!(
        rig.steps(),
        ["routes rd of 1", "scopes a,d", "-Routes rb", "no routes rb"]
    );
    rig.scopes(Vec::new(), &["d"]).unwrap();
    assert_eq!(rig.steps(), ["scopes a", "-Routes rd", "no routes rd"]);
}

/// Who has a key keeps it, whatever its name; a newcomer is refused alone. Scopes may exchange
/// their keys.
#[test]
fn every_key_has_one_scope() {
    let mut rig = rig();
    rig.serve_scopes();
    let taken = rig.scopes(vec![scope("e", "1", "ra")], &[]);
    assert_eq!(
        taken.unwrap_err(),
        "e: key: expected every key once, 'a' has it already"
    );
    assert!(rig.steps().is_empty());
    let taken = rig.scopes(vec![scope("0", "1", "ra"), scope("c", "3", "ra")], &[]);
    assert_eq!(
        taken.unwrap_err(),
        "0: key: expected every key once, 'a' has it already"
    );
    assert_eq!(rig.steps(), ["scopes a,b,c"]);
    rig.scopes(Vec::new(), &["0", "c"]).unwrap();
    assert_eq!(rig.steps(), ["scopes a,b"]);
    rig.scopes(vec![scope("a", "2", "ra"), scope("b", "1", "rb")], &[])
        .unwrap();
    assert_eq!(rig.steps(), ["scopes a,b"]);
}

/// So it is where the control plane sends all that it has each time.
#[test]
fn a_newcomer_does_not_take_a_key_from_those_that_come_again() {
    let mut rig = rig();
    rig.serve_scopes();
    let all = Update {
        complete: true,
        added: vec![
            scope("0", "1", "rb"),
            scope("a", "1", "ra"),
            scope("c", "3", "ra"),
        ],
        ..Update::default()
    };
    let refused = (rig.cascade).update(Kind::Scopes, &Origin::Ads, &all, rig.now);
    assert_eq!(
        refused.unwrap_err(),
        "0: key: expected every key once, 'a' has it already"
    );
    assert_eq!(rig.steps(), ["scopes a,c", "-Routes rb", "no routes rb"]);
}

#[test]
fn a_scope_goes_when_its_time_has_ended() {
    let mut rig = rig();
    rig.serve_scopes();
    (rig.cascade).expired(Kind::Scopes, &Origin::Ads, &["b".to_owned()], rig.now);
    assert_eq!(rig.steps(), ["scopes a", "-Routes rb", "no routes rb"]);
}

#[test]
fn a_bad_scope_refuses_itself_alone() {
    let mut rig = rig();
    rig.serve_scopes();
    let mut bad = scope("a", "1", "");
    bad.name = "a".to_owned();
    let refused = rig.scopes(vec![bad, scope("c", "3", "ra")], &[]);
    assert_eq!(
        refused.unwrap_err(),
        "a: expected one of route_configuration, route_configuration_name"
    );
    assert_eq!(rig.steps(), ["scopes a,b,c"]);
}

#[test]
fn scopes_go_with_the_last_listener_that_has_them() {
    let mut rig = rig();
    rig.serve_scopes();
    let both = vec![scoped_listener("l", 1), scoped_listener("m", 2)];
    rig.send(Kind::Listener, both).unwrap();
    assert_eq!(rig.steps(), ["listener m"]);
    rig.send(Kind::Listener, vec![scoped_listener("m", 2)])
        .unwrap();
    assert_eq!(rig.steps(), ["no listener l"]);
    rig.send(Kind::Listener, Vec::new()).unwrap();
    let mut steps = rig.steps();
    steps.sort();
    let gone = [
        "-Routes ra",
        "-Routes rb",
        "-Scopes *",
        "no listener m",
        "no routes ra",
        "no routes rb",
        "no scopes",
    ];
    assert_eq!(steps, gone);
}

/// A scope with its own routes: what comes meanwhile does not begin the wait for clusters anew.
#[test]
fn scopes_that_change_again_and_again_wait_once() {
    let mut rig = rig();
    rig.serve_scopes();
    rig.send(Kind::Cluster, vec![eds_cluster("x", 1)]).unwrap();
    rig.steps();
    let own = |clusters: &[&str]| {
        let Resource { value, .. } = scope("a", "1", "");
        let mut scope = proto::ScopedRouteConfiguration::decode(value.as_slice()).unwrap();
        let routes = routes("own", clusters).value;
        scope.route_configuration = proto::RouteConfiguration::decode(routes.as_slice()).ok();
        resource("a", scope.encode_to_vec())
    };
    rig.scopes(vec![own(&["x"])], &[]).unwrap();
    assert!(rig.steps().is_empty());
    rig.now += PATIENCE / 2;
    rig.scopes(vec![own(&["x", "x"])], &[]).unwrap();
    assert!(rig.steps().is_empty());
    assert_eq!(rig.cascade.scopes.deadline(), Some(rig.now + PATIENCE / 2));
}
