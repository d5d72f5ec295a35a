//! The layer that begins and ends every request.

use std::sync::Arc;
use std::task::{Context, Poll};

use tandem_core::ext::StreamInfo;
use tandem_core::{BoxFuture, Error, Request, Response};
use tower::{Layer, Service};

use super::{Finish, Logs};
use crate::hcm::Stats;

/// Wraps services in [`AccessLog`].
#[derive(Clone, Debug)]
pub struct AccessLogLayer {
    logs: Logs,
    stats: Arc<Stats>,
}

impl AccessLogLayer {
    /// Logs and counts every request.
    pub(crate) fn new(logs: Logs, stats: Arc<Stats>) -> Self {
        Self { logs, stats }
    }
}

impl<S> Layer<S> for AccessLogLayer {
    type Service = AccessLog<S>;

    fn layer(&self, inner: S) -> AccessLog<S> {
        AccessLog {
            inner,
            layer: self.clone(),
        }
    }
}

/// Logs and counts requests when they end.
#[derive(Clone, Debug)]
pub struct AccessLog<S> {
    inner: S,
    layer: AccessLogLayer,
}

impl<S> Service<Request> for AccessLog<S>
where
    S: Service<Request, Response = Response, Error = Error>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Error;
    type Future = BoxFuture<Result<Response, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Some(info) = request.extensions().get::<Arc<StreamInfo>>().cloned() else {
            return Box::pin(self.inner.call(request));
        };
        let finish = Finish::new(info, self.layer.logs.clone(), Arc::clone(&self.layer.stats));
        let response = self.inner.call(request);
        Box::pin(async move {
            let response = response.await?;
            Ok(finish.follow(response))
        })
    }
}
