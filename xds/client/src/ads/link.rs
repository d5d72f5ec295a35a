//! The stream as the driver sees it: not there, to be opened again, or open.

use futures_util::stream::{BoxStream, once};
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tonic::Status;
use tonic::client::GrpcService;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Body as HttpBody, StdError};
use tonic::metadata::MetadataMap;

use super::Connection;
use super::machine::{Request, Response};
use super::outbox::{Full, Outbox, outbox};
use crate::grpc;

pub(super) enum Link<Q, A> {
    /// Nothing is asked for.
    Idle,
    /// The last stream was lost; the next may be opened then.
    Waiting(Instant),
    Open {
        requests: Outbox<Q>,
        responses: BoxStream<'static, Result<A, Status>>,
    },
}

/// What happened to the link.
pub(super) enum Happened<A> {
    Response(A),
    /// Why the stream ended.
    Lost(String),
    MayOpen,
}

impl<Q: Request, A: Response> Link<Q, A> {
    /// Opens a stream. Requests may be sent at once, before the control plane answers.
    pub(super) fn open<T>(
        service: T,
        method: PathAndQuery,
        metadata: MetadataMap,
        connection: watch::Sender<Connection>,
    ) -> Self
    where
        T: GrpcService<tonic::body::Body> + Send + 'static,
        T::Future: Send,
        T::ResponseBody: HttpBody + Send + 'static,
        <T::ResponseBody as HttpBody>::Error: Into<StdError>,
    {
        let (requests, outgoing) = outbox();
        let opened = async move {
            let responses = grpc::open(service, method, metadata, outgoing).await?;
            connection.send_modify(|state| state.connected = true);
            Ok::<_, Status>(responses)
        };
        Self::Open {
            requests,
            responses: once(opened).try_flatten().boxed(),
        }
    }

    /// Sends requests. Without a stream they have nowhere to go, and the next one asks anew.
    pub(super) fn send(&mut self, all: impl IntoIterator<Item = Q>) {
        let Self::Open {
            requests,
            responses,
        } = self
        else {
            return;
        };
        for request in all {
            if let Err(Full) = requests.send(request) {
                let status = Status::resource_exhausted("the control plane does not read requests");
                *responses = once(std::future::ready(Err(status))).boxed();
                return;
            }
        }
    }

    /// Waits for the next event. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Happened<A> {
        match self {
            Self::Idle => std::future::pending().await,
            Self::Waiting(until) => {
                sleep_until(*until).await;
                Happened::MayOpen
            }
            Self::Open { responses, .. } => match responses.next().await {
                Some(Ok(response)) => Happened::Response(response),
                Some(Err(status)) => {
                    Happened::Lost(format!("{:?}: {}", status.code(), status.message()))
                }
                None => Happened::Lost("the control plane ended the stream".to_owned()),
            },
        }
    }
}
