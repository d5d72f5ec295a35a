//! Virtual hosts that come by themselves.

use pb::route::v3 as proto;
use tandem_model::config_source::{ApiConfigSource, ApiType};

use super::*;

/// As `rig`, with an aggregated stream that sends changes only.
fn delta_rig() -> Rig {
    let mut bootstrap = tandem_model::Bootstrap::default();
    bootstrap.dynamic.ads = Some(std::sync::Arc::new(ApiConfigSource {
        api: ApiType::DeltaGrpc,
        services: Vec::new(),
        refresh_delay: Duration::ZERO,
        request_timeout: Duration::ZERO,
    }));
    let mut rig = rig();
    let awaited = [Kind::Cluster, Kind::Listener];
    rig.cascade = Cascade::new(&bootstrap, &awaited, Anything::default(), rig.now);
    rig
}

/// Routes whose virtual hosts come by themselves, beside one of their own for `domain`.
fn open_routes(name: &str, domain: &str) -> Resource {
    let mut config = proto::RouteConfiguration::decode(&*routes(name, &["c"]).value).unwrap();
    config.virtual_hosts[0].domains = vec![domain.to_owned()];
    config.vhds = Some(proto::Vhds {
        config_source: Some(ads()),
    });
    resource(name, config.encode_to_vec())
}

fn host(name: &str, domain: &str) -> Resource {
    let config = proto::RouteConfiguration::decode(&*routes(name, &["c"]).value).unwrap();
    let mut host = config.virtual_hosts.into_iter().next().unwrap();
    host.name = name.to_owned();
    host.domains = vec![domain.to_owned()];
    resource(name, host.encode_to_vec())
}

impl Rig {
    fn hosts(&mut self, added: Vec<Resource>, removed: &[&str]) -> Result<(), String> {
        let update = Update {
            added,
            removed: removed.iter().map(|name| (*name).to_owned()).collect(),
            ..Update::default()
        };
        self.cascade
            .update(Kind::VirtualHosts, &Origin::Ads, &update, self.now)
    }

    fn ask_for_hosts(&mut self) {
        self.send(Kind::Cluster, Vec::new()).unwrap();
        self.send(Kind::Listener, vec![listener("l", 1, "r")])
            .unwrap();
        self.send(Kind::Routes, vec![open_routes("r", "own.test")])
            .unwrap();
    }

    /// The domains of the routes that are published.
    fn domains(&mut self) -> Vec<String> {
        let published = self.cascade.actions().into_iter().filter_map(|action| {
            let Action::SetRoutes(_, config) = action else {
                return None;
            };
            let domains = config.virtual_hosts.iter().flat_map(|host| &host.domains);
            Some(
                domains
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        });
        published.collect()
    }
}

#[test]
fn routes_wait_for_their_first_virtual_hosts() {
    let mut rig = delta_rig();
    rig.ask_for_hosts();
    assert_eq!(rig.steps(), ["+Routes r", "+VirtualHosts *"]);
    rig.hosts(vec![host("r/a", "a.test"), host("other/a", "b.test")], &[])
        .unwrap();
    assert_eq!(rig.steps(), ["routes r of 1", "listener l"]);
    assert!(rig.cascade.initialized());
}

#[test]
fn routes_do_not_wait_for_virtual_hosts_for_ever() {
    let mut rig = delta_rig();
    rig.ask_for_hosts();
    rig.steps();
    let deadline = rig.cascade.deadline().unwrap();
    assert!(deadline > rig.now);
    rig.pass(deadline - rig.now);
    assert_eq!(rig.domains(), ["own.test"]);
}

/// They come, change and go; those of another route configuration wait for it.
#[test]
fn virtual_hosts_stand_beside_those_of_the_routes() {
    let mut rig = delta_rig();
    rig.ask_for_hosts();
    rig.hosts(vec![host("r/a", "a.test"), host("s/x", "x.test")], &[])
        .unwrap();
    assert_eq!(rig.domains(), ["own.test a.test"]);
    rig.hosts(vec![host("r/b", "a.test")], &["r/a"]).unwrap();
    assert_eq!(rig.domains(), ["own.test a.test"]);
    rig.hosts(vec![host("r/a", "c.test")], &[]).unwrap();
    assert_eq!(rig.domains(), ["own.test c.test a.test"]);
    rig.send(Kind::Routes, vec![open_routes("r", "new.test")])
        .unwrap();
    assert_eq!(rig.domains(), ["new.test c.test a.test"]);
    rig.hosts(Vec::new(), &["r/a", "r/b"]).unwrap();
    assert_eq!(rig.domains(), ["new.test"]);
    let both = vec![listener("l", 1, "r"), listener("m", 2, "s")];
    rig.send(Kind::Listener, both).unwrap();
    rig.send(Kind::Routes, vec![open_routes("s", "s.test")])
        .unwrap();
    assert_eq!(rig.domains(), ["s.test x.test"]);
}

#[test]
fn what_is_wrong_with_virtual_hosts_is_refused() {
    let mut rig = rig();
    rig.send(Kind::Listener, vec![listener("l", 1, "r")])
        .unwrap();
    let sotw = rig.send(Kind::Routes, vec![open_routes("r", "own.test")]);
    assert_eq!(
        sotw.unwrap_err(),
        "r: vhds: expected an ads_config of api_type DELTA_GRPC, or a source of its own"
    );
    let mut rig = delta_rig();
    rig.ask_for_hosts();
    let mut bad = host("r/a", "a.test");
    let mut nowhere = proto::VirtualHost::decode(&*bad.value).unwrap();
    nowhere.domains.clear();
    bad.value = nowhere.encode_to_vec();
    let refused = rig.hosts(vec![bad, host("r/b", "b.test")], &[]);
    assert!(refused.unwrap_err().starts_with("r/a: domains:"));
    assert_eq!(rig.domains(), ["own.test b.test"]);
    let twice = rig.hosts(vec![host("r/c", "b.test")], &[]);
    assert_eq!(
        twice.unwrap_err(),
        "r/c: domains: expected every domain once, got 'b.test' again"
    );
    let base = rig.send(Kind::Routes, vec![open_routes("r", "b.test")]);
    assert_eq!(
        base.unwrap_err(),
        "r: virtual_hosts: expected every domain once, got 'b.test' again"
    );
    assert!(rig.domains().is_empty());
}

/// One that asks for a domain that another has is refused alone, and when it is gone nothing has
/// to be sent again.
#[test]
fn a_taken_domain_refuses_no_other_virtual_host() {
    let mut rig = delta_rig();
    rig.ask_for_hosts();
    let came = vec![host("r/bad", "own.test"), host("r/good", "good.test")];
    assert_eq!(
        rig.hosts(came, &[]).unwrap_err(),
        "r/bad: domains: expected every domain once, got 'own.test' again"
    );
    assert_eq!(rig.domains(), ["own.test good.test"]);
    rig.hosts(vec![host("r/more", "more.test")], &["r/bad"])
        .unwrap();
    assert_eq!(rig.domains(), ["own.test good.test more.test"]);
}

/// Who has a domain keeps it, also in an update that sends both; who is refused stays as it was,
/// so that what it was to give up is not free.
#[test]
fn a_virtual_host_keeps_its_domains_from_newcomers() {
    let mut rig = delta_rig();
    rig.ask_for_hosts();
    rig.hosts(vec![host("r/m", "m.test"), host("r/n", "n.test")], &[])
        .unwrap();
    let came = vec![host("r/a", "m.test"), host("r/m", "m.test")];
    assert_eq!(
        rig.hosts(came, &[]).unwrap_err(),
        "r/a: domains: expected every domain once, got 'm.test' again"
    );
    let came = vec![
        host("r/m", "own.test"),
        host("r/x", "m.test"),
        host("r/n", "o.test"),
        host("r/y", "n.test"),
    ];
    assert_eq!(
        rig.hosts(came, &[]).unwrap_err(),
        "r/m: domains: expected every domain once, got 'own.test' again\n\
         r/x: domains: expected every domain once, got 'm.test' again"
    );
    assert_eq!(
        rig.domains().pop().unwrap(),
        "own.test m.test o.test n.test"
    );
}

#[test]
fn a_virtual_host_goes_when_its_time_has_ended() {
    let mut rig = delta_rig();
    rig.ask_for_hosts();
    rig.hosts(vec![host("r/a", "a.test"), host("r/b", "b.test")], &[])
        .unwrap();
    rig.domains();
    (rig.cascade).expired(
        Kind::VirtualHosts,
        &Origin::Ads,
        &["r/a".to_owned()],
        rig.now,
    );
    assert_eq!(rig.domains(), ["own.test b.test"]);
}

#[test]
fn virtual_hosts_go_with_the_last_routes_that_have_them() {
    let mut rig = delta_rig();
    rig.ask_for_hosts();
    rig.hosts(vec![host("r/a", "a.test")], &[]).unwrap();
    rig.steps();
    rig.send(Kind::Listener, Vec::new()).unwrap();
    assert_eq!(
        rig.steps(),
        [
            "no listener l",
            "-Routes r",
            "no routes r",
            "-VirtualHosts *"
        ]
    );
}
