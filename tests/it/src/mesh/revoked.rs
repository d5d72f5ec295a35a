//! Revocation lists that come over SDS while traffic runs.

use tandem_harness::certs::{Authority, Issued};

use super::*;

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
const CLIENT: u64 = 0x7001;
const SERVER: u64 = 0x7002;

/// An authority, a server, and two clients of whom one will be revoked.
struct Identities {
    authority: Authority,
    server: Issued,
    good: Issued,
    bad: Issued,
}

impl Identities {
    fn new() -> Self {
        let authority = Authority::new();
        let issue = |name, serial: u64| {
            authority.issue_with(&[name], |params| params.serial_number = Some(serial.into()))
        };
        Self {
            server: issue("server.test", SERVER),
            good: issue("good.test", 1),
            bad: issue("bad.test", CLIENT),
            authority,
        }
    }

    fn list(&self, serials: &[u64]) -> String {
        self.authority.revoke(serials)
    }

    /// The secret with roots, and with a list if there is one.
    fn roots(&self, list: Option<&str>) -> String {
        let list = list.map(|list| format!(", crl: {{ inline_string: {list:?} }}"));
        format!(
            "\n- \"@type\": {TLS}.Secret\n  name: roots\n  validation_context: \
             {{ trusted_ca: {{ inline_string: {:?} }}{} }}",
            self.authority.pem,
            list.unwrap_or_default(),
        )
    }
}

fn socket(kind: &str, own: &Issued, more: &str, indent: &str) -> String {
    let (chain, key) = (&own.chain, &own.key);
    format!(
        "\n{indent}transport_socket:\n{indent}  name: tls\n{indent}  typed_config: {{ \"@type\": {TLS}.{kind}, {more} \
         common_tls_context: {{ tls_certificates: [{{ certificate_chain: {{ inline_string: {chain:?} }}, \
         private_key: {{ inline_string: {key:?} }} }}], validation_context_sds_secret_config: \
         {{ name: roots, sds_config: {{ ads: {{}}, resource_api_version: V3 }} }} }} }}"
    )
}

/// Two clients of one server, in one process; connections are used three times.
fn resources(
    mesh: &Mesh,
    ids: &Identities,
    [secure, good, bad]: [u16; 3],
    list: Option<&str>,
) -> String {
    let require = "require_client_certificate: true,";
    let server = socket("DownstreamTlsContext", &ids.server, require, "    ");
    let secure_listener = listener("secure", secure, "r", "secure").replace(
        "  - filters:",
        &format!("  - name: tls{server}\n    filters:"),
    );
    let client = |name: &str, own: &Issued| {
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let protocol = format!(
            "\n  typed_extension_protocol_options: {{ {options}: {{ \"@type\": type.googleapis.com/{options}, \
             common_http_protocol_options: {{ max_requests_per_connection: 3 }}, \
             explicit_http_config: {{ http_protocol_options: {{}} }} }} }}"
        );
        let socket = socket("UpstreamTlsContext", own, "sni: server.test,", "  ");
        // No handshake is to fail for being slow.
        let cluster = cluster(name);
        assert!(cluster.contains("connect_timeout: 2s"));
        let cluster = cluster.replace("connect_timeout: 2s", "connect_timeout: 10s");
        cluster + &protocol + &socket + &endpoints(name, &[secure])
    };
    [
        said(mesh.port, &mesh.one, &mesh.two, "one"),
        secure_listener,
        client("good", &ids.good),
        client("bad", &ids.bad),
        listener("good", good, "to-good", "good"),
        listener("bad", bad, "to-bad", "bad"),
        routes("to-good", "good"),
        routes("to-bad", "bad"),
        ids.roots(list),
    ]
    .concat()
}

/// Waits until requests to a port are answered so.
async fn until(mesh: &Mesh, port: u16, status: u16) {
    let answered = wait::until_async(wait::PATIENCE, || async {
        h1::get(port, "/")
            .await
            .is_ok_and(|(found, _)| found == status)
    });
    assert!(answered.await, "{status}: {}", mesh.proxy.process.output());
}

/// With the list that names it a client is let in no more, and no session of it is resumed; the
/// other one notices nothing. A list that cannot be read is refused, and the one before stays. A
/// list that names the server turns both of them away; and without a list both are back.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_arrives_turns_away_whom_it_names() {
    for variant in VARIANTS {
        let mesh = Mesh::start(variant).await;
        let ids = Identities::new();
        let ports = [ports::free(), ports::free(), ports::free()];
        let [_, good, bad] = ports;
        let say = |list: Option<&str>| mesh.plane.say(&resources(&mesh, &ids, ports, list));
        say(None);
        until(&mesh, good, 200).await;
        until(&mesh, bad, 200).await;
        let load = Load::start(good);

        say(Some(&ids.list(&[])));
        mesh.plane.accepted().await;
        load.goes_on(10).await;
        assert_eq!(h1::get(bad, "/").await.unwrap().0, 200);

        say(Some(&ids.list(&[CLIENT])));
        until(&mesh, bad, 503).await;
        mesh.plane.accepted().await;
        load.goes_on(20).await;
        for _ in 0..6 {
            assert_eq!(h1::get(bad, "/").await.unwrap().0, 503);
        }

        say(Some("no list at all"));
        mesh.plane
            .refused("crl: expected revocation lists in PEM")
            .await;
        load.goes_on(10).await;
        assert_eq!(h1::get(bad, "/").await.unwrap().0, 503);

        say(None);
        until(&mesh, bad, 200).await;
        load.goes_on(10).await;
        load.has_no_failures().await;

        say(Some(&ids.list(&[SERVER])));
        until(&mesh, good, 503).await;
        until(&mesh, bad, 503).await;
    }
}
