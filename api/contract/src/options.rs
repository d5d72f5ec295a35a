//! Reading a component's fields: typed, and with every fault named by file, line and field.

use std::{collections::BTreeSet, time::Duration};

use crate::declaration::{Fault, Faults, Place, Resolved};

/// Reads the fields of one declaration. Readers record faults and go on, so that
/// [`finish`](Self::finish) can tell all of them at once; it also refuses fields that nobody read.
/// Field names are compared without regard to case, as Dapr does.
pub struct Options<'a> {
    resolved: &'a Resolved,
    read: BTreeSet<usize>,
    faults: Vec<Fault>,
}

impl<'a> Options<'a> {
    /// Reads `resolved`.
    pub fn new(resolved: &'a Resolved) -> Self {
        Self {
            resolved,
            read: BTreeSet::new(),
            faults: Vec::new(),
        }
    }

    /// The text of a field, unless it is absent or empty.
    pub fn text(&mut self, name: &str) -> Option<&'a str> {
        self.field(name).map(|(_, value)| value)
    }

    /// The text of a field that must be there.
    pub fn required(&mut self, name: &str) -> &'a str {
        self.text(name).unwrap_or_else(|| {
            let kind = &self.resolved.kind;
            let message = format!("field '{name}' is missing: {kind} cannot do without it");
            self.faults.push(self.resolved.place.fault(message));
            ""
        })
    }

    /// A boolean: `true`, `false`, `yes`, `no`, `y`, `n`, `on`, `off`, `1`, `0`.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        self.parsed(name, "a boolean", |text| {
            match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
                "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
                _ => None,
            }
        })
    }

    /// A number within a range.
    pub fn number(&mut self, name: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.parsed(name, &expected, |text| {
            text.parse().ok().filter(|number| range.contains(number))
        })
    }

    /// A duration as Go writes it (`1m30s`, `250ms`), or a number in the given unit.
    pub fn duration(&mut self, name: &str, unit: Duration) -> Option<Duration> {
        self.parsed(
            name,
            "a duration such as 500ms or 1m30s",
            |text| match text.parse::<u32>() {
                Ok(number) => Some(unit * number),
                Err(_) => parse_duration(text),
            },
        )
    }

    /// A field that a peer's component has and this one needs not: read, without effect.
    pub fn without_effect(&mut self, names: &[&str]) {
        for name in names {
            if self.text(name).is_some() {
                let component = &*self.resolved.name;
                tracing::info!(component, field = *name, "this field has no effect here");
            }
        }
    }

    /// Records that a field's value cannot be accepted.
    pub fn refuse(&mut self, name: &str, why: &str) {
        let place = match self.field(name) {
            Some((index, _)) => self.resolved.values[index].place.clone(),
            None => self.resolved.place.clone(),
        };
        self.faults
            .push(place.fault(format!("field '{name}': {why}")));
    }

    /// Where the declaration stands.
    pub fn place(&self) -> &Place {
        &self.resolved.place
    }

    /// Ends reading.
    ///
    /// # Errors
    /// All faults so far, and one for each field that was not read.
    pub fn finish(mut self) -> Result<(), Faults> {
        for (index, value) in self.resolved.values.iter().enumerate() {
            if !self.read.contains(&index) {
                let kind = &self.resolved.kind;
                let message = format!("field '{}' is not known to {kind}", value.name);
                self.faults.push(value.place.fault(message));
            }
        }
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(Faults(self.faults))
        }
    }

    fn field(&mut self, name: &str) -> Option<(usize, &'a str)> {
        let (index, value) = self
            .resolved
            .values
            .iter()
            .enumerate()
            .find(|(_, value)| value.name.eq_ignore_ascii_case(name))?;
        self.read.insert(index);
        let text = value.text.trim();
        (!text.is_empty()).then_some((index, text))
    }

    fn parsed<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let parsed = parse(text);
        if parsed.is_none() {
            self.refuse(name, &format!("expected {expected}, found {text:?}"));
        }
        parsed
    }
}

/// A duration as Go writes it: numbers with units `ns`, `us`, `ms`, `s`, `m`, `h`, one after the
/// other. `None` if it is none, or negative.
pub fn parse_duration(mut text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    if text.is_empty() {
        return None;
    }
    while !text.is_empty() {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = text[..digits].parse().ok()?;
        text = &text[digits..];
        let end = text
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(text.len());
        let unit = match &text[..end] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(number * unit).ok()?;
        text = &text[end..];
    }
    Some(total)
}
