//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::StatusCode;
use tandem_core::error::LocalReply;
use tandem_core::ext::StreamInfo;
use tandem_core::{BoxFuture, Error, HttpService, Request, Response};
use tandem_model::filter::rbac::Rbac as Config;
use tower::Service;

use super::facts;
use super::stats::Stats;

/// Lets requests pass, or refuses them.
#[derive(Clone, Debug)]
pub struct Rbac {
    pub(super) inner: HttpService,
    pub(super) config: Arc<Config>,
    pub(super) stats: Arc<Stats>,
}

impl Service<Request> for Rbac {
    type Response = Response;
    type Error = Error;
    type Future = BoxFuture<Result<Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.check(&request) {
            Ok(()) => self.inner.dispatch(request),
            Err(refused) => Box::pin(std::future::ready(Err(refused))),
        }
    }
}

impl Rbac {
    fn check(&self, request: &Request) -> Result<(), Error> {
        let info = request.extensions().get::<Arc<StreamInfo>>();
        let facts = facts::of_request(request, info);
        // Of a request whose connection is not known, nothing that is said of it would hold.
        let refused = match self.stats.decide(&self.config, &facts) {
            Ok(()) if info.is_some() || self.config.rules.is_none() => return Ok(()),
            Ok(()) => facts::details(None),
            Err(details) => details,
        };
        Err(Error::reply(LocalReply::new(
            StatusCode::FORBIDDEN,
            "RBAC: access denied",
            refused,
        )))
    }
}
