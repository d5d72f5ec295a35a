//! STRICT_DNS and LOGICAL_DNS with a name server that changes its mind, beside Envoy.

use std::sync::{Arc, Mutex};

use tandem_harness::{Kind, wait};
use tokio::net::UdpSocket;

use super::cluster::Cluster;

/// What the name server says: addresses (127.0.0.N) or a response code.
type Says = Result<&'static [u8], u8>;

const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;

/// Its port.
async fn name_server(says: Arc<Mutex<Says>>) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let said = *says.lock().unwrap();
            let _ = socket.send_to(&reply(&buffer[..length], said), peer).await;
        }
    });
    port
}

fn reply(query: &[u8], says: Says) -> Vec<u8> {
    // The question ends after the root label, a type and a class.
    let end = 12 + query[12..].iter().position(|b| *b == 0).unwrap() + 5;
    let (code, hosts) = match says {
        Ok(hosts) => (0, hosts),
        Err(code) => (code, &[][..]),
    };
    let mut out = Vec::from(&query[..2]);
    out.extend([0x85, 0x80 | code, 0, 1, 0, hosts.len() as u8, 0, 0, 0, 0]);
    out.extend(&query[12..end]);
    for host in hosts {
        out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, *host]);
    }
    out
}

/// How a cluster says what it is.
const STRICT_DNS: &str = "STRICT_DNS";
const LOGICAL_DNS: &str = "LOGICAL_DNS";
const EACH: &str = "all_addresses_in_single_endpoint: false";
const IN_ONE: &str = "all_addresses_in_single_endpoint: true";

/// What is shown after each of the name server's opinions.
async fn watch(kind: Kind, spelling: &str) -> Vec<(Vec<String>, u64, u64)> {
    let says = Arc::new(Mutex::new(Ok(&[1][..])));
    let server = name_server(Arc::clone(&says)).await;
    let settings = format!(
        "
dns_refresh_rate: 0.02s
dns_failure_refresh_rate: {{ base_interval: 0.02s, max_interval: 0.02s }}
dns_lookup_family: V4_ONLY
typed_dns_resolver_config:
  name: envoy.network.dns_resolver.cares
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig
    resolvers: [{{ socket_address: {{ address: 127.0.0.1, port_value: {server} }} }}]"
    );
    let fields = match spelling {
        STRICT_DNS | LOGICAL_DNS => format!("type: {spelling}{settings}"),
        // The same settings in the type's own message, none in the cluster.
        all => format!(
            "
cluster_type:
  name: names
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster
    all_addresses_in_single_endpoint: {}{}",
            all == IN_ONE,
            settings.replace('\n', "\n    ")
        ),
    };
    let localities = "- lb_endpoints: [{ endpoint: { address: { socket_address: { address: \
                      service.test, port_value: 80 } } } }]";
    let cluster = Cluster::start_as(kind, &fields, localities).await;
    let mut seen = Vec::new();
    let opinions: [Says; 7] = [
        Ok(&[1]),
        Ok(&[2, 1]),
        Ok(&[1, 2]),
        Err(SERVFAIL),
        Ok(&[3]),
        Err(NXDOMAIN),
        Ok(&[1, 2]),
    ];
    for opinion in opinions {
        *says.lock().unwrap() = opinion;
        let before = cluster.stat("update_attempt").await;
        let heard = wait::until_async(wait::PATIENCE, || async {
            cluster.stat("update_attempt").await > before + 2
        });
        assert!(heard.await, "{kind:?}: names are not looked up any more");
        seen.push((
            cluster.hosts().await,
            cluster.stat("membership_total").await,
            cluster.stat("update_empty").await,
        ));
    }
    seen
}

/// Every address is an endpoint; a name without addresses has none, a server in trouble changes
/// nothing.
#[tokio::test]
async fn strict_dns_follows_the_name_server_as_envoy_does() {
    let seen = watch(Kind::Tandem, STRICT_DNS).await;
    assert_eq!(seen[1].0, ["127.0.0.1:80", "127.0.0.2:80"]);
    assert_eq!(seen[5].0, [""; 0]);
    assert_eq!(seen, watch(Kind::Envoy, STRICT_DNS).await);
    assert_eq!(seen, watch(Kind::Tandem, EACH).await);
    assert_eq!(seen, watch(Kind::Envoy, EACH).await);
}

/// One host at the first address, which it keeps while there is no other.
#[tokio::test]
async fn logical_dns_moves_as_envoy_does() {
    let seen = watch(Kind::Tandem, LOGICAL_DNS).await;
    assert_eq!(seen[1].0, ["127.0.0.2:80"]);
    assert_eq!(seen[5].0, ["127.0.0.3:80"]);
    assert_eq!(seen, watch(Kind::Envoy, LOGICAL_DNS).await);
    assert_eq!(seen, watch(Kind::Tandem, IN_ONE).await);
    assert_eq!(seen, watch(Kind::Envoy, IN_ONE).await);
}
