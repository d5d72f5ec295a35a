//! A line of the log in a configured form.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use tandem_core::format::write_time;
use tandem_model::format::TimeFormat;
use tandem_model::log_pattern::{
    Escape, Flag, JsonPart, LogFormat, LogPattern, Padding, Piece, Side,
};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events as a [`LogFormat`] says.
pub(super) struct Lines(pub(super) LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut message = String::new();
        ctx.format_fields(Writer::new(&mut message), event)?;
        let line = Line {
            time: SystemTime::now(),
            about: event.metadata(),
            message,
        };
        writeln!(writer, "{}", line.whole(&self.0))
    }
}

/// What flags are filled in from.
pub(super) struct Line<'a> {
    pub(super) time: SystemTime,
    pub(super) about: &'a Metadata<'a>,
    /// The message and its fields.
    pub(super) message: String,
}

impl Line<'_> {
    pub(super) fn whole(&self, format: &LogFormat) -> String {
        match format {
            LogFormat::Text(pattern) => self.text(pattern, false),
            LogFormat::Json(fields) => self.object(fields),
        }
    }

    /// The pattern filled in; within JSON only what a message is was escaped already.
    fn text(&self, pattern: &LogPattern, json: bool) -> String {
        let mut out = String::new();
        for piece in &pattern.pieces {
            match piece {
                Piece::Text(text) if json => out.push_str(&inside(text)),
                Piece::Text(text) => out.push_str(text),
                Piece::Flag(flag, padding) => {
                    let text = self.flag(flag);
                    let raw = json && !matches!(flag, Flag::Message(_));
                    pad(&mut out, if raw { inside(&text) } else { text }, *padding);
                }
            }
        }
        out
    }

    fn object(&self, fields: &[(Arc<str>, JsonPart)]) -> String {
        let field = |(name, part): &(Arc<str>, JsonPart)| {
            format!("\"{}\":{}", inside(name), self.part(part))
        };
        let fields: Vec<_> = fields.iter().map(field).collect();
        format!("{{{}}}", fields.join(","))
    }

    fn part(&self, part: &JsonPart) -> String {
        match part {
            JsonPart::Text(pattern) => format!("\"{}\"", self.text(pattern, true)),
            JsonPart::Literal(text) => text.to_string(),
            JsonPart::Object(fields) => self.object(fields),
            JsonPart::List(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.part(part)).collect();
                format!("[{}]", parts.join(","))
            }
        }
    }

    fn flag(&self, flag: &Flag) -> String {
        let file = self.about.file().unwrap_or_default();
        let last = file.rsplit('/').next().unwrap_or_default();
        let line = (self.about.line()).map_or_else(String::new, |line| line.to_string());
        match flag {
            Flag::Message(Escape::None) => self.message.clone(),
            Flag::Message(Escape::Lines) => self.message.replace('\n', "\\n"),
            Flag::Message(Escape::Json) => inside(&self.message),
            Flag::Level => level(*self.about.level()).to_owned(),
            Flag::ShortLevel => level(*self.about.level())[..1].to_uppercase(),
            Flag::Logger => component(self.about.target()).to_owned(),
            Flag::Thread => rustix::thread::gettid().as_raw_nonzero().to_string(),
            Flag::Process => std::process::id().to_string(),
            Flag::File { whole: true } => file.to_owned(),
            Flag::File { whole: false } => last.to_owned(),
            Flag::Line => line,
            Flag::Place => format!("{last}:{line}"),
            Flag::Fraction(digits) => {
                let format = TimeFormat::parse(&format!("%{digits}f"));
                self.moment(&format)
            }
            Flag::Time(format) => self.moment(format),
            Flag::Nothing => String::new(),
        }
    }

    fn moment(&self, format: &TimeFormat) -> String {
        let mut out = Vec::new();
        write_time(Some(format), self.time, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

/// Levels by Envoy's names.
fn level(level: Level) -> &'static str {
    match level {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warning",
        Level::ERROR => "error",
    }
}

/// The name that `--component-log-level` has for where a line comes from.
fn component(target: &str) -> &str {
    let first = target.split("::").next().unwrap_or(target);
    first.strip_prefix("tandem_").unwrap_or(first)
}

/// The inside of a JSON string.
fn inside(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn pad(out: &mut String, text: String, padding: Padding) {
    let length = text.chars().count();
    if padding.cut && length > padding.width {
        out.extend(text.chars().take(padding.width));
        return;
    }
    let missing = padding.width.saturating_sub(length);
    let before = match padding.side {
        Side::Right => missing,
        Side::Left => 0,
        Side::Center => missing / 2,
    };
    out.extend(std::iter::repeat_n(' ', before));
    out.push_str(&text);
    out.extend(std::iter::repeat_n(' ', missing - before));
}

#[cfg(test)]
mod tests;
