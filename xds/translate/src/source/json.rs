//! JSON to a tree. Lenient where Envoy's reader is: single quotes, bare keys, trailing commas.

use std::borrow::Cow;
use std::cell::Cell;

use super::node::{Entry, Node, Value};
use super::{MAX_DEPTH, SyntaxError};
use crate::error::Position;

pub(super) fn parse(text: &str) -> Result<Node<'_>, SyntaxError> {
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
        counted: Cell::new((0, 1)),
    };
    let node = reader.node(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.error("expected nothing after the JSON value")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    /// A place in the line before the present one, and its column: a whole file may be one line.
    counted: Cell<(usize, u32)>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.peek().filter(|b| b" \t\r\n".contains(b)) {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                self.counted.set((self.at, 1));
            }
        }
    }

    fn position(&self) -> Position {
        let (at, column) = self.counted.get();
        let since = self
            .text
            .get(at..self.at)
            .map_or(0, |text| text.chars().count());
        let column = column.saturating_add(u32::try_from(since).unwrap_or(u32::MAX));
        self.counted.set((self.at, column));
        Position {
            line: self.line,
            column,
        }
    }

    fn error(&self, reason: impl Into<String>) -> SyntaxError {
        SyntaxError {
            position: self.position(),
            reason: reason.into(),
        }
    }

    fn node(&mut self, depth: usize) -> Result<Node<'a>, SyntaxError> {
        self.skip_space();
        if depth > MAX_DEPTH {
            return Err(self.error(format!("expected at most {MAX_DEPTH} nested levels")));
        }
        let position = self.position();
        let value = match self.peek() {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"' | b'\'') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?.into()),
            _ => match self.word() {
                "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => {
                    return Err(SyntaxError {
                        position,
                        reason: "expected a JSON value".into(),
                    });
                }
            },
        };
        Ok(Node { position, value })
    }

    fn word(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, SyntaxError> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            if self.take(b']') {
                return Ok(Value::List(items));
            }
            items.push(self.node(depth + 1)?);
            if !self.take(b',') && self.peek() != Some(b']') {
                return Err(self.error("expected ',' or ']'"));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value<'a>, SyntaxError> {
        self.at += 1;
        let mut entries: Vec<Entry<'a>> = Vec::new();
        loop {
            if self.take(b'}') {
                return Ok(Value::Map(entries));
            }
            let position = self.position();
            let key = match self.peek() {
                Some(b'"' | b'\'') => self.string()?,
                _ => Cow::Borrowed(self.word()),
            };
            if !self.take(b':') {
                return Err(self.error("expected a key and ':'"));
            }
            let node = self.node(depth + 1)?;
            if entries.iter().any(|entry| entry.key == key) {
                let reason = format!("the key {key:?} is given twice");
                return Err(SyntaxError { position, reason });
            }
            entries.push(Entry {
                key,
                position,
                node,
            });
            if !self.take(b',') && self.peek() != Some(b'}') {
                return Err(self.error("expected ',' or '}'"));
            }
        }
    }

    fn number(&mut self) -> Result<&'a str, SyntaxError> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
        let number = &rest[..end.unwrap_or(rest.len())];
        let digits = number.strip_prefix('-').unwrap_or(number);
        let zero =
            digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        if zero || digits.ends_with('.') || number.parse::<f64>().is_err() {
            return Err(self.error(format!("expected a number, got {number}")));
        }
        self.at += number.len();
        Ok(number)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        let quote = self.peek();
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        loop {
            let from = self.at;
            let stop = |b: u8| Some(b) == quote || b == b'\\' || b < b' ';
            let len = self.text.as_bytes()[from..].iter().position(|&b| stop(b));
            let Some(len) = len else {
                return Err(self.error("expected the end of a string"));
            };
            self.at += len;
            if let Some(owned) = &mut owned {
                owned.push_str(&self.text[from..self.at]);
            }
            match self.peek() {
                Some(b'\\') => {
                    let so_far = &self.text[start..self.at];
                    let c = self.escape()?;
                    owned.get_or_insert_with(|| so_far.to_owned()).push(c);
                }
                byte if byte == quote => {
                    let plain = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(owned.map_or(Cow::Borrowed(plain), Cow::Owned));
                }
                _ => return Err(self.error("expected no control character in a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let kind = self.text.as_bytes().get(self.at + 1).copied();
        self.at += 2;
        let c = match kind {
            Some(c @ (b'"' | b'\'' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => {
                self.at -= 2;
                return Err(self.error("expected an escape that JSON knows"));
            }
        };
        Ok(c)
    }

    fn unicode(&mut self) -> Result<char, SyntaxError> {
        let high = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let low = self.hex()?;
            0x10000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00)
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| self.error("expected a unicode character"))
    }

    fn hex(&mut self) -> Result<u32, SyntaxError> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        let valid = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(code) if valid => {
                self.at += 4;
                Ok(code)
            }
            _ => Err(self.error("expected four hexadecimal digits")),
        }
    }
}
