//! `InvokeService`: a call of another application, through the mesh.
//!
//! The call becomes an HTTP request and enters this worker's outbound stack, so that it takes
//! the same routes, filters, breakers and metrics as a call that was intercepted. `id` is its
//! authority: it selects the listener, as interception would for the application's own call
//! ([`tandem_core::directory::call`]), and the virtual host. Route tables decide for every id, also for
//! this application's own: no route, no call.
//!
//! | of the call | of the HTTP request |
//! |---|---|
//! | `id` | authority; and the header `id`, by which MOSN's route tables match |
//! | `message.method` | path; a leading `/` is added |
//! | `message.http_extension` | method (default GET, with data POST) and query |
//! | `message.data.value`, `message.content_type` | body and `content-type` |
//! | metadata | headers, without those of gRPC and of the connection |
//! | metadata `rpc_request_timeout` | the time limit in ms; without it the client's deadline and the route's limits hold |
//!
//! Status 200 is success and everything else is `UNAVAILABLE`, as in Layotto; response headers
//! come back as metadata. A `content_type` of `application/grpc` calls a gRPC method instead
//! ([`rpc`]).

mod headers;
mod mesh;
mod request;
mod response;
mod rpc;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tandem_api_proto::layotto::{InvokeResponse, InvokeServiceRequest};
use tandem_core::{Error as MeshError, Request, Response};

pub(crate) use mesh::Mesh;

use crate::grpc;
use crate::layer::Api;
use crate::status::Error;

/// What a caller gets.
struct Answer {
    metadata: HeaderMap,
    message: InvokeResponse,
    /// Of a gRPC application.
    trailers: HeaderMap,
}

impl Api {
    pub(crate) async fn invoke_service(
        self: Arc<Self>,
        request: Request,
    ) -> Result<Response, MeshError> {
        Ok(match self.invoke(request).await {
            Ok(answer) => grpc::answer_with(answer.metadata, &answer.message, answer.trailers),
            Err(error) => grpc::refuse(&error),
        })
    }

    async fn invoke(&self, request: Request) -> Result<Answer, Error> {
        let (mut parts, body) = request.into_parts();
        let message: InvokeServiceRequest = grpc::read(&parts.headers, body).await?;
        let limit = timeout(&parts.headers);
        self.mesh.enter(&mut parts.extensions);
        let is_grpc = rpc::is_wanted(&message);
        let mut call = request::build(message, parts.headers, parts.extensions, is_grpc)?;
        let outbound = self.mesh.way(&mut call, is_grpc)?;
        let answer = async {
            let response = response::received(outbound.dispatch(call).await).await?;
            if is_grpc {
                rpc::convert(response).await
            } else {
                response::convert(response).await
            }
        };
        let Some(limit) = limit else {
            return answer.await;
        };
        let late = |_| Error::InvokeTimeout(limit.as_millis());
        tokio::time::timeout(limit, answer).await.map_err(late)?
    }
}

/// The sooner of `rpc_request_timeout` and gRPC's own deadline. As in Layotto, a value that is
/// no positive number counts as absent. Who says nothing has what the route gives, as an
/// intercepted call: three seconds, as in Layotto, would cut off what a route allows.
fn timeout(metadata: &HeaderMap) -> Option<Duration> {
    let (mut wanted, mut deadline) = (None, None);
    // One look over the few names that came is cheaper than two look-ups.
    for (name, value) in metadata {
        match name.as_str() {
            headers::TIMEOUT => wanted = wanted.or(Some(value)),
            "grpc-timeout" => deadline = deadline.or(Some(value)),
            _ => {}
        }
    }
    let wanted = wanted
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis);
    let deadline = deadline.and_then(tandem_core::grpc::parse_timeout);
    wanted.into_iter().chain(deadline).min()
}
