//! `…ssl.*`: what became of the handshakes of a listener or a cluster.

use std::sync::Mutex;
use std::sync::PoisonError;

use tandem_core::ext::TlsFacts;
use tandem_core::stats::{Counter, Scope};

use super::failure::{Failure, FailureKind};

/// The counters of one listener or cluster.
#[derive(Debug)]
pub struct Stats {
    scope: Scope,
    handshake: Counter,
    session_reused: Counter,
    connection_error: Counter,
    no_certificate: Counter,
    fail_verify_no_cert: Counter,
    fail_verify_error: Counter,
    fail_verify_san: Counter,
    fail_verify_cert_hash: Counter,
    /// Versions and cipher suites met so far: a few, and never more than there are names.
    met: Mutex<Vec<(&'static str, Counter)>>,
}

impl Stats {
    /// Counters in the listener's or the cluster's scope.
    pub fn new(scope: &Scope) -> Self {
        let counter = |name: &str| scope.counter(&format!("ssl.{name}"));
        Self {
            handshake: counter("handshake"),
            session_reused: counter("session_reused"),
            connection_error: counter("connection_error"),
            no_certificate: counter("no_certificate"),
            fail_verify_no_cert: counter("fail_verify_no_cert"),
            fail_verify_error: counter("fail_verify_error"),
            fail_verify_san: counter("fail_verify_san"),
            fail_verify_cert_hash: counter("fail_verify_cert_hash"),
            scope: scope.clone(),
            met: Mutex::default(),
        }
    }

    /// A handshake succeeded.
    pub fn succeeded(&self, facts: &TlsFacts, resumed: bool) {
        self.handshake.inc();
        if resumed {
            self.session_reused.inc();
        }
        if facts.peer.is_none() {
            self.no_certificate.inc();
        }
        self.count("versions", facts.version);
        self.count("ciphers", facts.cipher);
    }

    /// A handshake failed.
    pub fn failed(&self, failure: &Failure) {
        match failure.kind {
            FailureKind::Closed | FailureKind::Protocol | FailureKind::NoSecret => {
                self.connection_error.inc();
            }
            FailureKind::NoCertificate => self.fail_verify_no_cert.inc(),
            FailureKind::Chain => self.fail_verify_error.inc(),
            FailureKind::Names => self.fail_verify_san.inc(),
            FailureKind::Pins => self.fail_verify_cert_hash.inc(),
        }
    }

    fn count(&self, group: &str, name: &'static str) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counter)) = met.iter().find(|(other, _)| *other == name) {
            return counter.inc();
        }
        let dotted = format!("ssl.{group}.{name}");
        let counter = self.scope.counter_tagged(
            &dotted,
            &format!("ssl.{group}"),
            Some((&format!("envoy_ssl_{}", group.trim_end_matches('s')), name)),
        );
        counter.inc();
        met.push((name, counter));
    }
}
