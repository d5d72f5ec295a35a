//! The bootstrap that both proxies get, from a few fragments of YAML.

use std::collections::BTreeMap;
use std::path::Path;

use super::fields::own_address;

/// What each comparison's access log has; `mod.rs` says which fields are not compared exactly.
const LOG_FIELDS: &str = r#"
protocol: "%PROTOCOL%"
method: "%REQ(:METHOD)%"
path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"
authority: "%REQ(:AUTHORITY)%"
code: "%RESPONSE_CODE%"
flags: "%RESPONSE_FLAGS%"
details: "%RESPONSE_CODE_DETAILS%"
bytes_in: "%BYTES_RECEIVED%"
bytes_out: "%BYTES_SENT%"
duration: "%DURATION%"
service_time: "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"
upstream_host: "%UPSTREAM_HOST%"
cluster: "%UPSTREAM_CLUSTER%"
route: "%ROUTE_NAME%"
forwarded_for: "%REQ(X-FORWARDED-FOR)%"
agent: "%REQ(USER-AGENT)%"
request_id: "%REQ(X-REQUEST-ID)%"
remote: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
content_type: "%RESP(CONTENT-TYPE)%"
start: "%START_TIME%"
"#;

const HCM: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const FILE: &str = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const ROUTER: &str = "
- name: envoy.filters.http.router
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
";
const HTTP2: &str = r#"
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: {http2_protocol_options: {}}
"#;

/// One listener with an HTTP connection manager.
pub struct Listener {
    name: &'static str,
    hcm: String,
    filters: String,
    routes: String,
    scopes: Option<String>,
    network_filters: Option<String>,
    transport_socket: String,
    log_fields: String,
    filtered_logs: String,
    only_log: Option<String>,
}

/// A listener of this name without routes.
pub fn listener(name: &'static str) -> Listener {
    Listener {
        name,
        hcm: String::new(),
        filters: ROUTER.to_owned(),
        routes: String::new(),
        scopes: None,
        network_filters: None,
        transport_socket: String::new(),
        log_fields: String::new(),
        filtered_logs: String::new(),
        only_log: None,
    }
}

impl Listener {
    /// More fields of the connection manager.
    pub fn hcm(mut self, yaml: &str) -> Self {
        self.hcm.push_str(&format!("{}\n", indent(yaml, 0)));
        self
    }

    /// HTTP filters before the router.
    pub fn filters(mut self, yaml: &str) -> Self {
        self.filters = format!("{}\n{}", indent(yaml, 0), indent(ROUTER, 0));
        self
    }

    /// All HTTP filters, the router among them.
    pub fn only_filters(mut self, yaml: &str) -> Self {
        self.filters = yaml.to_owned();
        self
    }

    /// The route configuration's fields.
    pub fn routes(mut self, yaml: &str) -> Self {
        self.routes.push_str(&format!("{}\n", indent(yaml, 0)));
        self
    }

    /// Scoped routes instead of a route configuration.
    pub fn scopes(mut self, yaml: &str) -> Self {
        self.scopes = Some(format!("scoped_routes:\n{}", indent(yaml, 2)));
        self
    }

    /// More fields of the access log.
    pub fn log(mut self, yaml: &str) -> Self {
        self.log_fields.push_str(&format!("{}\n", indent(yaml, 0)));
        self
    }

    /// One more access log in the same file, with this filter; its lines are its name and the path.
    pub fn filtered_log(mut self, name: &str, filter: &str) -> Self {
        self.filtered_logs.push_str(&format!(
            "- name: envoy.access_loggers.file\n  filter: {filter}\n  typed_config:\n    \"@type\": {FILE}\n    path: \"{{{{log}}}}\"\n    log_format: {{text_format: \"{name} %REQ(:PATH)%\\n\"}}\n",
        ));
        self
    }

    /// An access log with this `log_format` instead of the common fields; with none if it is empty.
    pub fn only_log(mut self, format: &str) -> Self {
        let format = match format {
            "" => String::new(),
            format => format!("    log_format: {format}\n"),
        };
        self.only_log = Some(format!(
            "- name: envoy.access_loggers.file\n  typed_config:\n    \"@type\": {FILE}\n    path: \"{{{{log}}}}\"\n{format}"
        ));
        self
    }

    /// A virtual host `all` for every domain with these routes.
    pub fn route_list(self, yaml: &str) -> Self {
        let routes = indent(yaml, 2);
        self.routes(&format!(
            "virtual_hosts:\n- name: all\n  domains: [\"*\"]\n  routes:\n{routes}"
        ))
    }

    /// Network filters instead of the HTTP connection manager.
    pub fn network_filters(mut self, yaml: &str) -> Self {
        self.network_filters = Some(yaml.to_owned());
        self
    }

    /// The filter chain's transport socket.
    pub fn transport_socket(mut self, yaml: &str) -> Self {
        self.transport_socket = format!("    transport_socket:\n{}\n", indent(yaml, 6));
        self
    }

    fn render(&self) -> String {
        let filters = self
            .network_filters
            .clone()
            .unwrap_or_else(|| self.connection_manager());
        let head = format!(
            "- name: {name}\n  address: {{socket_address: {{address: 127.0.0.1, port_value: {{{{{name}}}}}}}}}\n  filter_chains:\n  - filters:\n",
            name = self.name
        );
        format!("{head}{}\n{}", indent(&filters, 4), self.transport_socket)
    }

    fn connection_manager(&self) -> String {
        let common = || format!("{}{}", self.filtered_logs, access_log(&self.log_fields));
        let access_log = self.only_log.clone().unwrap_or_else(common);
        let routes = self.scopes.clone().unwrap_or_else(|| {
            let routes = indent(&self.routes, 2);
            format!("route_config:\n  name: {}\n{routes}", self.name)
        });
        format!(
            "- name: envoy.filters.network.http_connection_manager\n  typed_config:\n    \"@type\": {HCM}\n    stat_prefix: {name}\n{hcm}\n    access_log:\n{access_log}\n    http_filters:\n{filters}\n{routes}",
            name = self.name,
            hcm = indent(&self.hcm, 4),
            access_log = indent(&access_log, 4),
            filters = indent(&self.filters, 4),
            routes = indent(&routes, 4),
        )
    }
}

/// An access log in the file that is compared, with these fields beside the common ones.
pub fn access_log(more: &str) -> String {
    let fields = format!("{}\n{}", indent(LOG_FIELDS, 0), indent(more, 0));
    format!(
        "- name: envoy.access_loggers.file\n  typed_config:\n    \"@type\": {FILE}\n    path: \"{{{{log}}}}\"\n    log_format:\n      json_format:\n{}",
        indent(&fields, 8)
    )
}

/// Listeners and clusters.
#[derive(Default)]
pub struct Bootstrap {
    listeners: Vec<Listener>,
    clusters: String,
}

/// A bootstrap with the clusters that every comparison has: `up` and `up2` (HTTP/1.1), `up_h2`
/// (HTTP/2), `dead` (refuses connections) and `empty` (has no endpoint).
pub fn bootstrap() -> Bootstrap {
    Bootstrap::default()
        .cluster("up", "up", "")
        .cluster("up2", "up2", "")
        .cluster("up_h2", "up", HTTP2)
        .cluster("dead", "dead", "")
        .clusters(
            "- {name: empty, type: STATIC, load_assignment: {cluster_name: empty, endpoints: []}}",
        )
}

impl Bootstrap {
    /// Adds a listener.
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Adds a static cluster with one endpoint, the named port, and more fields.
    pub fn cluster(self, name: &str, port: &str, yaml: &str) -> Self {
        let yaml = indent(yaml, 2);
        self.clusters(&format!(
            "- name: {name}\n  type: STATIC\n  connect_timeout: 1s\n  load_assignment:\n    cluster_name: {name}\n    endpoints:\n    - lb_endpoints:\n      - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {{{{{port}}}}}}}}}}}\n{yaml}"
        ))
    }

    /// As [`Bootstrap::cluster`], and HTTP/2.
    pub fn cluster_h2(self, name: &str, port: &str, yaml: &str) -> Self {
        self.cluster(
            name,
            port,
            &format!("{}\n{}", indent(yaml, 0), indent(HTTP2, 0)),
        )
    }

    /// Adds clusters as they are written.
    pub fn clusters(mut self, yaml: &str) -> Self {
        self.clusters.push_str(&format!("{}\n", indent(yaml, 0)));
        self
    }

    /// The names of the listeners; each needs a port.
    pub fn listener_names(&self) -> impl Iterator<Item = &'static str> {
        self.listeners.iter().map(|listener| listener.name)
    }

    /// The YAML, with `{{name}}` replaced by ports and `{{log}}` by the access log's path.
    pub fn render(&self, ports: &BTreeMap<&str, u16>, log: &Path) -> String {
        let mut text = String::from(
            "admin: {address: {socket_address: {address: 127.0.0.1, port_value: {{admin}}}}}\nstatic_resources:\n  listeners:\n",
        );
        for listener in &self.listeners {
            text.push_str(&format!("{}\n", indent(&listener.render(), 2)));
        }
        text.push_str(&format!("  clusters:\n{}\n", indent(&self.clusters, 2)));
        for (name, port) in ports {
            text = text.replace(&format!("{{{{{name}}}}}"), &port.to_string());
        }
        text = text.replace("{{self}}", own_address());
        text.replace("{{log}}", &log.display().to_string())
    }
}

/// Takes the indentation that all lines have, and gives each `columns`.
pub fn indent(text: &str, columns: usize) -> String {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let common = lines()
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let lines: Vec<String> = lines()
        .map(|line| format!("{}{}", " ".repeat(columns), &line[common..]))
        .collect();
    lines.join("\n")
}
