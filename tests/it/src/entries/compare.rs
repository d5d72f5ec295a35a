//! Entries as named texts, without what differs from run to run.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::core::v3::{self as core, address, socket_address};
use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, TcpAccessLogEntry,
};

type Fields = BTreeMap<String, String>;
type Ports = BTreeMap<&'static str, u16>;

/// What this proxy does not count: bytes of single streams on the wire.
const NOT_FILLED: [&str; 4] = [
    "upstream_header_bytes_sent",
    "upstream_header_bytes_received",
    "downstream_header_bytes_sent",
    "downstream_header_bytes_received",
];

/// An entry about a request.
pub fn http(mut entry: HttpAccessLogEntry, ports: &Ports) -> Fields {
    let mut properties = entry.common_properties.take().unwrap();
    (
        properties.downstream_wire_bytes_received,
        properties.downstream_wire_bytes_sent,
        properties.upstream_wire_bytes_received,
        properties.upstream_wire_bytes_sent,
    ) = (0, 0, 0, 0);
    let mut request = entry.request.take().unwrap();
    let mut response = entry.response.take().unwrap();
    if !request.request_id.is_empty() {
        request.request_id = "<id>".into();
    }
    let mut fields = common(properties, ports);
    let headers = std::mem::take(&mut request.request_headers);
    named(&mut fields, "request_headers", headers);
    let headers = std::mem::take(&mut response.response_headers);
    named(&mut fields, "response_headers", headers);
    let trailers = std::mem::take(&mut response.response_trailers);
    named(&mut fields, "response_trailers", trailers);
    fields.insert("version".into(), entry.protocol_version.to_string());
    debug(&mut fields, &format!("{request:#?}"));
    debug(&mut fields, &format!("{response:#?}"));
    fields
}

/// An entry about a connection.
pub fn tcp(mut entry: TcpAccessLogEntry, ports: &Ports) -> Fields {
    let mut properties = entry.common_properties.take().unwrap();
    // Every connection has an id of its own.
    properties.stream_id = String::new();
    let mut fields = common(properties, ports);
    debug(
        &mut fields,
        &format!("{:#?}", entry.connection_properties.unwrap()),
    );
    fields
}

fn common(mut common: AccessLogCommon, ports: &Ports) -> Fields {
    let mut fields = Fields::new();
    let mut take = |name: &str, address: Option<core::Address>| {
        let text = address.map_or("(none)".to_owned(), |address| of(address, ports));
        fields.insert(name.to_owned(), text);
    };
    take("downstream_remote", common.downstream_remote_address.take());
    take(
        "downstream_direct",
        common.downstream_direct_remote_address.take(),
    );
    take("downstream_local", common.downstream_local_address.take());
    take("upstream_remote", common.upstream_remote_address.take());
    take("upstream_local", common.upstream_local_address.take());
    let times = [
        ("last_rx", common.time_to_last_rx_byte.take()),
        (
            "first_upstream_tx",
            common.time_to_first_upstream_tx_byte.take(),
        ),
        (
            "last_upstream_tx",
            common.time_to_last_upstream_tx_byte.take(),
        ),
        (
            "first_upstream_rx",
            common.time_to_first_upstream_rx_byte.take(),
        ),
        (
            "last_upstream_rx",
            common.time_to_last_upstream_rx_byte.take(),
        ),
        (
            "first_downstream_tx",
            common.time_to_first_downstream_tx_byte.take(),
        ),
        (
            "last_downstream_tx",
            common.time_to_last_downstream_tx_byte.take(),
        ),
        ("duration", common.duration.take()),
    ];
    for (name, time) in times {
        fields.insert(name.into(), time.is_some().to_string());
    }
    let start = common.start_time.take();
    fields.insert("start".into(), start.is_some().to_string());
    if !common.stream_id.is_empty() {
        common.stream_id = "<id>".into();
    }
    debug(&mut fields, &format!("{common:#?}"));
    fields
}

/// One field a line, as derived `Debug` writes it; those of nested messages too.
fn debug(fields: &mut Fields, text: &str) {
    for line in text.lines() {
        let Some((name, value)) = line.trim().trim_end_matches(',').split_once(": ") else {
            continue;
        };
        if !NOT_FILLED.contains(&name) {
            fields.insert(name.to_owned(), value.to_owned());
        }
    }
}

fn named(fields: &mut Fields, name: &str, found: impl IntoIterator<Item = (String, String)>) {
    for (key, value) in found {
        fields.insert(format!("{name}.{key}"), value);
    }
}

fn of(address: core::Address, ports: &Ports) -> String {
    let Some(address::Address::SocketAddress(socket)) = address.address else {
        return "no socket".into();
    };
    let Some(socket_address::PortSpecifier::PortValue(port)) = socket.port_specifier else {
        return "no port".into();
    };
    let name = ports.iter().find(|(_, known)| u32::from(**known) == port);
    let port = match (name, port) {
        (Some((name, _)), _) => name,
        (None, 0) => "none",
        (None, _) => "<port>",
    };
    // For a client on the loopback Envoy names the machine's own address.
    let own = crate::oracle::own_address();
    format!("{}:{port}", socket.address.replace(own, "127.0.0.1"))
}

/// What the two say differently, entry by entry.
pub fn differences(envoy: &[Fields], tandem: &[Fields]) -> Vec<String> {
    assert_eq!(envoy.len(), tandem.len());
    let mut found = Vec::new();
    for (index, (envoy, tandem)) in envoy.iter().zip(tandem).enumerate() {
        let names = envoy.keys().chain(tandem.keys());
        let names: std::collections::BTreeSet<_> = names.collect();
        for name in names {
            let (envoy, tandem) = (envoy.get(name), tandem.get(name));
            if envoy != tandem {
                found.push(format!(
                    "{index} {name}: envoy {envoy:?}, tandem {tandem:?}"
                ));
            }
        }
    }
    found
}
