//! Which lines are written: one level for all, and others for single loggers.

use std::collections::BTreeMap;

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::loggers::{self, Logger};

/// How bad a line must be to be written: Envoy's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Trace,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
    Off,
}

/// What there is not, or is said wrongly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unknown {
    #[error("unknown logger level '{0}', expected one of: {LEVELS}")]
    Level(String),
    #[error("unknown logger name '{0}', expected one of: {names}", names = names())]
    Logger(String),
    #[error("expected LOGGER:LEVEL, got '{0}'")]
    Form(String),
}

/// The levels' names.
pub(crate) const LEVELS: &str = "trace debug info warning error critical off";

fn names() -> String {
    Logger::all()
        .map(|logger| logger.name)
        .collect::<Vec<_>>()
        .join(" ")
}

impl Severity {
    /// Reads a name of [`LEVELS`].
    pub(crate) fn parse(text: &str) -> Result<Self, Unknown> {
        Ok(match text {
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warning" => Self::Warning,
            "error" => Self::Error,
            "critical" => Self::Critical,
            "off" => Self::Off,
            other => return Err(Unknown::Level(other.to_owned())),
        })
    }

    /// As a command line has it: Envoy's takes `warn` too.
    pub(crate) fn parse_option(text: &str) -> Result<Self, Unknown> {
        Self::parse(if text == "warn" { "warning" } else { text })
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Off => "off",
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Trace => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warning => LevelFilter::WARN,
            // Nothing here is worse than an error.
            Self::Error | Self::Critical => LevelFilter::ERROR,
            Self::Off => LevelFilter::OFF,
        }
    }
}

/// Levels of single loggers: `--component-log-level`, `/logging?paths=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Components(pub(crate) Vec<(Logger, Severity)>);

impl Components {
    /// Reads `LOGGER:LEVEL,…`, with levels as `level` reads them.
    pub(crate) fn parse(
        text: &str,
        level: impl Fn(&str) -> Result<Severity, Unknown>,
    ) -> Result<Self, Unknown> {
        let one = |part: &str| {
            let form = || Unknown::Form(part.to_owned());
            let (name, text) = part.split_once(':').ok_or_else(form)?;
            if name.is_empty() || text.is_empty() || text.contains(':') {
                return Err(form());
            }
            let logger = Logger::named(name).ok_or_else(|| Unknown::Logger(name.to_owned()))?;
            Ok((logger, level(text)?))
        };
        let parts = text.split(',').filter(|part| !part.is_empty());
        parts.map(one).collect::<Result<_, _>>().map(Self)
    }

    /// As a command line has it.
    pub(crate) fn parse_option(text: &str) -> Result<Self, Unknown> {
        Self::parse(text, Severity::parse_option)
    }
}

/// What is written now.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    all: Severity,
    single: BTreeMap<Logger, Severity>,
}

impl Levels {
    /// One level for all.
    pub(super) fn of(all: Severity) -> Self {
        let single = BTreeMap::new();
        Self { all, single }
    }

    /// Sets those of single loggers; the others stay.
    pub(super) fn set(&mut self, components: &Components) {
        self.single.extend(components.0.iter().copied());
    }

    /// The same for `tracing`.
    pub(super) fn targets(&self) -> Targets {
        let single = self.single.iter().flat_map(|(logger, level)| {
            let targets = logger.targets.iter();
            targets.map(|target| (*target, level.filter()))
        });
        Targets::new()
            .with_default(self.libraries())
            .with_target(loggers::OWN, self.all.filter())
            .with_targets(single)
    }

    /// That of everything that is not this project's. Libraries warn for each frame or record
    /// that they dislike: a peer that sends nothing else would fill the disk. Who asks for
    /// more than that of everything, asks for theirs too.
    fn libraries(&self) -> LevelFilter {
        match self.all {
            Severity::Trace | Severity::Debug | Severity::Off => self.all.filter(),
            Severity::Info | Severity::Warning | Severity::Error | Severity::Critical => {
                LevelFilter::ERROR
            }
        }
    }

    /// Each logger that has a meaning, with its level.
    pub(super) fn list(&self) -> impl Iterator<Item = (&'static str, Severity)> {
        let meant = Logger::all().filter(|logger| !logger.targets.is_empty());
        meant.map(|logger| {
            let level = self.single.get(&logger).copied();
            (logger.name, level.unwrap_or(self.all))
        })
    }
}

#[cfg(test)]
mod tests;
