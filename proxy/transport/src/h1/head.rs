//! Request heads: finding their end, and reading them strictly.

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Version};
use memchr::{memchr, memchr_iter};

use super::{Refusal, target};

/// What a connection accepts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of a head (or of a trailer section).
    pub max_bytes: usize,
    /// Most headers.
    pub max_headers: usize,
    /// Accept HTTP/1.0.
    pub accept_http_10: bool,
    /// Accept absolute-form targets.
    pub allow_absolute_url: bool,
    /// Accept `Content-Length` beside `Transfer-Encoding: chunked`, dropping the former.
    pub allow_chunked_length: bool,
}

/// How long a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes.
    Length(u64),
    /// Until the last chunk.
    Chunked,
}

/// A request head.
#[derive(Debug)]
pub struct Head {
    /// Method, target, version and headers. An absolute target has become the `host` header.
    pub request: Request<()>,
    /// How long the body is.
    pub framing: Framing,
    /// The client keeps the connection open.
    pub keep_alive: bool,
    /// The client waits for a `100 Continue`.
    pub expect_continue: bool,
    /// The client asks for another protocol: what follows the body is not HTTP.
    pub upgrade: bool,
    /// The target has a fragment.
    pub fragment: bool,
}

/// Remembers how far an unfinished head was searched for its end, so that a head which comes
/// byte by byte is still read only once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan {
    line_start: usize,
    searched: usize,
}

impl Scan {
    /// The length of the head that `bytes` starts with, with its empty last line; `None` if it
    /// is not all there yet. A line that does not end in CR LF is refused at once.
    ///
    /// # Errors
    ///
    /// What is already wrong with the bytes that are there.
    pub fn find_end(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Refusal> {
        let end = self.find_empty_line(bytes, limits)?;
        if end.is_none() && self.line_start == 0 {
            check_begun_line(bytes)?;
        }
        Ok(end)
    }

    /// The same for the trailer section of a chunked body, which has no request line.
    pub(super) fn find_trailer_end(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<usize>, Refusal> {
        self.find_empty_line(bytes, limits)
    }

    fn find_empty_line(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Refusal> {
        let searched = self.searched.max(self.line_start);
        for lf in memchr_iter(b'\n', &bytes[searched..]) {
            let lf = searched + lf;
            if lf == self.line_start || bytes[lf - 1] != b'\r' {
                return Err(Refusal::Codec);
            }
            let empty = lf == self.line_start + 1;
            self.line_start = lf + 1;
            if empty {
                return match lf < limits.max_bytes {
                    true => Ok(Some(lf + 1)),
                    false => Err(Refusal::HeadersTooLarge),
                };
            }
        }
        if bytes.len() > limits.max_bytes {
            return Err(Refusal::HeadersTooLarge);
        }
        self.searched = bytes.len();
        Ok(None)
    }
}

/// Refuses a first line that can no longer become a request line: another protocol's bytes
/// get their answer now, not when a timer ends.
fn check_begun_line(bytes: &[u8]) -> Result<(), Refusal> {
    let method = &bytes[..memchr(b' ', bytes).unwrap_or(bytes.len())];
    let known = METHODS.iter().any(|known| known.starts_with(method));
    // A line end that has half arrived is not part of the method.
    if known || method == b"\r" {
        Ok(())
    } else {
        Err(Refusal::Codec)
    }
}

/// The methods that Envoy's codec knows.
const METHODS: [&[u8]; 33] = [
    b"GET",
    b"POST",
    b"PUT",
    b"HEAD",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"CONNECT",
    b"TRACE",
    b"ACL",
    b"BIND",
    b"CHECKOUT",
    b"COPY",
    b"LINK",
    b"LOCK",
    b"MERGE",
    b"MKACTIVITY",
    b"MKCALENDAR",
    b"MKCOL",
    b"MOVE",
    b"NOTIFY",
    b"PROPFIND",
    b"PROPPATCH",
    b"PURGE",
    b"REBIND",
    b"REPORT",
    b"SEARCH",
    b"SOURCE",
    b"SUBSCRIBE",
    b"UNBIND",
    b"UNLINK",
    b"UNLOCK",
    b"UNSUBSCRIBE",
];

/// Reads a whole head, as [`Scan::find_end`] found it.
///
/// # Errors
///
/// Why it is refused.
pub fn parse(head: &Bytes, limits: &Limits) -> Result<Head, Refusal> {
    let line_end = memchr(b'\r', head).ok_or(Refusal::Codec)?;
    let line = head.slice(..line_end);
    let (method, target, version) = request_line(&line)?;
    if version == Version::HTTP_10 && !limits.accept_http_10 {
        return Err(Refusal::Version);
    }
    let target = target::parse(&method, target, limits.allow_absolute_url)?;

    let mut facts = Facts::default();
    let headers = fields(head, line_end + 2, limits, &mut |name, value| {
        facts.note(name, value)
    })?;
    let mut head = facts.conclude(headers, version, limits)?;
    if let Some(host) = target.host {
        head.request.headers_mut().insert(HOST, host);
    }
    *head.request.method_mut() = method;
    *head.request.uri_mut() = target.uri;
    head.fragment = target.fragment;
    Ok(head)
}

fn request_line(line: &Bytes) -> Result<(Method, Bytes, Version), Refusal> {
    let method_end = memchr(b' ', line);
    let method = &line[..method_end.unwrap_or(line.len())];
    if !METHODS.contains(&method) {
        return Err(Refusal::Codec);
    }
    let method = Method::from_bytes(method).map_err(|_| Refusal::Codec)?;
    // HTTP/0.9 has no version.
    let start = method_end.ok_or(Refusal::Version)? + 1;
    let end = start + memchr(b' ', &line[start..]).ok_or(Refusal::Version)?;
    let version = match &line[end + 1..] {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(Refusal::Version);
        }
        _ => return Err(Refusal::Codec),
    };
    Ok((method, line.slice(start..end), version))
}

/// Reads header lines from `at` up to the empty line. `note` sees each before it is kept and
/// says whether it is.
pub(super) fn fields(
    section: &Bytes,
    mut at: usize,
    limits: &Limits,
    note: &mut dyn FnMut(&HeaderName, &HeaderValue) -> Result<bool, Refusal>,
) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::with_capacity(16);
    let mut count = 0;
    loop {
        let lf = at + memchr(b'\n', &section[at..]).ok_or(Refusal::Codec)?;
        if lf == at + 1 {
            return Ok(headers);
        }
        count += 1;
        if count > limits.max_headers {
            return Err(Refusal::TooManyHeaders);
        }
        // A folded line starts with a space, which no name does.
        let colon = at + memchr(b':', &section[at..lf]).ok_or(Refusal::Codec)?;
        let name = HeaderName::from_bytes(&section[at..colon]).map_err(|_| Refusal::Codec)?;
        let (start, end) = trim(section, colon + 1, lf - 1);
        let value = HeaderValue::from_maybe_shared(section.slice(start..end))
            .map_err(|_| Refusal::InvalidCharacters)?;
        if note(&name, &value)? {
            headers
                .try_append(name, value)
                .map_err(|_| Refusal::TooManyHeaders)?;
        }
        at = lf + 1;
    }
}

fn trim(bytes: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
    let blank = |b: u8| b == b' ' || b == b'\t';
    while start < end && blank(bytes[start]) {
        start += 1;
    }
    while end > start && blank(bytes[end - 1]) {
        end -= 1;
    }
    (start, end)
}

/// What the headers say about the message itself.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    chunked: bool,
    host: bool,
    close: bool,
    keep_alive: bool,
    connection_upgrade: bool,
    upgrade: bool,
    h2c: bool,
    expect_continue: bool,
    /// How many `Connection` has.
    options: u8,
    /// `Connection` names what it may not.
    names_kept: bool,
    /// `Connection` names `host`: this one is for nobody then.
    without_host: bool,
    /// `Connection` names `te`.
    without_te: bool,
}

/// What `Connection` may not name.
const KEPT: [&str; 3] = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

/// From so many options in `Connection` on, the request is refused.
const MAX_OPTIONS: u8 = 10;

/// From so many bytes on, a `te` that `Connection` names is not looked through.
const MAX_TE: usize = 256;

impl Facts {
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<bool, Refusal> {
        // Comparing standard names compares one byte.
        if *name == HOST {
            // Of two hosts one reader would take the first, another the last.
            if self.host {
                return Err(Refusal::Codec);
            }
            self.host = true;
            if !target::is_authority(value.as_bytes()) {
                return Err(Refusal::InvalidAuthority);
            }
        } else if *name == CONTENT_LENGTH {
            if self.length.is_some() {
                return Err(Refusal::Codec);
            }
            self.length = Some(length(value.as_bytes())?);
        } else if *name == TRANSFER_ENCODING {
            if self.chunked || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::TransferEncoding);
            }
            self.chunked = true;
        } else if *name == CONNECTION {
            for token in value.as_bytes().split(|&b| b == b',') {
                if !token.is_empty() {
                    self.note_option(token.trim_ascii());
                }
            }
        } else if *name == UPGRADE {
            self.upgrade = true;
            self.h2c |= tokens(value).any(|token| token.eq_ignore_ascii_case(b"h2c"));
        } else if *name == EXPECT {
            self.expect_continue |= value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        }
        Ok(true)
    }

    /// Notes one option of `Connection`: about the connection itself, or the name of a field
    /// that the client wants left out on the way. Of the fields by which the next hop is told
    /// who asked for what, it may name none, and of all only so many (Envoy's
    /// `sanitizeConnectionHeader`). As in Envoy, that holds for those who do not ask for another
    /// protocol: their fields all go on.
    fn note_option(&mut self, option: &[u8]) {
        let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
        self.options = self.options.saturating_add(1);
        self.names_kept |= option.starts_with(b":") || KEPT.into_iter().any(is);
        self.close |= is("close");
        self.keep_alive |= is("keep-alive");
        self.connection_upgrade |= is("upgrade");
        self.without_host |= is("host");
        self.without_te |= is("te");
    }

    fn conclude(
        self,
        mut headers: HeaderMap,
        version: Version,
        limits: &Limits,
    ) -> Result<Head, Refusal> {
        if self.chunked {
            // HTTP/1.0 has no transfer codings: a reader of that version sees no body.
            if version == Version::HTTP_10 {
                return Err(Refusal::TransferEncoding);
            }
            if self.length.is_some() {
                if !limits.allow_chunked_length {
                    return Err(Refusal::LengthAndChunked);
                }
                headers.remove(CONTENT_LENGTH);
            }
        }
        let upgrade = self.upgrade && self.connection_upgrade && !self.h2c;
        if !upgrade && self.options > 0 {
            let has_long_te = || headers.get(TE).is_some_and(|te| te.len() >= MAX_TE);
            if self.names_kept || self.options >= MAX_OPTIONS || self.without_te && has_long_te() {
                return Err(Refusal::Connection);
            }
            if self.without_host {
                headers.remove(HOST);
            }
        }
        if self.h2c {
            // The offer is not taken up and must not reach a server that would.
            headers.remove(UPGRADE);
            headers.remove(HTTP2_SETTINGS);
            headers.remove(CONNECTION);
        }
        let mut request = Request::new(());
        *request.version_mut() = version;
        *request.headers_mut() = headers;
        let old = version == Version::HTTP_10;
        Ok(Head {
            request,
            framing: match self.chunked {
                true => Framing::Chunked,
                false => Framing::Length(self.length.unwrap_or(0)),
            },
            keep_alive: !self.close && (!old || self.keep_alive),
            expect_continue: self.expect_continue && !old,
            upgrade,
            fragment: false,
        })
    }
}

const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

fn tokens(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value
        .as_bytes()
        .split(|&b| b == b',')
        .map(<[u8]>::trim_ascii)
}

/// Digits and nothing else: no sign, no list, no blank.
fn length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() {
        return Err(Refusal::Codec);
    }
    value.iter().try_fold(0u64, |sum, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'));
        digit
            .and_then(|digit| sum.checked_mul(10)?.checked_add(digit))
            .ok_or(Refusal::Codec)
    })
}
