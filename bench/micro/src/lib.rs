//! Inputs of the micro-benchmarks in `benches/`; run them with `cargo bench -p tandem-bench-micro`.
//!
//! They answer what one step of a request costs and how it grows; what a whole request costs is
//! measured by `bench/load/run`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, Uri};
use tandem_core::{Body, Request};
use tandem_model::headers::HeaderMutations;
use tandem_model::matching::RouteTable;
use tandem_model::route::{
    Action, DirectResponse, PathMatch, RequireTls, Route, RouteConfiguration, RouteMatch,
    VirtualHost,
};

/// A GET with the headers that a browser's or a client library's request carries.
pub fn request(authority: &'static str, path: &'static str) -> Request {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static(path);
    for (name, value) in [
        ("host", authority),
        ("user-agent", "tandem-bench"),
        ("accept", "*/*"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "2f1f3c0e-4d3f-4a52-9a0b-0c6f7f1c9d11"),
        ("content-type", "application/json"),
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    request
}

/// A route table without anything but hosts.
pub fn route_table(virtual_hosts: Vec<Arc<VirtualHost>>) -> RouteTable {
    let config = RouteConfiguration {
        virtual_hosts,
        ..RouteConfiguration::default()
    };
    RouteTable::new(Arc::new(config))
}

/// A virtual host without anything but domains and routes.
pub fn virtual_host(domains: &[&str], routes: Vec<Arc<Route>>) -> Arc<VirtualHost> {
    Arc::new(VirtualHost {
        name: "bench".into(),
        domains: domains.iter().map(|domain| Arc::from(*domain)).collect(),
        routes,
        require_tls: RequireTls::None,
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        retry_policy: None,
        include_request_attempt_count: false,
        include_attempt_count_in_response: false,
        per_request_buffer_limit_bytes: None,
        filters: Vec::new(),
    })
}

/// A route that takes a path and answers at once.
pub fn direct_response(path: PathMatch) -> Arc<Route> {
    let response = DirectResponse {
        status: StatusCode::OK,
        body: Bytes::new(),
    };
    Arc::new(Route {
        name: "".into(),
        matches: RouteMatch {
            path,
            case_sensitive: true,
            headers: Vec::new(),
            query_parameters: Vec::new(),
            grpc: false,
            fraction: None,
        },
        action: Action::DirectResponse(Arc::new(response)),
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        per_request_buffer_limit_bytes: None,
        filters: Vec::new(),
    })
}
