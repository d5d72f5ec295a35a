//! The layer that begins and ends every request.

use std::sync::Arc;
use std::task::{Context, Poll};

use tandem_core::ext::StreamInfo;
use tandem_core::{Error, Request, Response};
use tower::{Layer, Service};

use super::finish::Shared;
use super::{Finish, Logs};
use crate::after::{After, Finally};
use crate::hcm::Stats;

/// Wraps services in [`AccessLog`].
#[derive(Clone, Debug)]
pub struct AccessLogLayer(Arc<Shared>);

impl AccessLogLayer {
    /// Logs and counts every request.
    pub(crate) fn new(logs: Logs, stats: Arc<Stats>) -> Self {
        Self(Arc::new(Shared { logs, stats }))
    }
}

impl<S> Layer<S> for AccessLogLayer {
    type Service = AccessLog<S>;

    fn layer(&self, inner: S) -> AccessLog<S> {
        AccessLog {
            inner,
            shared: Arc::clone(&self.0),
        }
    }
}

/// Logs and counts requests when they end.
#[derive(Clone, Debug)]
pub struct AccessLog<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Service<Request> for AccessLog<S>
where
    S: Service<Request, Response = Response, Error = Error>,
{
    type Response = Response;
    type Error = Error;
    type Future = After<S::Future, Option<Finish>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let info = request.extensions().get::<Arc<StreamInfo>>().cloned();
        let finish = info.map(|info| Finish::new(info, Arc::clone(&self.shared)));
        After::new(self.inner.call(request), finish)
    }
}

impl Finally for Finish {
    fn finally(self, outcome: Result<Response, Error>) -> Result<Response, Error> {
        outcome.map(|response| self.follow(response))
    }
}
