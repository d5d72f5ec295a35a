//! One timer for all the limits of a request.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::StatusCode;
use tandem_core::error::{Kind, LocalReply};
use tandem_core::ext::StreamInfo;
use tandem_core::{Error, ResponseFlags};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

use super::each_try::EachTry;
use super::{Limits, positive};
use crate::upload::{Stream, Upload};

/// Rings when the first of a request's limits has passed.
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    first: Limit,
    route: Option<Duration>,
    route_ends: Option<Instant>,
    stream_ends: Option<Instant>,
    upstream_ends: Option<Instant>,
    /// The limits of the route and of tries begin when this has ended.
    upload: Option<Arc<Stream>>,
    /// Boxed: most requests have none.
    tries: Option<Box<EachTry>>,
}

/// What has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Route,
    Stream,
    UpstreamStream,
    Try,
    Silence,
}

impl Alarm {
    /// `None` if nothing limits the request.
    pub(crate) fn new(
        limits: &Limits,
        upload: &Upload,
        info: &StreamInfo,
        upstream_stream: Option<Duration>,
    ) -> Option<Self> {
        let upstream_stream = positive(upstream_stream);
        let tries = EachTry::new(limits);
        if limits.route.is_none()
            && limits.stream.is_none()
            && upstream_stream.is_none()
            && tries.is_none()
        {
            return None;
        }
        let upload = upload.unfinished().cloned();
        let after = |limit| Instant::now() + limit;
        let mut alarm = Self {
            sleep: None,
            first: Limit::Route,
            route: limits.route,
            route_ends: limits.route.filter(|_| upload.is_none()).map(after),
            stream_ends: limits.stream.map(|l| Instant::from_std(info.start) + l),
            upstream_ends: upstream_stream.map(after),
            upload,
            tries,
        };
        if let Some(at) = alarm.set()
            && alarm.upload.is_none()
        {
            // No try has begun, so this is a limit of the request: it ends then.
            info.mark_ends_by(at.into_std().saturating_duration_since(info.start));
        }
        Some(alarm)
    }

    /// A try begins. If it has limits, they begin when what is returned says that there is a
    /// connection, and the whole request is here.
    pub(crate) fn begin_try(&mut self) -> Option<Arc<AtomicBool>> {
        self.tries.as_mut().map(|tries| tries.begin())
    }

    /// The try is over, and its limits with it.
    pub(crate) fn end_try(&mut self) {
        if let Some(tries) = &mut self.tries {
            tries.end();
            self.set();
        }
    }

    /// The try's answer has begun, and is the one to be passed on: it may take its time, but
    /// not be silent for too long.
    pub(crate) fn answered(&mut self) {
        if let Some(tries) = &mut self.tries {
            if !tries.answered() {
                self.tries = None;
            }
            self.set();
        }
    }

    /// Something of the answer has come.
    pub(crate) fn moved(&mut self) {
        if let Some(tries) = &mut self.tries {
            tries.moved();
        }
    }

    /// Sets the timer to the first limit.
    fn set(&mut self) -> Option<Instant> {
        let own = [
            (self.route_ends, Limit::Route),
            (self.stream_ends, Limit::Stream),
            (self.upstream_ends, Limit::UpstreamStream),
        ];
        let tries = self.tries.as_ref().map(|tries| tries.ends());
        let first = own
            .into_iter()
            .chain(tries.into_iter().flatten())
            .filter_map(|(at, limit)| Some((at?, limit)))
            .min_by_key(|(at, _)| *at);
        let Some((at, limit)) = first else {
            self.sleep = None;
            return None;
        };
        self.first = limit;
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
        Some(at)
    }

    /// The error to fail with, once a limit has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if let Some(upload) = &self.upload {
            upload.wake_at_end(cx);
            if upload.has_ended() {
                self.upload = None;
                self.route_ends = self.route.map(|limit| Instant::now() + limit);
                self.set();
            }
        }
        if let Some(tries) = &mut self.tries
            && self.upload.is_none()
            && tries.starts()
        {
            self.set();
        }
        loop {
            let Some(sleep) = &mut self.sleep else {
                return Poll::Pending;
            };
            // An upstream that never lets its task wait uses up the task's budget, without which no
            // timer is ever ready.
            ready!(pin!(unconstrained(sleep.as_mut())).poll(cx));
            // What moves does not set the timer, so it is looked at only now.
            let silent = self.tries.as_ref().is_none_or(|tries| tries.is_silent());
            if self.first != Limit::Silence || silent {
                return Poll::Ready(passed(self.first));
            }
            self.set();
        }
    }
}

fn passed(limit: Limit) -> Error {
    match limit {
        Limit::Route => Error::new(Kind::RequestTimeout),
        Limit::Stream => Error::new(Kind::MaxStreamDuration),
        Limit::Try => Error::new(Kind::PerTryTimeout),
        Limit::Silence => Error::new(Kind::PerTryIdleTimeout),
        Limit::UpstreamStream => Error::reply(
            LocalReply::new(
                StatusCode::REQUEST_TIMEOUT,
                "upstream max stream duration reached",
                "upstream_max_stream_duration_reached",
            )
            .flags(ResponseFlags::UPSTREAM_MAX_STREAM_DURATION_REACHED),
        ),
    }
}

/// Polls `future` until it is done or the alarm rings.
pub(crate) async fn within<F: Future + Unpin>(
    alarm: &mut Option<Alarm>,
    mut future: F,
) -> Result<F::Output, Error> {
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(cx) {
            return Poll::Ready(Ok(output));
        }
        match alarm {
            Some(alarm) => alarm.poll(cx).map(Err),
            None => Poll::Pending,
        }
    })
    .await
}
