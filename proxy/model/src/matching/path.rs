//! Path normalisation: what Envoy's `normalize_path`, `merge_slashes` and
//! `path_with_escaped_slashes_action` do to a path before it is matched.

use std::borrow::Cow;

/// Resolves dot segments and escapes as RFC 3986 (and Chromium's URL code, which Envoy uses)
/// says. The query stays as it is. `None`: the path cannot be normalised.
pub fn normalize(path_and_query: &str) -> Option<Cow<'_, str>> {
    let (path, query) = split(path_and_query);
    if !path.starts_with('/') {
        return None;
    }
    if is_normal(path) {
        return Some(Cow::Borrowed(path_and_query));
    }
    let decoded = unescape_unreserved(path)?;
    let mut out: Vec<&str> = Vec::new();
    let mut segments = decoded[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        // Servers that strip `;` parameters see `..;x` as `..` (CVE-2026-73511): resolving it
        // here keeps what is matched and what they serve the same.
        let name = match segment.split_once(';') {
            Some((dots @ ("." | ".."), _)) => dots,
            _ => segment,
        };
        match name {
            "." => {
                if last {
                    out.push("");
                }
            }
            ".." => {
                out.pop();
                if last {
                    out.push("");
                }
            }
            _ => out.push(segment),
        }
    }
    let mut text = String::with_capacity(path_and_query.len());
    for segment in &out {
        text.push('/');
        text.push_str(segment);
    }
    if text.is_empty() {
        text.push('/');
    }
    text.push_str(query);
    Some(Cow::Owned(text))
}

/// Makes one slash of several; the query stays as it is.
pub fn merge_slashes(path_and_query: &str) -> Cow<'_, str> {
    let (path, query) = split(path_and_query);
    if !path.contains("//") {
        return Cow::Borrowed(path_and_query);
    }
    let mut text = String::with_capacity(path_and_query.len());
    for character in path.chars() {
        if character != '/' || !text.ends_with('/') {
            text.push(character);
        }
    }
    text.push_str(query);
    Cow::Owned(text)
}

/// Whether the path has an escaped slash or backslash.
pub fn has_escaped_slashes(path_and_query: &str) -> bool {
    let (path, _) = split(path_and_query);
    path.as_bytes().windows(3).any(is_escaped_slash)
}

/// Turns `%2F` into `/` and `%5C` into `\`; the query stays as it is.
pub fn unescape_slashes(path_and_query: &str) -> Cow<'_, str> {
    if !has_escaped_slashes(path_and_query) {
        return Cow::Borrowed(path_and_query);
    }
    let (path, query) = split(path_and_query);
    let mut text = String::with_capacity(path_and_query.len());
    let mut rest = path;
    while let Some(at) = rest.as_bytes().windows(3).position(is_escaped_slash) {
        text.push_str(&rest[..at]);
        text.push(if rest.as_bytes()[at + 1] == b'2' {
            '/'
        } else {
            '\\'
        });
        rest = &rest[at + 3..];
    }
    text.push_str(rest);
    text.push_str(query);
    Cow::Owned(text)
}

fn is_escaped_slash(three: &[u8]) -> bool {
    matches!(three, [b'%', b'2', b'f' | b'F'] | [b'%', b'5', b'c' | b'C'])
}

fn split(path_and_query: &str) -> (&str, &str) {
    let at = memchr::memchr2(b'?', b'#', path_and_query.as_bytes());
    path_and_query.split_at(at.unwrap_or(path_and_query.len()))
}

/// Whether there is nothing to do: no dot segment can be there without `/.`, no escape without
/// `%`. (A superset of the paths that need work is sent on.)
fn is_normal(path: &str) -> bool {
    let bytes = path.as_bytes();
    !bytes.windows(2).any(|pair| pair == b"/.")
        && !bytes
            .iter()
            .any(|&byte| byte == b'%' || byte == b'\\' || is_escaped(byte))
}

/// Whether a path never holds this character as it is (WHATWG URL's path percent-encode set,
/// and `|`, as Envoy).
fn is_escaped(byte: u8) -> bool {
    !(0x21..0x7f).contains(&byte) || b"\"#<>?^`{|}".contains(&byte)
}

/// Undoes the escapes that mean nothing, turns backslashes into slashes, and escapes what a
/// path cannot hold. `None` on an escaped NUL.
fn unescape_unreserved(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => out.push('/'),
            b'%' => {
                let mut ahead = bytes.clone();
                let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                match (hex(ahead.next()), hex(ahead.next())) {
                    (Some(high), Some(low)) => {
                        let value = u8::try_from(high * 16 + low).ok()?;
                        let (first, second) = (bytes.next()?, bytes.next()?);
                        if value == 0 {
                            return None;
                        }
                        if value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
                            out.push(char::from(value));
                        } else {
                            out.extend(['%', char::from(first), char::from(second)]);
                        }
                    }
                    _ => out.push('%'),
                }
            }
            other if is_escaped(other) => out.push_str(&format!("%{other:02X}")),
            other => out.push(char::from(other)),
        }
    }
    Some(out)
}
