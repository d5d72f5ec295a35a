//! What pilot-agent does for Envoy: a server of secrets beside each sidecar.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use envoy_types::pb::envoy::config::core::v3::DataSource;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, Secret, TlsCertificate,
};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server as server;
use envoy_types::pb::google::protobuf::Any;
use futures_util::{Stream, stream};
use prost::Message as _;
use tandem_harness::certs::Issued;
use tandem_harness::wait;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status, Streaming};

const TYPE: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/// What a workload is known by, and whom it knows.
#[derive(Clone, Debug)]
pub struct Known {
    /// `default`.
    pub identity: Issued,
    /// `ROOTCA`.
    pub roots: String,
}

/// A server that serves what it is told, to one proxy.
pub struct Secrets {
    known: watch::Sender<(u64, Known)>,
    accepted: Arc<Mutex<BTreeMap<String, u64>>>,
    task: JoinHandle<()>,
}

impl Secrets {
    /// Serves this.
    pub fn serve(listener: UnixListener, known: Known) -> Self {
        let known = watch::Sender::new((1, known));
        let accepted = Arc::default();
        let service = server::SecretDiscoveryServiceServer::new(Service {
            known: known.subscribe(),
            accepted: Arc::clone(&accepted),
        });
        let task = tokio::spawn(async move {
            let server = tonic::transport::Server::builder().add_service(service);
            let _ = server.serve_with_incoming(incoming(listener)).await;
        });
        Self {
            known,
            accepted,
            task,
        }
    }

    /// Serves something else, and waits until the proxy has accepted all of it.
    pub async fn replace(&self, known: Known) {
        let mut version = 0;
        self.known.send_modify(|now| {
            version = now.0 + 1;
            *now = (version, known);
        });
        let accepted = || {
            self.accepted
                .lock()
                .unwrap()
                .values()
                .all(|&of| of >= version)
        };
        wait::until(wait::PATIENCE, accepted).await;
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn incoming(listener: UnixListener) -> impl Stream<Item = std::io::Result<UnixStream>> {
    stream::unfold(listener, |listener| async {
        Some((listener.accept().await.map(|(stream, _)| stream), listener))
    })
}

struct Service {
    known: watch::Receiver<(u64, Known)>,
    /// By name, the last version that was accepted.
    accepted: Arc<Mutex<BTreeMap<String, u64>>>,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl server::SecretDiscoveryService for Service {
    type StreamSecretsStream = Answers<DiscoveryResponse>;
    type DeltaSecretsStream = Answers<DeltaDiscoveryResponse>;

    async fn stream_secrets(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamSecretsStream>, Status> {
        let mut known = self.known.clone();
        known.mark_unchanged();
        let state = Subscription {
            asked: request.into_inner(),
            known,
            accepted: Arc::clone(&self.accepted),
            names: Vec::new(),
            sent: 0,
        };
        Ok(Response::new(Box::pin(stream::unfold(
            state,
            |mut state| async { state.next().await.map(|answer| (Ok(answer), state)) },
        ))))
    }

    async fn delta_secrets(
        &self,
        _: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaSecretsStream>, Status> {
        Err(Status::unimplemented(
            "istiod's configuration asks for the state of the world",
        ))
    }

    async fn fetch_secrets(
        &self,
        _: Request<DiscoveryRequest>,
    ) -> Result<Response<DiscoveryResponse>, Status> {
        Err(Status::unimplemented(
            "istiod's configuration asks for a stream",
        ))
    }
}

struct Subscription {
    asked: Streaming<DiscoveryRequest>,
    known: watch::Receiver<(u64, Known)>,
    accepted: Arc<Mutex<BTreeMap<String, u64>>>,
    names: Vec<String>,
    sent: u64,
}

impl Subscription {
    /// Waits for something to say: to other names, or because what is known has changed.
    async fn next(&mut self) -> Option<DiscoveryResponse> {
        loop {
            tokio::select! {
                asked = self.asked.message() => {
                    let asked = asked.ok()??;
                    if let Ok(version) = asked.version_info.parse() {
                        let mut accepted = self.accepted.lock().unwrap();
                        accepted.extend(asked.resource_names.iter().map(|name| (name.clone(), version)));
                    }
                    if asked.resource_names == self.names {
                        continue;
                    }
                    self.names = asked.resource_names;
                }
                changed = self.known.changed() => changed.ok()?,
            }
            if !self.names.is_empty() {
                self.sent += 1;
                return Some(self.answer());
            }
        }
    }

    fn answer(&mut self) -> DiscoveryResponse {
        let (version, known) = &*self.known.borrow_and_update();
        let resources = self.names.iter().map(|name| Any {
            type_url: TYPE.into(),
            value: secret(name, known).encode_to_vec(),
        });
        DiscoveryResponse {
            version_info: version.to_string(),
            nonce: self.sent.to_string(),
            type_url: TYPE.into(),
            resources: resources.collect(),
            ..DiscoveryResponse::default()
        }
    }
}

fn secret(name: &str, known: &Known) -> Secret {
    let inline = |text: &str| {
        Some(DataSource {
            specifier: Some(Specifier::InlineString(text.to_owned())),
            ..DataSource::default()
        })
    };
    let what = match name {
        "ROOTCA" => Type::ValidationContext(CertificateValidationContext {
            trusted_ca: inline(&known.roots),
            ..CertificateValidationContext::default()
        }),
        _ => Type::TlsCertificate(TlsCertificate {
            certificate_chain: inline(&known.identity.chain),
            private_key: inline(&known.identity.key),
            ..TlsCertificate::default()
        }),
    };
    Secret {
        name: name.into(),
        r#type: Some(what),
    }
}
