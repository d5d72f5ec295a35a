//! Which protocol is agreed on.

use super::*;
use crate::tls::Offer;

async fn agreed(servers: &[&str], clients: &[&str], offer: Offer) -> Option<String> {
    let authority = Authority::new();
    let certificate = authority.issue(&["a.example.com"]);
    let list = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    let server = server(downstream(
        CommonTls {
            alpn: list(servers),
            ..common(Some(&certificate), None)
        },
        false,
    ));
    let client = client(upstream(CommonTls {
        alpn: list(clients),
        ..common(None, None)
    }));
    let peer = Peer { offer, ..peer() };
    let (accepted, connected) = shake(&server, &client, peer).await;
    let alpn = accepted.expect("accepted").facts.alpn;
    assert_eq!(alpn, connected.expect("connected").facts.alpn);
    alpn.map(|alpn| alpn.to_string())
}

/// The server's order decides.
#[tokio::test]
async fn the_first_protocol_of_the_server_that_the_client_offers_is_taken() {
    let found = agreed(&["h2", "http/1.1"], &["http/1.1", "h2"], Offer::Nothing).await;
    assert_eq!(found.as_deref(), Some("h2"));
}

/// An Istio peer offers only names that no server lists.
#[tokio::test]
async fn without_a_common_protocol_the_handshake_succeeds_without_one() {
    let found = agreed(&["h2", "http/1.1"], &["istio"], Offer::Nothing).await;
    assert_eq!(found, None);
}

#[tokio::test]
async fn what_is_offered_by_default_gives_way_to_the_configuration() {
    let found = agreed(&["h2", "http/1.1"], &[], Offer::Either).await;
    assert_eq!(found.as_deref(), Some("h2"));
    let found = agreed(&["h2", "http/1.1"], &[], Offer::Http1).await;
    assert_eq!(found.as_deref(), Some("http/1.1"));
    let found = agreed(&["h2", "http/1.1"], &["http/1.1"], Offer::Http2).await;
    assert_eq!(found.as_deref(), Some("http/1.1"));
    assert_eq!(agreed(&["h2"], &[], Offer::Nothing).await, None);
}
