//! The process's own log: where it goes, how its lines look, and changing its level while it
//! runs.

mod levels;
mod line;
mod loggers;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tandem_model::log_pattern::LogFormat;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::reload;

use levels::Levels;
pub(crate) use levels::{Components, LEVELS, Severity, Unknown};
pub(crate) use loggers::Logger;

/// Changes the log's levels while the process runs (`/logging`).
#[derive(Clone)]
pub(crate) struct LevelHandle {
    filter: reload::Handle<Targets, tracing_subscriber::Registry>,
    levels: Arc<Mutex<Levels>>,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be written.
    #[error("cannot write the log to '{0}': {1}")]
    File(String, std::io::Error),
    /// A log exists already.
    #[error("the log is set up already")]
    Twice,
}

/// Sets the log up: to standard error, or to a file.
///
/// `components` have levels of their own. Without a `format` lines look as `tracing` writes them.
pub(crate) fn init(
    level: Severity,
    components: &Components,
    path: Option<&Path>,
    format: Option<LogFormat>,
) -> Result<LevelHandle, Error> {
    let mut levels = Levels::of(level);
    levels.set(components);
    let (filter, handle) = reload::Layer::new(levels.targets());
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
    warn_of(components);
    Ok(LevelHandle {
        filter: handle,
        levels: Arc::new(Mutex::new(levels)),
    })
}

/// Names the loggers whose levels change nothing here.
fn warn_of(components: &Components) {
    let loggers = components.0.iter().map(|(logger, _)| logger);
    for logger in loggers.filter(|logger| logger.targets.is_empty()) {
        tracing::warn!(logger = logger.name, "nothing here logs under that name");
    }
}

impl LevelHandle {
    /// Sets the level of all loggers.
    pub(crate) fn set_all(&self, level: Severity) -> Result<(), Error> {
        self.change(|levels| *levels = Levels::of(level))
    }

    /// Sets the levels of single loggers; the others stay.
    pub(crate) fn set(&self, components: &Components) -> Result<(), Error> {
        self.change(|levels| levels.set(components))?;
        warn_of(components);
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut Levels)) -> Result<(), Error> {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut levels);
        let reloaded = self.filter.reload(levels.targets());
        reloaded.map_err(|_| Error::Twice)
    }

    /// Each logger with its level, one a line.
    pub(crate) fn current(&self) -> String {
        let levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = levels.list();
        lines
            .map(|(name, level)| format!("  {name}: {}\n", level.name()))
            .collect()
    }
}
