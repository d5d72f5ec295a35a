//! `…ssl.*`: what became of the handshakes of a listener or a cluster.

use std::sync::Mutex;
use std::sync::PoisonError;

use tandem_core::ext::TlsFacts;
use tandem_core::stats::{Counter, Sample, Scope, Value};

use super::failure::{Failure, FailureKind};

/// The counters of one listener or cluster.
#[derive(Debug)]
pub struct Stats {
    /// Where they are registered, if whoever has them does not show them.
    scope: Option<Scope>,
    handshake: Counter,
    session_reused: Counter,
    connection_error: Counter,
    no_certificate: Counter,
    fail_verify_no_cert: Counter,
    fail_verify_error: Counter,
    fail_verify_san: Counter,
    fail_verify_cert_hash: Counter,
    /// Versions and cipher suites met so far: a few, and never more than there are names.
    met: Mutex<Vec<Met>>,
}

/// A version or a cipher suite: what it is one of, its name, how often it was agreed on.
#[derive(Debug)]
struct Met {
    group: &'static str,
    name: &'static str,
    counter: Counter,
}

impl Met {
    fn dotted(&self) -> String {
        format!("ssl.{}s.{}", self.group, self.name)
    }

    fn family(&self) -> String {
        format!("ssl.{}s", self.group)
    }

    fn label(&self) -> String {
        format!("envoy_ssl_{}", self.group)
    }
}

impl Stats {
    /// Counters in a listener's scope.
    pub fn new(scope: &Scope) -> Self {
        Self::with(Some(scope))
    }

    /// Counters that nobody sees but through [`Self::visit`]: they go with whoever has them.
    pub fn unregistered() -> Self {
        Self::with(None)
    }

    fn with(scope: Option<&Scope>) -> Self {
        let counter = |name: &str| match scope {
            Some(scope) => scope.counter(&format!("ssl.{name}")),
            None => Counter::default(),
        };
        Self {
            handshake: counter("handshake"),
            session_reused: counter("session_reused"),
            connection_error: counter("connection_error"),
            no_certificate: counter("no_certificate"),
            fail_verify_no_cert: counter("fail_verify_no_cert"),
            fail_verify_error: counter("fail_verify_error"),
            fail_verify_san: counter("fail_verify_san"),
            fail_verify_cert_hash: counter("fail_verify_cert_hash"),
            scope: scope.cloned(),
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
        self.count("version", facts.version);
        self.count("cipher", facts.cipher);
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

    /// Shows each of them.
    pub fn visit(&self, visit: &mut dyn FnMut(Sample<'_>)) {
        for (name, counter) in [
            ("ssl.handshake", &self.handshake),
            ("ssl.session_reused", &self.session_reused),
            ("ssl.connection_error", &self.connection_error),
            ("ssl.no_certificate", &self.no_certificate),
            ("ssl.fail_verify_no_cert", &self.fail_verify_no_cert),
            ("ssl.fail_verify_error", &self.fail_verify_error),
            ("ssl.fail_verify_san", &self.fail_verify_san),
            ("ssl.fail_verify_cert_hash", &self.fail_verify_cert_hash),
        ] {
            visit(Sample {
                name,
                family: name,
                label: None,
                value: Value::Counter(counter.get()),
            });
        }
        for met in &*self.met.lock().unwrap_or_else(PoisonError::into_inner) {
            visit(Sample {
                name: &met.dotted(),
                family: &met.family(),
                label: Some((&met.label(), met.name)),
                value: Value::Counter(met.counter.get()),
            });
        }
    }

    fn count(&self, group: &'static str, name: &'static str) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let known = met
            .iter()
            .find(|met| (met.group, met.name) == (group, name));
        if let Some(known) = known {
            return known.counter.inc();
        }
        let mut new = Met {
            group,
            name,
            counter: Counter::default(),
        };
        if let Some(scope) = &self.scope {
            let label = (&*new.label(), name);
            new.counter = scope.counter_tagged(&new.dotted(), &new.family(), Some(label));
        }
        new.counter.inc();
        met.push(new);
    }
}
