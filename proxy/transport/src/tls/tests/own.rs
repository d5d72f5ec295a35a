//! Secrets that contexts hold themselves, in files.

use super::*;
use crate::tls::{Contexts, FailureKind};

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str) -> DataSource {
        DataSource::File(self.0.path().join(name).to_string_lossy().into())
    }

    fn write(&self, name: &str, source: &DataSource) {
        let DataSource::Inline(bytes) = source else {
            panic!("inline")
        };
        // Another file in its place: the times of one may be too coarse to tell two writes apart.
        let (new, path) = (self.0.path().join("new"), self.0.path().join(name));
        std::fs::write(&new, bytes).expect("written");
        std::fs::rename(&new, path).expect("moved");
    }

    fn certificate(&self) -> Arc<TlsCertificate> {
        Arc::new(TlsCertificate {
            chain: self.file("tls.crt"),
            key: self.file("tls.key"),
            watched_directory: None,
        })
    }
}

/// A context that was made between the writing of a key and that of its certificate connects when
/// both are there.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_used_when_a_context_is_made_is_used_later() {
    let authority = Authority::new();
    let [old, new] = ["spiffe://td/old", "spiffe://td/new"].map(|name| authority.issue(&[name]));
    let files = Files::new();
    files.write("tls.crt", &old.chain);
    files.write("tls.key", &new.key);
    let contexts = Contexts::default();
    let config = Arc::new(upstream(common(Some(&files.certificate()), None)));
    let (client, usable) = contexts.client(&config);
    let error = usable.expect_err("another's key").to_string();
    assert_eq!(error, "private_key: it is not the key of the certificate");
    let server = server(downstream(
        common(Some(&authority.issue(&["a.test"])), Some(authority.rules())),
        true,
    ));
    let failure = shake(&server, &client, peer()).await.1.expect_err("none");
    assert_eq!(failure.kind, FailureKind::NoSecret);
    assert_eq!(client.first_end(), None);

    files.write("tls.crt", &new.chain);
    let mut changed = contexts.secrets().changes();
    tokio::select! {
        () = contexts.secrets().watch_files() => {}
        changed = changed.changed() => changed.expect("alive"),
    }
    let accepted = shake(&server, &client, peer()).await.0.expect("accepted");
    let shown = accepted.facts.peer.expect("shown");
    assert_eq!(&*shown.uris[0], "spiffe://td/new");
    assert_eq!(client.first_end(), shown.not_after);
}

/// However many contexts trust the same authorities, those are read and kept once; a context that
/// is made after their file has changed has the new ones, and so have the others then.
#[test]
fn what_the_same_words_name_is_there_once() {
    let files = Files::new();
    let [old, new] = [Authority::new(), Authority::new()].map(|authority| authority.rules());
    files.write("roots", old.trusted_ca.as_ref().expect("roots"));
    let rules = || Validation {
        trusted_ca: Some(files.file("roots")),
        ..Validation::default()
    };
    let contexts = Contexts::default();
    let make = |sni: &str| {
        let config = UpstreamTls {
            sni: sni.into(),
            ..upstream(common(None, Some(rules())))
        };
        let (context, usable) = contexts.client(&Arc::new(config));
        usable.expect("usable");
        context
    };
    let root = |context: &ClientContext| {
        let held = context.in_use().expect("there").roots;
        Arc::clone(&held[0].facts)
    };
    let (a, b) = (make("a.test"), make("b.test"));
    assert!(Arc::ptr_eq(&root(&a), &root(&b)));
    assert_eq!(a.first_end(), root(&a).not_after);
    let before = root(&a);
    files.write("roots", new.trusted_ca.as_ref().expect("roots"));
    let c = make("c.test");
    assert_ne!(root(&c).serial, before.serial);
    assert!(Arc::ptr_eq(&root(&a), &root(&c)));
}
