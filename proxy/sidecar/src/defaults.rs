//! The embedded bootstrap of `tandem run`, and the runtime listener that a bootstrap of the
//! user's own gets when it has none. Both go through the same reader as any file.

use serde_json::{Value, json};

use crate::cli::run::RunOptions;

const HCM: &str = "type.googleapis.com/envoy.extensions.filters.network.\
                   http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const RUNTIME: &str = "type.googleapis.com/tandem.filter.runtime.v1.Runtime";
const HTTP_OPTIONS: &str =
    "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// The name of the runtime listener.
pub(crate) const RUNTIME_LISTENER: &str = "runtime_grpc";
/// The name of the outbound listener of the embedded bootstrap.
pub(crate) const OUTBOUND_LISTENER: &str = "outbound";

/// The whole embedded bootstrap: an outbound listener that knows the application itself, the
/// runtime listener, the admin server.
pub(crate) fn bootstrap(options: &RunOptions) -> Value {
    let mut clusters = Vec::new();
    let mut virtual_hosts = Vec::new();
    if let Some(port) = options.app_port {
        clusters.push(app_cluster(options, port));
        virtual_hosts.push(json!({
            "name": options.app_id,
            "domains": [options.app_id],
            "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "app" } }],
        }));
    }
    let outbound = json!({
        "name": OUTBOUND_LISTENER,
        "traffic_direction": "OUTBOUND",
        "address": address(options.outbound_port.unwrap_or(15001)),
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": HCM,
                "stat_prefix": OUTBOUND_LISTENER,
                "route_config": {
                    "name": OUTBOUND_LISTENER,
                    "ignore_port_in_host_matching": true,
                    "virtual_hosts": virtual_hosts,
                },
                "http_filters": [router()],
            },
        }] }],
    });
    json!({
        "admin": { "address": address(options.admin_port.unwrap_or(15000)) },
        "static_resources": {
            "listeners": [outbound, runtime_listener(options)],
            "clusters": clusters,
        },
    })
}

/// What is merged over a user's bootstrap: the admin port asked for, and the runtime listener
/// unless the bootstrap has a runtime filter of its own.
pub(crate) fn overlay(options: &RunOptions, has_runtime: bool, has_admin: bool) -> Value {
    let mut overlay = json!({});
    if options.admin_port.is_some() || !has_admin {
        overlay["admin"] = json!({ "address": address(options.admin_port.unwrap_or(15000)) });
    }
    if !has_runtime {
        overlay["static_resources"] = json!({ "listeners": [runtime_listener(options)] });
    }
    overlay
}

fn runtime_listener(options: &RunOptions) -> Value {
    let mut app = json!({
        "app_id": options.app_id,
        "host": options.app_host(),
        "protocol": options.app_protocol().config_name(),
    });
    if let Some(port) = options.app_port {
        app["port"] = port.into();
    }
    if let Some(port) = options.app_callback_port {
        app["callback"] = json!({ "port": port });
    }
    let mut runtime = json!({ "@type": RUNTIME, "app": app });
    if !options.resources_path.is_empty() {
        runtime["resources_paths"] = options
            .resources_path
            .iter()
            .map(|path| path.display().to_string())
            .collect();
    }
    json!({
        "name": RUNTIME_LISTENER,
        "address": address(options.runtime_grpc_port.unwrap_or(34904)),
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": HCM,
                "stat_prefix": RUNTIME_LISTENER,
                "route_config": { "name": RUNTIME_LISTENER },
                // A runtime call carries its own deadline, and a subscription may be quiet for
                // as long as nothing is published.
                "stream_idle_timeout": "0s",
                "http_filters": [{ "name": "tandem.filters.http.runtime", "typed_config": runtime }, router()],
            },
        }] }],
    })
}

fn app_cluster(options: &RunOptions, port: u16) -> Value {
    let mut cluster = json!({
        "name": "app",
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": { "cluster_name": "app", "endpoints": [{ "lb_endpoints": [{
            "endpoint": { "address": { "socket_address": {
                "address": options.app_host(), "port_value": port,
            } } },
        }] }] },
    });
    if options.app_protocol() != crate::cli::run::AppProtocol::Http {
        cluster["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": HTTP_OPTIONS,
                "explicit_http_config": { "http2_protocol_options": {} },
            },
        });
    }
    cluster
}

fn router() -> Value {
    json!({ "name": "envoy.filters.http.router", "typed_config": { "@type": ROUTER } })
}

fn address(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}
