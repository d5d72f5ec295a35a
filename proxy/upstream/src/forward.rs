//! The end of every chain: sends the request to the chosen cluster, within its limits, as
//! often as its policy allows.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tandem_core::error::{Kind, LocalReply};
use tandem_core::ext::StreamInfo;
use tandem_core::{Error, HttpService, Request, Response, ResponseFlags, rescue};
use tower::service_fn;

use crate::attempt::{self, Answer};
use crate::cluster::SharedCluster;
use crate::retry::Retry;
use crate::timeout::{self, Alarm, Limits};
use crate::upload::Upload;
use crate::worker::{Asker, WorkerCluster};
use crate::{Clusters, RoutePolicy, outlier};

const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
const SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");

/// What one route's requests share on a worker.
struct Forward {
    clusters: Clusters,
    policy: Arc<RoutePolicy>,
    /// `x-envoy-expected-rq-timeout-ms` unless the request asks for other limits.
    expected: Option<HeaderValue>,
}

/// Sends requests to the cluster that their `Arc<StreamInfo>` names, as `policy` says.
pub fn forward(clusters: Clusters, policy: Arc<RoutePolicy>) -> HttpService {
    let expected = timeout::expected_by_default(&policy);
    let forward = Arc::new(Forward {
        clusters,
        policy,
        expected,
    });
    HttpService::new(service_fn(move |request| {
        run(Arc::clone(&forward), request)
    }))
}

async fn run(forward: Arc<Forward>, request: Request) -> Result<Response, Error> {
    let policy = &*forward.policy;
    let (mut head, body) = request.into_parts();
    let extensions = std::mem::take(&mut head.extensions);
    let info = extensions.get::<Arc<StreamInfo>>().ok_or_else(misbuilt)?;
    let name = info.cluster.get().ok_or_else(misbuilt)?;
    let cluster = forward
        .clusters
        .find(name)
        .ok_or_else(|| Error::new(Kind::ClusterNotFound(policy.cluster_not_found)))?;

    let has_envoy = head
        .headers
        .keys()
        .any(|n| n.as_str().starts_with("x-envoy-"));
    let limits = timeout::plan(
        policy,
        forward.expected.as_ref(),
        &mut head.headers,
        has_envoy,
        info.is_grpc,
    );
    let retry = Retry::plan(policy.retry.as_ref(), &mut head, has_envoy);
    info.measure_request(&head.method, &head.uri, &head.headers);
    let keep = retry.as_ref().map(|_| policy.buffer_limit);
    let upload = Upload::begin(body, keep)?;
    let began = info
        .request_duration()
        .unwrap_or_else(|| info.start.elapsed());
    let mut alarm = Alarm::new(
        &limits,
        &upload,
        info,
        cluster.shared.config.http.max_stream_duration,
    );

    let tries = Tries {
        policy,
        cluster: &cluster,
        limits: &limits,
        upload: &upload,
        info,
    };
    let answer = tries.run(Some(head), retry, &mut alarm).await;
    count(&cluster.shared, &answer);
    let mut answer = answer.map_err(|error| for_client(error, policy, &limits, info))?;
    if !policy.router.suppress_envoy_headers {
        let asked = match &upload {
            Upload::Stream(_) => info.request_duration().unwrap_or(began),
            Upload::Empty | Upload::Full(_) => began,
        };
        let took = info
            .response_duration()
            .unwrap_or(began)
            .saturating_sub(asked);
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        answer.head.headers.insert(SERVICE_TIME, number(millis));
    }
    if policy.attempt_count_in_response {
        let attempts = info.attempts.load(Relaxed);
        answer
            .head
            .headers
            .insert(ATTEMPT_COUNT, number(attempts.into()));
    }
    Ok(answer.into_response(alarm))
}

/// What the request and its route say of the reply that a failure becomes.
fn for_client(mut error: Error, policy: &RoutePolicy, limits: &Limits, info: &StreamInfo) -> Error {
    if limits.no_content && is_timeout(error.kind()) {
        let reply = LocalReply::new(StatusCode::NO_CONTENT, "", "response_timeout")
            .flags(ResponseFlags::UPSTREAM_REQUEST_TIMEOUT);
        error = Error::reply(reply);
    }
    let attempts = info.attempts.load(Relaxed);
    if policy.attempt_count_in_response && attempts > 0 {
        let count = HeaderMap::from_iter([(ATTEMPT_COUNT, number(attempts.into()))]);
        error = error.with_reply_headers(count);
    }
    error
}

fn is_timeout(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::RequestTimeout | Kind::PerTryTimeout | Kind::PerTryIdleTimeout
    )
}

/// Counts what the client gets: an answer, or what a failure will be turned into.
fn count(cluster: &SharedCluster, answer: &Result<Answer, Error>) {
    let stats = &cluster.stats;
    let status = match answer {
        Ok(answer) => Some(answer.head.status),
        // The whole stream has lived too long: no answer of this cluster.
        Err(error) if matches!(error.kind(), Kind::MaxStreamDuration) => return,
        Err(error) => {
            if let Kind::RequestTimeout = error.kind() {
                stats.upstream_rq_timeout.inc();
            }
            rescue::reply(error).map(|reply| reply.status)
        }
    };
    if let Some(status) = status {
        stats.upstream_rq_completed.inc();
        stats.codes.record(status);
    }
}

/// What every try of one request has in common.
struct Tries<'a> {
    policy: &'a RoutePolicy,
    cluster: &'a WorkerCluster,
    limits: &'a Limits,
    upload: &'a Upload,
    info: &'a StreamInfo,
}

impl Tries<'_> {
    async fn run(
        &self,
        mut head: Option<Parts>,
        mut retry: Option<Box<Retry>>,
        alarm: &mut Option<Alarm>,
    ) -> Result<Answer, Error> {
        loop {
            let again = match &retry {
                Some(retry) if retry.may_follow() => head.clone(),
                _ => None,
            };
            let outcome = self.once(&mut head, &mut retry, alarm).await?;
            if self.info.has_begun() {
                return outcome;
            }
            head = again;
            let Some(planned) = &mut retry else {
                return outcome;
            };
            let shared = &self.cluster.shared;
            let wait = planned.after(
                match &outcome {
                    Ok(answer) => Ok((answer.head.status, &answer.head.headers)),
                    Err(error) => Err(error),
                },
                &shared.stats,
                shared.breaker(self.policy.high_priority),
                self.info,
                self.upload.can_replay(self.policy.buffer_limit),
            );
            let Some(wait) = wait else { return outcome };
            if let Ok(answer) = &outcome {
                shared.stats.retried_codes.record(answer.head.status);
            }
            // The refused answer goes back to its connection, or closes it, before the wait.
            drop(outcome);
            if let Some(alarm) = alarm {
                alarm.end_try();
            }
            // Boxed, as all that is rare: every request's future has room for it.
            timeout::within(alarm, Box::pin(tokio::time::sleep(wait))).await?;
        }
    }

    /// The outer error ends the request; the inner one is the outcome of this try.
    async fn once(
        &self,
        slot: &mut Option<Parts>,
        retry: &mut Option<Box<Retry>>,
        alarm: &mut Option<Alarm>,
    ) -> Result<Result<Answer, Error>, Error> {
        let attempt = 1 + self.info.attempts.fetch_add(1, Relaxed);
        let choose = || {
            self.cluster.choose(Asker {
                connection: &self.info.connection,
                headers: slot.as_ref().map(|head| &head.headers),
            })
        };
        let pool = match retry {
            Some(retry) => retry.choose(choose),
            None => choose(),
        };
        let pool = match pool {
            Ok(pool) => pool,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(head) = slot {
            if self.policy.include_attempt_count {
                head.headers.insert(ATTEMPT_COUNT, number(attempt.into()));
            }
            if attempt > 1 {
                let asked = self.info.request_duration().unwrap_or_default();
                let elapsed = self.info.start.elapsed().saturating_sub(asked);
                let suppressed = self.policy.router.suppress_envoy_headers;
                timeout::tell_again(self.limits, elapsed, suppressed, &mut head.headers);
            }
            if self.policy.auto_host_rewrite && !pool.host.hostname.is_empty() {
                rewrite_host(head, &pool.host.hostname, self.policy);
                let hostname = Arc::clone(&pool.host.hostname);
                self.info.endpoint_authority.store(Some(hostname));
            }
            let info = self.info;
            info.measure_request(&head.method, &head.uri, &head.headers);
        }
        let high_priority = self.policy.high_priority;
        let limited = alarm.as_mut().and_then(Alarm::begin_try);
        let connected = limited.as_deref();
        let send = attempt::send(
            &pool,
            slot,
            self.upload,
            high_priority,
            self.info,
            connected,
        );
        let send = pin!(send);
        let rung = match timeout::within(alarm, send).await {
            Ok(outcome) => return Ok(outcome),
            Err(rung) => rung,
        };
        outlier::timed_out(&self.cluster.shared, &pool.host);
        let stats = &self.cluster.shared.stats;
        match rung.kind() {
            Kind::PerTryTimeout => stats.upstream_rq_per_try_timeout.inc(),
            Kind::PerTryIdleTimeout => stats.upstream_rq_per_try_idle_timeout.inc(),
            _ => return Err(rung),
        }
        Ok(Err(rung))
    }
}

fn rewrite_host(head: &mut Parts, hostname: &str, policy: &RoutePolicy) {
    let Ok(value) = HeaderValue::from_str(hostname) else {
        return;
    };
    let mut request = http::Request::from_parts(std::mem::replace(head, empty()), ());
    let keep_old = !policy.router.suppress_envoy_headers;
    let forwarded = policy.append_x_forwarded_host;
    tandem_core::authority::rewrite(&mut request, &value, forwarded, keep_old);
    if request.uri().authority().is_none() {
        request.headers_mut().insert(header::HOST, value);
    }
    *head = request.into_parts().0;
}

fn empty() -> Parts {
    http::Request::new(()).into_parts().0
}

/// Small numbers, the usual ones, need no allocation.
fn number(n: u64) -> HeaderValue {
    const SMALL: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    match usize::try_from(n).ok().and_then(|n| SMALL.get(n)) {
        Some(text) => HeaderValue::from_static(text),
        None => HeaderValue::from(n),
    }
}

/// The chain above did not say where the request goes: a mistake of this program.
pub(crate) fn misbuilt() -> Error {
    Error::reply(LocalReply::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "",
        "request_without_cluster_or_stream_info",
    ))
}

#[cfg(test)]
mod tests;
