//! `/config_dump` of the real binary beside Envoy's.

mod named;
mod parameters;
mod secrets;

use serde_json::{Value, json};
use tandem_harness::certs::{Authority, Folder, Issued};
use tandem_harness::{Kind, Proxy, ports};

const TYPES: &str = "type.googleapis.com/envoy.extensions";

/// A subscription to a file of a folder.
fn file(folder: &Folder, name: &str) -> Value {
    let path = folder.path(name);
    json!({ "path_config_source": { "path": path }, "resource_api_version": "V3" })
}

/// A resource of this type.
fn typed(name: &str, resource: &Value) -> Value {
    let mut all = resource.clone();
    all["@type"] = format!("type.googleapis.com/envoy.{name}").into();
    all
}

/// What a control plane would say, in a file.
fn deliver(folder: &Folder, name: &str, version: &str, resources: &[Value]) {
    let response = json!({ "version_info": version, "resources": resources });
    folder.write(name, &response.to_string());
}

/// A listener whose TLS context has these certificates.
fn listener(name: &str, certificates: &Value) -> Value {
    json!({
        "name": name,
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": ports::free() } },
        "filter_chains": [{
            "transport_socket": { "name": "tls", "typed_config": {
                "@type": format!("{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext"),
                "common_tls_context": certificates,
            } },
            "filters": [{ "name": "tcp", "typed_config": {
                "@type": format!("{TYPES}.filters.network.tcp_proxy.v3.TcpProxy"),
                "stat_prefix": "tcp", "cluster": "up",
            } }],
        }],
    })
}

fn certificate(issued: &Issued) -> Value {
    json!({
        "certificate_chain": { "inline_string": issued.chain },
        "private_key": { "inline_string": issued.key },
    })
}

fn inline(issued: &Issued) -> Value {
    json!({ "tls_certificates": [certificate(issued)] })
}

/// A process that hears of listeners by `lds.json`, beside what the bootstrap has.
async fn start(kind: Kind, folder: &Folder, statics: &Value) -> Proxy {
    let admin = ports::free();
    let bootstrap = json!({
        "node": { "id": "a", "cluster": "b" },
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": admin } } },
        "dynamic_resources": { "lds_config": file(folder, "lds.json") },
        "static_resources": statics,
    });
    let started = Proxy::start(kind, &bootstrap.to_string(), admin).await;
    started.unwrap()
}

async fn dump(proxy: &Proxy, query: &str) -> Value {
    let text = proxy.admin(&format!("/config_dump{query}")).await;
    serde_json::from_str(&text).unwrap()
}

/// One list of one section.
fn list<'a>(dump: &'a Value, section: &str, list: &str) -> &'a [Value] {
    let ty = format!("type.googleapis.com/envoy.admin.v3.{section}ConfigDump");
    let mut sections = dump["configs"].as_array().unwrap().iter();
    let found = sections.find(|one| one["@type"] == ty);
    found
        .and_then(|one| one[list].as_array())
        .map_or(&[], Vec::as_slice)
}
