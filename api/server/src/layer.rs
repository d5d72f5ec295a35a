//! The filter: which requests end here, and who serves them.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue};
use tandem_api_contract::registry::Clients;
use tandem_core::directory::Directory;
use tandem_core::error::{Kind, LocalReply};
use tandem_core::{
    BoxFuture, Error as MeshError, HttpService, Request, Response, ResponseFlags, grpc as core_grpc,
};
use tandem_model::filter::runtime::Api as Served;
use tonic::Code;
use tower::Service;

use crate::grpc::{refuse, unary};
use crate::invoke::Mesh;
use crate::process::Shared;
use crate::pubsub::subscribe_stream;
use crate::status::{Error, ORIGIN, Origin};
use crate::{health, reflection, unserved};

const RUNTIME: &str = "/spec.proto.runtime.v1.Runtime/";
const HEALTH: &str = "/grpc.health.v1.Health/";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/";
const REFLECTION_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/";

/// Wraps `next` in the runtime APIs of `server`, for one worker.
///
/// Called on the worker, whose clients it makes; `directory` holds this worker's HTTP services, among which
/// `InvokeService` finds the one that takes a call.
pub(crate) fn layer(server: &Arc<Shared>, directory: Directory, next: HttpService) -> HttpService {
    let api = Api {
        clients: server.registry().clients(),
        mesh: Mesh::new(directory, server.runtime()),
        server: Arc::clone(server),
    };
    HttpService::new(Runtime {
        layotto: server.runtime().apis.contains(&Served::LayottoGrpc),
        health: health::service(server),
        api: Arc::new(api),
        next,
    })
}

/// What the rpcs of one worker work with; each noun's file adds its methods.
pub(crate) struct Api {
    pub(crate) server: Arc<Shared>,
    pub(crate) clients: Clients,
    pub(crate) mesh: Mesh,
}

#[derive(Clone)]
struct Runtime {
    layotto: bool,
    api: Arc<Api>,
    health: HttpService,
    next: HttpService,
}

impl Service<Request> for Runtime {
    type Response = Response;
    type Error = MeshError;
    type Future = BoxFuture<Result<Response, MeshError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), MeshError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let path = request.uri().path();
        let served = if path.starts_with(RUNTIME) && self.layotto {
            Api::serve
        } else if path.starts_with(HEALTH) {
            return checked(request, |request| self.health.dispatch(request));
        } else if path.starts_with(REFLECTION) {
            let service = self.api.server.reflection(reflection::v1);
            return checked(request, |request| service.dispatch(request));
        } else if path.starts_with(REFLECTION_ALPHA) {
            let service = self.api.server.reflection_alpha(reflection::v1alpha);
            return checked(request, |request| service.dispatch(request));
        } else if core_grpc::is_grpc(request.headers()) {
            return or_tell(self.service_names(), request, &self.next);
        } else {
            return self.next.dispatch(request);
        };
        checked(request, |request| served(&self.api, request))
    }
}

impl Runtime {
    /// What is served here, for whoever asks for something else.
    fn service_names(&self) -> &'static str {
        if self.layotto {
            "spec.proto.runtime.v1.Runtime, grpc.health.v1.Health, \
             grpc.reflection.v1.ServerReflection, grpc.reflection.v1alpha.ServerReflection"
        } else {
            "grpc.health.v1.Health, grpc.reflection.v1.ServerReflection, \
             grpc.reflection.v1alpha.ServerReflection"
        }
    }
}

/// Passes a gRPC call on. Where nothing takes it, the caller is told what would be taken here:
/// a bare UNIMPLEMENTED would send people looking for the rpc, when the service is not there.
fn or_tell(
    served: &'static str,
    request: Request,
    next: &HttpService,
) -> BoxFuture<Result<Response, MeshError>> {
    let path = request.uri().path().to_owned();
    let answer = next.dispatch(request);
    Box::pin(async move {
        let error = match answer.await {
            Err(error) if matches!(error.kind(), Kind::NoRoute) => error,
            done => return done,
        };
        let service = match path.trim_start_matches('/').rsplit_once('/') {
            Some((service, _)) => service,
            None => &path,
        };
        let text = format!("unknown service {service}: served here are {served}");
        let reply = LocalReply::new(http::StatusCode::NOT_FOUND, text, "route_not_found")
            .flags(ResponseFlags::NO_ROUTE)
            .grpc(Code::Unimplemented as u32)
            .header(
                HeaderName::from_static(ORIGIN),
                HeaderValue::from_static(Origin::Runtime.as_str()),
            );
        Err(MeshError::reply(reply).with_reply_headers(error.reply_headers().clone()))
    })
}

/// Refuses what is not gRPC on a gRPC path, as gRPC says: with 415.
fn checked(
    request: Request,
    serve: impl FnOnce(Request) -> BoxFuture<Result<Response, MeshError>>,
) -> BoxFuture<Result<Response, MeshError>> {
    if request.method() == http::Method::POST && core_grpc::is_grpc(request.headers()) {
        return serve(request);
    }
    Box::pin(std::future::ready(Err(MeshError::reply(LocalReply::new(
        http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "expected a gRPC request",
        "runtime_api_not_grpc",
    )))))
}

impl Api {
    /// Serves one rpc of `spec.proto.runtime.v1.Runtime`.
    fn serve(self: &Arc<Self>, request: Request) -> BoxFuture<Result<Response, MeshError>> {
        let api = Arc::clone(self);
        match request
            .uri()
            .path()
            .get(RUNTIME.len()..)
            .unwrap_or_default()
        {
            "SayHello" => unary(request, move |m| std::future::ready(api.say_hello(m))),
            "InvokeService" => Box::pin(api.invoke_service(request)),
            "GetState" => unary(request, move |m| async move { api.get_state(m).await }),
            "GetBulkState" => unary(request, move |m| async move { api.get_bulk_state(m).await }),
            "SaveState" => unary(request, move |m| async move { api.save_state(m).await }),
            "DeleteState" => unary(request, move |m| async move { api.delete_state(m).await }),
            "DeleteBulkState" => unary(
                request,
                move |m| async move { api.delete_bulk_state(m).await },
            ),
            "ExecuteStateTransaction" => unary(request, move |m| async move {
                api.execute_state_transaction(m).await
            }),
            "TryLock" => unary(request, move |m| async move { api.try_lock(m).await }),
            "Unlock" => unary(request, move |m| async move { api.unlock(m).await }),
            "LockKeepAlive" => unary(
                request,
                move |m| async move { api.lock_keep_alive(m).await },
            ),
            "GetNextId" => unary(request, move |m| async move { api.get_next_id(m).await }),
            "PublishEvent" => unary(request, move |m| async move { api.publish_event(m).await }),
            "SubscribeTopicEvents" => Box::pin(subscribe_stream::serve(api, request)),
            method => {
                let refusal = match unserved::name(method) {
                    Some(name) => Error::NotServed(name),
                    None => Error::UnknownMethod(method.to_owned()),
                };
                Box::pin(std::future::ready(Ok(refuse(&refusal))))
            }
        }
    }
}

#[cfg(test)]
mod tests;
