//! Writing responses.

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode, Version};

/// How a response's end is told to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body, whatever the headers say (HEAD, 204, 304, 1xx).
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// The end of the connection.
    Close,
}

/// Chooses the framing: by `content-length`, else by what is known of the body, else chunks
/// where the client understands them.
pub fn framing(
    version: Version,
    is_head: bool,
    status: StatusCode,
    headers: &HeaderMap,
    size: Option<u64>,
) -> Framing {
    if is_head
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
    {
        return Framing::None;
    }
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    match (declared.or(size), version) {
        (Some(length), _) => Framing::Length(length),
        (None, Version::HTTP_10) => Framing::Close,
        (None, _) => Framing::Chunked,
    }
}

/// Appends a response head. `version` is the client's: 1.0 is answered in kind.
///
/// Connection headers are written from what this hop decided; those in `headers` are left
/// out, except on a switch of protocols, whose they are.
pub fn head(
    out: &mut Vec<u8>,
    version: Version,
    status: StatusCode,
    headers: &HeaderMap,
    framing: Framing,
    close: bool,
) {
    let switching = status == StatusCode::SWITCHING_PROTOCOLS;
    out.extend_from_slice(match version {
        Version::HTTP_10 => b"HTTP/1.0 ",
        _ => b"HTTP/1.1 ",
    });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or("Unknown").as_bytes());
    out.extend_from_slice(b"\r\n");
    let mut length = false;
    for (name, value) in headers {
        if *name == TRANSFER_ENCODING || *name == KEEP_ALIVE || (*name == CONNECTION && !switching)
        {
            continue;
        }
        if *name == CONTENT_LENGTH {
            if matches!(framing, Framing::Chunked | Framing::Close) || length {
                continue;
            }
            length = true;
        }
        field(out, name, value.as_bytes());
    }
    if switching {
        // What is in `headers` says it.
    } else if close {
        out.extend_from_slice(b"connection: close\r\n");
    } else if version == Version::HTTP_10 {
        // A client that speaks 1.0 only stays if it is told.
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    match framing {
        Framing::Length(length_now) if !length => {
            out.extend_from_slice(b"content-length: ");
            decimal(out, length_now);
            out.extend_from_slice(b"\r\n");
        }
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        _ => {}
    }
    out.extend_from_slice(b"\r\n");
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

fn field(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    let name = name.as_str().as_bytes();
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends the size line of a chunk of `size` bytes.
pub fn chunk_size(out: &mut Vec<u8>, size: usize) {
    let mut digits = [0; 16];
    let mut at = digits.len();
    let mut rest = size;
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[rest & 0xf];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Appends the end of a chunked body, with trailers.
pub fn last_chunk(out: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        field(out, name, value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
