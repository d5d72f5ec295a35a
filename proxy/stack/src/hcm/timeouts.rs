//! The connection manager's limits of time: idle streams, slow requests, long streams.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tandem_core::error::Kind;
use tandem_core::ext::StreamInfo;
use tandem_core::{Body, BodyError, Error, Response};
use tandem_model::HttpConnectionManager;
use tokio::task::unconstrained;
use tokio::time::Sleep;

use super::body::Activity;

/// The limits of one connection manager; a route may say others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    idle: Option<Duration>,
    request: Option<Duration>,
    stream: Option<Duration>,
}

impl Limits {
    pub(crate) fn of(manager: &HttpConnectionManager) -> Self {
        let set = |limit: Option<Duration>| limit.filter(|limit| !limit.is_zero());
        Self {
            idle: set(manager.stream_idle_timeout),
            request: set(manager.request_timeout),
            stream: set(manager.max_stream_duration),
        }
    }

    /// The idle timeout: the route's, else the connection manager's.
    fn idle(&self, info: &StreamInfo) -> Option<Duration> {
        match info.idle_timeout.get() {
            Some(route) => Some(*route).filter(|limit| !limit.is_zero()),
            None => self.idle,
        }
    }

    /// The moment to look again, and what it means if nothing has changed until then.
    fn next(&self, info: &StreamInfo, activity: &Activity) -> Option<(Instant, Kind)> {
        let idle = self
            .idle(info)
            .map(|idle| (activity.last() + idle, Kind::StreamIdleTimeout));
        let request = self.request.filter(|_| info.request_duration().is_none());
        let request = request.map(|limit| (info.start + limit, Kind::DownstreamRequestTimeout));
        let stream = self
            .stream
            .map(|limit| (info.start + limit, Kind::MaxStreamDuration));
        [idle, request, stream]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }
}

/// Waits for a response within the limits.
pub(crate) async fn within(
    limits: Limits,
    info: &Arc<StreamInfo>,
    activity: &Activity,
    response: impl Future<Output = Result<Response, Error>>,
) -> Result<Response, Error> {
    let mut response = std::pin::pin!(response);
    let Some((mut at, mut kind)) = limits.next(info, activity) else {
        return response.await;
    };
    // Most often the route's own timeout is nearer, and watched over: then this needs no timer.
    let in_time = poll_fn(|cx| match response.as_mut().poll(cx) {
        Poll::Ready(response) => Poll::Ready(Some(response)),
        Poll::Pending if info.ends_by().is_some_and(|end| info.start + end <= at) => Poll::Pending,
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(response) = in_time.await {
        return response;
    }
    loop {
        match tokio::time::timeout_at(at.into(), &mut response).await {
            Ok(response) => return response,
            Err(_) => match limits.next(info, activity) {
                // Something moved meanwhile: the limit is later now.
                Some((next, next_kind)) if next > Instant::now() => (at, kind) = (next, next_kind),
                Some((_, now)) => return Err(Error::new(now)),
                None => return Err(Error::new(kind)),
            },
        }
    }
}

/// Bounds how long a response's body may be idle, and how long the stream may live.
pub(crate) fn follow(
    limits: Limits,
    info: &StreamInfo,
    activity: &Activity,
    response: Response,
) -> Response {
    let idle = limits.idle(info);
    let until = limits.stream.map(|limit| info.start + limit);
    if response.body().is_at_hand() || (idle.is_none() && until.is_none()) {
        return response;
    }
    response.map(|body| {
        Body::new(Bounded {
            body,
            idle,
            until,
            activity: activity.clone(),
            last: Instant::now(),
            sleep: None,
        })
    })
}

/// A body that fails when nothing moves for too long, in either direction, or when its stream
/// has lived too long.
struct Bounded {
    body: Body,
    idle: Option<Duration>,
    until: Option<Instant>,
    activity: Activity,
    last: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Bounded {
    /// When to fail, and as what.
    fn deadline(&self) -> Option<(Instant, Kind)> {
        let idle = self.idle.map(|idle| {
            (
                self.last.max(self.activity.last()) + idle,
                Kind::StreamIdleTimeout,
            )
        });
        let until = self.until.map(|until| (until, Kind::MaxStreamDuration));
        [idle, until]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(task);
        if polled.is_ready() {
            if this.sleep.is_some() {
                this.last = Instant::now();
            }
            return polled;
        }
        // The timer is only made for a body that really waits; most are there at once.
        loop {
            if this.sleep.is_none() {
                this.last = Instant::now();
            }
            let Some((deadline, kind)) = this.deadline() else {
                return Poll::Pending;
            };
            let sleep = this
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
            // Even if what the task had to do has used up its budget.
            if pin!(unconstrained(sleep.as_mut())).poll(task).is_pending() {
                return Poll::Pending;
            }
            if deadline <= Instant::now() {
                return Poll::Ready(Some(Err(Error::new(kind))));
            }
            sleep.as_mut().reset(deadline.into());
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
