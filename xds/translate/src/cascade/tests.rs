//! What is served when, told step by step.

mod endpoints;
mod extensions;
mod listeners;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config as pb;
use envoy_types::pb::envoy::config::core::v3 as core;
use prost::Message as _;
use tandem_model::config_source::Origin;
use tandem_model::tls::{Secret, SecretSource};
use tandem_xds_client::{Resource, Update};

use super::{Action, Cascade, GRACE, Kind, LINGER, PATIENCE};

mod hosts;
mod layers;
mod missing;
mod scopes;
mod secrets;
mod versions;
mod waiting;

/// A cascade and its clock.
struct Rig {
    cascade: Cascade,
    /// How often a secret was taken into use.
    published: Arc<AtomicUsize>,
    now: Instant,
}

#[derive(Default)]
struct Anything(Arc<AtomicUsize>);

impl super::Judge for Anything {
    fn cluster(&self, _: &tandem_model::Cluster) -> Result<(), String> {
        Ok(())
    }

    fn listener(&self, _: &tandem_model::Listener) -> Result<(), String> {
        Ok(())
    }

    fn address(
        &self,
        _: &tandem_model::Listener,
        address: &tandem_model::Address,
    ) -> Result<(), String> {
        match address.socket().map(|socket| socket.port()) {
            Some(666) => Err(format!("cannot bind {address}")),
            _ => Ok(()),
        }
    }

    fn secret(&self, _: &SecretSource, secret: &Secret) -> Result<(), String> {
        match &*secret.name {
            "bad" => Err("cannot be used".to_owned()),
            _ => {
                self.0.fetch_add(1, Relaxed);
                Ok(())
            }
        }
    }
}

fn rig() -> Rig {
    let now = Instant::now();
    let published = Arc::default();
    Rig {
        cascade: Cascade::new(
            &tandem_model::Bootstrap::default(),
            &[Kind::Cluster, Kind::Listener],
            Anything(Arc::clone(&published)),
            now,
        ),
        published,
        now,
    }
}

fn ads() -> core::ConfigSource {
    core::ConfigSource {
        config_source_specifier: Some(core::config_source::ConfigSourceSpecifier::Ads(
            core::AggregatedConfigSource {},
        )),
        initial_fetch_timeout: Some(envoy_types::pb::google::protobuf::Duration {
            seconds: 3,
            nanos: 0,
        }),
        resource_api_version: core::ApiVersion::V3.into(),
        ..Default::default()
    }
}

fn resource(name: &str, value: Vec<u8>) -> Resource {
    Resource {
        name: name.to_owned(),
        version: "1".to_owned(),
        value,
        ttl: None,
        fault: None,
    }
}

fn eds_cluster(name: &str, connect_seconds: i64) -> Resource {
    use pb::cluster::v3::{Cluster, cluster};
    let cluster = Cluster {
        name: name.to_owned(),
        cluster_discovery_type: Some(cluster::ClusterDiscoveryType::Type(
            cluster::DiscoveryType::Eds.into(),
        )),
        eds_cluster_config: Some(cluster::EdsClusterConfig {
            eds_config: Some(ads()),
            ..Default::default()
        }),
        connect_timeout: Some(envoy_types::pb::google::protobuf::Duration {
            seconds: connect_seconds,
            nanos: 0,
        }),
        ..Default::default()
    };
    resource(name, cluster.encode_to_vec())
}

fn assignment(name: &str, ports: &[u32]) -> Resource {
    use pb::endpoint::v3::{
        ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint,
    };
    let endpoint = |port: &u32| LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(Endpoint {
            address: Some(address(*port)),
            ..Default::default()
        })),
        ..Default::default()
    };
    let assignment = ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: ports.iter().map(endpoint).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    resource(name, assignment.encode_to_vec())
}

fn address(port: u32) -> core::Address {
    core::Address {
        address: Some(core::address::Address::SocketAddress(core::SocketAddress {
            address: "127.0.0.1".to_owned(),
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port)),
            ..Default::default()
        })),
    }
}

fn routes(name: &str, clusters: &[&str]) -> Resource {
    use pb::route::v3 as route;
    let one = |cluster: &&str| route::Route {
        r#match: Some(route::RouteMatch {
            path_specifier: Some(route::route_match::PathSpecifier::Prefix("/".to_owned())),
            ..Default::default()
        }),
        action: Some(route::route::Action::Route(route::RouteAction {
            cluster_specifier: Some(route::route_action::ClusterSpecifier::Cluster(
                (*cluster).to_owned(),
            )),
            ..Default::default()
        })),
        ..Default::default()
    };
    let config = route::RouteConfiguration {
        name: name.to_owned(),
        virtual_hosts: vec![route::VirtualHost {
            name: "all".to_owned(),
            domains: vec!["*".to_owned()],
            routes: clusters.iter().map(one).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    resource(name, config.encode_to_vec())
}

fn any(name: &str, value: Vec<u8>) -> Option<envoy_types::pb::google::protobuf::Any> {
    Some(envoy_types::pb::google::protobuf::Any {
        type_url: format!("type.googleapis.com/{name}"),
        value,
    })
}

fn listener(name: &str, port: u32, route: &str) -> Resource {
    use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
    let rds = hcm::Rds {
        config_source: Some(ads()),
        route_config_name: route.to_owned(),
    };
    listener_by(
        name,
        port,
        hcm::http_connection_manager::RouteSpecifier::Rds(rds),
    )
}

fn listener_by(
    name: &str,
    port: u32,
    routes: envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier,
) -> Resource {
    use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
    use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
    use pb::listener::v3 as proto;
    let router = hcm::HttpFilter {
        name: "router".to_owned(),
        config_type: any(
            "envoy.extensions.filters.http.router.v3.Router",
            Router::default().encode_to_vec(),
        )
        .map(hcm::http_filter::ConfigType::TypedConfig),
        ..Default::default()
    };
    let manager = hcm::HttpConnectionManager {
        stat_prefix: "h".to_owned(),
        http_filters: vec![router],
        route_specifier: Some(routes),
        ..Default::default()
    };
    let filter = proto::Filter {
        name: "hcm".to_owned(),
        config_type: any(
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            manager.encode_to_vec(),
        )
        .map(proto::filter::ConfigType::TypedConfig),
    };
    let listener = proto::Listener {
        name: name.to_owned(),
        address: Some(address(port)),
        filter_chains: vec![proto::FilterChain {
            filters: vec![filter],
            ..Default::default()
        }],
        ..Default::default()
    };
    resource(name, listener.encode_to_vec())
}

impl Rig {
    fn send(&mut self, kind: Kind, added: Vec<Resource>) -> Result<(), String> {
        let update = Update {
            complete: matches!(kind, Kind::Cluster | Kind::Listener),
            added,
            ..Update::default()
        };
        self.cascade.update(kind, &Origin::Ads, &update, self.now)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.cascade.tick(self.now);
    }

    /// The steps since the last time, in short.
    fn steps(&mut self) -> Vec<String> {
        let is_step =
            |action: &Action| !matches!(action, Action::Heard(..) | Action::EndpointsHeard(..));
        let short = |action: Action| match action {
            Action::Subscribe(kind, key) => format!("+{kind:?} {}", key.name),
            Action::Unsubscribe(kind, key) => format!("-{kind:?} {}", key.name),
            Action::Heard(..) | Action::EndpointsHeard(..) => String::new(),
            Action::Resolve(cluster) => format!("resolve {}", cluster.name),
            Action::SetCluster(cluster, endpoints) => {
                let count = endpoints.map_or(0, |all| {
                    all.localities[..].iter().map(|l| l.endpoints.len()).sum()
                });
                format!("cluster {} of {count}", cluster.name)
            }
            Action::SetEndpoints(cluster, all) => {
                let count: usize = all.localities.iter().map(|l| l.endpoints.len()).sum();
                format!("endpoints {cluster} of {count}")
            }
            Action::RemoveCluster(name) => format!("no cluster {name}"),
            Action::SetRoutes(key, config) => format!(
                "routes {} of {}",
                key.name,
                config.virtual_hosts[0].routes.len()
            ),
            Action::RemoveRoutes(key) => format!("no routes {}", key.name),
            Action::SetScopes(_, scopes) => {
                let scopes = scopes.iter().map(|scope| &*scope.name);
                format!("scopes {}", scopes.collect::<Vec<_>>().join(","))
            }
            Action::RemoveScopes(_) => "no scopes".to_owned(),
            Action::SetExtension(key, Some(extension)) => {
                format!("extension {}: {}", key.name, extension.type_name)
            }
            Action::SetExtension(key, None) => format!("extension {}: none", key.name),
            Action::RemoveExtension(key) => format!("no extension {}", key.name),
            Action::SetLayer(key, values) => {
                let values = values.iter();
                let values = values.map(|(name, value)| format!("{name}={}", value.text()));
                format!(
                    "layer {}: {}",
                    key.name,
                    values.collect::<Vec<_>>().join(",")
                )
            }
            Action::SetListener(listener) => format!("listener {}", listener.name),
            Action::RemoveListener(name) => format!("no listener {name}"),
        };
        let actions = self.cascade.actions().into_iter();
        actions.filter(is_step).map(short).collect()
    }

    /// Serves listener `l` by routes `r` to cluster `c`.
    fn serve(&mut self) {
        self.send(Kind::Cluster, vec![eds_cluster("c", 1)]).unwrap();
        self.send(Kind::Endpoints, vec![assignment("c", &[1])])
            .unwrap();
        self.send(Kind::Listener, vec![listener("l", 1, "r")])
            .unwrap();
        self.send(Kind::Routes, vec![routes("r", &["c"])]).unwrap();
        self.steps();
    }
}

#[test]
fn everything_waits_for_what_it_leads_to() {
    let mut rig = rig();
    rig.send(Kind::Cluster, vec![eds_cluster("c", 1)]).unwrap();
    assert_eq!(rig.steps(), ["+Endpoints c"]);
    rig.send(Kind::Listener, vec![listener("l", 1, "r")])
        .unwrap();
    assert_eq!(rig.steps(), ["+Routes r"]);
    rig.send(Kind::Routes, vec![routes("r", &["c"])]).unwrap();
    assert!(rig.steps().is_empty() && !rig.cascade.initialized());
    rig.send(Kind::Endpoints, vec![assignment("c", &[1, 2])])
        .unwrap();
    assert_eq!(
        rig.steps(),
        ["cluster c of 2", "routes r of 1", "listener l"]
    );
    assert!(rig.cascade.initialized());
}

/// Listeners may come before clusters on the first stream.
#[test]
fn the_first_routes_wait_for_the_first_clusters() {
    let mut rig = rig();
    rig.send(Kind::Listener, vec![listener("l", 1, "r")])
        .unwrap();
    rig.send(Kind::Routes, vec![routes("r", &["c"])]).unwrap();
    assert_eq!(rig.steps(), ["+Routes r"]);
    rig.send(Kind::Cluster, Vec::new()).unwrap();
    assert_eq!(rig.steps(), ["routes r of 1", "listener l"]);
}

#[test]
fn endpoints_alone_change_nothing_else() {
    let mut rig = rig();
    rig.serve();
    rig.send(Kind::Endpoints, vec![assignment("c", &[1, 2, 3])])
        .unwrap();
    assert_eq!(rig.steps(), ["endpoints c of 3"]);
    rig.send(Kind::Endpoints, vec![assignment("c", &[1, 2, 3])])
        .unwrap();
    rig.send(Kind::Cluster, vec![eds_cluster("c", 1)]).unwrap();
    rig.send(Kind::Listener, vec![listener("l", 1, "r")])
        .unwrap();
    rig.send(Kind::Routes, vec![routes("r", &["c"])]).unwrap();
    assert!(rig.steps().is_empty());
    rig.send(Kind::Cluster, vec![eds_cluster("c", 2)]).unwrap();
    assert_eq!(rig.steps(), ["cluster c of 3"]);
}

#[test]
fn new_routes_wait_for_new_clusters_but_not_for_ever() {
    let mut rig = rig();
    rig.serve();
    let both = || vec![eds_cluster("c", 1), eds_cluster("d", 1)];
    rig.send(Kind::Cluster, both()).unwrap();
    rig.send(Kind::Routes, vec![routes("r", &["c", "d"])])
        .unwrap();
    assert_eq!(rig.steps(), ["+Endpoints d"]);
    rig.send(Kind::Endpoints, vec![assignment("d", &[1])])
        .unwrap();
    assert_eq!(rig.steps(), ["cluster d of 1", "routes r of 2"]);

    let mut rig = self::rig();
    rig.serve();
    rig.send(Kind::Cluster, both()).unwrap();
    rig.pass(Duration::from_secs(1));
    rig.send(Kind::Routes, vec![routes("r", &["d"])]).unwrap();
    rig.steps();
    // The cluster is served without endpoints once they were waited for long enough.
    assert_eq!(
        rig.cascade.deadline(),
        Some(rig.now + Duration::from_secs(2))
    );
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.steps(), ["cluster d of 0", "routes r of 1"]);
    assert!(PATIENCE > Duration::from_secs(3));
}

#[test]
fn a_cluster_that_is_gone_stays_while_routes_lead_to_it() {
    let mut rig = rig();
    rig.serve();
    rig.send(Kind::Cluster, vec![eds_cluster("d", 1)]).unwrap();
    rig.send(Kind::Endpoints, vec![assignment("d", &[1])])
        .unwrap();
    assert_eq!(rig.steps(), ["+Endpoints d", "cluster d of 1"]);
    rig.send(Kind::Routes, vec![routes("r", &["d"])]).unwrap();
    assert_eq!(rig.steps(), ["routes r of 1"]);
    rig.pass(LINGER);
    assert_eq!(rig.steps(), ["-Endpoints c", "no cluster c"]);

    rig.send(Kind::Cluster, Vec::new()).unwrap();
    rig.pass(LINGER);
    assert!(rig.steps().is_empty());
    rig.pass(GRACE - LINGER);
    assert_eq!(rig.steps(), ["-Endpoints d", "no cluster d"]);
}

/// What is wrong is refused by name, what is right is used, and the last good version stays.
#[test]
fn a_bad_resource_refuses_itself_alone() {
    let mut rig = rig();
    rig.serve();
    let mut bad = eds_cluster("c", 1);
    bad.value = pb::cluster::v3::Cluster {
        name: "c".to_owned(),
        lb_policy: 99,
        ..Default::default()
    }
    .encode_to_vec();
    let refusal = rig
        .send(Kind::Cluster, vec![bad, eds_cluster("d", 1)])
        .unwrap_err();
    assert!(refusal.starts_with("c: "), "{refusal}");
    assert_eq!(rig.steps(), ["+Endpoints d"]);
    let dump = rig.cascade.dump();
    assert_eq!(dump.active_clusters.len(), 1);
    let details = &dump.active_clusters[0]["error_state"]["details"];
    assert!(details.as_str().unwrap().contains("lb_policy"), "{details}");
    assert_eq!(dump.warming_clusters[0]["cluster"]["name"], "d");

    let refusal = rig
        .send(Kind::Routes, vec![resource("r", vec![0xff])])
        .unwrap_err();
    assert!(refusal.starts_with("r: "), "{refusal}");
    assert!(rig.steps().is_empty());
}

/// A control plane that no longer sends what was refused is no longer told of it.
#[test]
fn what_was_refused_is_forgotten_when_it_goes() {
    let mut rig = rig();
    rig.serve();
    let bad = |kind, name| {
        let never = resource(name, vec![0xff]);
        match kind {
            Kind::Cluster => vec![never, eds_cluster("c", 1)],
            _ => vec![never, listener("l", 1, "r")],
        }
    };
    for kind in [Kind::Cluster, Kind::Listener] {
        rig.send(kind, bad(kind, "x")).unwrap_err();
        rig.send(kind, bad(kind, "y")).unwrap_err();
    }
    let dump = rig.cascade.dump();
    assert_eq!(dump.warming_clusters.len(), 1, "{dump:?}");
    assert_eq!(dump.listeners.len(), 2, "{dump:?}");
    let without = |kind| bad(kind, "").split_off(1);
    for kind in [Kind::Cluster, Kind::Listener] {
        rig.send(kind, without(kind)).unwrap();
    }
    let dump = rig.cascade.dump();
    assert_eq!(dump.warming_clusters.len(), 0, "{dump:?}");
    assert_eq!(dump.listeners.len(), 1, "{dump:?}");
}

#[test]
fn a_listener_lets_go_of_the_routes_it_had() {
    let mut rig = rig();
    rig.serve();
    rig.send(Kind::Listener, vec![listener("l", 1, "s")])
        .unwrap();
    assert_eq!(rig.steps(), ["+Routes s"]);
    rig.send(Kind::Routes, vec![routes("s", &["c"])]).unwrap();
    assert_eq!(
        rig.steps(),
        ["routes s of 1", "listener l", "-Routes r", "no routes r"]
    );
    rig.send(Kind::Listener, Vec::new()).unwrap();
    assert_eq!(rig.steps(), ["no listener l", "-Routes s", "no routes s"]);
}

/// Two listeners with one address would share its connections by chance; one that takes the
/// other's place in the same update does not.
#[test]
fn an_address_is_served_by_one_listener() {
    let mut rig = rig();
    rig.serve();
    let two = vec![listener("l", 1, "r"), listener("m", 1, "r")];
    let refusal = rig.send(Kind::Listener, two).unwrap_err();
    assert_eq!(
        refusal,
        "m: expected every address once, 'l' has 127.0.0.1:1 already"
    );
    assert!(rig.steps().is_empty());
    rig.send(Kind::Listener, vec![listener("m", 1, "r")])
        .unwrap();
    assert_eq!(rig.steps(), ["no listener l", "listener m"]);
}

/// Two listeners may route by the same configuration.
#[test]
fn shared_routes_stay_for_the_other_listener() {
    let mut rig = rig();
    rig.serve();
    let two = vec![listener("l", 1, "r"), listener("m", 2, "r")];
    rig.send(Kind::Listener, two).unwrap();
    assert_eq!(rig.steps(), ["listener m"]);
    rig.send(Kind::Listener, vec![listener("m", 2, "r")])
        .unwrap();
    assert_eq!(rig.steps(), ["no listener l"]);
}

#[test]
fn nothing_is_waited_for_when_the_control_plane_is_silent() {
    let mut rig = rig();
    rig.cascade.give_up(Kind::Cluster, rig.now);
    assert!(!rig.cascade.initialized());
    rig.cascade.give_up(Kind::Listener, rig.now);
    assert!(rig.cascade.initialized());
}
