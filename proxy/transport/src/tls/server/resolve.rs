//! Which of several certificates a client is shown.

use std::sync::Arc;

use rustls::SignatureAlgorithm;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::tls::load::Identity;
use crate::tls::verify::note;

/// The certificates of a context.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Vec<Arc<Identity>>);

impl ResolvesServerCert for Resolver {
    /// Of those that the client can check: one for the name it asked for, in full before by
    /// wildcard; else the first. Of equals the one with the cheaper key.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let chosen = match self.0.as_slice() {
            [only] => only,
            several => choose(several, &hello)?,
        };
        note(|noted| noted.local = Some(Arc::clone(&chosen.facts)));
        Some(Arc::clone(&chosen.certified))
    }
}

fn choose<'a>(all: &'a [Arc<Identity>], hello: &ClientHello<'_>) -> Option<&'a Arc<Identity>> {
    let schemes = hello.signature_schemes();
    let name = hello.server_name().unwrap_or_default();
    let rank = |identity: &Identity| {
        let names = &identity.facts.dns;
        let by_name = if names.iter().any(|dns| dns.eq_ignore_ascii_case(name)) {
            2
        } else {
            let wild = |dns: &Arc<str>| is_wildcard_for(dns, name);
            i32::from(names.iter().any(wild))
        };
        let elliptic = identity.certified.key.algorithm() != SignatureAlgorithm::RSA;
        (by_name, elliptic)
    };
    let usable = all
        .iter()
        .filter(|identity| identity.certified.key.choose_scheme(schemes).is_some());
    // The first of the best: `max_by_key` would take the last.
    usable.rev().max_by_key(|identity| rank(identity))
}

fn is_wildcard_for(pattern: &str, name: &str) -> bool {
    let rest = pattern.strip_prefix("*.");
    let parent = name.split_once('.').map(|(_, parent)| parent);
    matches!((rest, parent), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
}
