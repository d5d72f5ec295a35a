//! `/logging`: the levels of the log, shown and changed.

use ::http::StatusCode;

use super::endpoints::Answer;
use super::query::decode;
use crate::logging::{Components, LEVELS, LevelHandle, Logger, Severity, Unknown};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Unknown(#[from] Unknown),
    #[error("invalid number of parameters")]
    Parameters,
    #[error("group parameter requires fine-grain logging, which there is not")]
    Group,
    #[error(transparent)]
    Log(#[from] crate::logging::Error),
}

/// One change, as Envoy has it, or none; then what holds.
pub(super) fn answer(levels: &LevelHandle, query: &str) -> Answer {
    let changed = change(levels, query);
    let active = format!("active loggers:\n{}\n", levels.current());
    match changed {
        Ok(()) => Answer::text(active),
        Err(refused) => {
            let usage = format!(
                "error: {refused}\n\n\
                 usage: /logging?<name>=<level> (change single level)\n\
                 usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n\
                 usage: /logging?level=<level> (change all levels)\n\
                 levels: {LEVELS}\n{active}"
            );
            Answer::text(usage).with(StatusCode::BAD_REQUEST)
        }
    }
}

fn change(levels: &LevelHandle, query: &str) -> Result<(), Refused> {
    let mut parameters = query.split('&').filter(|pair| !pair.is_empty());
    let (parameter, more) = (parameters.next(), parameters.next());
    let Some(parameter) = parameter else {
        return Ok(());
    };
    if more.is_some() {
        return Err(Refused::Parameters);
    }
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let value = decode(value);
    match name {
        // Asking for no level changes none.
        "level" | "paths" if value.is_empty() => {}
        "level" => levels.set_all(Severity::parse(&value)?)?,
        "paths" => levels.set(&Components::parse(&value, Severity::parse)?)?,
        "group" => return Err(Refused::Group),
        name => {
            let name = decode(name);
            let logger = Logger::named(&name).ok_or(Unknown::Logger(name))?;
            if !value.is_empty() {
                levels.set(&Components(vec![(logger, Severity::parse(&value)?)]))?;
            }
        }
    }
    Ok(())
}
