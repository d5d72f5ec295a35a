//! Configuration that is fetched: REST, and files of which a part is wrong.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What it says, by the last word of the path, and the requests that it heard.
#[derive(Default)]
struct State {
    said: BTreeMap<String, (u64, Vec<Value>)>,
    heard: Vec<(String, Value)>,
}

/// A control plane that answers requests.
pub(super) struct RestPlane {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl RestPlane {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { port, state, task }
    }

    pub(super) fn say(&self, kind: &str, resources: &[Value]) {
        let mut state = self.state.lock().unwrap();
        let said = state.said.entry(kind.to_owned()).or_default();
        *said = (said.0 + 1, resources.to_vec());
    }

    /// Waits for a request of this kind that is like this.
    async fn hears(&self, kind: &str, wanted: impl Fn(&Value) -> bool) {
        let heard = wait::until(wait::PATIENCE, || {
            let state = self.state.lock().unwrap();
            let mut heard = state.heard.iter();
            heard.any(|(of, request)| of == kind && wanted(request))
        });
        assert!(heard.await, "{:?}", self.state.lock().unwrap().heard.last());
    }
}

impl Drop for RestPlane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads no chunks, as simple servers do not.
async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            head.push(line.trim().to_ascii_lowercase());
        }
        let length = head
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).await?;
        let request: Value = serde_json::from_slice(&body).unwrap();
        let path = head[0].split(' ').nth(1).unwrap();
        let kind = path.strip_prefix("/v3/discovery:").unwrap().to_owned();
        let answer = {
            let mut state = state.lock().unwrap();
            state.heard.push((kind.clone(), request.clone()));
            let (version, resources) = state.said.get(&kind).cloned().unwrap_or_default();
            let version = version.to_string();
            let same = request["version_info"] == version;
            // What is asked for by name may be more than before.
            (!same || request.get("resource_names").is_some())
                .then(|| json!({ "version_info": version, "resources": resources }).to_string())
        };
        let answer = match answer {
            Some(body) => format!("200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
            None => "304 Not Modified\r\n\r\n".to_owned(),
        };
        stream
            .write_all(format!("HTTP/1.1 {answer}").as_bytes())
            .await?;
    }
}

const TYPES: &str = "type.googleapis.com/envoy";

fn source() -> Value {
    json!({ "resource_api_version": "V3", "api_config_source": { "api_type": "REST",
        "transport_api_version": "V3", "cluster_names": ["plane"], "refresh_delay": "0.1s" } })
}

fn address(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

pub(super) fn an_endpoint(name: &str, port: u16) -> Value {
    json!({ "@type": format!("{TYPES}.config.endpoint.v3.ClusterLoadAssignment"),
        "cluster_name": name,
        "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(port) } }] }] })
}

pub(super) fn a_cluster(name: &str) -> Value {
    json!({ "@type": format!("{TYPES}.config.cluster.v3.Cluster"), "name": name, "type": "EDS",
        "eds_cluster_config": { "eds_config": source() } })
}

pub(super) fn a_listener(name: &str, port: u16) -> Value {
    let router = format!("{TYPES}.extensions.filters.http.router.v3.Router");
    let manager = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    json!({ "@type": format!("{TYPES}.config.listener.v3.Listener"), "name": name,
    "address": address(port),
    "filter_chains": [{ "filters": [{ "name": "http", "typed_config": {
        "@type": format!("{TYPES}.{manager}"), "stat_prefix": name,
        "rds": { "route_config_name": "r", "config_source": source() },
        "http_filters": [{ "name": "router", "typed_config": { "@type": router } }] } }] }] })
}

pub(super) fn a_route(cluster: &str) -> Value {
    json!({ "@type": format!("{TYPES}.config.route.v3.RouteConfiguration"), "name": "r",
    "virtual_hosts": [{ "name": "all", "domains": ["*"],
        "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": cluster } }] }] })
}

/// All comes by REST.
pub(super) fn a_bootstrap(plane: u16, admin: u16) -> Value {
    json!({
        "node": { "id": "me", "cluster": "us" },
        "admin": { "address": address(admin) },
        "dynamic_resources": { "cds_config": source(), "lds_config": source() },
        "static_resources": { "clusters": [{ "name": "plane", "load_assignment": {
            "cluster_name": "plane",
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(plane) } }] }]
        } }] },
    })
}

pub(super) async fn answers(proxy: &Proxy, port: u16, body: &str) {
    let answered = wait::until_async(wait::PATIENCE, || async {
        h1::get(port, "/").await.is_ok_and(|(_, said)| said == body)
    });
    assert!(answered.await, "{}", proxy.process.output());
}

/// A whole configuration comes by requests. What is wrong in an answer is refused by name with the
/// next request, and what came with it is served.
#[tokio::test]
async fn rest_takes_the_place_of_streams() {
    let plane = RestPlane::start().await;
    let [port, other, admin] = [ports::free(), ports::free(), ports::free()];
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    plane.say(
        "endpoints",
        &[an_endpoint("one", one.port), an_endpoint("two", two.port)],
    );
    plane.say("clusters", &[a_cluster("one")]);
    plane.say("listeners", &[a_listener("main", port)]);
    plane.say("routes", &[a_route("one")]);
    let config = a_bootstrap(plane.port, admin).to_string();
    let proxy = Proxy::start(Kind::Tandem, &config, admin).await.unwrap();
    answers(&proxy, port, "one").await;
    plane
        .hears("clusters", |request| request["node"]["id"] == "me")
        .await;

    let mut bad = a_cluster("bad");
    bad["nane"] = "x".into();
    plane.say("clusters", &[a_cluster("one"), bad, a_cluster("two")]);
    plane
        .hears("clusters", |request| {
            let said = request["error_detail"]["message"]
                .as_str()
                .unwrap_or_default();
            request["version_info"] == "1" && said.starts_with("bad: nane: ")
        })
        .await;
    plane.say("routes", &[a_route("two")]);
    answers(&proxy, port, "two").await;
    let dump = proxy.admin("/config_dump").await;
    assert!(dump.contains("Cluster has no such field"), "{dump}");

    // A type that nobody here has a message of, in a listener of its own.
    let mut foreign = a_listener("foreign", ports::free());
    foreign["filter_chains"][0]["filters"][0]["typed_config"]["@type"] = json!(format!(
        "{TYPES}.extensions.filters.network.redis_proxy.v3.RedisProxy"
    ));
    plane.say(
        "listeners",
        &[
            a_listener("main", port),
            foreign,
            a_listener("other", other),
        ],
    );
    plane
        .hears("listeners", |request| {
            let said = request["error_detail"]["message"]
                .as_str()
                .unwrap_or_default();
            said.starts_with("foreign: ") && said.contains("RedisProxy' is not supported")
        })
        .await;
    answers(&proxy, other, "two").await;
    plane.say(
        "listeners",
        &[a_listener("main", port), a_listener("other", other)],
    );
    plane
        .hears("listeners", |request| request["version_info"] == "3")
        .await;
    assert!(!proxy.admin("/config_dump").await.contains("RedisProxy"));
}
