//! Carries the messages of one stream over gRPC.

use futures_util::Stream as Outgoing;
use futures_util::stream::unfold;
use prost::Message;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::client::{Grpc, GrpcService};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Body as HttpBody, StdError};
use tonic::metadata::MetadataMap;
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::connect;

/// A stream to a control plane. It ends when it is dropped.
#[derive(Debug)]
pub struct Stream<Q, A> {
    requests: UnboundedSender<Q>,
    responses: Streaming<A>,
}

impl<Q, A> Stream<Q, A>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    /// Opens a stream over `service`: a `tonic` channel, or any other gRPC transport.
    ///
    /// Control planes send nothing, not even headers, before the first request, so the first
    /// ones are needed here. Responses may have up to 2 GiB.
    pub async fn open<T>(
        service: T,
        method: PathAndQuery,
        metadata: MetadataMap,
        first: impl IntoIterator<Item = Q>,
    ) -> Result<Self, Status>
    where
        T: GrpcService<tonic::body::Body>,
        T::ResponseBody: HttpBody + Send + 'static,
        <T::ResponseBody as HttpBody>::Error: Into<StdError>,
    {
        let (requests, queue) = unbounded_channel();
        for request in first {
            // The receiver is alive: it is `queue`.
            let _ = requests.send(request);
        }
        let outgoing = unfold(queue, async |mut queue: UnboundedReceiver<Q>| {
            Some((queue.recv().await?, queue))
        });
        let responses = open(service, method, metadata, outgoing).await?;
        Ok(Self {
            requests,
            responses,
        })
    }

    /// Sends a request. On a stream that has ended it goes nowhere; [`Stream::next`] tells why.
    pub fn send(&self, request: Q) {
        let _ = self.requests.send(request);
    }

    /// The next response; `None` when the control plane ended the stream without an error.
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<A>, Status> {
        self.responses.message().await
    }
}

/// The size that gRPC gives messages at most in its own libraries. Control planes send all that
/// they have in one, so anything smaller would be a limit to the mesh.
const LARGEST: usize = i32::MAX as usize;

/// Opens a stream that says what `outgoing` brings, also while the control plane has not answered.
pub(crate) async fn open<T, Q, A>(
    service: T,
    method: PathAndQuery,
    metadata: MetadataMap,
    outgoing: impl Outgoing<Item = Q> + Send + 'static,
) -> Result<Streaming<A>, Status>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
    T: GrpcService<tonic::body::Body>,
    T::ResponseBody: HttpBody + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError>,
{
    let mut request = Request::new(outgoing);
    *request.metadata_mut() = metadata;
    let mut grpc = Grpc::new(service).max_decoding_message_size(LARGEST);
    grpc.ready()
        .await
        .map_err(|error| Status::unavailable(error.into().to_string()))?;
    let codec = ProstCodec::<Q, A>::default();
    let opened = grpc.streaming(request, method, codec).await;
    Ok(opened.map_err(told)?.into_inner())
}

/// Without a connection nothing was said, which is what `UNAVAILABLE` is for.
fn told(status: Status) -> Status {
    let cause = std::error::Error::source(&status);
    match cause.and_then(|cause| cause.downcast_ref::<connect::Error>()) {
        Some(error) => Status::unavailable(error.to_string()),
        None => status,
    }
}
