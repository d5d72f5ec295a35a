use tandem_model::listener::{FilterChain, FilterChainMatch, NetworkFilter};
use tandem_model::route::{RouteConfiguration, VirtualHost};
use tandem_model::tcp_proxy::{TcpCluster, TcpProxy};

use super::call::{Call, Way};
use super::*;

fn service() -> HttpService {
    HttpService::choosing(|_| unreachable!("nothing is sent"))
}

fn table(ignore_ports: bool, hosts: &[(&str, &[&str])]) -> Live<RouteTable> {
    let host = |(name, domains): &(&str, &[&str])| {
        Arc::new(VirtualHost {
            name: (*name).into(),
            domains: domains.iter().map(|domain| (*domain).into()).collect(),
            routes: Vec::new(),
            require_tls: Default::default(),
            request_headers: Default::default(),
            response_headers: Default::default(),
            retry_policy: None,
            include_request_attempt_count: false,
            include_attempt_count_in_response: false,
            per_request_buffer_limit_bytes: None,
            filters: Vec::new(),
        })
    };
    Live::new(RouteTable::new(Arc::new(RouteConfiguration {
        virtual_hosts: hosts.iter().map(host).collect(),
        ignore_port_in_host_matching: ignore_ports,
        ..Default::default()
    })))
}

/// What takes connections that satisfy this.
fn index(matches: FilterChainMatch) -> Arc<FilterChains> {
    let chain = FilterChain {
        name: "".into(),
        matches,
        transport_socket: None,
        transport_socket_connect_timeout: None,
        network_filters: Vec::new(),
        // The index does not ask what a chain does.
        filter: NetworkFilter::Tcp(Arc::new(TcpProxy {
            stat_prefix: "".into(),
            cluster: TcpCluster::Cluster("".into()),
            idle_timeout: None,
            max_downstream_connection_duration: None,
            max_connect_attempts: 1,
            access_logs: Vec::new(),
        })),
    };
    Arc::new(FilterChains::new(&[Arc::new(chain)]).unwrap())
}

fn http(name: &str, role: Role, address: &str, routes: Live<RouteTable>) -> Entry {
    let plain_http = FilterChainMatch {
        transport_protocol: Some("raw_buffer".into()),
        application_protocols: vec!["http/1.1".into(), "h2c".into()],
        ..Default::default()
    };
    Entry {
        index: index(plain_http),
        doors: vec![Some(Door {
            service: service(),
            routes: Some(routes),
            encrypted: false,
        })],
        ..tcp(name, role, address)
    }
}

fn tcp(name: &str, role: Role, address: &str) -> Entry {
    Entry {
        listener: name.into(),
        direction: TrafficDirection::Outbound,
        role,
        addresses: vec![address.parse().unwrap()],
        index: index(FilterChainMatch::default()),
        doors: vec![None],
        default_door: None,
    }
}

/// As istiod pushes: HTTP by port, TCP and what is to be detected by address, and the listener
/// that all is redirected to.
fn istio() -> Vec<Entry> {
    let destination = Role::Destination;
    let http_80 = table(
        true,
        &[
            (
                "echo.default.svc:80",
                &["echo", "echo.default.svc", "10.96.0.10"],
            ),
            ("shop.default.svc:80", &["shop", "10.96.0.14"]),
            ("any", &["*"]),
        ],
    );
    let http_81 = table(true, &[("echo.default.svc:81", &["echo"])]);
    let detected = |name| table(true, &[(name, &["*"])]);
    vec![
        http("0.0.0.0_80", destination, "0.0.0.0:80", http_80),
        http("0.0.0.0_81", destination, "0.0.0.0:81", http_81),
        tcp("10.96.0.10_9000", destination, "10.96.0.10:9000"),
        http(
            "10.96.0.14_80",
            destination,
            "10.96.0.14:80",
            detected("shop.default.svc:80"),
        ),
        http(
            "10.96.0.12_7000",
            destination,
            "10.96.0.12:7000",
            detected("pay.a.svc:7000"),
        ),
        http(
            "10.96.0.13_7000",
            destination,
            "10.96.0.13:7000",
            detected("log.a.svc:7000"),
        ),
        http(
            "10.96.0.15_7000",
            destination,
            "10.96.0.15:7000",
            detected("log.b.svc:7000"),
        ),
        tcp("0.0.0.0_3306", destination, "0.0.0.0:3306"),
        tcp("virtualOutbound", Role::Capture, "0.0.0.0:15001"),
    ]
}

struct Rig {
    directory: Directory,
    entries: Vec<Entry>,
}

impl Rig {
    fn new(entries: Vec<Entry>) -> Self {
        let directory = Directory::default();
        directory.publish(entries.clone());
        Self { directory, entries }
    }

    fn way(&self, id: &str) -> Result<Way, NotFound> {
        self.directory.way(&Call {
            id,
            default_port: 80,
            is_grpc: false,
            client: None,
        })
    }

    /// The name of the listener that takes a call, or why none does.
    fn taken(&self, id: &str) -> String {
        match self.way(id) {
            Ok(way) => self.name(&way.service),
            Err(error) => error.to_string(),
        }
    }

    fn name(&self, service: &HttpService) -> String {
        let has = |entry: &&Entry| entry.doors().any(|door| door.service.ptr_eq(service));
        self.entries.iter().find(has).unwrap().listener.to_string()
    }
}

/// By port, by the address that routes say, and by the name of a virtual host.
#[test]
fn a_call_takes_the_listener_that_interception_would_find() {
    let rig = Rig::new(istio());
    for (id, listener) in [
        ("echo", "0.0.0.0_80"),
        ("echo.default.svc:80", "0.0.0.0_80"),
        ("unknown.example", "0.0.0.0_80"),
        ("echo:81", "0.0.0.0_81"),
        ("unknown:81", "0.0.0.0_81"),
        ("shop", "10.96.0.14_80"),
        ("pay:7000", "10.96.0.12_7000"),
        ("Pay.a.svc:7000", "10.96.0.12_7000"),
        ("log.b:7000", "10.96.0.15_7000"),
        ("10.96.0.13:7000", "10.96.0.13_7000"),
        ("10.96.0.10", "0.0.0.0_80"),
        ("10.9.9.9", "0.0.0.0_80"),
    ] {
        assert_eq!(rig.taken(id), listener, "{id}");
    }
}

#[test]
fn where_a_call_goes_is_known_by_the_address() {
    let rig = Rig::new(istio());
    for (id, destination) in [
        ("echo", None),
        ("unknown.example", None),
        ("shop", Some("10.96.0.14:80")),
        ("pay:7000", Some("10.96.0.12:7000")),
        ("10.9.9.9", Some("10.9.9.9:80")),
    ] {
        let found = rig.way(id).unwrap().destination;
        assert_eq!(found, destination.map(|a| a.parse().unwrap()), "{id}");
    }
}

#[test]
fn what_was_looked_for_is_told() {
    let rig = Rig::new(istio());
    for (id, text) in [
        (
            "echo:9000",
            "no way to 'echo:9000': listener '10.96.0.10_9000' takes it as bytes, not as HTTP",
        ),
        (
            "db:3306",
            "no way to 'db:3306': listener '0.0.0.0_3306' takes it as bytes, not as HTTP",
        ),
        (
            "echo:8080",
            "no way to 'echo:8080': expected an outbound listener of port 8080 that speaks HTTP, or \
             routes with a virtual host 'echo'; HTTP is taken on port 80, 81, 7000",
        ),
        (
            "[::1]:80",
            "no way to '::1:80': expected an outbound listener of port 80 that speaks HTTP, or \
             routes with a virtual host '::1'; HTTP is taken on port 80, 81, 7000",
        ),
        (
            "log:7000",
            "'log:7000' could be any of 'log.a.svc:7000', 'log.b.svc:7000': expected a longer name",
        ),
        (
            "echo:99999",
            "'echo:99999' is not a name or an address, with a port from 1 to 65535 or without",
        ),
    ] {
        assert_eq!(rig.taken(id), text, "{id}");
    }
    let none = Rig::new(Vec::new());
    assert_eq!(none.way("echo").unwrap_err(), NotFound::NoOutbound);
}

/// Applications connect to such a listener whatever they want to reach.
#[test]
fn a_listener_that_is_no_destination_takes_every_port() {
    let one = || {
        http(
            "one",
            Role::Proxy,
            "127.0.0.1:15001",
            table(false, &[("a", &["a"])]),
        )
    };
    let two = || {
        http(
            "two",
            Role::Proxy,
            "127.0.0.1:15002",
            table(false, &[("b", &["b:80"])]),
        )
    };
    let rig = Rig::new(vec![one()]);
    for id in ["a", "a:9", "other", "10.1.1.1:9"] {
        assert_eq!(rig.taken(id), "one", "{id}");
    }
    let rig = Rig::new(vec![one(), two()]);
    assert_eq!(rig.taken("a"), "one");
    assert_eq!(rig.taken("b"), "two");
    assert!(rig.way("b").unwrap().needs_port);
    assert_eq!(rig.taken("b:80"), "two");
    assert!(!rig.way("b:80").unwrap().needs_port);
    assert_eq!(rig.taken("c:15002"), rig.taken("c"));
    assert!(matches!(rig.way("c"), Err(NotFound::SeveralOutbound(_))));
    assert_eq!(rig.name(&rig.directory.named("two").unwrap()), "two");
    assert!(rig.directory.named("three").is_err());
}

#[test]
fn routes_that_come_later_are_obeyed() {
    let routes = table(true, &[]);
    let mut entries = istio();
    entries.push(http(
        "10.1.1.1_90",
        Role::Destination,
        "10.1.1.1:90",
        routes.clone(),
    ));
    let rig = Rig::new(entries);
    assert!(rig.way("late:90").is_err());
    let config = table(true, &[("late.svc:90", &["late"])]).get();
    routes.publish(RouteTable::new(Arc::clone(config.config())));
    assert_eq!(rig.taken("late:90"), "10.1.1.1_90");
}
