//! gRPC on our own bodies: one message in, one message out.
//!
//! Unary calls are read and answered here rather than by tonic's server codec, which sets up
//! two buffers of 8 KiB and several boxes for each call. Streams and the small services beside
//! the runtime go through tonic ([`service`]).

mod frame;
mod reply;
pub(crate) mod service;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::pin;

use http::HeaderMap;
use tandem_api_proto::Message;
use tandem_core::{Body, BoxFuture, Error as MeshError, Request, Response};

pub(crate) use frame::{MAX_MESSAGE, framed, read_one, unframe};
pub(crate) use reply::{answer, answer_with, refuse};

use crate::status::Error;

/// Serves a call that needs nothing but its message.
pub(crate) fn unary<Req, Resp, Work>(
    request: Request,
    serve: impl FnOnce(Req) -> Work + Send + 'static,
) -> BoxFuture<Result<Response, MeshError>>
where
    Req: Message + Default,
    Resp: Message,
    Work: Future<Output = Result<Resp, Error>> + Send,
{
    Box::pin(async move {
        let (parts, body) = request.into_parts();
        let work = async {
            let message = read(&parts.headers, body).await?;
            serve(message).await
        };
        Ok(match within(&parts.headers, work).await {
            Ok(message) => answer(&message),
            Err(error) => refuse(&error),
        })
    })
}

/// Reads the only message of a request.
pub(crate) async fn read<M: Message + Default>(
    headers: &HeaderMap,
    body: Body,
) -> Result<M, Error> {
    let bytes = read_one(headers, body).await?;
    M::decode(bytes).map_err(|error| Error::Malformed(error.to_string()))
}

/// Works for no longer than the caller's `grpc-timeout`.
async fn within<T>(
    headers: &HeaderMap,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let limit = headers
        .get(tandem_core::grpc::GRPC_TIMEOUT)
        .and_then(tandem_core::grpc::parse_timeout);
    let work = pin!(work);
    match limit {
        None => work.await,
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .unwrap_or(Err(Error::DeadlineExceeded)),
    }
}
