//! The process's own log: where it goes, how its lines look, and changing its level while it
//! runs.

mod line;

use std::path::Path;
use std::sync::Arc;

use tandem_model::log_pattern::LogFormat;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::reload;

/// Changes the log's level while the process runs (`/logging?level=`).
#[derive(Clone)]
pub(crate) struct LevelHandle(reload::Handle<EnvFilter, tracing_subscriber::Registry>);

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The level is not one.
    #[error("invalid log level '{0}': {1}")]
    Level(String, ParseError),
    /// The file cannot be written.
    #[error("cannot write the log to '{0}': {1}")]
    File(String, std::io::Error),
    /// A log exists already.
    #[error("the log is set up already")]
    Twice,
}

/// Sets the log up: to standard error, or to a file.
///
/// `components` is Envoy's `--component-log-level`: `name:level,…`; a name is one of this
/// project's crates without its prefix (`upstream`, `stack`, …).
/// Without a `format` lines look as `tracing` writes them.
pub(crate) fn init(
    level: &str,
    components: &str,
    path: Option<&Path>,
    format: Option<LogFormat>,
) -> Result<LevelHandle, Error> {
    let (filter, handle) = reload::Layer::new(filter(level, components)?);
    let writer = match path {
        None => BoxMakeWriter::new(std::io::stderr),
        Some(path) => {
            let file = std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .map_err(|error| Error::File(path.display().to_string(), error))?;
            BoxMakeWriter::new(Arc::new(file))
        }
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false);
    let lines = match format {
        None => lines.boxed(),
        Some(format) => lines.event_format(line::Lines(format)).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(|_| Error::Twice)?;
    Ok(LevelHandle(handle))
}

impl LevelHandle {
    /// Replaces the level.
    pub(crate) fn set(&self, level: &str, components: &str) -> Result<(), Error> {
        self.0
            .reload(filter(level, components)?)
            .map_err(|_| Error::Twice)
    }

    /// The filter now, as text.
    pub(crate) fn current(&self) -> String {
        self.0.with_current(ToString::to_string).unwrap_or_default()
    }
}

fn filter(level: &str, components: &str) -> Result<EnvFilter, Error> {
    let mut text = if level == "warning" {
        "warn".to_owned()
    } else {
        level.to_owned()
    };
    for component in components.split(',').filter(|part| !part.is_empty()) {
        let (name, level) = component.split_once(':').unwrap_or((component, "debug"));
        let level = if level == "warning" { "warn" } else { level };
        text.push_str(&format!(",tandem_{}={level}", name.replace('-', "_")));
    }
    EnvFilter::builder()
        .parse(&text)
        .map_err(|error| Error::Level(text, error))
}
