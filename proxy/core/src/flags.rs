//! Response flags: why a request ended the way it did, as access logs show it.

use std::fmt;

/// A set of Envoy's response flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResponseFlags(u32);

/// A flag with its short and its long name.
pub type Named = (ResponseFlags, &'static str, &'static str);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $short:literal, $long:literal;)*) => {
        impl ResponseFlags {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*

            /// Every flag with its short and long name, in the order Envoy prints them.
            pub const ALL: &'static [Named] =
                &[$((Self::$name, $short, $long)),*];
        }
    };
}

flags! {
    /// Retries were used up, or the connect attempts of a TCP proxy.
    UPSTREAM_RETRY_LIMIT_EXCEEDED = 4, "URX", "UpstreamRetryLimitExceeded";
    /// No healthy host in the cluster.
    NO_HEALTHY_UPSTREAM = 0, "UH", "NoHealthyUpstream";
    /// The connection to the upstream failed.
    UPSTREAM_CONNECTION_FAILURE = 1, "UF", "UpstreamConnectionFailure";
    /// A circuit breaker was full.
    UPSTREAM_OVERFLOW = 2, "UO", "UpstreamOverflow";
    /// No route matched.
    NO_ROUTE = 3, "NR", "NoRouteFound";
    /// The downstream connection ended.
    DOWNSTREAM_CONNECTION_TERMINATION = 5, "DC", "DownstreamConnectionTermination";
    /// The service was reset locally.
    LOCAL_RESET = 6, "LR", "LocalReset";
    /// The upstream reset the stream.
    UPSTREAM_REMOTE_RESET = 7, "UR", "UpstreamRemoteReset";
    /// The upstream closed the connection.
    UPSTREAM_CONNECTION_TERMINATION = 8, "UC", "UpstreamConnectionTermination";
    /// The request took too long.
    UPSTREAM_REQUEST_TIMEOUT = 9, "UT", "UpstreamRequestTimeout";
    /// A fault delayed the request.
    DELAY_INJECTED = 10, "DI", "DelayInjected";
    /// A fault aborted the request.
    FAULT_INJECTED = 11, "FI", "FaultInjected";
    /// A rate limit.
    RATE_LIMITED = 12, "RL", "RateLimited";
    /// An external authorisation service said no.
    UNAUTHORIZED_EXTERNAL_SERVICE = 13, "UAEX", "UnauthorizedExternalService";
    /// The stream was idle too long.
    STREAM_IDLE_TIMEOUT = 14, "SI", "StreamIdleTimeout";
    /// The request could not be parsed or was refused as invalid.
    DOWNSTREAM_PROTOCOL_ERROR = 15, "DPE", "DownstreamProtocolError";
    /// The upstream's answer could not be parsed.
    UPSTREAM_PROTOCOL_ERROR = 16, "UPE", "UpstreamProtocolError";
    /// The upstream stream lived too long.
    UPSTREAM_MAX_STREAM_DURATION_REACHED = 17, "UMSDR", "UpstreamMaxStreamDurationReached";
    /// The downstream stream or connection lived too long.
    DURATION_TIMEOUT = 18, "DT", "DurationTimeout";
    /// The cluster does not exist.
    NO_CLUSTER_FOUND = 19, "NC", "NoClusterFound";
    /// The overload manager refused.
    OVERLOAD_MANAGER = 20, "OM", "OverloadManagerTerminated";
    /// Name resolution failed.
    DNS_FAILURE = 21, "DF", "DnsResolutionFailed";
    /// The downstream reset the stream.
    DOWNSTREAM_REMOTE_RESET = 22, "DR", "DownstreamRemoteReset";
    /// A filter's settings have not come.
    NO_FILTER_CONFIG = 23, "NFCF", "NoFilterConfigFound";
}

impl ResponseFlags {
    /// No flag.
    pub const NONE: Self = Self(0);

    /// From its bits.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Its bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether any flag of `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Appends names, comma-separated, those of `last` behind the others; `-` if there are none.
    pub fn write(self, last: Self, name: impl Fn(&Named) -> &'static str, out: &mut Vec<u8>) {
        if self == Self::NONE {
            return out.push(b'-');
        }
        let is_set = |named: &&Named| self.contains(named.0);
        let (ahead, behind): (Vec<_>, Vec<_>) = Self::ALL
            .iter()
            .filter(is_set)
            .partition(|named| !last.contains(named.0));
        for (index, named) in ahead.into_iter().chain(behind).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name(named).as_bytes());
        }
    }
}

impl fmt::Display for ResponseFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("-");
        }
        let mut first = true;
        for (flag, short, _) in Self::ALL {
            if self.contains(*flag) {
                if !first {
                    f.write_str(",")?;
                }
                f.write_str(short)?;
                first = false;
            }
        }
        Ok(())
    }
}
