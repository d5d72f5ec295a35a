//! What a metric is called, what labels it carries, and whether there is one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use tandem_model::metrics::{MetricsConfig, Selection, TagPattern, TagValue};

use super::{Scope, allowed, escape, sanitize};

/// The configured names, labels and selection. All of it is decided when a metric is made, or
/// when the metrics of a [`Source`](super::Source) are read.
#[derive(Debug)]
pub(super) struct Tags {
    selection: Selection,
    /// Labels that metrics have by themselves; `None`: all of them.
    own: Option<BTreeSet<String>>,
    fixed: String,
    patterns: Vec<(String, TagPattern)>,
}

impl Default for Tags {
    fn default() -> Self {
        Self::new(&MetricsConfig::default())
    }
}

/// A metric's Prometheus name and its labels as text.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) family: String,
    pub(super) labels: String,
}

impl Tags {
    pub(super) fn new(config: &MetricsConfig) -> Self {
        let mut own = (!config.default_tags).then(BTreeSet::new);
        let (mut fixed, mut patterns) = (String::new(), Vec::new());
        for tag in &config.tags {
            let name = sanitize(&tag.name);
            match &tag.value {
                TagValue::Default => own.iter_mut().for_each(|own| {
                    own.insert(name.clone());
                }),
                TagValue::Fixed(value) => push(&mut fixed, &name, value),
                TagValue::Pattern(pattern) => patterns.push((name, pattern.clone())),
            }
        }
        Self {
            selection: config.selection.clone(),
            own,
            fixed,
            patterns,
        }
    }

    /// Whether there is a metric of that dotted name.
    pub(super) fn selects(&self, dotted: &str) -> bool {
        self.selection.selects(dotted)
    }

    fn has(&self, label: &str) -> bool {
        self.own.as_ref().is_none_or(|own| own.contains(label))
    }

    /// Names a metric of `scope` whose dotted name within it is `name`, and which is called
    /// `family` where its own `label` is one.
    pub(super) fn name(
        &self,
        scope: &Scope,
        name: &str,
        family: &str,
        label: Option<(&str, &str)>,
    ) -> Named {
        let dotted = format!("{}.{name}", scope.dotted);
        let mut labels = self.fixed.clone();
        let mut taken = Vec::new();
        let mut removed = Vec::new();
        let value = scope.value.clone();
        if let Some(label) = scope.label.filter(|label| self.has(label)) {
            push(&mut labels, label, &dotted[value.clone()]);
            taken.push(label);
            // The dot before it goes too.
            removed.push(value.start - 1..value.end);
        }
        if let Some((label, value)) = label.filter(|(label, _)| self.has(label)) {
            push(&mut labels, label, value);
            taken.push(label);
            let within = difference(name, family);
            let start = scope.dotted.len() + 1;
            removed.push(start + within.start..start + within.end);
        }
        for (label, pattern) in &self.patterns {
            // A label that is there already is not taken out twice.
            if taken.contains(&label.as_str()) {
                continue;
            }
            if let Some(found) = pattern.find(&dotted) {
                push(&mut labels, label, found.value);
                taken.push(label);
                removed.push(found.removed);
            }
        }
        Named {
            family: self::family(&dotted, &removed),
            labels,
        }
    }
}

fn push(labels: &mut String, name: &str, value: &str) {
    let comma = if labels.is_empty() { "" } else { "," };
    let _ = write!(labels, "{comma}{name}=\"{}\"", escape(value));
}

/// What has to leave `name` for it to be `family`.
fn difference(name: &str, family: &str) -> Range<usize> {
    let ahead = (name.bytes().zip(family.bytes()))
        .take_while(|(a, b)| a == b)
        .count();
    let most = name.len().min(family.len()) - ahead;
    let behind = (name.bytes().rev().zip(family.bytes().rev()))
        .take(most)
        .take_while(|(a, b)| a == b)
        .count();
    ahead..name.len() - behind
}

/// What is left of a name, as Prometheus takes it.
fn family(dotted: &str, removed: &[Range<usize>]) -> String {
    let mut out = String::with_capacity("envoy_".len() + dotted.len());
    out.push_str("envoy_");
    let left = (dotted.char_indices())
        .filter(|(at, _)| !removed.iter().any(|range| range.contains(at)))
        .map(|(_, c)| allowed(c));
    out.extend(left);
    out
}

#[cfg(test)]
mod tests;
