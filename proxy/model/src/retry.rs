//! When and how often a request is tried again (`config.route.v3.RetryPolicy`).

use std::time::Duration;

use http::{HeaderName, StatusCode};

use crate::headers::HeaderMatcher;

/// A retry policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The conditions, as one set.
    pub on: RetryOn,
    /// How many more tries after the first; default 1.
    pub num_retries: u32,
    /// Timeout of each try; `None` is the route's timeout only.
    pub per_try_timeout: Option<Duration>,
    /// Idle timeout of each try; `None` is none.
    pub per_try_idle_timeout: Option<Duration>,
    /// For `retriable-status-codes`.
    pub retriable_status_codes: Vec<StatusCode>,
    /// For `retriable-headers`: any of these on the response.
    pub retriable_headers: Vec<HeaderMatcher>,
    /// Only requests that match any of these may be retried; empty is all.
    pub retriable_request_headers: Vec<HeaderMatcher>,
    /// First interval of the jittered exponential back-off; default 25 ms.
    pub back_off_base: Duration,
    /// Longest interval; default ten times the base.
    pub back_off_max: Duration,
    /// Answers may say when to try again (`rate_limited_retry_back_off`).
    pub rate_limited: Option<RateLimitedBackOff>,
    /// How often to choose again when a host was tried before by the same request
    /// (`retry_host_predicate: previous_hosts`, `host_selection_retry_max_attempts`); the last
    /// choice stands. 0: hosts are chosen as ever (default).
    pub reselections: u32,
}

/// A back-off that the upstream asks for (`RetryPolicy.RateLimitedRetryBackOff`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitedBackOff {
    /// Looked at in this order; the first that says a time within the limit counts.
    pub reset_headers: Vec<(HeaderName, ResetFormat)>,
    /// Longer ones are not waited for; default 300 s.
    pub max_interval: Duration,
}

/// How an answer says when to try again (`RetryPolicy.ResetHeaderFormat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetFormat {
    /// In so many seconds.
    Seconds,
    /// At this second since 1970.
    UnixTimestamp,
}

/// A set of retry conditions: Envoy's `x-envoy-retry-on` and `x-envoy-retry-grpc-on`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RetryOn(u32);

macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $text:literal;)*) => {
        impl RetryOn {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*

            /// Every condition with the name that configuration and headers use.
            pub const ALL: &'static [(&'static str, Self)] = &[$(($text, Self::$name)),*];
        }
    };
}

conditions! {
    /// Any 5xx, or no answer at all (reset, timeout).
    SERVER_ERROR = 0, "5xx";
    /// 502, 503, 504.
    GATEWAY_ERROR = 1, "gateway-error";
    /// The upstream reset the stream, disconnected, or timed out before headers.
    RESET = 2, "reset";
    /// Reset before the request was sent.
    RESET_BEFORE_REQUEST = 3, "reset-before-request";
    /// The connection could not be made.
    CONNECT_FAILURE = 4, "connect-failure";
    /// The response carries `x-envoy-ratelimited`.
    ENVOY_RATE_LIMITED = 5, "envoy-ratelimited";
    /// 409.
    RETRIABLE_4XX = 6, "retriable-4xx";
    /// The upstream reset with REFUSED_STREAM.
    REFUSED_STREAM = 7, "refused-stream";
    /// A status listed in the policy or in `x-envoy-retriable-status-codes`.
    RETRIABLE_STATUS_CODES = 8, "retriable-status-codes";
    /// A header listed in the policy or in `x-envoy-retriable-header-names`.
    RETRIABLE_HEADERS = 9, "retriable-headers";
    /// HTTP/3 connections that failed after the handshake; accepted, never met here.
    HTTP3_POST_CONNECT_FAILURE = 10, "http3-post-connect-failure";
    /// gRPC status 1 in the response headers.
    GRPC_CANCELLED = 16, "cancelled";
    /// gRPC status 4 in the response headers.
    GRPC_DEADLINE_EXCEEDED = 17, "deadline-exceeded";
    /// gRPC status 8 in the response headers.
    GRPC_RESOURCE_EXHAUSTED = 18, "resource-exhausted";
    /// gRPC status 13 in the response headers.
    GRPC_INTERNAL = 19, "internal";
    /// gRPC status 14 in the response headers.
    GRPC_UNAVAILABLE = 20, "unavailable";
}

impl RetryOn {
    /// No condition.
    pub const NONE: Self = Self(0);

    /// Whether no condition is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any condition of `other` is set here.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The conditions of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Reads a comma-separated list; unknown names are left out and reported as `false`.
    pub fn parse(list: &str) -> (Self, bool) {
        let mut set = Self::NONE;
        let mut all_known = true;
        for word in list
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            match Self::ALL.iter().find(|(name, _)| *name == word) {
                Some((_, bit)) => set = set.union(*bit),
                None => all_known = false,
            }
        }
        (set, all_known)
    }
}
