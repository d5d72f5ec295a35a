//! What a line of the process's own log looks like: the `%`-flags that Envoy's
//! `application_log_config` and `--log-format` have (spdlog's, and a few of Envoy's own).

use std::sync::Arc;

use crate::format::TimeFormat;

/// The form of a line (`Bootstrap.ApplicationLogConfig.LogFormat`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One pattern.
    Text(LogPattern),
    /// An object of one level of names, or of more.
    Json(Vec<(Arc<str>, JsonPart)>),
}

/// A value in a line that is JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonPart {
    /// A text with flags.
    Text(LogPattern),
    /// A number, `true`, `false` or `null`, as it is written.
    Literal(Arc<str>),
    /// An object.
    Object(Vec<(Arc<str>, JsonPart)>),
    /// A list.
    List(Vec<JsonPart>),
}

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPattern {
    /// Text and flags, in order.
    pub pieces: Vec<Piece>,
}

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it is.
    Text(Box<str>),
    /// A flag.
    Flag(Flag, Padding),
}

/// How a flag's text is filled up (`%8l`, `%-8l`, `%=8l`) and cut (`%3!l`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// Where the text stands.
    pub side: Side,
    /// The least width.
    pub width: usize,
    /// Whether the width is the greatest too.
    pub cut: bool,
}

/// Where the text stands in its width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// Blanks come first.
    #[default]
    Right,
    /// Blanks come last.
    Left,
    /// Blanks on both sides.
    Center,
}

/// What a flag writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `%v`, `%+`: the message; lines of `%_` and strings of `%j` are escaped.
    Message(Escape),
    /// `%l`: `info`.
    Level,
    /// `%L`: `I`.
    ShortLevel,
    /// `%n`: the part of the program that speaks.
    Logger,
    /// `%t`: the thread's number.
    Thread,
    /// `%P`: the process's number.
    Process,
    /// `%g`, `%s`: the source file, whole or its last part.
    File {
        /// `%g`.
        whole: bool,
    },
    /// `%#`: the line in it.
    Line,
    /// `%@`: file and line.
    Place,
    /// `%e`, `%f`, `%F`: so many digits of the fraction of the second.
    Fraction(u8),
    /// A part of the time (UTC).
    Time(TimeFormat),
    /// `%^`, `%$`, `%*`, `%!`: nothing here: no color, no tags of a connection, and the name of
    /// the function is not known.
    Nothing,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// As it is.
    None,
    /// Without line breaks.
    Lines,
    /// As the inside of a JSON string.
    Json,
}

/// A flag that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("flag '%{0}' is not supported")]
pub struct UnknownFlag(char);

impl LogPattern {
    /// Parses a pattern. A flag that does not exist, or that would need what is not measured
    /// (`%o`, `%i`, `%u`, `%O`: times since the last line), is an error.
    pub fn parse(pattern: &str) -> Result<Self, UnknownFlag> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = pattern;
        while let Some(at) = rest.find('%') {
            text.push_str(&rest[..at]);
            let (padding, after) = padding(&rest[at + 1..]);
            let Some(letter) = after.chars().next() else {
                // A lone sign at the end is dropped, as spdlog does.
                rest = "";
                break;
            };
            rest = &after[letter.len_utf8()..];
            if letter == '%' {
                text.push('%');
                continue;
            }
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text).into()));
            }
            pieces.push(Piece::Flag(flag(letter)?, padding));
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text.into()));
        }
        Ok(Self { pieces })
    }

    /// Whether it has a message that is not escaped for JSON.
    pub fn has_plain_message(&self) -> bool {
        self.pieces.iter().any(|piece| {
            matches!(
                piece,
                Piece::Flag(Flag::Message(Escape::None | Escape::Lines), _)
            )
        })
    }

    /// Writes line breaks of messages as `\n` (`--log-format-escaped`).
    pub fn escape_lines(&mut self) {
        for piece in &mut self.pieces {
            if let Piece::Flag(Flag::Message(escape @ Escape::None), _) = piece {
                *escape = Escape::Lines;
            }
        }
    }
}

fn flag(letter: char) -> Result<Flag, UnknownFlag> {
    Ok(match letter {
        'v' | '+' => Flag::Message(Escape::None),
        '_' => Flag::Message(Escape::Lines),
        'j' => Flag::Message(Escape::Json),
        'l' => Flag::Level,
        'L' => Flag::ShortLevel,
        'n' => Flag::Logger,
        't' => Flag::Thread,
        'P' => Flag::Process,
        'g' => Flag::File { whole: true },
        's' => Flag::File { whole: false },
        '#' => Flag::Line,
        '@' => Flag::Place,
        'e' => Flag::Fraction(3),
        'f' => Flag::Fraction(6),
        'F' => Flag::Fraction(9),
        // Where spdlog and `strftime` differ.
        'C' => Flag::Time(TimeFormat::parse("%y")),
        'E' => Flag::Time(TimeFormat::parse("%s")),
        'z' => Flag::Time(TimeFormat::parse("%Ez")),
        'a' | 'A' | 'b' | 'B' | 'h' | 'c' | 'Y' | 'D' | 'x' | 'm' | 'd' | 'H' | 'I' | 'M' | 'S'
        | 'p' | 'r' | 'R' | 'T' | 'X' => Flag::Time(TimeFormat::parse(&format!("%{letter}"))),
        '^' | '$' | '*' | '!' => Flag::Nothing,
        other => return Err(UnknownFlag(other)),
    })
}

/// A width before a flag, and what is left.
fn padding(text: &str) -> (Padding, &str) {
    let (side, digits) = match text.as_bytes().first() {
        Some(b'-') => (Side::Left, &text[1..]),
        Some(b'=') => (Side::Center, &text[1..]),
        _ => (Side::Right, text),
    };
    let end = (digits.find(|c: char| !c.is_ascii_digit())).unwrap_or(digits.len());
    let Ok(width) = digits[..end].parse::<usize>() else {
        return (Padding::default(), digits);
    };
    let rest = &digits[end..];
    let cut = rest.starts_with('!');
    let padding = Padding {
        side,
        // As much as spdlog takes.
        width: width.min(64),
        cut,
    };
    (padding, if cut { &rest[1..] } else { rest })
}

#[cfg(test)]
mod tests;
