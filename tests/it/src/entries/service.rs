//! An access-log service that remembers what it is sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::{
    AccessLogService, AccessLogServiceServer,
};
use envoy_types::pb::envoy::service::accesslog::v3::{
    StreamAccessLogsMessage, StreamAccessLogsResponse,
};
use tokio::task::JoinHandle;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

/// What came over one stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The call's headers.
    pub metadata: MetadataMap,
    /// Its messages so far.
    pub messages: Vec<StreamAccessLogsMessage>,
}

/// The service, until it is dropped.
pub struct Service {
    streams: Arc<Mutex<Vec<Stream>>>,
    server: JoinHandle<()>,
}

impl Service {
    /// Serves on a port.
    pub fn start(port: u16) -> Self {
        let streams = Arc::<Mutex<Vec<Stream>>>::default();
        let service = AccessLogServiceServer::new(Recorder(Arc::clone(&streams)));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let server = tokio::spawn(async move {
            let served = tonic::transport::Server::builder().add_service(service);
            served.serve(address).await.unwrap();
        });
        Self { streams, server }
    }

    /// All streams so far.
    pub fn streams(&self) -> Vec<Stream> {
        self.streams.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Recorder(Arc<Mutex<Vec<Stream>>>);

#[tonic::async_trait]
impl AccessLogService for Recorder {
    async fn stream_access_logs(
        &self,
        request: Request<Streaming<StreamAccessLogsMessage>>,
    ) -> Result<Response<StreamAccessLogsResponse>, Status> {
        let (metadata, _, mut incoming) = request.into_parts();
        let index = {
            let mut streams = self.0.lock().unwrap();
            streams.push(Stream {
                metadata,
                messages: Vec::new(),
            });
            streams.len() - 1
        };
        while let Some(message) = incoming.message().await? {
            self.0.lock().unwrap()[index].messages.push(message);
        }
        Ok(Response::new(StreamAccessLogsResponse {}))
    }
}
