//! What a handshake would make of a client's names, for whoever asks without one.

use tandem_core::ext::Certificate;
use tandem_model::tls::{SanKind, TrustVerification, Validation};

use super::ServerContext;
use crate::tls::verify::are_taken;

/// How many of the names that are taken are said.
const SHOWN: usize = 3;

/// What a server makes of the names in a client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientNames {
    /// Clients are not asked for a certificate.
    NotAskedFor,
    /// They are taken, if the rest of the certificate is.
    Taken {
        /// Whether they were checked against anything that must hold.
        validated: bool,
    },
    /// They are not; what would be, in words.
    Refused(String),
}

impl ServerContext {
    /// Whether a client has to show a certificate; `None` while a secret is missing.
    pub fn wants_certificate(&self) -> Option<bool> {
        let built = self.current().ok()??;
        let verifier = built.verifier.as_ref();
        Some(verifier.is_some_and(|verifier| verifier.mandatory))
    }

    /// Judges the names in a client's certificate by the secrets of now; `None` while one is
    /// missing. Neither chain nor pins nor time are looked at.
    pub fn judge_names(&self, client: &Certificate) -> Option<ClientNames> {
        let built = self.current().ok()??;
        Some(match (&built.verifier, built.gathered.merged()) {
            (None, _) => ClientNames::NotAskedFor,
            (Some(_), None) => ClientNames::Taken { validated: false },
            (Some(_), Some(rules)) => by_rules(&rules, client),
        })
    }
}

fn by_rules(rules: &Validation, client: &Certificate) -> ClientNames {
    match (are_taken(&rules.sans, client), rules.trust) {
        (true, _) => ClientNames::Taken { validated: true },
        (false, TrustVerification::AcceptUntrusted) => ClientNames::Taken { validated: false },
        (false, TrustVerification::Verify) => ClientNames::Refused(wanted(rules)),
    }
}

fn wanted(rules: &Validation) -> String {
    let of_uris = rules.sans.iter().filter(|rule| rule.kind == SanKind::Uri);
    let mut words: Vec<_> = of_uris.map(|rule| rule.matcher.to_string()).collect();
    let more = words.len().saturating_sub(SHOWN);
    words.truncate(SHOWN);
    match (words.is_empty(), more) {
        (true, _) => "expected a name of another kind than URI".to_owned(),
        (false, 0) => format!("expected {}", words.join(" or ")),
        (false, more) => format!("expected {} or one of {more} more", words.join(", ")),
    }
}
