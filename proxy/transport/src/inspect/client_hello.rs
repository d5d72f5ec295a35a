//! Whether the first bytes are TLS, and what its ClientHello asks for (RFC 8446, 4.1.2).
//!
//! Judged as BoringSSL judges for Envoy: what that would not take for the beginning of a
//! handshake is not TLS, and then whoever serves plain bytes gets it.

mod reader;

use reader::Reader;

/// What the first bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// A complete ClientHello.
    Tls(ClientHello),
    /// Not the beginning of a handshake.
    NotTls,
}

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The server name, in lower case.
    pub server_name: Option<String>,
    /// The application protocols, in the client's order. Names that are not text cannot be
    /// asked for and are left out.
    pub application_protocols: Vec<String>,
    /// Whether it has the extension for them at all.
    pub has_alpn: bool,
}

/// Bytes of a record's header, and of a handshake message's.
const RECORD_HEADER: usize = 5;
const MESSAGE_HEADER: usize = 4;
/// The longest record and the longest message, in bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// Records without content that are put up with.
const MAX_EMPTY: usize = 32;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const TLS_1_0: u16 = 0x0301;
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

/// Judges the first bytes; `None`: more are needed.
pub fn client_hello(bytes: &[u8]) -> Option<Judged> {
    Some(match message(bytes)? {
        Message::Of(body) => parse(&body).map_or(Judged::NotTls, Judged::Tls),
        Message::Not => Judged::NotTls,
    })
}

enum Message<'a> {
    /// The body of a ClientHello.
    Of(std::borrow::Cow<'a, [u8]>),
    Not,
}

/// The first handshake message, put together from the records that carry it.
fn message(bytes: &[u8]) -> Option<Message<'_>> {
    let mut rest = bytes;
    let mut joined: Vec<u8> = Vec::new();
    let mut empty = 0;
    loop {
        let [kind, major, _, high, low, after @ ..] = rest else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind != HANDSHAKE || *major != 3 || length > MAX_LENGTH {
            return Some(Message::Not);
        }
        empty += usize::from(length == 0);
        if empty > MAX_EMPTY {
            return Some(Message::Not);
        }
        let content = &after[..length.min(after.len())];
        // Nearly every hello is one record: nothing is copied then.
        let whole = match joined.is_empty() {
            true => content,
            false => {
                joined.extend_from_slice(content);
                &joined
            }
        };
        if let [kind, a, b, c, body @ ..] = whole {
            let needed = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
            if *kind != CLIENT_HELLO || needed > MAX_LENGTH - MESSAGE_HEADER {
                return Some(Message::Not);
            }
            // An encrypted record may hide whatever it likes, this one may not.
            if content.len() == length && body.len() >= needed {
                let body = match joined.is_empty() {
                    true => content[MESSAGE_HEADER..][..needed].into(),
                    false => joined[MESSAGE_HEADER..][..needed].to_vec().into(),
                };
                return Some(Message::Of(body));
            }
        } else if whole.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
            return Some(Message::Not);
        }
        if content.len() < length {
            return None;
        }
        if joined.is_empty() {
            joined.extend_from_slice(content);
        }
        rest = &rest[RECORD_HEADER + length..];
    }
}

/// `None` if it is malformed.
fn parse(body: &[u8]) -> Option<ClientHello> {
    let mut hello = Reader(body);
    let version = hello.u16()?;
    let _random = hello.take(32)?;
    let session = hello.vec8()?;
    let ciphers = hello.vec16()?;
    let compression = hello.vec8()?;
    let wrong = version >> 8 != 3
        || version < TLS_1_0
        || session.len() > 32
        || ciphers.len() < 2
        || ciphers.len() % 2 != 0
        || compression.is_empty();
    if wrong {
        return None;
    }
    let mut found = ClientHello::default();
    if hello.is_empty() {
        return Some(found);
    }
    let mut extensions = Reader(hello.vec16()?);
    if !hello.is_empty() {
        return None;
    }
    let mut seen = Vec::new();
    while !extensions.is_empty() {
        let kind = extensions.u16()?;
        let data = extensions.vec16()?;
        if seen.contains(&kind) {
            return None;
        }
        seen.push(kind);
        match kind {
            SERVER_NAME => found.server_name = Some(server_name(data)?),
            ALPN => {
                found.has_alpn = true;
                found.application_protocols = protocols(data).unwrap_or_default();
            }
            _ => {}
        }
    }
    Some(found)
}

/// RFC 6066, 3: one host name; BoringSSL takes no other kinds.
fn server_name(data: &[u8]) -> Option<String> {
    let mut outer = Reader(data);
    let mut list = Reader(outer.vec16()?);
    let kind = list.u8()?;
    let name = list.vec16()?;
    let wrong = !outer.is_empty()
        || !list.is_empty()
        || kind != 0
        || name.is_empty()
        || name.len() > 255
        || name.contains(&0);
    match wrong {
        true => None,
        // A name that is no text matches nothing, as it would in Envoy.
        false => Some(String::from_utf8_lossy(name).to_ascii_lowercase()),
    }
}

/// RFC 7301, 3.1. A malformed list is none.
fn protocols(data: &[u8]) -> Option<Vec<String>> {
    let mut outer = Reader(data);
    let mut list = Reader(outer.vec16()?);
    if !outer.is_empty() || list.is_empty() {
        return None;
    }
    let mut names = Vec::new();
    while !list.is_empty() {
        let name = list.vec8()?;
        if name.is_empty() {
            return None;
        }
        names.extend(String::from_utf8(name.to_vec()));
    }
    Some(names)
}

#[cfg(test)]
mod tests;
