//! TLS by Envoy's configuration and Envoy's rules, on rustls.
//!
//! A context is shared by all workers and follows its secrets: the handshake after a secret was
//! replaced uses the new one. What differs from rustls's own ways: a server whose protocols are
//! none of the client's answers without one (ALPN is a hint here, not a condition); certificates
//! are judged by matchers on their alternative names, and by host name only where that is asked
//! for; a server name need not be a host name.

mod ahead;
mod certificate;
mod client;
mod contexts;
mod error;
mod failure;
mod in_use;
mod load;
mod name;
mod secrets;
mod server;
mod sources;
mod stats;
mod suites;
mod verify;

pub use ahead::Ahead;
pub use client::{ClientContext, Connected, Offer, Peer};
pub use contexts::Contexts;
pub use error::Error;
pub use failure::{Failure, FailureKind};
pub use in_use::{Held, InUse};
pub use secrets::Secrets;
pub use server::{Accepted, ClientNames, ServerContext};
pub use stats::Stats;

/// The streams that handshakes make.
pub mod stream {
    pub use super::client::TlsStream as Client;
    pub use super::server::TlsStream as Server;
}

use rustls::CommonState;
use tandem_core::ext::TlsFacts;

use verify::Noted;

/// What both sides know after a handshake.
fn facts_of(session: &CommonState, noted: Noted) -> TlsFacts {
    let alpn = session.alpn_protocol();
    TlsFacts {
        version: suites::version_name(session.protocol_version()),
        cipher: suites::cipher_name(session.negotiated_cipher_suite()),
        alpn: alpn.map(|name| String::from_utf8_lossy(name).into()),
        peer: noted.peer,
        peer_validated: noted.validated,
        local: noted.local,
        ..TlsFacts::default()
    }
}

#[cfg(test)]
mod tests;
