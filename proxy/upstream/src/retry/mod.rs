//! Whether and when a request is tried again.

mod back_off;
mod conditions;

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use tandem_core::Error;
use tandem_core::ResponseFlags;
use tandem_core::ext::StreamInfo;
use tandem_model::retry::{RetryOn, RetryPolicy};

use crate::breaker::{Breaker, Permit};
use crate::host::Host;
use crate::pool::HostPool;
use crate::stats::ClusterStats;
use back_off::BackOff;

const RETRY_ON: HeaderName = HeaderName::from_static("x-envoy-retry-on");
const RETRY_GRPC_ON: HeaderName = HeaderName::from_static("x-envoy-retry-grpc-on");
const MAX_RETRIES: HeaderName = HeaderName::from_static("x-envoy-max-retries");
const STATUS_CODES: HeaderName = HeaderName::from_static("x-envoy-retriable-status-codes");
const HEADER_NAMES: HeaderName = HeaderName::from_static("x-envoy-retriable-header-names");

/// The retries of one request.
#[derive(Debug)]
pub(crate) struct Retry {
    on: RetryOn,
    remaining: u32,
    policy: Option<Arc<RetryPolicy>>,
    status_codes: Vec<StatusCode>,
    header_names: Vec<HeaderName>,
    back_off: BackOff,
    under_way: Option<Permit>,
    /// Hosts that were tried, if others are to be preferred.
    tried: Vec<Arc<Host>>,
}

impl Retry {
    /// `None` if the request is tried once only. Takes the request's own retry headers away.
    pub(crate) fn plan(
        policy: Option<&Arc<RetryPolicy>>,
        head: &mut Parts,
        has_envoy: bool,
    ) -> Option<Box<Self>> {
        if policy.is_none() && !has_envoy {
            return None;
        }
        let mut on = policy.map_or(RetryOn::NONE, |policy| policy.on);
        let mut remaining = policy.map_or(1, |policy| policy.num_retries);
        let (mut status_codes, mut header_names) = (Vec::new(), Vec::new());
        if let Some(policy) = policy {
            let asked = &policy.retriable_request_headers;
            if !asked.is_empty() && !asked.iter().any(|m| m.matches(&conditions::view(head))) {
                on = RetryOn::NONE;
            }
        }
        if has_envoy {
            let headers = &mut head.headers;
            for name in [RETRY_ON, RETRY_GRPC_ON] {
                if let Some(list) = take(headers, &name) {
                    on = on.union(RetryOn::parse(&list).0);
                }
            }
            if let Some(count) = take(headers, &MAX_RETRIES).and_then(|n| n.parse().ok()) {
                remaining = count;
            }
            if let Some(list) = take(headers, &STATUS_CODES) {
                status_codes = list
                    .split(',')
                    .filter_map(|code| code.trim().parse().ok())
                    .collect();
            }
            if let Some(list) = take(headers, &HEADER_NAMES) {
                header_names = list
                    .split(',')
                    .filter_map(|name| name.trim().parse().ok())
                    .collect();
            }
        }
        if on.is_empty() {
            return None;
        }
        let (base, max) = policy.map_or((back_off::BASE, back_off::MAX), |policy| {
            (policy.back_off_base, policy.back_off_max)
        });
        Some(Box::new(Self {
            on,
            remaining,
            policy: policy.cloned(),
            status_codes,
            header_names,
            back_off: BackOff::new(base, max),
            under_way: None,
            tried: Vec::new(),
        }))
    }

    /// A host for the next try: `choose` is asked again, within limits, while it was tried
    /// before.
    pub(crate) fn choose<E>(
        &mut self,
        mut choose: impl FnMut() -> Result<Arc<HostPool>, E>,
    ) -> Result<Arc<HostPool>, E> {
        let mut pool = choose()?;
        let reselections = self.policy.as_ref().map_or(0, |policy| policy.reselections);
        if reselections == 0 {
            return Ok(pool);
        }
        for _ in 0..reselections {
            if !self.tried.iter().any(|host| Arc::ptr_eq(host, &pool.host)) {
                break;
            }
            pool = choose()?;
        }
        self.tried.push(Arc::clone(&pool.host));
        Ok(pool)
    }

    /// Whether another try may still follow this one.
    pub(crate) fn may_follow(&self) -> bool {
        self.remaining > 0
    }

    /// How long to wait before trying again instead of passing this outcome on; `None`: pass
    /// it on. Counts, and sets the flags that say why not.
    pub(crate) fn after(
        &mut self,
        outcome: Result<(StatusCode, &HeaderMap), &Error>,
        stats: &ClusterStats,
        breaker: &Arc<Breaker>,
        info: &StreamInfo,
        can_replay: bool,
    ) -> Option<Duration> {
        let wanted = match outcome {
            Ok((status, headers)) => conditions::response(self, status, headers),
            Err(error) => conditions::failure(self.on, error),
        };
        let retried = self.under_way.take().is_some();
        if !wanted {
            if retried && outcome.is_ok() {
                stats.upstream_rq_retry_success.inc();
            }
            return None;
        }
        if !can_replay {
            return None;
        }
        if self.remaining == 0 {
            stats.upstream_rq_retry_limit_exceeded.inc();
            info.add_flags(ResponseFlags::UPSTREAM_RETRY_LIMIT_EXCEEDED);
            return None;
        }
        self.remaining -= 1;
        let Some(permit) = breaker.take_retry() else {
            stats.upstream_rq_retry_overflow.inc();
            info.add_flags(ResponseFlags::UPSTREAM_OVERFLOW);
            return None;
        };
        self.under_way = Some(permit);
        stats.upstream_rq_retry.inc();
        let rate_limited = self.policy.as_ref().and_then(|p| p.rate_limited.as_ref());
        let headers = outcome.ok().map(|(_, headers)| headers);
        let asked = rate_limited.zip(headers);
        if let Some(wait) = asked.and_then(|(policy, headers)| back_off::asked(policy, headers)) {
            stats.upstream_rq_retry_backoff_ratelimited.inc();
            return Some(wait);
        }
        stats.upstream_rq_retry_backoff_exponential.inc();
        Some(self.back_off.next())
    }
}

fn take(headers: &mut HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.remove(name)?;
    value.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests;
