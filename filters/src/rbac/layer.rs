//! The layer and its metrics.

use std::sync::{Arc, OnceLock};

use tandem_core::HttpService;
use tandem_core::stats::{Counter, Scope};
use tandem_model::filter::rbac::{Decision, Rbac as Config, Rules};
use tower::Layer;

use super::Rbac;

/// Wraps services in [`Rbac`].
#[derive(Clone, Debug)]
pub struct RbacLayer {
    config: Arc<Config>,
    stats: Arc<Stats>,
}

/// `http.<stat_prefix>.rbac.*`.
#[derive(Debug)]
pub(super) struct Stats {
    pub(super) rules: RuleStats,
    pub(super) shadow_rules: RuleStats,
}

/// What is counted of one set of rules.
#[derive(Debug)]
pub(super) struct RuleStats {
    allowed: Counter,
    denied: Counter,
    /// Of each policy, made when it first matches; empty if policies are not counted.
    policies: Box<[OnceLock<Counter>]>,
    scope: Scope,
    /// Where the policies' metrics are, and what they end with.
    prefix: String,
    kind: &'static str,
}

impl RbacLayer {
    /// Guards by what `config` says; counts in the connection manager's scope.
    pub fn new(config: Arc<Config>, scope: &Scope) -> Self {
        let each = config.track_per_rule_stats;
        let rules = |rules: &Option<Arc<Rules>>, prefix: &str, kind| {
            let policies = rules.as_ref().filter(|_| each);
            RuleStats::new(scope, policies, prefix, kind)
        };
        let stats = Arc::new(Stats {
            rules: rules(&config.rules, &config.rules_stat_prefix, ""),
            shadow_rules: rules(
                &config.shadow_rules,
                &config.shadow_rules_stat_prefix,
                "shadow_",
            ),
        });
        Self { config, stats }
    }
}

impl RuleStats {
    fn new(scope: &Scope, rules: Option<&Arc<Rules>>, prefix: &str, kind: &'static str) -> Self {
        let prefix = match prefix {
            "" => "rbac.".to_owned(),
            prefix => format!("rbac.{prefix}."),
        };
        let policies = rules.map_or(0, |rules| rules.policies.len());
        Self {
            allowed: scope.counter(&format!("{prefix}{kind}allowed")),
            denied: scope.counter(&format!("{prefix}{kind}denied")),
            policies: (0..policies).map(|_| OnceLock::new()).collect(),
            scope: scope.clone(),
            prefix,
            kind,
        }
    }

    pub(super) fn count(&self, rules: &Rules, decision: Decision) {
        let (all, end) = if decision.allowed {
            (&self.allowed, "allowed")
        } else {
            (&self.denied, "denied")
        };
        all.inc();
        let Some(policy) = decision.policy else {
            return;
        };
        if let Some(own) = self.policies.get(policy) {
            let made = || {
                let (prefix, kind) = (&self.prefix, self.kind);
                let name = &rules.policies[policy].name;
                self.scope
                    .counter(&format!("{prefix}policy.{name}.{kind}{end}"))
            };
            own.get_or_init(made).inc();
        }
    }
}

impl Layer<HttpService> for RbacLayer {
    type Service = Rbac;

    fn layer(&self, inner: HttpService) -> Rbac {
        Rbac {
            inner,
            config: Arc::clone(&self.config),
            stats: Arc::clone(&self.stats),
        }
    }
}
