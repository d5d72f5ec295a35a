//! Who the peer is.

use super::*;

/// Each side knows the other, on both versions.
#[tokio::test]
async fn both_sides_know_each_other() {
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let authority = Authority::new();
        let of_server = authority.issue(&["spiffe://td/server", "a.example.com"]);
        let of_client = authority.issue(&["spiffe://td/client"]);
        let pinned = |common: CommonTls| CommonTls {
            min_version: version,
            max_version: version,
            ..common
        };
        let server = server(downstream(
            pinned(common(Some(&of_server), Some(authority.rules()))),
            true,
        ));
        let client = client(upstream(pinned(common(
            Some(&of_client),
            Some(authority.rules()),
        ))));
        let peer = Peer {
            sni: Some("outbound_.80_._.a.example.com"),
            ..peer()
        };
        let (accepted, connected) = shake(&server, &client, peer).await;
        let (facts, theirs) = (
            accepted.expect("accepted").facts,
            connected.expect("ok").facts,
        );
        assert_eq!(facts.version, version.as_str());
        assert_eq!(facts.cipher, theirs.cipher);
        assert!(facts.cipher.contains("AES"), "{}", facts.cipher);
        assert_eq!(facts.sni.as_deref(), Some("outbound_.80_._.a.example.com"));
        let seen = facts.peer.expect("a client certificate");
        assert_eq!(*seen.uris, [Arc::from("spiffe://td/client")]);
        assert!(facts.peer_validated);
        let seen = theirs.peer.expect("a server certificate");
        assert_eq!(*seen.dns, [Arc::from("a.example.com")]);
        let own = facts.local.expect("its own certificate");
        assert_eq!(own.sha256, seen.sha256);
        let own = theirs.local.expect("its own certificate");
        assert_eq!(*own.uris, [Arc::from("spiffe://td/client")]);
    }
}

/// Names in certificates are text that others read; what cannot be text is no name.
#[tokio::test]
async fn a_certificate_is_chosen_by_the_name_asked_for() {
    let authority = Authority::new();
    let names: [&[&str]; 3] = [&["first.test"], &["*.wild.test"], &["exact.wild.test"]];
    let certificates: Vec<_> = names.iter().map(|names| authority.issue(names)).collect();
    let mut config = common(None, None);
    config.certificates = certificates.into_iter().map(SecretRef::Inline).collect();
    let server = server(downstream(config, false));
    for (asked, shown) in [
        (None, "first.test"),
        (Some("other.test"), "first.test"),
        (Some("a.wild.test"), "*.wild.test"),
        (Some("EXACT.wild.test"), "exact.wild.test"),
        (Some("a.b.wild.test"), "first.test"),
    ] {
        let client = client(upstream(common(None, None)));
        let peer = Peer {
            sni: asked,
            ..peer()
        };
        let (_, connected) = shake(&server, &client, peer).await;
        let seen = connected
            .expect("connected")
            .facts
            .peer
            .expect("a certificate");
        assert_eq!(*seen.dns, [Arc::from(shown)], "{asked:?}");
    }
}

/// A name that TLS cannot carry is not sent, rather than refused.
#[tokio::test]
async fn a_name_that_is_no_host_name_is_not_sent() {
    let authority = Authority::new();
    let server = server(downstream(
        common(Some(&authority.issue(&["a.test"])), None),
        false,
    ));
    let client = client(UpstreamTls {
        sni: "outbound|80||a.test".into(),
        ..upstream(common(None, None))
    });
    let (accepted, _) = shake(&server, &client, peer()).await;
    assert_eq!(accepted.expect("accepted").facts.sni, None);
}
