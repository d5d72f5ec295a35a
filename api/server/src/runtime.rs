//! Layotto's Runtime service: which rpc is which noun's.

use std::sync::Arc;

use futures_util::stream::Empty;
use tandem_api_contract::registry::Clients;
use tandem_api_proto::layotto::runtime_server::Runtime;
use tandem_api_proto::layotto::*;
use tonic::{Request, Response, Status, Streaming};

use crate::invoke::Invoker;
use crate::pubsub::{Streams, publish, stream};
use crate::unserved::unserved;
use crate::{hello, lock, sequencer, state};

/// The API as one worker serves it.
pub(crate) struct Api {
    pub(crate) clients: Clients,
    pub(crate) invoker: Invoker,
    pub(crate) streams: Arc<Streams>,
}

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Runtime for Api {
    type SubscribeTopicEventsStream = stream::Events;
    type SubscribeConfigurationStream = Empty<Result<SubscribeConfigurationResponse, Status>>;
    type GetFileStream = Empty<Result<GetFileResponse, Status>>;

    async fn say_hello(&self, request: Request<SayHelloRequest>) -> Reply<SayHelloResponse> {
        hello::say(&self.clients, request.into_inner()).map(Response::new)
    }

    async fn invoke_service(
        &self,
        request: Request<InvokeServiceRequest>,
    ) -> Reply<InvokeResponse> {
        self.invoker.invoke(request).await
    }

    async fn subscribe_topic_events(
        &self,
        request: Request<Streaming<SubscribeTopicEventsRequest>>,
    ) -> Reply<stream::Events> {
        stream::subscribe(&self.clients, &self.streams, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_state(&self, request: Request<GetStateRequest>) -> Reply<GetStateResponse> {
        state::get(&self.clients, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_bulk_state(
        &self,
        request: Request<GetBulkStateRequest>,
    ) -> Reply<GetBulkStateResponse> {
        state::get_bulk(&self.clients, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn save_state(&self, request: Request<SaveStateRequest>) -> Reply<()> {
        state::save(&self.clients, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn delete_state(&self, request: Request<DeleteStateRequest>) -> Reply<()> {
        state::delete(&self.clients, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn delete_bulk_state(&self, request: Request<DeleteBulkStateRequest>) -> Reply<()> {
        state::delete_bulk(&self.clients, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn execute_state_transaction(
        &self,
        request: Request<ExecuteStateTransactionRequest>,
    ) -> Reply<()> {
        state::transact(&self.clients, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn try_lock(&self, request: Request<TryLockRequest>) -> Reply<TryLockResponse> {
        lock::try_lock(&self.clients, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn unlock(&self, request: Request<UnlockRequest>) -> Reply<UnlockResponse> {
        lock::unlock(&self.clients, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn lock_keep_alive(
        &self,
        request: Request<LockKeepAliveRequest>,
    ) -> Reply<LockKeepAliveResponse> {
        lock::keep_alive(&self.clients, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_next_id(&self, request: Request<GetNextIdRequest>) -> Reply<GetNextIdResponse> {
        sequencer::next(&self.clients, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn publish_event(&self, request: Request<PublishEventRequest>) -> Reply<()> {
        publish::publish(&self.clients, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_configuration(
        &self,
        _: Request<GetConfigurationRequest>,
    ) -> Reply<GetConfigurationResponse> {
        Err(unserved("GetConfiguration"))
    }

    async fn save_configuration(&self, _: Request<SaveConfigurationRequest>) -> Reply<()> {
        Err(unserved("SaveConfiguration"))
    }

    async fn delete_configuration(&self, _: Request<DeleteConfigurationRequest>) -> Reply<()> {
        Err(unserved("DeleteConfiguration"))
    }

    async fn subscribe_configuration(
        &self,
        _: Request<Streaming<SubscribeConfigurationRequest>>,
    ) -> Reply<Self::SubscribeConfigurationStream> {
        Err(unserved("SubscribeConfiguration"))
    }

    async fn get_file(&self, _: Request<GetFileRequest>) -> Reply<Self::GetFileStream> {
        Err(unserved("GetFile"))
    }

    async fn put_file(&self, _: Request<Streaming<PutFileRequest>>) -> Reply<()> {
        Err(unserved("PutFile"))
    }

    async fn list_file(&self, _: Request<ListFileRequest>) -> Reply<ListFileResp> {
        Err(unserved("ListFile"))
    }

    async fn del_file(&self, _: Request<DelFileRequest>) -> Reply<()> {
        Err(unserved("DelFile"))
    }

    async fn get_file_meta(&self, _: Request<GetFileMetaRequest>) -> Reply<GetFileMetaResponse> {
        Err(unserved("GetFileMeta"))
    }

    async fn invoke_binding(
        &self,
        _: Request<InvokeBindingRequest>,
    ) -> Reply<InvokeBindingResponse> {
        Err(unserved("InvokeBinding"))
    }

    async fn get_secret(&self, _: Request<GetSecretRequest>) -> Reply<GetSecretResponse> {
        Err(unserved("GetSecret"))
    }

    async fn get_bulk_secret(
        &self,
        _: Request<GetBulkSecretRequest>,
    ) -> Reply<GetBulkSecretResponse> {
        Err(unserved("GetBulkSecret"))
    }
}
