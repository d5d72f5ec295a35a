//! `tandem explain`: what it says of a file and of a running process; that it is what the
//! process does is compared for every request of the oracle's tables ([`claim`]).

mod claim;
mod served;

use std::process::{Command, Output};

use serde_json::Value;
use tandem_harness::client::h1::{self, Connection};
use tandem_harness::{Kind, Proxy, ports};
use tempfile::TempDir;

pub use claim::claim;

const BOOTSTRAP: &str = r#"
admin: { address: { socket_address: { address: 127.0.0.1, port_value: {admin} } } }
static_resources:
  listeners:
  - name: outbound
    traffic_direction: OUTBOUND
    address: { socket_address: { address: 127.0.0.1, port_value: {port} } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: out
          route_config:
            name: shop
            virtual_hosts:
            - name: reviews
              domains: ["reviews", "reviews:*"]
              routes:
              - name: tester
                match: { prefix: /, headers: [{ name: x-user, string_match: { exact: tester } }] }
                route: { cluster: v2, prefix_rewrite: /beta/ }
              - { name: old, match: { prefix: /old }, redirect: { path_redirect: /new } }
              - name: all
                match: { prefix: / }
                route: { cluster: v1, timeout: 3s, retry_policy: { retry_on: "5xx", num_retries: 2 } }
            - { name: away, domains: ["away"], routes: [{ match: { prefix: / }, route: { cluster_header: x-cluster } }] }
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: v1
    outlier_detection: { consecutive_5xx: 1, max_ejection_percent: 100, base_ejection_time: 600s }
    load_assignment:
      cluster_name: v1
      endpoints:
      - lb_endpoints:
        - { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: {dead} } } } }
        - { health_status: UNHEALTHY, endpoint: { address: { socket_address: { address: 127.0.0.2, port_value: 1 } } } }
  - name: v2
    load_assignment:
      cluster_name: v2
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 2 } } } }] }]
"#;

struct Ports([u16; 3]);

impl Ports {
    fn fill(&self) -> String {
        let [port, admin, dead] = self.0.map(|port| port.to_string());
        BOOTSTRAP
            .replace("{port}", &port)
            .replace("{admin}", &admin)
            .replace("{dead}", &dead)
    }
}

fn ports() -> Ports {
    Ports([ports::free(), ports::free(), ports::free()])
}

fn explain(words: &[&str]) -> Output {
    let mut command = Command::new(Kind::Tandem.binary());
    command.arg("explain").args(words).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn a_file_says_where_a_request_goes_and_why_nowhere_else() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bootstrap.yaml");
    std::fs::write(&file, ports().fill()).unwrap();
    let of_file = |words: &[&str]| {
        let words = [&["-c", file.to_str().unwrap()], words].concat();
        let output = explain(&words);
        (output.status.code(), said(&output))
    };
    for (words, code, wanted) in [
        (
            &["http://reviews:9080/x"][..],
            Some(0),
            &[
                "goes to cluster v1",
                "#3 all",
                "timeout 3s, 2 retries on 5xx",
                "header x-user: expected 'tester', got none",
                "path: expected prefix /old, got /x",
                "unhealthy, says its configuration",
            ][..],
        ),
        (
            &["http://reviews/x", "-H", "x-user: tester"],
            Some(0),
            &[
                "goes to cluster v2 at 127.0.0.1:2",
                "sent as reviews/beta/x",
            ],
        ),
        (
            &["POST", "http://reviews/old"],
            Some(0),
            &["301: redirected to http://reviews/new"],
        ),
        (
            &["http://nobody/"],
            Some(1),
            &[
                "404: no virtual host",
                "[NR]",
                "its domains: reviews, reviews:*",
            ],
        ),
        (
            &["http://away/", "-H", "x-cluster: gone"],
            Some(0),
            &[
                "there is no such cluster",
                "unless a control plane sends it",
            ],
        ),
        (&["reviews"], Some(2), &["url: expected http://HOST"]),
        (
            &["http://a/", "--direction", "up"],
            Some(2),
            &["direction: expected outbound or inbound, got 'up'"],
        ),
        (
            &["http://a/", "--listener", "x"],
            Some(1),
            &["there is no listener 'x'"],
        ),
    ] {
        let (got, text) = of_file(words);
        assert_eq!(got, code, "{words:?}\n{text}");
        for wanted in wanted {
            assert!(text.contains(wanted), "{words:?}: {wanted}\n{text}");
        }
    }
}

#[tokio::test]
async fn a_process_answers_by_what_it_holds_now() {
    let ports = ports();
    let [port, admin, _] = ports.0;
    let proxy = Proxy::start(Kind::Tandem, &ports.fill(), admin).await;
    let _proxy = proxy.unwrap();
    let address = format!("127.0.0.1:{admin}");
    let ask = |url: &str| {
        let output = explain(&["--admin", &address, url, "--json", "-H", "x-cluster: gone"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), json)
    };
    let (code, before) = ask("http://reviews/");
    assert_eq!(code, Some(0), "{before}");
    assert_eq!(before["clusters"][0]["endpoints"][0]["share"], 100.0);

    // The only endpoint that may be used refuses connections, and is ejected.
    let mut connection = Connection::open(port).await.unwrap();
    connection
        .send(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n")
        .await
        .unwrap();
    let response = connection.response("GET").await;
    assert!(response.is_ok_and(|response| response.status == 503));
    let (_, after) = ask("http://reviews/");
    let health = after["clusters"][0]["endpoints"][0]["health"].as_str();
    assert!(
        health.unwrap().starts_with("ejected by outlier detection"),
        "{after}"
    );

    let (code, away) = ask("http://away/");
    assert_eq!(
        (code, &away["flags"]),
        (Some(1), &Value::from("NC")),
        "{away}"
    );
}

/// What a process says of a question; `None`: it cannot be asked so.
pub async fn asked(admin: u16, question: &[(&str, String)]) -> Option<Value> {
    let encode = |text: &str| -> String {
        let bytes = text.bytes();
        bytes.map(|byte| format!("%{byte:02X}")).collect()
    };
    let pairs = question.iter();
    let pairs = pairs.map(|(name, value)| format!("{name}={}", encode(value)));
    let query = format!("/explain?{}", pairs.collect::<Vec<_>>().join("&"));
    let (200, answer) = h1::get(admin, &query).await.ok()? else {
        return None;
    };
    serde_json::from_str(&answer).ok()
}

/// What the page shows is what the command prints.
#[test]
fn the_example_of_the_documentation_prints_what_it_shows() {
    let page = tandem_harness::proxy::workspace().join("docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("## Where a request goes").unwrap();
    let block = |label: &str| {
        let (_, rest) = section.split_once(&format!("```{label}\n")).unwrap();
        rest.split_once("```").unwrap().0
    };
    let folder = TempDir::new().unwrap();
    std::fs::write(
        folder.path().join("bootstrap.yaml"),
        block("yaml bootstrap"),
    )
    .unwrap();
    let line = block("sh").lines().next().unwrap();
    let words = line.split_whitespace().skip(1);
    let mut command = Command::new(Kind::Tandem.binary());
    let output = command.args(words).current_dir(folder.path()).output();
    assert_eq!(said(&output.unwrap()).trim(), block("text").trim());
}
