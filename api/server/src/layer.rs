//! The filter: it takes the API's gRPC paths and passes everything else on.

use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use tandem_api_proto::layotto::runtime_server::RuntimeServer;
use tandem_core::error::{Kind, ResetReason, UpstreamReset};
use tandem_core::{Body, BoxFuture, Error, HttpService, Request, Response};
use tower::{Service, ServiceExt as _, util::BoxCloneSyncService};

use crate::runtime::Api;

const RUNTIME: &str = "/spec.proto.runtime.v1.Runtime/";
const HEALTH: &str = "/grpc.health.v1.Health/";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/";
const REFLECTION_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/";

type Answer = http::Response<tonic::body::Body>;
type Beside = BoxCloneSyncService<Request, Answer, std::convert::Infallible>;

/// The runtime API in front of the rest of its chain.
#[derive(Clone)]
pub(crate) struct RuntimeApi(Arc<Inner>);

struct Inner {
    runtime: RuntimeServer<Api>,
    health: Beside,
    reflection: Beside,
    reflection_alpha: Beside,
    next: HttpService,
}

/// The services beside the API, the same for all workers.
#[derive(Clone)]
pub(crate) struct BesideServices {
    pub(crate) health: Beside,
    pub(crate) reflection: Beside,
    pub(crate) reflection_alpha: Beside,
}

/// Erases one of them.
pub(crate) fn beside<S>(service: S) -> Beside
where
    S: Service<Request, Response = Answer, Error = std::convert::Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    BoxCloneSyncService::new(service)
}

impl RuntimeApi {
    pub(crate) fn new(api: Api, beside: BesideServices, next: HttpService) -> Self {
        let BesideServices {
            health,
            reflection,
            reflection_alpha,
        } = beside;
        let runtime = RuntimeServer::new(api);
        Self(Arc::new(Inner {
            runtime,
            health,
            reflection,
            reflection_alpha,
            next,
        }))
    }
}

impl Service<Request> for RuntimeApi {
    type Response = Response;
    type Error = Error;
    type Future = BoxFuture<Result<Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let inner = &self.0;
        let path = request.uri().path();
        if path.starts_with(RUNTIME) {
            let answer = inner.runtime.clone().call(request);
            return Box::pin(async move { finish(answer.await) });
        }
        let beside = if path.starts_with(HEALTH) {
            &inner.health
        } else if path.starts_with(REFLECTION) {
            &inner.reflection
        } else if path.starts_with(REFLECTION_ALPHA) {
            &inner.reflection_alpha
        } else {
            return inner.next.dispatch(request);
        };
        let answer = beside.clone().oneshot(request);
        Box::pin(async move { finish(answer.await) })
    }
}

fn finish(answer: Result<Answer, std::convert::Infallible>) -> Result<Response, Error> {
    let response = answer?;
    Ok(response.map(|body| Body::new(body.map_err(broken))))
}

/// A streaming handler ends its body with a status, so this is a stream that broke locally.
fn broken(status: tonic::Status) -> Error {
    let reset = UpstreamReset {
        reason: ResetReason::Local,
        request_sent: true,
    };
    Error::with_source(Kind::UpstreamReset(reset), status)
}
