//! What looks at a connection before its filter chain is chosen.

use std::sync::Arc;

/// One listener filter (`config.listener.v3.ListenerFilter`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerFilter {
    /// Its name, for logs.
    pub name: Arc<str>,
    /// It is left out for connections to these ports (`filter_disabled`).
    pub disabled: Option<PortPredicate>,
    /// What it is.
    pub kind: ListenerFilterKind,
}

/// The listener filters that exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerFilterKind {
    /// `envoy.filters.listener.original_dst`: asks the kernel where a redirected connection
    /// was going.
    OriginalDst,
    /// `envoy.filters.listener.original_src`: connections to endpoints come from the client's
    /// address.
    OriginalSrc(OriginalSrc),
    /// `envoy.filters.listener.tls_inspector`: finds TLS, the server name and ALPN.
    TlsInspector(TlsInspector),
    /// `envoy.filters.listener.http_inspector`: finds HTTP and its version.
    HttpInspector,
}

/// Settings of the filter that keeps the client's address
/// (`extensions.filters.listener.original_src.v3.OriginalSrc`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginalSrc {
    /// `SO_MARK` of connections to endpoints, by which rules of routing bring the answers back;
    /// `None`: unmarked.
    pub mark: Option<u32>,
}

/// Settings of the TLS inspector
/// (`extensions.filters.listener.tls_inspector.v3.TlsInspector`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsInspector {
    /// How many bytes to look at first; more are asked for as they are needed.
    pub initial_read_buffer_size: u32,
    /// The longest ClientHello that is read, in bytes; default (and most) 16 KiB.
    pub max_client_hello_size: u32,
    /// Close what begins like TLS and is not, instead of taking it for plain bytes.
    pub close_on_parsing_errors: bool,
}

impl Default for TlsInspector {
    fn default() -> Self {
        Self {
            initial_read_buffer_size: 16 * 1024,
            max_client_hello_size: 16 * 1024,
            close_on_parsing_errors: false,
        }
    }
}

/// A condition on the port connected to
/// (`config.listener.v3.ListenerFilterChainMatchPredicate`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortPredicate {
    /// Always.
    Always,
    /// The port is at least the first number and below the second.
    Range(i32, i32),
    /// One of these holds.
    Or(Vec<PortPredicate>),
    /// All of these hold.
    And(Vec<PortPredicate>),
    /// This does not hold.
    Not(Box<PortPredicate>),
}

impl PortPredicate {
    /// Whether it holds for a connection to `port`.
    pub fn holds(&self, port: u16) -> bool {
        match self {
            Self::Always => true,
            Self::Range(start, end) => (*start..*end).contains(&i32::from(port)),
            Self::Or(rules) => rules.iter().any(|rule| rule.holds(port)),
            Self::And(rules) => rules.iter().all(|rule| rule.holds(port)),
            Self::Not(rule) => !rule.holds(port),
        }
    }
}
