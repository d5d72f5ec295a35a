//! Peers that are refused, and what is said of them.

use rcgen::date_time_ymd;
use tandem_model::matching::{StringMatch, StringMatcher};
use tandem_model::tls::{SanKind, SanMatcher, TrustVerification};

use super::*;
use crate::tls::FailureKind;

fn exact(kind: SanKind, text: &str) -> SanMatcher {
    SanMatcher {
        kind,
        matcher: StringMatcher {
            matches: StringMatch::Exact(text.into()),
            ignore_case: false,
        },
    }
}

/// How a client with these rules meets the server's certificate.
async fn judged(
    certificate: &Arc<TlsCertificate>,
    rules: Validation,
    peer: Peer<'_>,
) -> Result<Connected<DuplexStream>, Failure> {
    let server = server(downstream(common(Some(certificate), None), false));
    let client = client(upstream(common(None, Some(rules))));
    shake(&server, &client, peer).await.1
}

async fn refused(certificate: &Arc<TlsCertificate>, rules: Validation) -> (FailureKind, String) {
    let failure = judged(certificate, rules, peer())
        .await
        .expect_err("refused");
    let reason = failure.reason.split(": ").last().unwrap_or_default();
    (failure.kind, reason.replace(":TLS_error_end", ""))
}

#[tokio::test]
async fn a_stranger_is_refused() {
    let certificate = Authority::new().issue(&["a.test"]);
    assert_eq!(
        refused(&certificate, Authority::new().rules()).await,
        (
            FailureKind::Chain,
            "unable to get local issuer certificate".into()
        )
    );
}

#[tokio::test]
async fn an_expired_certificate_is_refused_unless_that_is_allowed() {
    let authority = Authority::new();
    let certificate = authority.issue_with(&["a.test"], |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    assert_eq!(
        refused(&certificate, authority.rules()).await,
        (FailureKind::Chain, "certificate has expired".into())
    );
    let rules = Validation {
        allow_expired: true,
        ..authority.rules()
    };
    judged(&certificate, rules, peer()).await.expect("allowed");
}

#[tokio::test]
async fn one_of_the_names_must_match() {
    let authority = Authority::new();
    let certificate = authority.issue(&["spiffe://td/ns/a/sa/b", "*.a.test"]);
    for (sans, fits) in [
        (vec![exact(SanKind::Uri, "spiffe://td/ns/a/sa/b")], true),
        (vec![exact(SanKind::Uri, "spiffe://td/ns/a/sa/bb")], false),
        (vec![exact(SanKind::Dns, "x.a.test")], true),
        (vec![exact(SanKind::Dns, "x.y.a.test")], false),
        (vec![exact(SanKind::Email, "spiffe://td/ns/a/sa/b")], false),
        (
            vec![exact(SanKind::Dns, "n"), exact(SanKind::Dns, "b.a.test")],
            true,
        ),
    ] {
        let rules = Validation {
            sans: sans.clone(),
            ..authority.rules()
        };
        let judged = judged(&certificate, rules, peer()).await;
        assert_eq!(judged.is_ok(), fits, "{sans:?}");
        if let Err(failure) = judged {
            assert_eq!(failure.kind, FailureKind::Names);
        }
    }
}

#[tokio::test]
async fn the_name_is_checked_where_that_is_asked_for() {
    let authority = Authority::new();
    let certificate = authority.issue(&["a.test"]);
    for (name, check_name, fits) in [
        ("a.test", true, true),
        ("b.test", true, false),
        ("b.test", false, true),
        ("a|b", true, false),
    ] {
        let peer = Peer {
            sni: Some(name),
            check_name,
            ..peer()
        };
        let judged = judged(&certificate, authority.rules(), peer).await;
        assert_eq!(judged.is_ok(), fits, "{name} {check_name}");
    }
}

/// Anybody can put any name into a certificate of their own.
#[tokio::test]
async fn a_name_without_roots_is_no_proof() {
    let certificate = Authority::new().issue(&["a.test"]);
    let named = Peer {
        sni: Some("a.test"),
        check_name: true,
        ..peer()
    };
    for rules in [None, Some(Validation::default())] {
        let server = server(downstream(common(Some(&certificate), None), false));
        let client = client(upstream(common(None, rules)));
        let judged = shake(&server, &client, named).await.1;
        assert_eq!(judged.err().map(|it| it.kind), Some(FailureKind::Chain));
    }
}

/// Names and pins are asked of somebody, even if no certificate is required.
#[tokio::test]
async fn clients_have_to_show_who_they_are_where_names_are_asked_for() {
    let authority = Authority::new();
    let certificate = authority.issue(&["a.test"]);
    let pinned = Validation {
        hash_pins: vec![[0; 32]],
        ..authority.rules()
    };
    let named = Validation {
        sans: vec![exact(SanKind::Dns, "b.test")],
        ..authority.rules()
    };
    let trusting = Validation {
        trust: TrustVerification::AcceptUntrusted,
        ..named.clone()
    };
    for (rules, passes) in [
        (authority.rules(), true),
        (pinned, false),
        (named, false),
        (trusting, true),
    ] {
        let server = server(downstream(common(Some(&certificate), Some(rules)), false));
        let client = client(upstream(common(None, None)));
        let (served, _) = shake(&server, &client, peer()).await;
        let kind = served.err().map(|failure| failure.kind);
        assert_eq!(kind, (!passes).then_some(FailureKind::NoCertificate));
    }
}

#[tokio::test]
async fn pins_replace_roots() {
    let authority = Authority::new();
    let certificate = authority.issue(&["a.test"]);
    let seen = judged(&certificate, authority.rules(), peer()).await;
    let hash = seen.expect("connected").facts.peer.expect("shown").sha256;
    let pinned = |hash: [u8; 32]| Validation {
        hash_pins: vec![hash],
        ..Validation::default()
    };
    judged(&certificate, pinned(hash), peer())
        .await
        .expect("pinned");
    assert_eq!(
        refused(&certificate, pinned([0; 32])).await,
        (FailureKind::Pins, "cert hash and spki".into())
    );
}

#[tokio::test]
async fn untrusted_peers_can_be_taken_and_are_known_as_such() {
    let authority = Authority::new();
    let rules = Validation {
        trust: TrustVerification::AcceptUntrusted,
        ..authority.rules()
    };
    let server = server(downstream(
        common(Some(&authority.issue(&["s.test"])), Some(rules)),
        false,
    ));
    for (issuer, validated) in [(&authority, true), (&Authority::new(), false)] {
        let client = client(upstream(common(Some(&issuer.issue(&["c.test"])), None)));
        let facts = shake(&server, &client, peer())
            .await
            .0
            .expect("taken")
            .facts;
        assert!(facts.peer.is_some());
        assert_eq!(facts.peer_validated, validated);
    }
}

#[tokio::test]
async fn clients_without_a_certificate_are_refused_where_one_is_required() {
    let authority = Authority::new();
    let certificate = authority.issue(&["s.test"]);
    let client = client(upstream(common(None, None)));
    for required in [true, false] {
        let config = common(Some(&certificate), Some(authority.rules()));
        let server = server(downstream(config, required));
        let accepted = shake(&server, &client, peer()).await.0;
        match (required, accepted) {
            (true, Err(failure)) => assert_eq!(failure.kind, FailureKind::NoCertificate),
            (false, Ok(accepted)) => {
                assert!(accepted.facts.peer.is_none());
                assert!(!accepted.facts.peer_validated);
            }
            (_, other) => panic!("{required}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_tls_are_a_fault_of_the_protocol() {
    use tokio::io::AsyncWriteExt as _;
    let authority = Authority::new();
    let server = server(downstream(
        common(Some(&authority.issue(&["s.test"])), None),
        false,
    ));
    let (near, mut far) = tokio::io::duplex(1024);
    far.write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("written");
    let failure = server.accept(near).await.expect_err("refused");
    assert_eq!(failure.kind, FailureKind::Protocol);
    let (near, far) = tokio::io::duplex(1024);
    drop(far);
    let failure = server.accept(near).await.expect_err("refused");
    assert_eq!(failure.kind, FailureKind::Closed);
}
