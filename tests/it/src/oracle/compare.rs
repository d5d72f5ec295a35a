//! The differences between two runs of a group.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use super::case::{Case, Difference, Send};
use super::fields::{self, Fields};

/// Texts of ours that users read but no program should depend on: shown, not refused.
const SOFT: &[&str] = &["details"];

/// So many comparisons in which a case differs, with a machine that runs what is due, are enough.
const CERTAIN: usize = 2;

/// Differences that are meant, by their reasons: a line `# reason`, then the cases to which it
/// applies, each `group: case | fields`. A case may end with `*`; the fields are separated by
/// spaces, and each stands for all that begin with it. A field `refused` allows everything to
/// differ, if Tandem refuses what Envoy passes on.
static MEANT: LazyLock<String> = LazyLock::new(|| {
    let path = tandem_harness::proxy::workspace().join("tests/it/src/oracle/meant.txt");
    std::fs::read_to_string(path).unwrap()
});

/// A line of [`MEANT`].
struct Entry {
    name: &'static str,
    fields: &'static str,
    reason: &'static str,
}

impl Entry {
    fn applies(&self, case: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(beginning) => case.starts_with(beginning),
            None => case == self.name,
        }
    }
}

fn entries(group: &str) -> Vec<Entry> {
    let mut reason = "";
    let mut found = Vec::new();
    for line in MEANT.lines() {
        if let Some(text) = line.strip_prefix("# ") {
            reason = text;
        }
        let Some((name, fields)) = line.split_once(" | ") else {
            continue;
        };
        if let Some(name) = name.strip_prefix(group).and_then(|n| n.strip_prefix(": ")) {
            found.push(Entry {
                name,
                fields,
                reason,
            });
        }
    }
    found
}

/// What [`MEANT`] says of one case.
pub fn meant(group: &str, case: &str) -> Vec<Difference> {
    let mut found = Vec::new();
    for entry in entries(group).iter().filter(|entry| entry.applies(case)) {
        found.extend(entry.fields.split_whitespace().map(|field| Difference {
            field: if field == "refused" { "" } else { field },
            reason: entry.reason,
        }));
    }
    found
}

/// What [`MEANT`] allows in vain: lines for cases that are not there, and fields that are equal.
/// Where it allows what is luck, the second may be so too.
fn in_vain(group: &str, cases: &[Case], oracle: &[Fields], subject: &[Fields]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in entries(group) {
        let concerned: Vec<_> = (cases.iter().zip(oracle).zip(subject))
            .filter(|((case, _), _)| entry.applies(&case.name))
            .flat_map(|((_, oracle), subject)| differences(oracle, subject))
            .collect();
        let idle: Vec<&str> = (entry.fields.split_whitespace())
            .filter(|field| {
                let differs = |name: &str| *field == "refused" || name.starts_with(field);
                !concerned.iter().any(|(name, _, _)| differs(name))
            })
            .collect();
        if !idle.is_empty() {
            found.push(format!("{}: {}", entry.name, idle.join(" ")));
        }
    }
    found
}

/// What a comparison found.
pub struct Report {
    group: String,
    cases: usize,
    /// The cases that have a difference which is not allowed.
    failed: BTreeMap<String, Failed>,
    notes: String,
    /// What differed in one comparison and not in another.
    once: String,
}

struct Failed {
    /// What differs.
    lines: String,
    /// In how many comparisons the machine did nothing to explain it.
    undisturbed: usize,
}

impl Report {
    /// Whether every case is as with Envoy, or differs as it may.
    pub fn agrees(&self) -> bool {
        self.failed.is_empty()
    }

    /// Whether a case differed in enough comparisons in which the machine ran what was due.
    pub fn is_certain(&self) -> bool {
        let mut failed = self.failed.values();
        failed.any(|failed| failed.undisturbed >= CERTAIN)
    }

    /// Excuses, in all fields, the cases during which something that was due waited for so long.
    pub fn excused_by(mut self, cases: &[Case], waits: &[Option<Duration>]) -> Self {
        for (case, wait) in cases.iter().zip(waits) {
            let (Some(wait), Some(failed)) = (wait, self.failed.get_mut(&case.name)) else {
                continue;
            };
            failed.undisturbed = 0;
            let excuse = format!(" [what was due waited for {} ms]\n", wait.as_millis());
            failed.lines = failed.lines.replacen('\n', &excuse, 1);
        }
        self
    }

    /// What differs here as well as in the next comparison. What differs in one of them is noted.
    pub fn and(self, next: Self) -> Self {
        let mut report = Self {
            failed: BTreeMap::new(),
            once: self.once + &next.once,
            ..next
        };
        let mut first = self.failed;
        for (case, mut failed) in next.failed {
            if let Some(before) = first.remove(&case) {
                failed.undisturbed += before.undisturbed;
                report.failed.insert(case, failed);
            } else {
                first.insert(case, failed);
            }
        }
        for failed in first.values() {
            let _ = write!(
                report.once,
                "    differed at times: {}",
                failed.lines.trim_start()
            );
        }
        report
    }

    /// For people.
    pub fn text(&self) -> String {
        let Self {
            group,
            cases,
            failed,
            notes,
            once,
        } = self;
        let shown: String = failed
            .values()
            .map(|failed| failed.lines.as_str())
            .collect();
        format!(
            "== {group}: {} of {cases} cases differ from Envoy without a reason\n{shown}{notes}{once}",
            failed.len()
        )
    }
}

impl Failed {
    fn new(lines: String) -> Self {
        Self {
            lines,
            undisturbed: 1,
        }
    }
}

/// Compares case by case.
pub fn report(group: &str, cases: &[Case], oracle: &[Fields], subject: &[Fields]) -> Report {
    let mut report = Report {
        group: group.to_owned(),
        cases: cases.len(),
        failed: BTreeMap::new(),
        notes: String::new(),
        once: String::new(),
    };
    let mut allowed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut soft = BTreeSet::new();
    for ((case, oracle), subject) in cases.iter().zip(oracle).zip(subject) {
        let mut lines = String::new();
        for (field, envoy, tandem) in differences(oracle, subject) {
            if let Some(difference) = allows(case, field, subject) {
                *allowed.entry(difference.reason).or_default() += 1;
            } else if SOFT.iter().any(|name| field.ends_with(name)) {
                soft.insert(format!("{envoy} / {tandem}"));
            } else {
                let _ = writeln!(
                    lines,
                    "      {field}\n        envoy:  {envoy}\n        tandem: {tandem}"
                );
            }
        }
        if !lines.is_empty() {
            let lines = format!("    {}   ({})\n{lines}\n", case.name, sent(case));
            report.failed.insert(case.name.clone(), Failed::new(lines));
        }
    }
    let notes = &mut report.notes;
    for (reason, count) in allowed {
        let _ = writeln!(notes, "    meant ({count}): {reason}");
    }
    for line in in_vain(group, cases, oracle, subject) {
        let _ = writeln!(notes, "    allowed in vain: {line}");
    }
    for pair in soft {
        let _ = writeln!(notes, "    response code details, envoy / tandem: {pair}");
    }
    report
}

/// All that the oracle showed: what to write code against.
pub fn dump(cases: &[Case], oracle: &[Fields]) -> String {
    let mut text = String::new();
    for (case, fields) in cases.iter().zip(oracle) {
        let _ = writeln!(text, "{}   ({})", case.name, sent(case));
        for (name, value) in fields {
            let _ = writeln!(text, "    {name} = {value}");
        }
    }
    text
}

/// Keeps a report where `tests/run` prints it from.
pub fn save(group: &str, text: &str) {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || tandem_harness::proxy::workspace().join("target"),
        PathBuf::from,
    );
    let folder = target.join("oracle");
    let _ = std::fs::create_dir_all(&folder);
    let _ = std::fs::write(folder.join(format!("{group}.txt")), text);
}

/// Whether all that differs is allowed.
pub fn agree(case: &Case, oracle: &Fields, subject: &Fields) -> bool {
    differences(oracle, subject).iter().all(|(field, _, _)| {
        allows(case, field, subject).is_some() || SOFT.iter().any(|name| field.ends_with(name))
    })
}

fn differences<'a>(oracle: &'a Fields, subject: &'a Fields) -> Vec<(&'a str, &'a str, &'a str)> {
    let names: BTreeSet<&String> = oracle.keys().chain(subject.keys()).collect();
    let value =
        |fields: &'a Fields, name: &String| fields.get(name).map_or("(none)", String::as_str);
    let all = names
        .into_iter()
        .map(|name| (name.as_str(), value(oracle, name), value(subject, name)));
    all.filter(|(_, envoy, tandem)| !fields::same(envoy, tandem))
        .collect()
}

/// The entry that allows a field to differ. One for all fields (`stricter`) allows a refusal only.
fn allows<'a>(case: &'a Case, field: &str, subject: &Fields) -> Option<&'a Difference> {
    let refused = subject
        .get("status")
        .is_some_and(|status| status.as_str() >= "400");
    let refused = refused
        && subject
            .get("upstream.count")
            .is_some_and(|count| count == "0");
    case.differs.iter().find(|difference| {
        field.starts_with(difference.field) && (!difference.field.is_empty() || refused)
    })
}

fn sent(case: &Case) -> String {
    let text = match &case.send {
        Send::Built(r) => format!(
            "{}: {} {} host={} {:?}",
            case.listener, r.method, r.path, r.authority, r.headers
        ),
        Send::Raw(parts) => {
            let text = parts
                .iter()
                .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
            format!(
                "{}: {:?}",
                case.listener,
                text.collect::<Vec<_>>().join(" … ")
            )
        }
    };
    text.chars().take(400).collect()
}
