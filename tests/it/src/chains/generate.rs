//! Listeners with chains of every kind, and connections of every kind to them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use tandem_harness::ports;
use tandem_xds_translate::Source;

use super::dice::Dice;
use super::hello::client_hello;

/// One letter for each chain of a listener; the last one is the default chain's.
pub const CHAINS: &str = "abcdefgz";

const LISTENERS: usize = 40;
const CONNECTIONS: usize = 30;
const ADDRESSES: [[u8; 4]; 4] = [
    [127, 0, 0, 1],
    [127, 0, 0, 2],
    [127, 0, 0, 3],
    [127, 1, 0, 1],
];
/// Not among them: ranges of all addresses. Beside chains that ask for no address Envoy takes
/// one or the other by the order of a hash table.
const RANGES: [(&str, u8); 7] = [
    ("127.0.0.1", 32),
    ("127.0.0.2", 32),
    ("127.0.0.2", 31),
    ("127.0.0.0", 24),
    ("127.0.0.0", 8),
    ("10.0.0.0", 8),
    ("::", 1),
];
const NAMES: [&str; 7] = [
    "a.test",
    "B.a.test",
    "*.a.test",
    "*.test",
    "*.b.a.test",
    "c.test",
    "*.x",
];
const ASKED: [&str; 8] = [
    "a.test",
    "A.Test",
    "b.a.test",
    "x.b.a.test",
    "x.a.test",
    "test",
    "c.test",
    "nothing.else",
];
const PROTOCOLS: [&str; 5] = ["h2", "http/1.1", "http/1.0", "h2c", "istio"];
const PLAIN: [&str; 7] = [
    "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\n\r\n",
    "GET /\r\n",
    "hello there, this is no HTTP\n",
    "EHLO client.test\r\n",
];

/// What is tried.
pub struct Plan {
    /// Their YAML; `{port}` is theirs.
    pub listeners: Vec<String>,
    pub connections: Vec<Connection>,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    pub listener: usize,
    pub to: IpAddr,
    pub from: IpAddr,
    pub from_port: u16,
    pub sends: Vec<u8>,
}

pub fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos()) ^ now.as_secs()
}

impl Plan {
    pub fn new(dice: &mut Dice) -> Self {
        let sources: Vec<u16> = (0..3).map(|_| ports::free()).collect();
        let (mut listeners, mut connections) = (Vec::new(), Vec::new());
        for at in 0..LISTENERS {
            let looks = *dice.one(&["", "t", "h", "th", "th", "ht"]);
            listeners.push(listener(dice, at, looks, &sources));
            let mut used = BTreeSet::new();
            for _ in 0..CONNECTIONS {
                let mut connection = connection(dice, at, looks, &sources);
                if !used.insert((connection.to, connection.from, connection.from_port)) {
                    connection.from_port = 0;
                }
                connections.push(connection);
            }
        }
        Self {
            listeners,
            connections,
        }
    }

    /// The bootstrap with these ports.
    pub fn bootstrap(&self, admin: u16, ports: &[u16], clusters: &[(char, u16)]) -> String {
        let mut text = format!(
            "admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}\n\
             static_resources:\n  listeners:\n"
        );
        for (listener, port) in self.listeners.iter().zip(ports) {
            text += &listener.replace("{port}", &port.to_string());
        }
        text += "  clusters:\n";
        for (letter, port) in clusters {
            let _ = writeln!(
                text,
                "  - {{name: {letter}, connect_timeout: 5s, load_assignment: {{cluster_name: {letter}, \
                 endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: \
                 {{address: 127.0.0.1, port_value: {port}}}}}}}}}]}}]}}}}"
            );
        }
        text
    }
}

/// A bootstrap that Tandem refuses because of its chains, if chance makes one.
pub fn overlapping(dice: &mut Dice) -> Option<String> {
    let mut text = head(0, "th", true);
    for letter in CHAINS.chars().take(6) {
        text += &chain(dice, letter, &[1]);
    }
    let bootstrap = bootstrap_of(&text);
    let refused = tandem_xds_translate::load(&[Source::yaml("generated", bootstrap.clone())]);
    refused.is_err().then_some(bootstrap)
}

fn bootstrap_of(listener: &str) -> String {
    let listener = listener.replace("{port}", "1000");
    format!("static_resources:\n  listeners:\n{listener}")
}

fn listener(dice: &mut Dice, at: usize, looks: &str, sources: &[u16]) -> String {
    let mut text = head(at, looks, dice.percent(50));
    if dice.percent(50) {
        let any = chain(dice, 'z', sources).replacen("    - ", "      ", 1);
        let _ = writeln!(text, "    default_filter_chain:\n{}", any.trim_end());
    }
    text += "    filter_chains:\n";
    let mut chains = 0;
    while chains < 2 + at % 6 {
        let letter = CHAINS.chars().nth(chains).unwrap();
        let longer = text.clone() + &chain(dice, letter, sources);
        // What takes the same connections as another chain is refused: left out.
        let read = Source::yaml("generated", bootstrap_of(&longer));
        match tandem_xds_translate::load(&[read]) {
            Ok(_) => {
                chains += 1;
                text = longer;
            }
            Err(error) => assert!(error.to_string().contains("same connections"), "{error}"),
        }
    }
    text
}

fn head(at: usize, looks: &str, goes_on: bool) -> String {
    let mut text = format!(
        "  - name: l{at}\n    stat_prefix: l{at}\n    \
         address: {{socket_address: {{address: 0.0.0.0, port_value: {{port}}}}}}\n    \
         listener_filters_timeout: 10s\n    continue_on_listener_filters_timeout: {goes_on}\n    \
         listener_filters:\n"
    );
    for look in looks.chars() {
        let name = if look == 't' { "tls" } else { "http" };
        let kind = if look == 't' { "Tls" } else { "Http" };
        let _ = writeln!(
            text,
            "    - {{name: {name}, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.listener.{name}_inspector.v3.{kind}Inspector}}}}"
        );
    }
    if looks.is_empty() {
        text = text.replace("    listener_filters:\n", "");
    }
    text
}

fn chain(dice: &mut Dice, letter: char, sources: &[u16]) -> String {
    let mut rules = Vec::new();
    if dice.percent(20) {
        rules.push(format!(
            "destination_port: {}",
            dice.one(&["{port}", "{port}", "1"])
        ));
    }
    let ranges = |dice: &mut Dice| {
        let some = dice.some(&RANGES);
        let range = |(address, bits): &(&str, u8)| {
            format!("{{address_prefix: \"{address}\", prefix_len: {bits}}}")
        };
        some.iter().map(range).collect::<Vec<_>>().join(", ")
    };
    for (rule, percent) in [
        ("prefix_ranges", 25),
        ("direct_source_prefix_ranges", 12),
        ("source_prefix_ranges", 20),
    ] {
        if dice.percent(percent) {
            rules.push(format!("{rule}: [{}]", ranges(dice)));
        }
    }
    if dice.percent(30) {
        rules.push(format!("server_names: {:?}", dice.some(&NAMES)));
    }
    if dice.percent(30) {
        let transport = dice.one(&["tls", "tls", "raw_buffer", "quic"]);
        rules.push(format!("transport_protocol: {transport}"));
    }
    if dice.percent(30) {
        rules.push(format!(
            "application_protocols: {:?}",
            dice.some(&PROTOCOLS)
        ));
    }
    if dice.percent(20) {
        rules.push(format!(
            "source_type: {}",
            dice.one(&["SAME_IP_OR_LOOPBACK", "EXTERNAL"])
        ));
    }
    if dice.percent(15) {
        rules.push(format!("source_ports: {:?}", dice.some(sources)));
    }
    format!(
        "    - name: {letter}\n      filter_chain_match: {{{}}}\n      filters:\n      \
         - name: tcp\n        typed_config:\n          \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n          \
         stat_prefix: {letter}\n          cluster: {letter}\n",
        rules.join(", ")
    )
}

fn connection(dice: &mut Dice, listener: usize, looks: &str, sources: &[u16]) -> Connection {
    let sends = match dice.below(100) {
        // Without a look nobody waits; with one it takes all its time.
        0 if looks.is_empty() || dice.percent(15) => Vec::new(),
        1..55 => {
            let name = dice.percent(80).then(|| *dice.one(&ASKED));
            let protocols = match dice.percent(60) {
                true => dice.some(&PROTOCOLS),
                false => Vec::new(),
            };
            client_hello(name, &protocols)
        }
        _ => dice.one(&PLAIN).as_bytes().to_vec(),
    };
    Connection {
        listener,
        to: (*dice.one(&ADDRESSES)).into(),
        from: (*dice.one(&ADDRESSES)).into(),
        from_port: if dice.percent(40) {
            *dice.one(sources)
        } else {
            0
        },
        sends,
    }
}
