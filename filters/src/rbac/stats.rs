//! Deciding; counting and logging what was decided.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use tandem_core::stats::{Counter, Scope};
use tandem_model::filter::rbac::{Decision, Facts, Rbac as Config, Rules};

use super::{facts, said};

/// `<scope>.rbac.*`.
#[derive(Debug)]
pub(super) struct Stats {
    rules: RuleStats,
    shadow_rules: RuleStats,
}

/// What is counted of one set of rules.
#[derive(Debug)]
struct RuleStats {
    allowed: Counter,
    denied: Counter,
    /// Of each policy, made when it first matches; empty if policies are not counted.
    policies: Box<[OnceLock<Counter>]>,
    scope: Scope,
    /// Where the policies' metrics are, and what they end with.
    prefix: String,
    kind: &'static str,
}

impl Stats {
    /// Counts what `config` decides.
    pub(super) fn new(config: &Config, scope: &Scope) -> Self {
        let each = config.track_per_rule_stats;
        let rules = |rules: &Option<Arc<Rules>>, prefix: &str, kind| {
            let policies = rules.as_ref().filter(|_| each);
            RuleStats::new(scope, policies, prefix, kind)
        };
        let shadow_prefix = &config.shadow_rules_stat_prefix;
        Self {
            rules: rules(&config.rules, &config.rules_stat_prefix, ""),
            shadow_rules: rules(&config.shadow_rules, shadow_prefix, "shadow_"),
        }
    }

    /// Decides; what is refused is said with the policy that did it.
    pub(super) fn decide(
        &self,
        config: &Config,
        facts: &Facts<'_>,
    ) -> Result<(), Cow<'static, str>> {
        if let Some(rules) = &config.shadow_rules {
            let decision = rules.decide(facts);
            said::say("shadow", rules, decision, facts);
            self.shadow_rules.count(rules, decision);
        }
        let Some(rules) = &config.rules else {
            return Ok(());
        };
        let decision = rules.decide(facts);
        said::say("enforced", rules, decision, facts);
        self.rules.count(rules, decision);
        if decision.allowed {
            return Ok(());
        }
        let policy = decision.policy.map(|policy| &*rules.policies[policy].name);
        Err(facts::details(policy))
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

    fn count(&self, rules: &Rules, decision: Decision) {
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
