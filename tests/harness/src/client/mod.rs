//! Clients that send exactly what they are told to.

pub mod frames;
pub mod h1;
pub mod h2c;

use crate::Headers;

/// A connection that has not answered for so long is taken for closed: one that is closed says so
/// at once, so only a machine that is busy comes near it.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// A well-formed request, for either protocol.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The request target, or `:path`.
    pub path: String,
    /// The `Host` field, or `:authority`; empty for none.
    pub authority: String,
    /// The other fields.
    pub headers: Headers,
    /// The body; `None` sends no content-length either.
    pub body: Option<Vec<u8>>,
    /// Sends the body in chunks (HTTP/1.1) or without a content-length (HTTP/2).
    pub chunked: bool,
    /// Trailers; they make the body chunked.
    pub trailers: Headers,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Informational answers before it.
    pub interim: Vec<(u16, Headers)>,
    /// `HTTP/1.1 200 OK` without the status, that is `HTTP/1.1 OK`; `HTTP/2`.
    pub version: String,
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: Headers,
    /// The body, as much as came.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Headers,
    /// `complete`, or how it broke off.
    pub end: String,
}

impl Response {
    /// The first value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        crate::head::get(&self.headers, name)
    }
}
