//! Certificates and roots exchanged under load: no request may notice.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tandem_harness::certs::{Authority, Folder, Issued};
use tandem_harness::client::{Request, h1};
use tandem_harness::{Kind, Proxy, Upstream, ports, wait};

const BOOTSTRAP: &str = r#"
node: { id: node, cluster: mesh }
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ADMIN } } }
static_resources:
  listeners:
  - name: front
    address: { socket_address: { address: 127.0.0.1, port_value: FRONT } }
    filter_chains:
    - filters:
      - name: http
        typed_config: &manager
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config:
            virtual_hosts:
            - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: mesh } }] }
          http_filters: &filters
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  - name: back
    address: { socket_address: { address: 127.0.0.1, port_value: BACK } }
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context: &tls
SECRETS
            tls_params: { tls_maximum_protocol_version: TLSv1_3 }
      filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: back
          forward_client_cert_details: SANITIZE_SET
          set_current_client_cert_details: { subject: true }
          route_config:
            virtual_hosts:
            - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: up } }] }
          http_filters: *filters
  clusters:
  - name: mesh
    connect_timeout: 5s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        common_http_protocol_options: { max_requests_per_connection: 3 }
        explicit_http_config: { http_protocol_options: {} }
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context: *tls
    load_assignment:
      cluster_name: mesh
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: BACK } } }
  - name: up
    connect_timeout: 1s
    load_assignment:
      cluster_name: up
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: UPSTREAM } } }
"#;

/// Certificates and roots in files.
const IN_FILES: &str = r#"
            tls_certificates:
            - certificate_chain: { filename: FOLDER/..data/leaf.crt }
              private_key: { filename: FOLDER/..data/leaf.key }
            validation_context: { trusted_ca: { filename: FOLDER/..data/roots.pem } }"#;

/// The same, delivered.
const BY_NAME: &str = r#"
            tls_certificate_sds_secret_configs:
            - { name: leaf, sds_config: { path_config_source: { path: FOLDER/sds.json }, resource_api_version: V3 } }
            validation_context_sds_secret_config:
              { name: roots, sds_config: { path_config_source: { path: FOLDER/sds.json }, resource_api_version: V3 } }"#;

/// Puts a version of all files beside the others, and turns the link to it, as Kubernetes does.
fn turn(folder: &Folder, version: &str, leaf: &Issued, roots: &str) {
    std::fs::create_dir(folder.path(version)).unwrap();
    for (file, text) in [
        ("leaf.crt", leaf.chain.as_str()),
        ("leaf.key", &leaf.key),
        ("roots.pem", roots),
    ] {
        std::fs::write(folder.path(version).join(file), text).unwrap();
    }
    symlink(folder.path(version), folder.path("..next")).unwrap();
    std::fs::rename(folder.path("..next"), folder.path("..data")).unwrap();
}

/// Puts a file of secrets in the place of the one before.
fn deliver(folder: &Folder, version: &str, leaf: &Issued, roots: &str) {
    let ty = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
    let file = serde_json::json!({
        "version_info": version,
        "resources": [
            { "@type": ty, "name": "leaf", "tls_certificate": {
                "certificate_chain": { "inline_string": leaf.chain },
                "private_key": { "inline_string": leaf.key },
            } },
            { "@type": ty, "name": "roots", "validation_context": {
                "trusted_ca": { "inline_string": roots },
            } },
        ],
    });
    folder.write("sds.json", &file.to_string());
}

/// What the clients of the load share.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    answered: AtomicUsize,
    failed: AtomicUsize,
}

async fn client(port: u16, load: Arc<Load>) {
    let mut connection = h1::Connection::open(port).await.unwrap();
    let request = h1::encode(&Request {
        method: "GET".into(),
        path: "/".into(),
        authority: "any.test".into(),
        ..Request::default()
    });
    while !load.over.load(Relaxed) {
        connection.send(&request).await.unwrap();
        let answer = connection.response("GET").await;
        let good = answer.is_ok_and(|answer| answer.status == 200);
        let count = if good { &load.answered } else { &load.failed };
        count.fetch_add(1, Relaxed);
    }
}

/// Whether the upstream has heard of this leaf from both sides.
async fn is_used(upstream: &Upstream, version: &str) -> bool {
    let by = format!("By=spiffe://td/leaf-{version};");
    let subject = format!("Subject=\"CN=leaf-{version}\"");
    upstream.log().take().await.iter().any(|seen| {
        let said = tandem_harness::head::get(&seen.headers, "x-forwarded-client-cert");
        said.is_some_and(|said| said.contains(&by) && said.contains(&subject))
    })
}

/// How a version of leaf and roots gets to the proxy.
type Put = fn(&Folder, &str, &Issued, &str);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_exchanged_without_a_failed_request() {
    exchange(IN_FILES, turn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivered_secrets_are_exchanged_without_a_failed_request() {
    exchange(BY_NAME, deliver).await;
}

/// A process with these secrets, and the port of its front.
async fn start(kind: Kind, secrets: &str, folder: &Folder, upstream: &Upstream) -> (Proxy, u16) {
    let (front, back, admin) = (ports::free(), ports::free(), ports::free());
    let secrets = format!("{}\n", secrets.trim_start_matches('\n'));
    let bootstrap = BOOTSTRAP
        .replace("SECRETS\n", &secrets)
        .replace("ADMIN", &admin.to_string())
        .replace("FRONT", &front.to_string())
        .replace("BACK", &back.to_string())
        .replace("UPSTREAM", &upstream.ports()[0].to_string())
        // Last: its name may be any.
        .replace("FOLDER", &folder.root().display().to_string());
    (Proxy::start(kind, &bootstrap, admin).await.unwrap(), front)
}

/// `/certs`, in an order of its own: Envoy has none.
async fn certificates(proxy: &Proxy) -> Vec<String> {
    let page = proxy.admin("/certs").await;
    let page: serde_json::Value = serde_json::from_str(&page).unwrap_or_default();
    let all = page["certificates"].as_array().cloned().unwrap_or_default();
    let mut all: Vec<_> = all.iter().map(ToString::to_string).collect();
    all.sort();
    all
}

/// The same without the days that are left, which become fewer at midnight.
async fn timeless_certificates(proxy: &Proxy) -> Vec<String> {
    let timeless = |one: String| {
        let mut one: serde_json::Value = serde_json::from_str(&one).unwrap();
        for of in ["ca_cert", "cert_chain"] {
            for certificate in one[of].as_array_mut().into_iter().flatten() {
                certificate["days_until_expiration"].take();
            }
        }
        one.to_string()
    };
    certificates(proxy)
        .await
        .into_iter()
        .map(timeless)
        .collect()
}

/// What is in use is shown as Envoy shows it, of a listener and a cluster.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_in_use_are_shown() {
    let (folder, one, two) = (Folder::new(), Authority::new(), Authority::new());
    let both = format!("{}{}", one.pem, two.pem);
    turn(&folder, "1", &one.issue(&NAMES), &both);
    let upstream = Upstream::start(&["up"]).await;
    let (envoy, _) = start(Kind::Envoy, IN_FILES, &folder, &upstream).await;
    let (tandem, _) = start(Kind::Tandem, IN_FILES, &folder, &upstream).await;
    let shown = certificates(&tandem).await;
    assert_eq!(shown.len(), 2);
    assert_eq!(shown, certificates(&envoy).await);
}

/// Delivered certificates are shown too, and after an exchange the new ones. (Envoy shows none of
/// those that come in a file of secrets.)
#[tokio::test(flavor = "multi_thread")]
async fn delivered_certificates_are_shown_and_exchanged() {
    let (folder, one, two) = (Folder::new(), Authority::new(), Authority::new());
    let both = format!("{}{}", one.pem, two.pem);
    deliver(&folder, "1", &one.issue(&NAMES), &both);
    let upstream = Upstream::start(&["up"]).await;
    let (tandem, _) = start(Kind::Tandem, BY_NAME, &folder, &upstream).await;
    let before = certificates(&tandem).await;
    assert_eq!(before.len(), 2);
    let soon = two.issue_with(&NAMES, |params| {
        let in_ten_days = std::time::SystemTime::now() + Duration::from_secs(10 * 86400 + 3600);
        params.not_after = in_ten_days.into();
    });
    deliver(&folder, "2", &soon, &two.pem);
    let exchanged = wait::until_async(wait::PATIENCE, || async {
        let now = certificates(&tandem).await;
        let is_new = |one: &String| one.contains(r#""days_until_expiration":"10""#);
        now.len() == 2 && now.iter().all(|one| is_new(one) && !before.contains(one))
    });
    assert!(exchanged.await, "{:?}", certificates(&tandem).await);
}

const NAMES: [&str; 3] = ["leaf", "b.test", "spiffe://td/leaf"];

async fn exchange(secrets: &str, put: Put) {
    let folder = Folder::new();
    let (old, new) = (Authority::new(), Authority::new());
    let both = format!("{}{}", old.pem, new.pem);
    let leaf = |version: &str, authority: &Authority| {
        let name = format!("leaf-{version}");
        let uri = format!("spiffe://td/{name}");
        authority.issue(&[&name, &uri])
    };
    put(&folder, "1", &leaf("1", &old), &old.pem);
    let upstream = Upstream::start(&["up"]).await;
    let (proxy, front) = start(Kind::Tandem, secrets, &folder, &upstream).await;
    let load = Arc::new(Load::default());
    let clients: Vec<_> = (0..4)
        .map(|_| tokio::spawn(client(front, Arc::clone(&load))))
        .collect();
    for (version, leaf_of, roots) in [
        ("2", &old, &old.pem),
        ("3", &old, &both),
        ("4", &new, &both),
        ("5", &new, &new.pem),
    ] {
        put(&folder, version, &leaf(version, leaf_of), roots);
        let seen = wait::until_async(wait::PATIENCE, || is_used(&upstream, version)).await;
        assert!(seen, "version {version} was not taken up");
        // Some more with it, so that connections of the one before are met again.
        let enough = load.answered.load(Relaxed) + 30;
        let is_enough = || load.answered.load(Relaxed) >= enough;
        assert!(wait::until(wait::PATIENCE, is_enough).await);
    }
    load.over.store(true, Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let (answered, failed) = (load.answered.load(Relaxed), load.failed.load(Relaxed));
    assert_eq!(failed, 0, "of {answered}");
    let errors = proxy.admin("/stats?filter=ssl").await;
    for line in errors.lines().filter(|line| !line.ends_with(": 0")) {
        let counts_a_fault = line.contains("fail_verify") || line.contains("connection_error");
        assert!(!counts_a_fault, "{line}");
    }
}

/// A cluster has what it needs before the first request, in which a key may be there without its
/// certificate; and it still has it when there are no files any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_cluster_has_read_is_kept() {
    for kind in [Kind::Envoy, Kind::Tandem] {
        let (folder, authority) = (Folder::new(), Authority::new());
        turn(&folder, "1", &authority.issue(&NAMES), &authority.pem);
        let upstream = Upstream::start(&["up"]).await;
        let (proxy, front) = start(kind, IN_FILES, &folder, &upstream).await;
        let before = timeless_certificates(&proxy).await;
        let other = authority.issue(&NAMES).key;
        std::fs::write(folder.path("1").join("leaf.key"), other).unwrap();
        assert_eq!(h1::get(front, "/").await.unwrap().0, 200, "{kind:?}");
        std::fs::remove_dir_all(folder.path("1")).unwrap();
        assert_eq!(timeless_certificates(&proxy).await, before, "{kind:?}");
        let stats = proxy.admin("/stats?filter=days_until_first_cert").await;
        let days = stats.trim().rsplit(' ').next().unwrap();
        let days: u32 = days.parse().unwrap();
        assert!(days < u32::MAX, "{kind:?}: {stats}");
    }
}
