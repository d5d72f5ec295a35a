//! What `GetState` costs at least: a tonic server that answers each call with one Redis GET.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tower::Service;

use crate::Error;
use crate::args::Args;

/// Serves until it is killed.
pub(crate) async fn run(args: &Args) -> Result<(), Error> {
    let client = redis::Client::open(format!("redis://{}", args.need::<SocketAddr>("redis")?))?;
    let redis = client.get_multiplexed_async_connection().await?;
    let listen = args.need::<SocketAddr>("listen")?;
    tonic::transport::Server::builder()
        .add_service(Runtime(redis))
        .serve(listen)
        .await?;
    Ok(())
}

/// The request's fields that matter here.
#[derive(Clone, PartialEq, prost::Message)]
struct GetStateRequest {
    #[prost(string, tag = "1")]
    store_name: String,
    #[prost(string, tag = "2")]
    key: String,
}

/// The response's first field.
#[derive(Clone, PartialEq, prost::Message)]
struct GetStateResponse {
    #[prost(bytes = "bytes", tag = "1")]
    data: bytes::Bytes,
}

#[derive(Clone)]
struct Runtime(MultiplexedConnection);

impl NamedService for Runtime {
    const NAME: &'static str = "spec.proto.runtime.v1.Runtime";
}

impl Service<Request<Body>> for Runtime {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = GetState(self.0.clone());
        Box::pin(async move {
            if request.uri().path() != "/spec.proto.runtime.v1.Runtime/GetState" {
                return Ok(Status::new(Code::Unimplemented, "only GetState is served").into_http());
            }
            let codec = ProstCodec::<GetStateResponse, GetStateRequest>::default();
            Ok(Grpc::new(codec).unary(method, request).await)
        })
    }
}

struct GetState(MultiplexedConnection);

impl UnaryService<GetStateRequest> for GetState {
    type Response = GetStateResponse;
    type Future = BoxFuture<'static, Result<tonic::Response<GetStateResponse>, Status>>;

    fn call(&mut self, request: tonic::Request<GetStateRequest>) -> Self::Future {
        let mut redis = self.0.clone();
        Box::pin(async move {
            let mut command = redis::cmd("GET");
            command.arg(request.into_inner().key);
            let data: Option<Vec<u8>> = command
                .query_async(&mut redis)
                .await
                .map_err(|error| Status::unavailable(error.to_string()))?;
            let data = data.ok_or_else(|| Status::not_found("no such key"))?.into();
            Ok(tonic::Response::new(GetStateResponse { data }))
        })
    }
}
