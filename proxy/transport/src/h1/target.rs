//! Request targets: origin, absolute and asterisk form, and the authority form of CONNECT.

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, Uri};

use super::Refusal;

/// A request target as the rest of the proxy wants it.
pub(super) struct Target {
    /// Origin form; for CONNECT the authority.
    pub(super) uri: Uri,
    /// The host of an absolute target, which replaces the `host` header (RFC 9112, 3.2.2).
    pub(super) host: Option<HeaderValue>,
    /// It has a fragment, which no client may send; `http::Uri` would drop it unseen.
    pub(super) fragment: bool,
}

/// Parses the target of a request line.
pub(super) fn parse(
    method: &Method,
    target: Bytes,
    allow_absolute: bool,
) -> Result<Target, Refusal> {
    let fragment = check_characters(&target)?;
    if method == Method::CONNECT {
        let authority = Authority::from_maybe_shared(target).map_err(|_| Refusal::InvalidUrl)?;
        if authority.port().is_none() {
            return Err(Refusal::InvalidUrl);
        }
        return Ok(Target {
            uri: Uri::from(authority),
            host: None,
            fragment: false,
        });
    }
    let (path, host) = match target.first() {
        Some(b'/') => (target, None),
        Some(b'*') if target.len() == 1 && method == Method::OPTIONS => (target, None),
        Some(_) if allow_absolute => absolute(&target)?,
        _ => return Err(Refusal::InvalidUrl),
    };
    let path = PathAndQuery::from_maybe_shared(path).map_err(|_| Refusal::InvalidUrl)?;
    Ok(Target {
        uri: Uri::from(path),
        host,
        fragment,
    })
}

/// Whether a `host` value has only characters that a host, port or user may have.
pub(super) fn is_authority(value: &[u8]) -> bool {
    value.iter().all(|b| {
        b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
                    | b':'
                    | b'['
                    | b']'
                    | b'@'
                    | b'%'
            )
    })
}

fn check_characters(target: &[u8]) -> Result<bool, Refusal> {
    let mut fragment = false;
    for &b in target {
        match b {
            b'#' => fragment = true,
            0x21..=0x7e => {}
            0x00..=0x1f | 0x7f => return Err(Refusal::InvalidCharacters),
            _ => return Err(Refusal::Codec),
        }
    }
    if target.is_empty() {
        return Err(Refusal::Codec);
    }
    Ok(fragment)
}

fn absolute(target: &Bytes) -> Result<(Bytes, Option<HeaderValue>), Refusal> {
    let scheme_end = memchr::memmem::find(target, b"://").ok_or(Refusal::Codec)?;
    let scheme = &target[..scheme_end];
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return Err(Refusal::InvalidScheme);
    }
    let rest = target.slice(scheme_end + 3..);
    let end = memchr::memchr3(b'/', b'?', b'#', &rest).unwrap_or(rest.len());
    let authority = rest.slice(..end);
    // The user part never travels on (RFC 9110, 4.2.4).
    let host = match memchr::memrchr(b'@', &authority) {
        Some(at) => authority.slice(at + 1..),
        None => authority,
    };
    if host.is_empty() || !is_authority(&host) {
        return Err(Refusal::InvalidAuthority);
    }
    let path = match rest.get(end) {
        None => Bytes::from_static(b"/"),
        Some(b'/') => rest.slice(end..),
        // As Envoy: what begins with a query would be a path for some and none for others.
        Some(b'?') => return Err(Refusal::NoPath),
        Some(_) => {
            let mut path = Vec::with_capacity(rest.len() - end + 1);
            path.push(b'/');
            path.extend_from_slice(&rest[end..]);
            Bytes::from(path)
        }
    };
    let host = HeaderValue::from_maybe_shared(host).map_err(|_| Refusal::InvalidAuthority)?;
    Ok((path, Some(host)))
}
