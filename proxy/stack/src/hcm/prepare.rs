//! The connection manager's rules for requests, before anything is routed.

use std::sync::Arc;
use std::task::{Context, Poll};

use tandem_core::ext::{Rejected, StreamInfo};
use tandem_core::{BoxFuture, Error, Request, Response};
use tower::{Layer, Service};

use super::{Settings, body, request, timeouts};
use crate::server::Unreadable;

/// Wraps services in [`Prepare`].
#[derive(Clone, Debug)]
pub struct PrepareLayer {
    settings: Arc<Settings>,
}

impl PrepareLayer {
    /// Applies a connection manager's rules.
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }
}

impl<S> Layer<S> for PrepareLayer {
    type Service = Prepare<S>;

    fn layer(&self, inner: S) -> Prepare<S> {
        Prepare {
            inner,
            settings: Arc::clone(&self.settings),
        }
    }
}

/// Refuses, cleans and completes requests, and bounds the time they take.
#[derive(Clone, Debug)]
pub struct Prepare<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> Service<Request> for Prepare<S>
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

    fn call(&mut self, mut request: Request) -> Self::Future {
        let Some(info) = request.extensions().get::<Arc<StreamInfo>>().cloned() else {
            return Box::pin(self.inner.call(request));
        };
        let refused = match request.extensions_mut().remove::<Rejected>() {
            Some(Rejected(reply)) => Err(Error::reply(reply)),
            None => request::prepare(&mut request, &info, &self.settings),
        };
        if request.extensions().get::<Unreadable>().is_none() {
            info.capture_received(request.method(), request.uri(), request.headers());
        }
        if let Err(error) = refused {
            return Box::pin(std::future::ready(Err(error)));
        }
        let (request, activity) = body::follow(request, &info);
        let limits = timeouts::Limits::of(&self.settings.manager);
        let response = self.inner.call(request);
        Box::pin(async move {
            let response = timeouts::within(limits, &info, &activity, response).await?;
            Ok(timeouts::follow(limits, &info, &activity, response))
        })
    }
}
