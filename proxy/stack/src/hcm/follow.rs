//! Routes that are replaced while requests run.

use std::sync::Arc;

use tandem_core::live::{Current, Live};
use tandem_core::{BoxFuture, Error, Request, Response};
use tandem_model::matching::RouteTable;

use super::{Assembled, Plan};

/// Takes every request through the latest routes. A request keeps those that it began with.
///
/// A worker builds its service for new routes when the first request meets them: what nobody
/// uses costs nothing.
#[derive(Debug)]
pub(super) struct Follow {
    source: Live<RouteTable>,
    plan: Arc<Plan>,
    current: Live<Assembled>,
}

impl Follow {
    pub(super) fn new(source: Live<RouteTable>, plan: Arc<Plan>) -> Self {
        let first = plan.assemble(source.get(), None);
        Self {
            source,
            plan,
            current: Live::new(first),
        }
    }

    pub(super) fn dispatch(&self, request: Request) -> BoxFuture<Result<Response, Error>> {
        self.current().service.dispatch(request)
    }

    fn current(&self) -> Current<Assembled> {
        let latest = self.source.load();
        let current = self.current.load();
        if Arc::ptr_eq(current.table(), &latest) {
            return current;
        }
        let next = self.plan.assemble(Arc::clone(&latest), Some(&current));
        self.current.publish(next);
        self.current.load()
    }
}

#[cfg(test)]
mod tests;
