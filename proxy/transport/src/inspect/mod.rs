//! Looking at a connection's first bytes without taking them: whoever serves it afterwards
//! reads them as if nobody had looked.

mod client_hello;
mod http;
mod peek;

pub use client_hello::{ClientHello, Judged, client_hello};
pub use http::{HttpKind, http};
pub use peek::{Peeked, peek, rearm};

/// The longest request line and the longest ClientHello that anybody looks at, in bytes.
pub const MAX: usize = crate::scratch::SIZE;
