//! The parameters of each endpoint: a closed list, so that nothing that is asked for is ignored
//! without a word.

use tandem_core::stats::Kind;
use tandem_model::matching::Regex;

use super::query::{decode, parameter};

/// Why a request is refused, by the parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("unsupported parameter '{name}' of {path}, expected one of: {known}")]
    Unknown {
        path: String,
        name: String,
        known: String,
    },
    #[error("unsupported parameter '{name}': {path} takes none")]
    None { path: String, name: String },
    #[error("unsupported value '{value}' of parameter '{name}', expected one of: {known}")]
    Value {
        name: &'static str,
        value: String,
        known: &'static str,
    },
    #[error("parameter '{name}': {reason}")]
    Regex { name: &'static str, reason: String },
}

/// What each endpoint takes; those that are not here look at theirs themselves.
const TAKEN: &[(&str, &[&str])] = &[
    ("/", &[]),
    ("/certs", &[]),
    ("/clusters", &["format", "filter"]),
    (
        "/config_dump",
        &["include_eds", "mask", "name_regex", "resource"],
    ),
    (
        "/drain_listeners",
        &["graceful", "inboundonly", "skip_exit"],
    ),
    ("/help", &[]),
    ("/listeners", &["format"]),
    ("/quitquitquit", &[]),
    ("/ready", &[]),
    ("/runtime", &[]),
    ("/server_info", &[]),
    ("/stats", &STATS),
    ("/stats/prometheus", &STATS),
];

const STATS: [&str; 8] = [
    "filter",
    "format",
    "histogram_buckets",
    "invert_filter",
    "pretty",
    "text_readouts",
    "type",
    "usedonly",
];

/// Refuses a parameter that the endpoint does not take.
pub(super) fn check(path: &str, query: &str) -> Result<(), Refused> {
    let Some((_, taken)) = TAKEN.iter().find(|(known, _)| *known == path) else {
        return Ok(());
    };
    let names = query.split('&').filter(|pair| !pair.is_empty());
    let mut names = names.map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    let (path, known) = (path.to_owned(), taken.join(", "));
    match names.find(|name| !taken.contains(name)) {
        None => Ok(()),
        Some(name) if taken.is_empty() => Err(Refused::None {
            path,
            name: decode(name),
        }),
        Some(name) => Err(Refused::Unknown {
            path,
            name: decode(name),
            known,
        }),
    }
}

/// The value of a parameter with a closed list of values, the first if it is not given.
fn one_of<T: Copy>(
    query: &str,
    name: &'static str,
    values: &[(&str, T)],
    known: &'static str,
) -> Result<Option<T>, Refused> {
    let Some(value) = parameter(query, name).map(decode) else {
        return Ok(None);
    };
    let found = values.iter().find(|(known, _)| *known == value);
    let found = found.map(|(_, meaning)| Some(*meaning));
    found.ok_or(Refused::Value { name, value, known })
}

/// How a page is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
    Prometheus,
}

impl Format {
    /// Of `/clusters` and `/listeners`.
    pub(super) fn of_list(query: &str) -> Result<Self, Refused> {
        let values = [("text", Self::Text), ("json", Self::Json)];
        let format = one_of(query, "format", &values, "text, json")?;
        Ok(format.unwrap_or_default())
    }

    /// Of `/stats`.
    pub(super) fn of_stats(query: &str) -> Result<Self, Refused> {
        let values = [
            ("text", Self::Text),
            ("json", Self::Json),
            ("prometheus", Self::Prometheus),
        ];
        let format = one_of(query, "format", &values, "text, json, prometheus")?;
        Ok(format.unwrap_or_default())
    }
}

/// The kind of metrics asked for with `type`.
pub(super) fn kind(query: &str) -> Result<Option<Kind>, Refused> {
    let values = [
        ("All", None),
        ("Counters", Some(Kind::Counters)),
        ("Gauges", Some(Kind::Gauges)),
        ("Histograms", Some(Kind::Histograms)),
        ("TextReadouts", Some(Kind::Texts)),
    ];
    let known = "All, Counters, Gauges, Histograms, TextReadouts";
    one_of(query, "type", &values, known).map(Option::flatten)
}

/// `histogram_buckets`: only the way in which they are shown anyway is there.
pub(super) fn buckets(query: &str, format: Format) -> Result<(), Refused> {
    let (values, known) = match format {
        Format::Text | Format::Json => (["summary"], "summary"),
        Format::Prometheus => (["cumulative"], "cumulative"),
    };
    let values = values.map(|value| (value, ()));
    one_of(query, "histogram_buckets", &values, known).map(|_| ())
}

/// A regular expression that some part of a name must match.
pub(super) fn regex(query: &str, name: &'static str) -> Result<Option<Regex>, Refused> {
    let Some(pattern) = parameter(query, name).map(decode) else {
        return Ok(None);
    };
    let compiled = Regex::new(&format!(".*(?:{pattern}).*"));
    let refused = |error: String| Refused::Regex {
        name,
        reason: error,
    };
    // On its own too, so that it cannot close the group that it is put in.
    Regex::new(&pattern).map_err(|error| refused(error.to_string()))?;
    compiled
        .map(Some)
        .map_err(|error| refused(error.to_string()))
}
