//! The versions that were accepted last, for as long as somebody needs what has them.

use std::ops::Deref;
use std::sync::Arc;

use tandem_core::stats::{Accepted, Registry, Sample, Scope, Source};

/// One of them, and where it is shown.
#[derive(Debug)]
pub(super) struct Version {
    accepted: Accepted,
    scope: Scope,
    /// What stands before the names, dotted and in Prometheus.
    prefixes: [String; 2],
    label: Option<(&'static str, String)>,
}

impl Version {
    /// Shows one, of which nothing was accepted yet.
    pub(super) fn shown(
        registry: &Registry,
        scope: &Scope,
        prefixes: [&str; 2],
        label: Option<(&'static str, &str)>,
    ) -> Arc<Self> {
        let version = Arc::new(Self {
            accepted: Accepted::default(),
            scope: scope.clone(),
            prefixes: prefixes.map(str::to_owned),
            label: label.map(|(name, value)| (name, value.to_owned())),
        });
        registry.add(&version);
        version
    }
}

impl Deref for Version {
    type Target = Accepted;

    fn deref(&self) -> &Accepted {
        &self.accepted
    }
}

impl Source for Version {
    fn scope(&self, _: &Registry) -> Scope {
        self.scope.clone()
    }

    fn visit(&self, visit: &mut dyn FnMut(Sample<'_>)) {
        let [dotted, family] = &self.prefixes;
        let label = (self.label.as_ref()).map(|(name, value)| (*name, &**value));
        self.accepted.visit([dotted, family], label, visit);
    }
}
