//! Which of several certificates a client is shown.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{SignatureAlgorithm, SignatureScheme};

use crate::tls::load::Identity;
use crate::tls::verify::note;

/// The certificates of a context.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Vec<Arc<Identity>>);

impl ResolvesServerCert for Resolver {
    /// One for the name that the client asked for, in full before by wildcard, else the first of
    /// all: as Envoy chooses, whether or not the client can check that one.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or_default();
        let chosen = match self.0.as_slice() {
            [only] => only,
            several => choose(several, name, hello.signature_schemes())?,
        };
        note(|noted| noted.local = Some(Arc::clone(&chosen.facts)));
        Some(Arc::clone(&chosen.certified))
    }
}

/// Of those for a name the first with an elliptic key that the client can check, else the first
/// with an RSA key; of all, if the client asked for no name.
fn choose<'a>(
    all: &'a [Arc<Identity>],
    name: &str,
    schemes: &[SignatureScheme],
) -> Option<&'a Arc<Identity>> {
    let is_rsa = |one: &Identity| one.certified.key.algorithm() == SignatureAlgorithm::RSA;
    let best = |fits: &dyn Fn(&Identity) -> bool| {
        let mut fitting = all.iter().filter(|one| fits(one));
        let elliptic = fitting
            .clone()
            .find(|one| !is_rsa(one) && one.certified.key.choose_scheme(schemes).is_some());
        elliptic.or_else(|| fitting.find(|one| is_rsa(one)))
    };
    let chosen = match name {
        "" => best(&|_| true),
        name => {
            let exact = |own: &Arc<str>| own.eq_ignore_ascii_case(name);
            let wildcard = |own: &Arc<str>| is_wildcard_for(own, name);
            best(&|one| one.names.iter().any(exact))
                .or_else(|| best(&|one| one.names.iter().any(wildcard)))
        }
    };
    chosen.or_else(|| all.first())
}

fn is_wildcard_for(pattern: &str, name: &str) -> bool {
    let rest = pattern.strip_prefix("*.");
    let parent = name.split_once('.').map(|(_, parent)| parent);
    matches!((rest, parent), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
}
