//! Secrets that are replaced while contexts use them.

use tandem_model::config_source::{ConfigSource, Origin};
use tandem_model::matching::{StringMatch, StringMatcher};
use tandem_model::tls::{SanKind, SanMatcher, SdsSecret, Secret, SecretKind, SecretSource};

use super::*;
use crate::tls::FailureKind;

fn ads() -> SecretSource {
    SecretSource::Dynamic(ConfigSource {
        origin: Origin::Ads,
        initial_fetch_timeout: None,
    })
}

fn by_name(name: &str) -> SdsSecret {
    SdsSecret {
        name: name.into(),
        source: ads(),
    }
}

fn certificate(config: &Arc<TlsCertificate>) -> Secret {
    Secret {
        name: "cert".into(),
        kind: SecretKind::Certificate(Arc::clone(config)),
    }
}

fn roots(rules: Validation) -> Secret {
    Secret {
        name: "roots".into(),
        kind: SecretKind::Validation(Arc::new(rules)),
    }
}

fn config() -> CommonTls {
    CommonTls {
        certificates: vec![SecretRef::Sds(by_name("cert"))],
        validation: Some(ValidationRef::Combined {
            default: Arc::default(),
            secret: by_name("roots"),
        }),
        ..common(None, None)
    }
}

/// A listener whose secrets have not come refuses, and serves as soon as they have.
#[tokio::test]
async fn a_context_waits_for_its_secrets_and_follows_them() {
    let secrets = Secrets::default();
    let server = ServerContext::new(Arc::new(downstream(config(), true)), &secrets).expect("ok");
    let client_of = |authority: &Authority| {
        let certificate = authority.issue(&["spiffe://td/client"]);
        client(upstream(common(Some(&certificate), None)))
    };
    let (old, new) = (Authority::new(), Authority::new());
    let (old_client, new_client) = (client_of(&old), client_of(&new));
    let failure = shake(&server, &old_client, peer())
        .await
        .0
        .expect_err("no secret");
    assert_eq!(failure.kind, FailureKind::NoSecret);
    assert!(!secrets.is_ready(&config()));

    let publish = |secret| secrets.publish(&ads(), &secret).expect("published");
    publish(certificate(&old.issue(&["one.test"])));
    assert!(!secrets.is_ready(&config()));
    publish(roots(old.rules()));
    secrets.ready(&config()).await;
    let seen = |both: Both| {
        let facts = both.1.expect("connected").facts;
        assert!(both.0.is_ok());
        facts.peer.expect("shown").dns[0].to_string()
    };
    assert_eq!(seen(shake(&server, &old_client, peer()).await), "one.test");
    assert!(shake(&server, &new_client, peer()).await.0.is_err());

    // The same again changes nothing.
    let generation = secrets.generation();
    publish(roots(old.rules()));
    assert_eq!(secrets.generation(), generation);

    publish(certificate(&new.issue(&["two.test"])));
    assert_eq!(seen(shake(&server, &old_client, peer()).await), "two.test");
    publish(roots(new.rules()));
    assert_eq!(seen(shake(&server, &new_client, peer()).await), "two.test");
    // Not even by a session that the old roots vouched for.
    assert!(shake(&server, &old_client, peer()).await.0.is_err());
}

/// What cannot be used is refused, and what is used stays.
#[tokio::test]
async fn a_bad_secret_changes_nothing() {
    let secrets = Secrets::default();
    let authority = Authority::new();
    let good = authority.issue(&["good.test"]);
    let publish = |secret: &Secret| secrets.publish(&ads(), secret);
    publish(&certificate(&good)).expect("good");
    publish(&roots(authority.rules())).expect("good");
    let other = authority.issue(&["other.test"]);
    let mixed = Arc::new(TlsCertificate {
        key: other.key.clone(),
        ..(*good).clone()
    });
    let error = publish(&certificate(&mixed)).expect_err("another's key");
    assert_eq!(
        error.to_string(),
        "private_key: it is not the key of the certificate"
    );
    let broken = Validation {
        trusted_ca: Some(DataSource::Inline("no certificate".into())),
        ..Validation::default()
    };
    let error = publish(&roots(broken)).expect_err("no roots");
    assert_eq!(
        error.to_string(),
        "trusted_ca: expected certificates in PEM"
    );
    let server = ServerContext::new(Arc::new(downstream(config(), false)), &secrets).expect("ok");
    let client = client(upstream(common(None, Some(authority.rules()))));
    let (accepted, connected) = shake(&server, &client, peer()).await;
    accepted.expect("accepted");
    connected.expect("connected");
}

/// The second connection of a client resumes, and the peer is still known.
/// What a context asks for cannot be had without roots: a secret that brings none is refused, and
/// the one before stays.
#[tokio::test]
async fn a_secret_does_not_take_away_the_roots_of_names() {
    let authority = Authority::new();
    let certificate = authority.issue(&["server"]);
    let names = Validation {
        sans: vec![SanMatcher {
            kind: SanKind::Dns,
            matcher: StringMatcher {
                matches: StringMatch::Prefix("cli".into()),
                ignore_case: false,
            },
        }],
        ..Validation::default()
    };
    let secrets = Secrets::default();
    let mut config = common(Some(&certificate), None);
    config.validation = Some(ValidationRef::Combined {
        default: Arc::new(names.clone()),
        secret: by_name("roots"),
    });
    secrets.check(&config).unwrap();
    let refused = secrets.publish(&ads(), &roots(Validation::default()));
    let error = refused.unwrap_err().to_string();
    assert!(error.starts_with("trusted_ca: expected roots"), "{error}");

    secrets.publish(&ads(), &roots(authority.rules())).unwrap();
    let context = ServerContext::new(Arc::new(downstream(config.clone(), false)), &secrets);
    let context = context.unwrap();
    for rules in [Validation::default(), names] {
        secrets.publish(&ads(), &roots(rules)).unwrap_err();
    }
    let forged = Authority::new().issue(&["client"]);
    let stranger = client(upstream(common(Some(&forged), None)));
    let kind = shake(&context, &stranger, peer()).await.0.unwrap_err().kind;
    assert_eq!(kind, FailureKind::Chain);
    let known = client(upstream(common(Some(&authority.issue(&["client"])), None)));
    shake(&context, &known, peer()).await.0.unwrap();

    // The other way round: the secret is there, and a context comes that needs more of it.
    let secrets = Secrets::default();
    secrets
        .publish(&ads(), &roots(Validation::default()))
        .unwrap();
    let error = secrets.check(&config).unwrap_err().to_string();
    assert!(
        error.starts_with("secret 'roots': trusted_ca: expected"),
        "{error}"
    );
}

#[tokio::test]
async fn a_session_is_resumed_with_its_identity() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let authority = Authority::new();
        let config = |names: &[&str]| CommonTls {
            min_version: version,
            max_version: version,
            ..common(Some(&authority.issue(names)), Some(authority.rules()))
        };
        let server = server(downstream(config(&["s.test"]), true));
        let client = client(upstream(config(&["spiffe://td/client"])));
        for resumed in [false, true] {
            let (accepted, connected) = shake(&server, &client, peer()).await;
            let (mut near, mut far) = (accepted.expect("ok"), connected.expect("ok"));
            assert_eq!(
                (near.resumed, far.resumed),
                (resumed, resumed),
                "{version:?}"
            );
            let peer = near.facts.peer.expect("known");
            assert_eq!(*peer.uris, [Arc::from("spiffe://td/client")]);
            assert!(near.facts.peer_validated && far.facts.peer_validated);
            // Tickets come with the first bytes.
            near.stream.write_all(b"x").await.expect("written");
            near.stream.flush().await.expect("flushed");
            far.stream.read_exact(&mut [0]).await.expect("read");
        }
    }
}

/// As Kubernetes does it: a link to a directory is turned.
#[tokio::test(start_paused = true)]
async fn files_behind_links_are_followed() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let authority = Authority::new();
    let write = |version: &str, names: &[&str]| {
        std::fs::create_dir(path(version)).expect("made");
        let made = authority.issue(names);
        for (name, source) in [("tls.crt", &made.chain), ("tls.key", &made.key)] {
            let DataSource::Inline(bytes) = source else {
                continue;
            };
            std::fs::write(path(version).join(name), bytes).expect("written");
        }
    };
    write("v1", &["one.test"]);
    symlink(path("v1"), path("..data")).expect("linked");
    let file = |name: &str| DataSource::File(path("..data").join(name).to_string_lossy().into());
    let own = Arc::new(TlsCertificate {
        chain: file("tls.crt"),
        key: file("tls.key"),
        watched_directory: None,
    });
    let secrets = Secrets::default();
    let config = Arc::new(downstream(common(Some(&own), None), false));
    let server = ServerContext::new(config, &secrets).expect("a context");
    let client = client(upstream(common(None, None)));
    let shown = async || {
        let connected = shake(&server, &client, peer()).await.1.expect("connected");
        connected.facts.peer.expect("shown").dns[0].to_string()
    };
    assert_eq!(shown().await, "one.test");
    write("v2", &["two.test"]);
    symlink(path("v2"), path("..next")).expect("linked");
    std::fs::rename(path("..next"), path("..data")).expect("turned");
    let before = secrets.generation();
    let mut changed = secrets.changes();
    tokio::select! {
        () = secrets.watch_files() => {}
        changed = changed.changed() => changed.expect("alive"),
    }
    assert_eq!(secrets.generation(), before + 1);
    assert_eq!(shown().await, "two.test");
}
