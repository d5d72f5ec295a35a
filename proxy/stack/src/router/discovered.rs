//! A filter whose settings come by themselves, at its place in a chain.
//!
//! When other settings are published, only this filter is built again: what stands behind it and
//! the connections stay.

use std::sync::Arc;

use http::StatusCode;
use tandem_core::discovered::Published;
use tandem_core::error::LocalReply;
use tandem_core::filter::{BuildFilter, FilterContext};
use tandem_core::live::{Current, Live};
use tandem_core::{BoxFuture, Error, HttpService, Request, Response, ResponseFlags};
use tandem_model::filter::PerRouteConfig;
use tandem_model::filter::discovery::Discovery;
use tower::service_fn;

use super::chain::{effective, is_skipped};

/// What such a filter is built from, whatever its settings.
#[derive(Debug)]
pub(super) struct Discovered {
    pub(super) discovery: Arc<Discovery>,
    /// What the route says of it.
    pub(super) said: Option<PerRouteConfig>,
    /// Whether it is skipped unless the route says something.
    pub(super) disabled: bool,
    pub(super) filters: BuildFilter,
    pub(super) context: FilterContext,
    /// What stands behind it.
    pub(super) next: HttpService,
}

/// The filter as it was built last, and for which settings.
#[derive(Debug)]
struct Built {
    from: Arc<Published>,
    service: HttpService,
}

/// The filter around what stands behind it.
pub(super) fn wrap(parts: Discovered, source: Live<Published>) -> HttpService {
    if is_skipped(parts.said.as_ref(), parts.disabled) {
        return parts.next;
    }
    let first = parts.build(source.get());
    let follow = Follow {
        source,
        current: Live::new(first),
        parts,
    };
    HttpService::choosing(move |request| follow.dispatch(request))
}

impl Discovered {
    fn build(&self, from: Arc<Published>) -> Built {
        let chosen = self.discovery.chosen(Option::as_ref(&from));
        let service = match chosen.map(|extension| &extension.config) {
            Some(Some(config)) => match effective(config, self.said.as_ref(), self.disabled) {
                Some(config) => self
                    .filters
                    .build(&config, &self.context, self.next.clone()),
                None => self.next.clone(),
            },
            Some(None) => self.next.clone(),
            None => HttpService::new(service_fn(missing)),
        };
        Built { from, service }
    }
}

#[derive(Debug)]
struct Follow {
    source: Live<Published>,
    current: Live<Built>,
    parts: Discovered,
}

impl Follow {
    fn dispatch(&self, request: Request) -> BoxFuture<Result<Response, Error>> {
        self.current().service.dispatch(request)
    }

    fn current(&self) -> Current<Built> {
        let latest = self.source.load();
        let current = self.current.load();
        if Arc::ptr_eq(&current.from, &latest) {
            return current;
        }
        self.current.publish(self.parts.build(Arc::clone(&latest)));
        self.current.load()
    }
}

/// As in Envoy: without settings nobody passes, since they might have kept a request out.
fn missing(_: Request) -> BoxFuture<Result<Response, Error>> {
    let reply = LocalReply::new(StatusCode::INTERNAL_SERVER_ERROR, "", "")
        .flags(ResponseFlags::NO_FILTER_CONFIG);
    Box::pin(std::future::ready(Err(Error::reply(reply))))
}

#[cfg(test)]
mod tests;
