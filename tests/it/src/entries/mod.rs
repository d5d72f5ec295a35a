//! Access logs over gRPC: entries beside Envoy's, and a service that is not always there.

mod compare;
mod service;

use std::collections::BTreeMap;

use envoy_types::pb::envoy::data::accesslog::v3::{HttpAccessLogEntry, TcpAccessLogEntry};
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use tandem_harness::certs::{Authority, Folder};
use tandem_harness::client::{Request, h1, h2c};
use tandem_harness::{Kind, Proxy, Upstream, ports, wait};

use service::Service;

const BOOTSTRAP: &str = include_str!("bootstrap.yaml");

struct Rig {
    proxy: Proxy,
    ports: BTreeMap<&'static str, u16>,
    _folder: Folder,
    _upstream: Upstream,
}

impl Rig {
    /// A proxy whose entries go to a port where nobody is yet.
    async fn start(kind: Kind, buffer: &str) -> Self {
        Self::flushing(kind, buffer, "0.02s").await
    }

    /// The same, with entries that are sent that often.
    async fn flushing(kind: Kind, buffer: &str, interval: &str) -> Self {
        let upstream = Upstream::start(&["up"]).await;
        let mut ports = BTreeMap::from([("up", upstream.port())]);
        for name in ["admin", "main", "tcp", "sealed", "dead", "logs"] {
            ports.insert(name, ports::free());
        }
        let folder = Folder::new();
        folder.put("server", &Authority::new().issue(&["server.test"]));
        let text = BOOTSTRAP.replace("{buffer}", buffer);
        let text = text.replace("{folder}", &folder.root().display().to_string());
        let text = text.replace("0.02s", interval);
        let text = ports.iter().fold(text, |text, (name, port)| {
            text.replace(&format!("{{{name}}}"), &port.to_string())
        });
        let proxy = Proxy::start(kind, &text, ports["admin"]).await.unwrap();
        Self {
            proxy,
            ports,
            _folder: folder,
            _upstream: upstream,
        }
    }

    async fn send(&self, port: &str, bytes: &str) {
        let mut connection = h1::Connection::open(self.ports[port]).await.unwrap();
        connection.send(bytes.as_bytes()).await.unwrap();
        let _ = connection.response("GET").await;
    }

    async fn counter(&self, name: &str) -> u64 {
        let stats = self.proxy.admin("/stats").await;
        let line = format!("access_logs.grpc_access_log.{name}: ");
        let value = stats.lines().find_map(|found| found.strip_prefix(&line));
        value.map_or(0, |value| value.trim().parse().unwrap())
    }
}

/// Everything of a kind that came, whatever the stream.
fn entries(service: &Service) -> (Vec<HttpAccessLogEntry>, Vec<TcpAccessLogEntry>) {
    let (mut http, mut tcp) = (Vec::new(), Vec::new());
    let messages = service
        .streams()
        .into_iter()
        .flat_map(|stream| stream.messages);
    for entries in messages.filter_map(|message| message.log_entries) {
        match entries {
            LogEntries::HttpLogs(logs) => http.extend(logs.log_entry),
            LogEntries::TcpLogs(logs) => tcp.extend(logs.log_entry),
        }
    }
    (http, tcp)
}

/// Sends one request of each kind, and waits for each one's entry.
async fn exchange(rig: &Rig, service: &Service) {
    let get = |path: &str, more: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: any.test\r\nuser-agent: test/1\r\n{more}\r\n")
    };
    let sent = [
        "POST /ok?a=b HTTP/1.1\r\nhost: any.test\r\nreferer: http://ref.test/\r\nx-tier: a\r\nx-tier: b\r\nx-forwarded-for: 192.0.2.7\r\ncontent-length: 4\r\nx-script: 201 text=hello header=x-color:red header=x-color:blue\r\n\r\nbody".to_owned(),
        get("/ok", "x-script: 200 text=abc trailer=x-end:yes\r\nx-request-id: 11111111-1111-4111-8111-111111111111\r\n"),
        get("/said", ""),
        get("/dead", ""),
        get("/nowhere", ""),
        get("/unrouted", ""),
        get("/late", "x-script: 200 delay=60000\r\n"),
        get("/old/path", ""),
        "PURGE /ok HTTP/1.1\r\nhost: any.test\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
    ];
    for (index, request) in sent.iter().enumerate() {
        rig.send("main", request).await;
        assert!(wait::until(wait::PATIENCE, || entries(service).0.len() == index + 1).await);
    }
    let mut h2 = h2c::Connection::open(rig.ports["main"]).await.unwrap();
    let request = Request {
        method: "GET".into(),
        path: "/ok".into(),
        authority: "any.test".into(),
        ..Request::default()
    };
    assert_eq!(h2.exchange(&request).await.status, 200);
    assert!(
        wait::until(wait::PATIENCE, || entries(service).0.len()
            == sent.len() + 1)
        .await
    );
    let close = get("/raw", "connection: close\r\n");
    rig.send("tcp", &close).await;
    assert!(wait::until(wait::PATIENCE, || entries(service).1.len() == 1).await);
}

/// Every field that Envoy fills says the same here.
#[tokio::test]
async fn entries_say_what_envoys_say() {
    let mut told = Vec::new();
    for kind in [Kind::Envoy, Kind::Tandem] {
        let rig = Rig::start(kind, "").await;
        let service = Service::start(rig.ports["logs"]);
        exchange(&rig, &service).await;
        let (http, tcp) = entries(&service);
        let mut fields = Vec::new();
        fields.extend(
            http.into_iter()
                .map(|entry| compare::http(entry, &rig.ports)),
        );
        fields.extend(tcp.into_iter().map(|entry| compare::tcp(entry, &rig.ports)));
        told.push(fields);
    }
    let differences = compare::differences(&told[0], &told[1]);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The proxy of bytes has an entry for a client that is not let in by the handshake. (Envoy's has an
/// endpoint by then: it connects before it knows who asks.)
#[tokio::test]
async fn a_failed_handshake_has_an_entry() {
    let mut told = Vec::new();
    for kind in [Kind::Envoy, Kind::Tandem] {
        let rig = Rig::start(kind, "").await;
        let service = Service::start(rig.ports["logs"]);
        rig.send("sealed", "this is no handshake\r\n").await;
        assert!(wait::until(wait::PATIENCE, || entries(&service).1.len() == 1).await);
        let mut entry = entries(&service).1.remove(0).common_properties.unwrap();
        let reason = std::mem::take(&mut entry.downstream_transport_failure_reason);
        assert!(
            reason.contains("WRONG_VERSION_NUMBER"),
            "{kind:?}: {reason}"
        );
        told.push((reason, entry.response_flags, entry.access_log_type));
    }
    assert_eq!(told[0], told[1]);
}

/// The first message of each stream says who sends it and which log it is.
#[tokio::test]
async fn a_stream_says_first_who_it_is_from() {
    let rig = Rig::start(Kind::Tandem, "").await;
    let service = Service::start(rig.ports["logs"]);
    exchange(&rig, &service).await;
    let mut names = Vec::new();
    for stream in service.streams() {
        let (first, rest) = stream.messages.split_first().unwrap();
        let identifier = first.identifier.as_ref().unwrap();
        let node = identifier.node.as_ref().unwrap();
        assert_eq!((&*node.id, &*node.cluster), ("node-1", "of-tests"));
        assert_eq!(node.locality.as_ref().unwrap().zone, "z");
        assert!(rest.iter().all(|message| message.identifier.is_none()));
        let token = stream
            .metadata
            .get("x-token")
            .map(|token| token.to_str().unwrap());
        names.push((identifier.log_name.clone(), token == Some("secret")));
    }
    names.sort();
    let expected = [("connections", false), ("requests", true)];
    assert_eq!(
        names,
        expected.map(|(name, token)| (name.to_owned(), token))
    );
}

/// A service that is away costs no request anything: what fits waits for it, the rest is
/// counted as lost.
#[tokio::test]
async fn entries_wait_for_a_service_that_is_away() {
    const REQUESTS: usize = 60;
    let rig = Rig::start(Kind::Tandem, "buffer_size_bytes: 1").await;
    for _ in 0..REQUESTS {
        rig.send("main", "GET /said HTTP/1.1\r\nhost: any.test\r\n\r\n")
            .await;
    }
    // The last one is logged a moment after its answer.
    let counted = wait::until_async(wait::PATIENCE, || async {
        let written = rig.counter("logs_written").await;
        written + rig.counter("logs_dropped").await == REQUESTS as u64
    });
    assert!(counted.await, "some are not counted");
    let written = rig.counter("logs_written").await;
    let dropped = rig.counter("logs_dropped").await;
    assert_eq!(written + dropped, REQUESTS as u64);
    assert!(written > 0 && dropped > 0, "{written} and {dropped}");
    let service = Service::start(rig.ports["logs"]);
    let came = || entries(&service).0.len() as u64;
    assert!(
        wait::until(wait::PATIENCE, || came() == written).await,
        "{}",
        came()
    );
    rig.send("main", "GET /said HTTP/1.1\r\nhost: any.test\r\n\r\n")
        .await;
    assert!(wait::until(wait::PATIENCE, || came() == written + 1).await);
}

/// What still waits for its turn when the proxy is told to end is sent before it ends.
#[tokio::test]
async fn entries_that_wait_at_the_end_are_sent() {
    let mut rig = Rig::flushing(Kind::Tandem, "", "600s").await;
    let service = Service::start(rig.ports["logs"]);
    for _ in 0..3 {
        rig.send("main", "GET /said HTTP/1.1\r\nhost: any.test\r\n\r\n")
            .await;
    }
    let written = async || rig.counter("logs_written").await == 3;
    assert!(wait::until_async(wait::PATIENCE, written).await);
    assert!(entries(&service).0.is_empty());
    rig.proxy.process.signal("TERM");
    let ended = wait::until(wait::PATIENCE, || rig.proxy.process.exited().is_some()).await;
    assert!(ended);
    // They have left it: here they may be a moment behind its end.
    let came = wait::until(wait::PATIENCE, || entries(&service).0.len() == 3).await;
    assert!(came, "{} of 3", entries(&service).0.len());
}
