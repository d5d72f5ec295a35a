//! An access-log service that remembers what it is sent.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::{
    AccessLogService, AccessLogServiceServer,
};
use envoy_types::pb::envoy::service::accesslog::v3::{
    StreamAccessLogsMessage, StreamAccessLogsResponse,
};
use tokio::runtime::Runtime;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
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
    /// A thread of its own: how long a proxy that ends waits for it is not the test's to spend.
    runtime: Option<Runtime>,
}

impl Service {
    /// Serves on a port.
    pub fn start(port: u16) -> Self {
        let streams = Arc::<Mutex<Vec<Stream>>>::default();
        let service = AccessLogServiceServer::new(Recorder(Arc::clone(&streams)));
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let served = tonic::transport::Server::builder().add_service(service);
            let served = served.serve_with_incoming(TcpIncoming::from(listener));
            served.await.unwrap();
        });
        Self {
            streams,
            runtime: Some(runtime),
        }
    }

    /// All streams so far.
    pub fn streams(&self) -> Vec<Stream> {
        self.streams.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
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
