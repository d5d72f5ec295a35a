//! Which requests an access log has a line for (`config.accesslog.v3.AccessLogFilter`).

use std::sync::Arc;

use crate::FractionalPercent;
use crate::headers::HeaderMatcher;
use crate::runtime::RuntimeKey;

/// A condition on a request that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// On the status of the answer; 0 where there was none.
    StatusCode(Comparison),
    /// On how long it took, in milliseconds.
    Duration(Comparison),
    /// On a request header, as it went to the upstream.
    Header(HeaderMatcher),
    /// One of these response flags is set (short names); with none named, any flag.
    ResponseFlags(Vec<Arc<str>>),
    /// On the gRPC status, which is made of the HTTP status where there is none.
    GrpcStatus {
        /// The statuses …
        statuses: Vec<u32>,
        /// … that are left out instead of taken.
        exclude: bool,
    },
    /// A share of the requests.
    Sampled {
        /// How many.
        share: FractionalPercent,
        /// May set the numerator.
        key: RuntimeKey,
        /// Chosen by chance, and not by the request's id.
        independent: bool,
    },
    /// By what the line is about; each line is about an end.
    LogType {
        /// Of a request.
        request: bool,
        /// Of a TCP connection.
        tcp: bool,
    },
    /// All of them hold; always, if there are none.
    All(Vec<Filter>),
    /// One of them holds.
    Any(Vec<Filter>),
}

/// A comparison with a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How.
    pub op: Op,
    /// With what.
    pub value: u32,
    /// May set the value.
    pub key: Option<RuntimeKey>,
}

/// How numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// At least.
    AtLeast,
    /// At most.
    AtMost,
}

impl Comparison {
    /// Whether it holds.
    pub fn holds(&self, number: u64) -> bool {
        let said = self.key.as_ref().and_then(RuntimeKey::integer);
        let value = said.unwrap_or(u64::from(self.value));
        match self.op {
            Op::Equal => number == value,
            Op::NotEqual => number != value,
            Op::AtLeast => number >= value,
            Op::AtMost => number <= value,
        }
    }
}

impl Filter {
    /// The conditions on headers in it.
    pub fn header_matchers(&self) -> Vec<&HeaderMatcher> {
        match self {
            Self::Header(matcher) => vec![matcher],
            Self::All(filters) | Self::Any(filters) => {
                filters.iter().flat_map(Self::header_matchers).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether it asks for the gRPC status, which may be in the trailers.
    pub fn asks_for_grpc_status(&self) -> bool {
        match self {
            Self::GrpcStatus { .. } => true,
            Self::All(filters) | Self::Any(filters) => {
                filters.iter().any(Self::asks_for_grpc_status)
            }
            _ => false,
        }
    }
}
