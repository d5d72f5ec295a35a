//! The answer for people: first what happens, then the way, then why nothing else.

use std::fmt::Write as _;

use tandem_stack::explain::{Endpoint, Explanation, Other, Step, Target};

/// How many of what was not chosen are named, unless all are asked for.
const SHOWN: usize = 5;
/// Where the second column begins.
const COLUMN: usize = 16;

/// Writes it out.
pub(super) fn render(answer: &Explanation, all: bool) -> String {
    let mut out = String::new();
    let flags = match &*answer.flags {
        "" => String::new(),
        flags => format!(" [{flags}]"),
    };
    let _ = writeln!(out, "{}{flags}\n", answer.answer);
    for step in &answer.steps {
        line(&mut out, &step.what, &step.name);
        for note in &step.notes {
            line(&mut out, "", note);
        }
    }
    for target in &answer.clusters {
        cluster(&mut out, target, all);
    }
    for step in answer.steps.iter().filter(|step| !step.not.is_empty()) {
        let _ = writeln!(out, "\nnot the {}", plural(step));
        others(&mut out, &step.not, all);
    }
    out
}

fn plural(step: &Step) -> String {
    match step.not.len() {
        1 => step.what.clone(),
        more => format!("{more} other {}s", step.what),
    }
}

fn line(out: &mut String, what: &str, text: &str) {
    let _ = writeln!(out, "  {what:COLUMN$}{text}");
}

fn cluster(out: &mut String, target: &Target, all: bool) {
    line(out, "cluster", &target.cluster);
    if target.share < 100.0 {
        line(out, "", &format!("{} of requests", percent(target.share)));
    }
    if let Some(status) = target.status {
        line(out, "", &format!("answered {status} {}", target.flags));
    }
    for note in &target.notes {
        line(out, "", note);
    }
    if !target.path.is_empty() {
        line(
            out,
            "",
            &format!("sent as {}{}", target.authority, target.path),
        );
    }
    let most = if all { usize::MAX } else { 20 };
    let width = target.endpoints.iter().map(|e| e.address.len()).max();
    for endpoint in target.endpoints.iter().take(most) {
        line(out, "endpoint", &describe(endpoint, width.unwrap_or(0)));
    }
    if let Some(more) = target.endpoints.len().checked_sub(most).filter(|n| *n > 0) {
        line(out, "", &format!("and {more} more (--all)"));
    }
}

fn describe(endpoint: &Endpoint, width: usize) -> String {
    let mut text = format!(
        "{:width$}  {:>7}  {}",
        endpoint.address,
        percent(endpoint.share),
        endpoint.health
    );
    if !endpoint.transport.is_empty() {
        let _ = write!(text, ", {}", endpoint.transport);
    }
    if endpoint.weight != 1 {
        let _ = write!(text, ", weight {}", endpoint.weight);
    }
    if endpoint.priority != 0 {
        let _ = write!(text, ", priority {}", endpoint.priority);
    }
    if !endpoint.locality.is_empty() {
        let _ = write!(text, ", {}", endpoint.locality);
    }
    text
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 100.0).round() / 100.0)
}

/// The first of each kind of reason come first: a route by its headers says more than the tenth
/// by its path.
fn others(out: &mut String, not: &[Other], all: bool) {
    let kind = |other: &Other| other.why.split(':').next().unwrap_or_default().to_owned();
    let width = not
        .iter()
        .map(|other| other.name.len())
        .max()
        .unwrap_or(0)
        .min(40);
    let mut kinds: Vec<(String, Vec<&Other>)> = Vec::new();
    for other in not {
        let kind = kind(other);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, others)) => others.push(other),
            None => kinds.push((kind, vec![other])),
        }
    }
    for (kind, others) in kinds {
        let most = if all { usize::MAX } else { SHOWN };
        for Other { name, why } in others.iter().take(most) {
            let _ = writeln!(out, "  {name:width$}  {why}");
        }
        if let Some(more) = others.len().checked_sub(most).filter(|more| *more > 0) {
            let _ = writeln!(out, "  and {more} more with another {kind} (--all)");
        }
    }
}
