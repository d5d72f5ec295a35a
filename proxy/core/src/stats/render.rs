//! All metrics as text: for `/stats` and for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::{BUCKETS_MS, Histogram, Metric, Named, Registry, Value, escape};

/// The kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Counters.
    Counters,
    /// Gauges.
    Gauges,
    /// Histograms.
    Histograms,
    /// Text readouts.
    Texts,
}

/// Which metrics are shown.
pub struct Select<'a> {
    /// Those whose dotted names it accepts …
    pub name: &'a dyn Fn(&str) -> bool,
    /// … of these kinds …
    pub kind: Option<Kind>,
    /// … and only what is not zero, if so.
    pub used_only: bool,
}

impl Select<'_> {
    fn has(&self, name: &str, value: Value<'_>) -> bool {
        self.may_have(value) && (self.name)(name)
    }

    /// What can be told without the name: of thousands of clusters that nobody uses not even the
    /// names are written.
    fn may_have(&self, value: Value<'_>) -> bool {
        let is_kind = match self.kind {
            None => true,
            Some(Kind::Counters) => matches!(value, Value::Counter(_)),
            Some(Kind::Gauges) => {
                matches!(value, Value::Gauge(_) | Value::Set(_) | Value::Unsigned(_))
            }
            Some(Kind::Histograms) => matches!(value, Value::Histogram(_)),
            Some(Kind::Texts) => matches!(value, Value::Text(_)),
        };
        is_kind && (!self.used_only || value.is_used())
    }
}

impl Registry {
    /// The text of `/stats`: texts and numbers by name, then histograms; `filter` selects names. Within
    /// what is about one thing names are sorted.
    pub fn text(&self, filter: impl Fn(&str) -> bool, used_only: bool) -> String {
        self.text_of(&Select {
            name: &filter,
            kind: None,
            used_only,
        })
    }

    /// The same of those that are selected.
    pub fn text_of(&self, select: &Select<'_>) -> String {
        let [mut texts, mut numbers, mut histograms] = [const { String::new() }; 3];
        self.each(select, &mut |name, value| {
            let part = match value {
                Value::Text(_) => &mut texts,
                Value::Histogram(_) => &mut histograms,
                _ => &mut numbers,
            };
            line(part, name, value);
        });
        texts + &numbers + &histograms
    }

    /// Shows those that are selected, by their dotted names; within what is about one thing,
    /// numbers are sorted.
    pub fn each(&self, select: &Select<'_>, show: &mut dyn FnMut(&str, Value<'_>)) {
        let sources = self.sources();
        let entries = self.entries();
        let mut entries = entries.iter().peekable();
        let mut write = |name: &str, value: Value<'_>| {
            if select.has(name, value) {
                show(name, value);
            }
        };
        let mut samples = Vec::new();
        for (scope, source) in &sources {
            while let Some((name, entry)) = entries.next_if(|(name, _)| *name < scope.dotted) {
                write(name, entry.metric.value());
            }
            let whole = |name: &str| format!("{}.{name}", scope.dotted);
            source.visit(&mut |sample| match sample.value {
                value if !select.may_have(value) => {}
                value => {
                    let name = whole(sample.name);
                    match value {
                        _ if !self.0.tags.selects(&name) => {}
                        Value::Histogram(_) => write(&name, value),
                        Value::Counter(n) => samples.push((name, Number::Counter(n))),
                        Value::Gauge(n) | Value::Set(n) => samples.push((name, Number::Gauge(n))),
                        Value::Unsigned(n) => samples.push((name, Number::Unsigned(n))),
                        Value::Text(text) => samples.push((name, Number::Text(text.to_owned()))),
                    }
                }
            });
            samples.sort_by(|(a, _), (b, _)| a.cmp(b));
            for (name, number) in samples.drain(..) {
                write(&name, number.value());
            }
        }
        for (name, entry) in entries {
            write(name, entry.metric.value());
        }
    }

    /// The Prometheus text exposition, grouped by family.
    pub fn prometheus(&self) -> String {
        let all = Select {
            name: &|_| true,
            kind: None,
            used_only: false,
        };
        self.prometheus_of(&all, false)
    }

    /// The same of those that are selected, by their dotted names too; `texts` as labels, if they
    /// are wanted.
    pub fn prometheus_of(&self, select: &Select<'_>, texts: bool) -> String {
        let mut families: BTreeMap<String, String> = BTreeMap::new();
        let mut write = |name: &str, labels: &str, value: Value<'_>| {
            if !families.contains_key(name) {
                let lines = format!("# TYPE {name} {}\n", value.kind());
                families.insert(name.to_owned(), lines);
            }
            if let Some(lines) = families.get_mut(name) {
                exposition(lines, name, labels, value);
            }
        };
        for (scope, source) in self.sources() {
            source.visit(&mut |sample| {
                let is_text = matches!(sample.value, Value::Text(_));
                if is_text && !texts || !select.may_have(sample.value) {
                    return;
                }
                let tags = &self.0.tags;
                let dotted = format!("{}.{}", scope.dotted, sample.name);
                if !tags.selects(&dotted) || !select.has(&dotted, sample.value) {
                    return;
                }
                let named = tags.name(&scope, sample.name, sample.family, sample.label);
                write(&named.family, &named.labels, sample.value);
            });
        }
        for (name, entry) in self.entries() {
            if !select.has(&name, entry.metric.value()) {
                continue;
            }
            let Named { family, labels } = &entry.named;
            write(family, labels, entry.metric.value());
        }
        families.into_values().collect()
    }
}

enum Number {
    Counter(u64),
    Gauge(i64),
    Unsigned(u64),
    Text(String),
}

impl Number {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Counter(n) => Value::Counter(*n),
            Self::Unsigned(n) => Value::Unsigned(*n),
            Self::Text(text) => Value::Text(text),
            // Looked at already: those that were not used have not come here.
            Self::Gauge(n) => Value::Set(*n),
        }
    }
}

impl Metric {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Counter(counter) => Value::Counter(counter.get()),
            Self::Gauge(gauge) => Value::Gauge(gauge.get()),
            Self::Histogram(histogram) => Value::Histogram(Some(histogram)),
        }
    }
}

fn line(out: &mut String, name: &str, value: Value<'_>) {
    let _ = match value {
        Value::Counter(n) | Value::Unsigned(n) => writeln!(out, "{name}: {n}"),
        Value::Gauge(n) | Value::Set(n) => writeln!(out, "{name}: {n}"),
        Value::Text(text) => writeln!(out, "{name}: \"{}\"", for_html(text)),
        Value::Histogram(histogram) => match histogram.filter(|histogram| histogram.count() > 0) {
            Some(histogram) => writeln!(out, "{name}: {}", summary(histogram)),
            None => writeln!(out, "{name}: No recorded values"),
        },
    };
}

/// As Envoy: what a control plane says may be looked at in a browser.
fn for_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn exposition(out: &mut String, family: &str, labels: &str, value: Value<'_>) {
    let comma = if labels.is_empty() { "" } else { "," };
    let _ = match value {
        Value::Counter(n) | Value::Unsigned(n) => writeln!(out, "{family}{{{labels}}} {n}"),
        Value::Gauge(n) | Value::Set(n) => writeln!(out, "{family}{{{labels}}} {n}"),
        Value::Text(text) => {
            let text = escape(text);
            writeln!(out, "{family}{{{labels}{comma}text_value=\"{text}\"}} 0")
        }
        Value::Histogram(histogram) => {
            let count = |bucket| histogram.map_or(0, |histogram| histogram.bucket(bucket));
            let mut total = 0;
            for bucket in 0..=BUCKETS_MS.len() {
                total += count(bucket);
                let bound = BUCKETS_MS
                    .get(bucket)
                    .map_or_else(|| "+Inf".to_owned(), f64::to_string);
                let _ = writeln!(
                    out,
                    "{family}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}"
                );
            }
            let micros = histogram
                .and_then(|histogram| histogram.0.as_ref())
                .map_or(0, |one| one.sum_micros.load(Relaxed));
            let sum = Duration::from_micros(micros).as_secs_f64() * 1000.0;
            let _ = writeln!(out, "{family}_sum{{{labels}}} {sum}");
            writeln!(out, "{family}_count{{{labels}}} {total}")
        }
    };
}

fn summary(histogram: &Histogram) -> String {
    [("P50", 0.5), ("P90", 0.9), ("P99", 0.99), ("P100", 1.0)]
        .map(|(name, q)| format!("{name}(nan,{})", histogram.quantile(q)))
        .join(" ")
}

impl Histogram {
    /// The upper bound, in milliseconds, of the bucket that holds the value below which a share
    /// `q` of all are; infinite beyond the last bound.
    pub fn quantile(&self, q: f64) -> f64 {
        let total = self.count();
        let mut seen = 0;
        for bucket in 0..=BUCKETS_MS.len() {
            seen += self.bucket(bucket);
            #[allow(clippy::cast_precision_loss, reason = "a summary for humans")]
            if seen as f64 >= q * total as f64 {
                return BUCKETS_MS.get(bucket).copied().unwrap_or(f64::INFINITY);
            }
        }
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests;
