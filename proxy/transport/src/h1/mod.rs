//! HTTP/1 framing: where a request's head and body end, and how a response is written.
//!
//! Pure functions and state machines over bytes; no I/O. The reading side accepts a message
//! only if every reader on the way would find the same ends in it. It is as strict as Envoy
//! or stricter, never laxer: no bare line feeds, no folded lines, one `host`, one way to say
//! how long a body is.

pub mod body;
pub mod chunked;
pub mod encode;
pub mod head;
mod refusal;
mod target;

pub use chunked::ChunkedDecoder;
pub use head::{Head, Limits, Scan};
pub use refusal::Refusal;

#[cfg(test)]
mod tests;
