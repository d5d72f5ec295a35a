//! Facts that layers share about a request, as types in `http::Extensions`.
//!
//! Each is set by exactly one file: [`StreamInfo`] by the connection manager (or by whoever
//! makes a request itself, such as the streams to control planes).

mod chosen;
mod conn;
mod interim;
mod stream;
mod tls;
mod tunnel;
pub mod wire;

pub use chosen::{LocalAnswer, Rejected};
pub use conn::{ConnectionInfo, Protocol, Source};
pub use interim::Interim;
pub use stream::{CaptureSpec, Captured, Latest, StreamInfo, UpstreamFacts};
pub use tls::{Certificate, Texts, TlsFacts};
pub use tunnel::{Io, Tunnel};
