//! Why a control plane could not be reached.

use std::io;

/// A request that got no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The description of the control plane is empty.
    #[error("endpoints: empty, expected at least one")]
    NoEndpoint,
    /// The name is not known.
    #[error("look up `{host}`: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No connection was made.
    #[error("connect to {address}: {source}")]
    Connect {
        /// The endpoint.
        address: String,
        /// What the system or the TLS handshake said.
        source: io::Error,
    },
    /// `connect_timeout` passed.
    #[error("connect to {address}: timed out")]
    TimedOut {
        /// The endpoint.
        address: String,
    },
    /// Without a `server_name` the endpoint's host is verified, and that is none.
    #[error("server_name: `{0}` is not a name or an address")]
    ServerName(String),
    /// The control plane chose another protocol in the TLS handshake.
    #[error("connect to {address}: application protocol `{chosen}`, expected `{expected}`")]
    Protocol {
        /// The endpoint.
        address: String,
        /// Its choice.
        chosen: String,
        /// What is spoken.
        expected: &'static str,
    },
    /// The request cannot be sent.
    #[error("request: {0}")]
    Request(#[from] http::Error),
    /// The connection broke.
    #[error("request: {0}")]
    Exchange(#[from] hyper::Error),
}
