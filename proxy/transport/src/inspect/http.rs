//! Whether the first bytes are HTTP, and which.

/// The whole preface of HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpKind {
    /// A request line of another version than 1.1: Envoy takes them all for this one.
    Http10,
    /// A request line of HTTP/1.1.
    Http11,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// None of these.
    Not,
}

/// Judges the first bytes; `None`: more are needed.
///
/// A method that cannot be one is seen at its first wrong character; all else when the line is
/// complete. As Envoy does, everything up to the space character separates words, and the
/// version may be missing.
pub fn http(bytes: &[u8]) -> Option<HttpKind> {
    let n = bytes.len().min(PREFACE.len());
    if bytes[..n] == PREFACE[..n] {
        return (n == PREFACE.len()).then_some(HttpKind::Http2);
    }
    let method_ends = bytes.iter().position(|b| !is_token(*b));
    match method_ends {
        None => return None,
        Some(0) => return Some(HttpKind::Not),
        Some(at) if !matches!(bytes[at], b' ' | b'\t') => return Some(HttpKind::Not),
        Some(_) => {}
    }
    let end = memchr::memchr(b'\n', bytes)?;
    Some(request_line(&bytes[..end]).unwrap_or(HttpKind::Not))
}

fn request_line(line: &[u8]) -> Option<HttpKind> {
    let (method, rest) = word(line);
    let (target, rest) = word(rest);
    if !is_target(target, method.eq_ignore_ascii_case(b"CONNECT")) {
        return None;
    }
    let version = trimmed(rest);
    match version {
        b"HTTP/1.1" => Some(HttpKind::Http11),
        b"" => Some(HttpKind::Http10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Some(HttpKind::Http10)
        }
        _ => None,
    }
}

/// The first word, and what follows it.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let start = line.iter().position(|b| !is_space(*b));
    let line = &line[start.unwrap_or(line.len())..];
    let end = line.iter().position(|b| is_space(*b));
    line.split_at(end.unwrap_or(line.len()))
}

fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

/// A path, `*`, or something absolute; of CONNECT an authority.
fn is_target(target: &[u8], connect: bool) -> bool {
    let is_in_path = |b: &u8| (b'!'..=b'~').contains(b);
    let rest = match target {
        [] => return false,
        [b'/' | b'*', rest @ ..] => return rest.iter().all(is_in_path),
        _ if connect => target,
        _ => {
            let colon = memchr::memchr(b':', target).unwrap_or(0);
            let (scheme, rest) = target.split_at(colon);
            let is_in_scheme = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
            let named = scheme.first().is_some_and(u8::is_ascii_alphabetic);
            match rest.strip_prefix(b"://") {
                Some(rest) if named && scheme.iter().all(is_in_scheme) => rest,
                _ => return false,
            }
        }
    };
    let path = rest.iter().position(|b| matches!(b, b'/' | b'?'));
    let (host, path) = rest.split_at(path.unwrap_or(rest.len()));
    let is_in_host = |b: &u8| b.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=@[]_~".contains(b);
    host.iter().all(is_in_host)
        && memchr::memmem::find(host, b"@@").is_none()
        && path.iter().all(is_in_path)
}

fn is_space(b: u8) -> bool {
    b <= b' '
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests;
