//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::StatusCode;
use tandem_core::error::LocalReply;
use tandem_core::ext::StreamInfo;
use tandem_core::{BoxFuture, Error, HttpService, Request, Response, ResponseFlags};
use tandem_model::filter::fault::Fault as Config;
use tower::Service;

use super::decide::{self, Abort, Decision};
use super::layer::Stats;

/// Delays or aborts some requests.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) inner: HttpService,
    pub(super) config: Arc<Config>,
    pub(super) stats: Arc<Stats>,
}

impl Service<Request> for Fault {
    type Response = Response;
    type Error = Error;
    type Future = BoxFuture<Result<Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let decision = decide::decide(&self.config, &request, rand::random);
        if decision == Decision::default() {
            return self.inner.dispatch(request);
        }
        let active = self.stats.active_faults.get();
        let said = self.config.max_active_faults_key.integer();
        let most = said.or(self.config.max_active_faults.map(u64::from));
        if most.is_some_and(|most| u64::try_from(active).is_ok_and(|active| active >= most)) {
            self.stats.faults_overflow.inc();
            return self.inner.dispatch(request);
        }
        let this = self.clone();
        Box::pin(async move {
            let guard = this.stats.active_faults.guard();
            if let Some(delay) = decision.delay {
                this.stats.delays_injected.inc();
                if let Some(info) = request.extensions().get::<Arc<StreamInfo>>() {
                    info.add_flags(ResponseFlags::DELAY_INJECTED);
                }
                tokio::time::sleep(delay).await;
            }
            if let Some(abort) = decision.abort {
                this.stats.aborts_injected.inc();
                return Err(Error::reply(reply(abort)));
            }
            drop(guard);
            this.inner.dispatch(request).await
        })
    }
}

fn reply(abort: Abort) -> LocalReply {
    let new = |status| {
        LocalReply::new(status, "fault filter abort", "fault_filter_abort")
            .flags(ResponseFlags::FAULT_INJECTED)
    };
    match abort {
        Abort::Http(status) => new(status),
        Abort::Grpc(status) => new(StatusCode::OK).grpc(status),
    }
}
