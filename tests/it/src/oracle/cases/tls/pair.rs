//! Listeners with TLS, and clusters that lead to them.

use std::path::Path;

use crate::oracle::bootstrap::{Bootstrap, indent};
use crate::oracle::listener;

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

/// What the upstream is told of the connection.
const TOLD: &[(&str, &str)] = &[
    ("version", "%DOWNSTREAM_TLS_VERSION%"),
    ("protocol", "%PROTOCOL%"),
    ("subject", "%DOWNSTREAM_PEER_SUBJECT%"),
    ("issuer", "%DOWNSTREAM_PEER_ISSUER%"),
    ("serial", "%DOWNSTREAM_PEER_SERIAL%"),
    ("from", "%DOWNSTREAM_PEER_CERT_V_START%"),
    ("to", "%DOWNSTREAM_PEER_CERT_V_END(%Y-%m-%d)%"),
    ("sha1", "%DOWNSTREAM_PEER_FINGERPRINT_1%"),
    ("sha256", "%DOWNSTREAM_PEER_FINGERPRINT_256%"),
    ("uris", "%DOWNSTREAM_PEER_URI_SAN%"),
    ("dns", "%DOWNSTREAM_PEER_DNS_SAN%"),
    ("pem", "%DOWNSTREAM_PEER_CERT%"),
    ("own-subject", "%DOWNSTREAM_LOCAL_SUBJECT%"),
    ("own-uris", "%DOWNSTREAM_LOCAL_URI_SAN%"),
    ("own-dns", "%DOWNSTREAM_LOCAL_DNS_SAN%"),
];

/// What the first listener logs of the handshake.
const LOGGED: &str = r#"
transport_failure: "%UPSTREAM_TRANSPORT_FAILURE_REASON%"
tls_version: "%UPSTREAM_TLS_VERSION%"
tls_peer: "%UPSTREAM_PEER_SUBJECT%"
tls_issuer: "%UPSTREAM_PEER_ISSUER%"
tls_uris: "%UPSTREAM_PEER_URI_SAN%"
tls_dns: "%UPSTREAM_PEER_DNS_SAN%"
tls_own_uris: "%UPSTREAM_LOCAL_URI_SAN%"
tls_pem: "%UPSTREAM_PEER_CERT%"
upstream_protocol: "%UPSTREAM_PROTOCOL%"
"#;

/// A listener with TLS.
pub struct Server {
    certificates: Vec<&'static str>,
    common: String,
    context: String,
    xfcc: &'static str,
}

impl Default for Server {
    fn default() -> Self {
        Self::of(&["server"])
    }
}

impl Server {
    /// With these certificates.
    pub fn of(certificates: &[&'static str]) -> Self {
        Self {
            certificates: certificates.to_vec(),
            common: String::new(),
            context: String::new(),
            xfcc: "SANITIZE",
        }
    }

    /// More of the common context; `DIR` is where certificates are.
    pub fn common(mut self, yaml: &str) -> Self {
        self.common = yaml.to_owned();
        self
    }

    /// More of the context itself.
    pub fn context(mut self, yaml: &str) -> Self {
        self.context = yaml.to_owned();
        self
    }

    /// What becomes of `x-forwarded-client-cert`.
    pub fn xfcc(mut self, mode: &'static str) -> Self {
        self.xfcc = mode;
        self
    }

    fn socket(&self) -> String {
        let certificates: Vec<_> = self.certificates.iter().map(|name| one(name)).collect();
        format!(
            "name: tls\ntyped_config:\n  \"@type\": {TLS}.DownstreamTlsContext\n{}\n  common_tls_context:\n    tls_certificates: [{}]\n{}",
            indent(&self.context, 2),
            certificates.join(", "),
            indent(&self.common, 4),
        )
    }

    fn manager(&self, name: &str) -> String {
        let told: Vec<_> = TOLD
            .iter()
            .map(|(name, value)| format!("{{header: {{key: x-tls-{name}, value: '{value}'}}}}"))
            .collect();
        format!(
            "- name: http\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n    stat_prefix: {name}\n    generate_request_id: false\n    forward_client_cert_details: {}\n    set_current_client_cert_details: {{subject: true, cert: true, chain: true, dns: true, uri: true}}\n    route_config:\n      request_headers_to_add: [{}]\n      virtual_hosts:\n      - name: all\n        domains: [\"*\"]\n        routes:\n        - match: {{prefix: /}}\n          route: {{cluster: up}}\n    http_filters:\n    - name: router\n      typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}",
            self.xfcc,
            told.join(", "),
        )
    }
}

struct Client {
    name: String,
    server: &'static str,
    common: String,
    context: String,
    options: String,
}

/// Listeners, and clusters that lead to them.
#[derive(Default)]
pub struct Pairs {
    servers: Vec<(&'static str, Server)>,
    clients: Vec<Client>,
}

impl Pairs {
    /// Adds a listener.
    pub fn server(&mut self, name: &'static str, server: Server) -> &mut Self {
        self.servers.push((name, server));
        self
    }

    /// Adds a cluster: more of its common context and of its context.
    pub fn client(&mut self, name: &str, server: &str, common: &str, context: &str) {
        let options = "explicit_http_config: {http_protocol_options: {}}";
        self.client_with(name, server, common, context, options);
    }

    /// Adds a cluster with these protocol options.
    pub fn client_with(
        &mut self,
        name: &str,
        server: &str,
        common: &str,
        context: &str,
        options: &str,
    ) {
        let names = self.servers.iter().map(|(name, _)| *name);
        let server = names.into_iter().find(|name| *name == server);
        self.clients.push(Client {
            name: name.to_owned(),
            server: server.expect("a listener"),
            common: common.to_owned(),
            context: context.to_owned(),
            options: options.to_owned(),
        });
    }

    /// The names of the clusters; requests whose path begins so go there.
    pub fn client_names(&self) -> impl Iterator<Item = String> {
        self.clients.iter().map(|client| client.name.clone())
    }

    /// All of it, with the certificates of this folder.
    pub fn add_to(&self, mut bootstrap: Bootstrap, folder: &Path) -> Bootstrap {
        let folder = folder.display().to_string();
        let routes: Vec<_> = self
            .clients
            .iter()
            .map(|client| {
                format!(
                    "- match: {{prefix: /{name}/}}\n  route: {{cluster: {name}}}",
                    name = client.name
                )
            })
            .collect();
        let front = listener("main").log(LOGGED).route_list(&routes.join("\n"));
        bootstrap = bootstrap.listener(front);
        for (name, server) in &self.servers {
            bootstrap = bootstrap.listener(
                listener(name)
                    .network_filters(&server.manager(name))
                    .transport_socket(&server.socket().replace("DIR", &folder)),
            );
        }
        for client in &self.clients {
            let fields = format!(
                "typed_extension_protocol_options:\n  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n    \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n    {}\ntransport_socket:\n  name: tls\n  typed_config:\n    \"@type\": {TLS}.UpstreamTlsContext\n{}\n    common_tls_context:\n      alpn_protocols: []\n{}",
                client.options,
                indent(&client.context, 4),
                indent(&client.common, 6),
            );
            let fields = fields.replace("DIR", &folder);
            bootstrap = bootstrap.cluster(&client.name, client.server, &fields);
        }
        bootstrap
    }
}

/// A client's certificate, as a part of its common context.
pub fn certificate(name: &str) -> String {
    format!("tls_certificates: [{}]", one(name))
}

fn one(name: &str) -> String {
    format!(
        "{{certificate_chain: {{filename: DIR/{name}.crt}}, private_key: {{filename: DIR/{name}.key}}}}"
    )
}
