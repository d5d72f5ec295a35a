//! Which gRPC method serves a type.

use tonic::codegen::http::uri::PathAndQuery;

/// The two variants of xDS over gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// [`crate::Sotw`] speaks it.
    StateOfTheWorld,
    /// [`crate::Delta`] speaks it.
    Delta,
}

/// The path under which REST serves a type; `None` for virtual hosts and for types that are not
/// Envoy's.
pub(crate) fn rest(type_url: &str) -> Option<&'static str> {
    Some(match type_url.strip_prefix("type.googleapis.com/")? {
        "envoy.config.listener.v3.Listener" => "/v3/discovery:listeners",
        "envoy.config.cluster.v3.Cluster" => "/v3/discovery:clusters",
        "envoy.config.route.v3.RouteConfiguration" => "/v3/discovery:routes",
        "envoy.config.route.v3.ScopedRouteConfiguration" => "/v3/discovery:scoped-routes",
        "envoy.config.endpoint.v3.ClusterLoadAssignment" => "/v3/discovery:endpoints",
        "envoy.extensions.transport_sockets.tls.v3.Secret" => "/v3/discovery:secrets",
        "envoy.service.runtime.v3.Runtime" => "/v3/discovery:runtime",
        "envoy.config.core.v3.TypedExtensionConfig" => "/v3/discovery:extension_configs",
        _ => return None,
    })
}

impl Variant {
    /// The aggregated service, which serves all types on one stream.
    pub fn aggregated(self) -> PathAndQuery {
        PathAndQuery::from_static(match self {
            Self::StateOfTheWorld => {
                "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
            }
            Self::Delta => {
                "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
            }
        })
    }

    /// The type's own service. `None` for a type that has none in this variant: virtual hosts in
    /// state of the world, and types that are not Envoy's.
    pub fn own(self, type_url: &str) -> Option<PathAndQuery> {
        let (service, what) = match type_url.strip_prefix("type.googleapis.com/")? {
            "envoy.config.listener.v3.Listener" => {
                ("listener.v3.ListenerDiscoveryService", "Listeners")
            }
            "envoy.config.cluster.v3.Cluster" => ("cluster.v3.ClusterDiscoveryService", "Clusters"),
            "envoy.config.route.v3.RouteConfiguration" => {
                ("route.v3.RouteDiscoveryService", "Routes")
            }
            "envoy.config.route.v3.ScopedRouteConfiguration" => {
                ("route.v3.ScopedRoutesDiscoveryService", "ScopedRoutes")
            }
            "envoy.config.route.v3.VirtualHost" if self == Self::Delta => {
                ("route.v3.VirtualHostDiscoveryService", "VirtualHosts")
            }
            "envoy.config.endpoint.v3.ClusterLoadAssignment" => {
                ("endpoint.v3.EndpointDiscoveryService", "Endpoints")
            }
            "envoy.extensions.transport_sockets.tls.v3.Secret" => {
                ("secret.v3.SecretDiscoveryService", "Secrets")
            }
            "envoy.service.runtime.v3.Runtime" => ("runtime.v3.RuntimeDiscoveryService", "Runtime"),
            "envoy.config.core.v3.TypedExtensionConfig" => (
                "extension.v3.ExtensionConfigDiscoveryService",
                "ExtensionConfigs",
            ),
            _ => return None,
        };
        let variant = match self {
            Self::StateOfTheWorld => "Stream",
            Self::Delta => "Delta",
        };
        format!("/envoy.service.{service}/{variant}{what}")
            .parse()
            .ok()
    }
}
