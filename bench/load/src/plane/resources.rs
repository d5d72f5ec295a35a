//! What the control plane says, made when it is asked for.

use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, DiscoveryType, EdsClusterConfig,
};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{
    Address, AggregatedConfigSource, ApiVersion, ConfigSource, SocketAddress, address,
};
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints,
};
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType as NetworkConfig;
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::ClusterSpecifier;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{
    Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost,
};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter,
};
use envoy_types::pb::google::protobuf::{Any, Duration};
use prost::{Message, Name};

pub(super) const CLUSTERS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
pub(super) const ENDPOINTS: &str =
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
pub(super) const LISTENERS: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

/// How much there is, and where the one route leads.
#[derive(Clone, Copy)]
pub(super) struct World {
    pub(super) clusters: usize,
    pub(super) endpoints: usize,
    pub(super) proxy: u16,
    pub(super) upstream: u16,
}

impl World {
    /// The name of a cluster.
    pub(super) fn name(&self, number: usize) -> String {
        format!("outbound|8080||service-{number}.bench.svc.cluster.local")
    }

    /// The number of a name.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        let rest = name.strip_prefix("outbound|8080||service-")?;
        rest.split('.').next()?.parse().ok()
    }

    pub(super) fn cluster(&self, number: usize) -> Any {
        any(&Cluster {
            name: self.name(number),
            cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
            connect_timeout: Some(seconds(1)),
            eds_cluster_config: Some(EdsClusterConfig {
                eds_config: Some(ConfigSource {
                    resource_api_version: ApiVersion::V3.into(),
                    initial_fetch_timeout: Some(seconds(0)),
                    config_source_specifier: Some(ConfigSourceSpecifier::Ads(
                        AggregatedConfigSource {},
                    )),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    /// Endpoints in a network that is not there; the last cluster has one, the real upstream, and
    /// the first has those that the last lacks. `turn` changes the port of the first endpoint.
    pub(super) fn endpoints(&self, number: usize, turn: usize) -> Any {
        let [high, low] = [(number >> 8) as u8, number as u8];
        let last = number + 1 == self.clusters;
        let count = match number {
            _ if last => 1,
            0 => 2 * self.endpoints - 1,
            _ => self.endpoints,
        };
        let lb_endpoints = (0..count).map(|place| {
            let port = 8080 + if place == 0 { turn % 2 } else { 0 } as u16;
            let (host, port) = match last {
                true => ("127.0.0.1".to_owned(), self.upstream),
                false => (format!("10.{high}.{low}.{}", place + 1), port),
            };
            let endpoint = Endpoint {
                address: Some(address(host, port)),
                ..Default::default()
            };
            LbEndpoint {
                host_identifier: Some(HostIdentifier::Endpoint(endpoint)),
                ..Default::default()
            }
        });
        any(&ClusterLoadAssignment {
            cluster_name: self.name(number),
            endpoints: vec![LocalityLbEndpoints {
                lb_endpoints: lb_endpoints.collect(),
                ..Default::default()
            }],
            ..Default::default()
        })
    }

    /// One listener, whose one route leads to the last cluster.
    pub(super) fn listener(&self) -> Any {
        let route = Route {
            r#match: Some(RouteMatch {
                path_specifier: Some(PathSpecifier::Prefix("/".to_owned())),
                ..Default::default()
            }),
            action: Some(Action::Route(RouteAction {
                cluster_specifier: Some(ClusterSpecifier::Cluster(self.name(self.clusters - 1))),
                ..Default::default()
            })),
            ..Default::default()
        };
        let manager = HttpConnectionManager {
            stat_prefix: "bench".to_owned(),
            route_specifier: Some(RouteSpecifier::RouteConfig(RouteConfiguration {
                name: "bench".to_owned(),
                virtual_hosts: vec![VirtualHost {
                    name: "all".to_owned(),
                    domains: vec!["*".to_owned()],
                    routes: vec![route],
                    ..Default::default()
                }],
                ..Default::default()
            })),
            http_filters: vec![HttpFilter {
                name: "envoy.filters.http.router".to_owned(),
                config_type: Some(ConfigType::TypedConfig(any(&Router::default()))),
                ..Default::default()
            }],
            ..Default::default()
        };
        any(&Listener {
            name: "bench".to_owned(),
            address: Some(address("127.0.0.1".to_owned(), self.proxy)),
            filter_chains: vec![FilterChain {
                filters: vec![Filter {
                    name: "envoy.filters.network.http_connection_manager".to_owned(),
                    config_type: Some(NetworkConfig::TypedConfig(any(&manager))),
                }],
                ..Default::default()
            }],
            ..Default::default()
        })
    }
}

fn address(address: String, port: u16) -> Address {
    Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address,
            port_specifier: Some(PortSpecifier::PortValue(port.into())),
            ..Default::default()
        })),
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any {
        type_url: M::type_url(),
        value: message.encode_to_vec(),
    }
}
