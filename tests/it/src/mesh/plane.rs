//! A control plane that tests tell what to say, in either variant of the protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::asked::Asked;
use super::told::Told;
use envoy_types::pb::envoy::service::discovery::v3 as wire;
use envoy_types::pb::google::protobuf::Any;
use futures_util::Stream;
use prost::Message as _;
use tandem_harness::{ports, wait};
use tandem_xds_translate::Source;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc, watch};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use wire::aggregated_discovery_service_server as server;
use wire::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Resource,
};

/// Resources of one type by name, and the number of their version.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) version: u64,
    pub(super) all: Arc<BTreeMap<String, Any>>,
    /// What is said to certain nodes in the place of all that.
    to: BTreeMap<String, Arc<BTreeMap<String, Any>>>,
}

impl Said {
    /// The same, as this node is to hear it.
    fn heard_by(&self, node: &str) -> Self {
        Self {
            version: self.version,
            all: Arc::clone(self.to.get(node).unwrap_or(&self.all)),
            to: BTreeMap::new(),
        }
    }
}

/// A response that is no answer to anything.
#[derive(Clone, Debug)]
pub struct Stray {
    /// Its type.
    pub url: String,
    /// Its nonce.
    pub nonce: String,
    /// Its resources.
    pub resources: Vec<Any>,
}

/// What it says and what it was told.
#[derive(Debug, Default)]
struct State {
    said: BTreeMap<String, Said>,
    /// The latest version of each type that was accepted.
    accepted: BTreeMap<String, u64>,
    /// How many resources of each type the process has since.
    held: BTreeMap<String, usize>,
    /// Nonces and reasons.
    refusals: Vec<(String, String)>,
    streams: usize,
    /// The header `x-token` of each stream.
    tokens: BTreeSet<String>,
    node: Option<String>,
    /// What each node asked and answered.
    nodes: BTreeMap<String, Told>,
    /// How often something was said.
    epoch: u64,
    /// Versions that delta streams began with, by type and name.
    begun_with: BTreeMap<(String, String), String>,
}

/// The control plane; it goes with the test.
pub struct Plane {
    /// Where it listens.
    pub port: u16,
    service: Service,
    /// Its connections end with it.
    runtime: Option<Runtime>,
}

#[derive(Clone)]
struct Service {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
    strays: broadcast::Sender<Stray>,
}

impl Plane {
    /// Starts with nothing to say.
    pub async fn start() -> Self {
        let mut plane = Self {
            port: ports::free(),
            service: Service {
                state: Arc::default(),
                changed: watch::Sender::new(()),
                strays: broadcast::Sender::new(16),
            },
            runtime: None,
        };
        plane.resume().await;
        plane
    }

    /// Ends all streams and listens no more.
    pub async fn stop(&mut self) {
        self.end();
        let gone = wait::until_async(wait::PATIENCE, || async {
            TcpStream::connect(("127.0.0.1", self.port)).await.is_err()
        });
        assert!(gone.await);
    }

    /// Listens (again), with what it had to say.
    pub async fn resume(&mut self) {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], self.port));
        let service = server::AggregatedDiscoveryServiceServer::new(self.service.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.spawn(async move {
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve(address).await.unwrap();
        });
        self.runtime = Some(runtime);
        let there = wait::until_async(wait::PATIENCE, || async {
            TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
        });
        assert!(there.await);
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Says these resources and no others; YAML, a list with `@type`s. Types that stay the same
    /// are not sent again.
    pub fn say(&self, resources: &str) {
        self.say_all(read(resources));
    }

    /// So, but as they are on the wire.
    pub fn say_all(&self, resources: Vec<Any>) {
        let mut said: BTreeMap<String, BTreeMap<String, Any>> = BTreeMap::new();
        for any in resources {
            let of_type = said.entry(any.type_url.clone()).or_default();
            assert!(of_type.insert(name(&any.value), any).is_none());
        }
        let mut state = self.service.state.lock().unwrap();
        state.epoch += 1;
        let known: BTreeSet<String> = state.said.keys().chain(said.keys()).cloned().collect();
        for url in known {
            let all = said.remove(&url).unwrap_or_default();
            let before = state.said.entry(url).or_default();
            if *before.all != all {
                before.all = Arc::new(all);
                before.version += 1;
            }
        }
        drop(state);
        self.service.changed.send_replace(());
    }

    /// Says to each node what is its own; YAML, as in [`Plane::say`]. A type gets a new version for
    /// all of them when it changes for one.
    pub fn say_each(&self, texts: &[(&str, String)]) {
        let mut each: BTreeMap<String, BTreeMap<String, BTreeMap<String, Any>>> = BTreeMap::new();
        for (node, text) in texts {
            for any in read(text) {
                let of_type = each.entry(any.type_url.clone()).or_default();
                let of_node = of_type.entry((*node).to_owned()).or_default();
                assert!(of_node.insert(name(&any.value), any).is_none());
            }
        }
        let mut state = self.service.state.lock().unwrap();
        state.epoch += 1;
        let known: BTreeSet<String> = state.said.keys().chain(each.keys()).cloned().collect();
        for url in known {
            let mut all = each.remove(&url).unwrap_or_default();
            let before = state.said.entry(url).or_default();
            let mut changed = false;
            for (node, _) in texts {
                let now = Arc::new(all.remove(*node).unwrap_or_default());
                changed |= before.to.insert((*node).to_owned(), Arc::clone(&now)) != Some(now);
            }
            before.version += u64::from(changed);
        }
        drop(state);
        self.service.changed.send_replace(());
    }

    /// What a node asked and answered.
    pub fn told(&self, node: &str) -> Told {
        let state = self.service.state.lock().unwrap();
        state.nodes.get(node).cloned().unwrap_or_default()
    }

    /// Whether a node was sent all that it asks for, and has answered it.
    pub fn settled(&self, node: &str) -> bool {
        let state = self.service.state.lock().unwrap();
        let told = state.nodes.get(node);
        told.is_some_and(|told| told.open.is_empty() && told.epoch == state.epoch)
    }

    /// Sends a response out of turn, on all streams.
    pub fn stray(&self, stray: Stray) {
        let _ = self.service.strays.send(stray);
    }

    /// Waits until everything that is said and asked for was accepted.
    pub async fn accepted(&self) {
        self.accepted_within(wait::PATIENCE).await;
    }

    /// The same, with a patience of its own.
    pub async fn accepted_within(&self, patience: Duration) {
        let done = wait::until(patience, || {
            let state = self.service.state.lock().unwrap();
            let mut said = state.said.iter().filter(|(_, said)| !said.all.is_empty());
            said.all(|(url, said)| state.accepted.get(url) == Some(&said.version))
        });
        let state = || {
            let state = self.service.state.lock().unwrap();
            let said = state.said.iter().map(|(url, said)| (url, said.version));
            format!("{:?} of {:?}", state.accepted, said.collect::<Vec<_>>())
        };
        assert!(done.await, "not accepted: {}", state());
    }

    /// How many resources of a type the process has and has accepted.
    pub fn holds(&self, url: &str) -> usize {
        let state = self.service.state.lock().unwrap();
        state.held.get(url).copied().unwrap_or_default()
    }

    /// Waits for a refusal that holds this text.
    pub async fn refused(&self, text: &str) {
        self.refused_of("", text).await;
    }

    /// The same, of the response whose nonce begins like this.
    pub async fn refused_of(&self, nonce: &str, text: &str) {
        let found = || {
            let state = self.service.state.lock().unwrap();
            let mut refusals = state.refusals.iter();
            refusals.any(|(of, reason)| of.starts_with(nonce) && reason.contains(text))
        };
        let refusals = || self.service.state.lock().unwrap().refusals.clone();
        // Some are very large, and take their time.
        let patience = 3 * wait::PATIENCE;
        assert!(wait::until(patience, found).await, "{:?}", refusals());
    }

    /// How many streams were opened.
    pub fn streams(&self) -> usize {
        self.service.state.lock().unwrap().streams
    }

    /// With which tokens (`x-token`) they were opened.
    pub fn tokens(&self) -> Vec<String> {
        let state = self.service.state.lock().unwrap();
        state.tokens.iter().cloned().collect()
    }

    /// The version of a resource that the newest delta stream began with.
    pub fn begun_with(&self, url: &str, name: &str) -> Option<String> {
        let state = self.service.state.lock().unwrap();
        let versions = &state.begun_with;
        versions.get(&(url.to_owned(), name.to_owned())).cloned()
    }

    /// The id of the node that asked.
    pub fn node(&self) -> Option<String> {
        self.service.state.lock().unwrap().node.clone()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads a list with `@type`s in YAML.
pub fn read(resources: &str) -> Vec<Any> {
    let source = Source::yaml("resources", format!("resources:\n{resources}"));
    tandem_xds_translate::read_response(&source)
        .unwrap()
        .response
        .resources
}

/// In every resource the first field is its name.
fn name(value: &[u8]) -> String {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Named {
        #[prost(string, tag = "1")]
        name: String,
    }
    Named::decode(value).unwrap_or_default().name
}

/// Says what is accepted with it: a version, and how many resources the process then has.
pub(super) fn nonce(version: u64, held: usize) -> String {
    format!("{version}:{held}")
}

type Answers<A> = Pin<Box<dyn Stream<Item = Result<A, Status>> + Send>>;

fn answers<A: Send + 'static>(queue: mpsc::UnboundedReceiver<Result<A, Status>>) -> Answers<A> {
    Box::pin(futures_util::stream::unfold(queue, async |mut queue| {
        let next = queue.recv().await?;
        Some((next, queue))
    }))
}

#[tonic::async_trait]
impl server::AggregatedDiscoveryService for Service {
    type StreamAggregatedResourcesStream = Answers<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Answers<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        self.hear(request.metadata());
        let (send, queue) = mpsc::unbounded_channel();
        tokio::spawn(self.clone().sotw(request.into_inner(), send));
        Ok(Response::new(answers(queue)))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        self.hear(request.metadata());
        let (send, queue) = mpsc::unbounded_channel();
        tokio::spawn(self.clone().delta(request.into_inner(), send));
        Ok(Response::new(answers(queue)))
    }
}

impl Service {
    /// What is to be said to a node, by type, and how often anything was said: of one moment.
    /// Routes may not be sent before the clusters that were said with them.
    fn said(&self, node: &str) -> (u64, BTreeMap<String, Said>) {
        let state = self.state.lock().unwrap();
        let said = state.said.iter();
        let said = said.map(|(url, said)| (url.clone(), said.heard_by(node)));
        (state.epoch, said.collect())
    }

    fn hear(&self, metadata: &MetadataMap) {
        let token = metadata
            .get("x-token")
            .and_then(|token| token.to_str().ok());
        let tokens = &mut self.state.lock().unwrap().tokens;
        tokens.extend(token.map(str::to_owned));
    }

    fn opened(&self) -> watch::Receiver<()> {
        self.state.lock().unwrap().streams += 1;
        self.changed.subscribe()
    }

    /// Changes what is known of a node.
    fn of(&self, node: &str, change: impl FnOnce(&mut Told)) {
        change(
            self.state
                .lock()
                .unwrap()
                .nodes
                .entry(node.to_owned())
                .or_default(),
        );
    }

    /// A stream began.
    fn began(&self, node: &str) {
        self.of(node, |told| {
            *told = Told {
                answers: std::mem::take(&mut told.answers),
                ..Told::default()
            };
        });
    }

    /// A request came: what it asks for from now on, and what it answers.
    fn asked(&self, node: &str, url: &str, nonce: &str, refusal: Option<&str>) {
        self.of(node, |told| {
            if !told.order.iter().any(|known| known == url) {
                told.order.push(url.to_owned());
            }
            told.open.remove(&(url.to_owned(), nonce.to_owned()));
            if let Some((version, _)) = nonce.split_once(':') {
                let version = version.parse().unwrap();
                let answer = (url.to_owned(), version, refusal.map(str::to_owned));
                told.answers.push(answer);
            }
        });
    }

    fn answered(&self, url: &str, nonce: &str, refusal: Option<String>) {
        let mut state = self.state.lock().unwrap();
        match refusal {
            Some(reason) => state.refusals.push((nonce.to_owned(), reason)),
            // What came out of turn has no number.
            None => {
                if let Some((version, held)) = nonce.split_once(':') {
                    let version = version.parse().unwrap();
                    state.accepted.insert(url.to_owned(), version);
                    state.held.insert(url.to_owned(), held.parse().unwrap());
                }
            }
        }
    }

    async fn sotw(
        self,
        mut requests: Streaming<DiscoveryRequest>,
        send: mpsc::UnboundedSender<Result<DiscoveryResponse, Status>>,
    ) {
        let mut changed = self.opened();
        let mut strays = self.strays.subscribe();
        // What each type asks for, and the version that was sent last.
        let mut asked: BTreeMap<String, (BTreeSet<String>, Option<u64>)> = BTreeMap::new();
        let mut node = String::new();
        loop {
            tokio::select! {
                request = requests.message() => {
                    let Ok(Some(request)) = request else { return };
                    if let Some(found) = request.node
                        && node != found.id
                    {
                        node = found.id;
                        self.state.lock().unwrap().node = Some(node.clone());
                        self.began(&node);
                    }
                    let refusal = request.error_detail.as_ref().map(|status| &*status.message);
                    self.asked(&node, &request.type_url, &request.response_nonce, refusal);
                    if !request.response_nonce.is_empty() {
                        let refusal = request.error_detail.map(|status| status.message);
                        self.answered(&request.type_url, &request.response_nonce, refusal);
                    }
                    let url = request.type_url.clone();
                    let (names, sent) = asked.entry(request.type_url).or_default();
                    let asked_now: BTreeSet<String> = request.resource_names.into_iter().collect();
                    if *names != asked_now {
                        *names = asked_now;
                        *sent = None;
                    }
                    let names = names.clone();
                    self.of(&node, |told| drop(told.names.insert(url, names)));
                }
                Ok(stray) = strays.recv() => {
                    let response = DiscoveryResponse {
                        version_info: stray.nonce.clone(),
                        nonce: stray.nonce,
                        type_url: stray.url,
                        resources: stray.resources,
                        ..Default::default()
                    };
                    let _ = send.send(Ok(response));
                }
                _ = changed.changed() => {}
            }
            let (epoch, all) = self.said(&node);
            for (url, (names, sent)) in &mut asked {
                let said = all.get(url).cloned().unwrap_or_default();
                if said.version == 0 || *sent == Some(said.version) {
                    continue;
                }
                *sent = Some(said.version);
                let wanted = |name: &String| names.is_empty() || names.contains(name);
                let resources = said.all.iter().filter(|(name, _)| wanted(name));
                let resources: Vec<_> = resources.map(|(_, any)| any.clone()).collect();
                let response = DiscoveryResponse {
                    version_info: said.version.to_string(),
                    nonce: nonce(said.version, resources.len()),
                    type_url: url.clone(),
                    resources,
                    ..Default::default()
                };
                let open = (url.clone(), response.nonce.clone());
                self.of(&node, |told| _ = told.open.insert(open));
                let _ = send.send(Ok(response));
            }
            self.of(&node, |told| told.epoch = epoch);
        }
    }

    async fn delta(
        self,
        mut requests: Streaming<DeltaDiscoveryRequest>,
        send: mpsc::UnboundedSender<Result<DeltaDiscoveryResponse, Status>>,
    ) {
        let mut changed = self.opened();
        let mut strays = self.strays.subscribe();
        let mut asked: BTreeMap<String, Asked> = BTreeMap::new();
        let mut node = String::new();
        loop {
            tokio::select! {
                request = requests.message() => {
                    let Ok(Some(request)) = request else { return };
                    if let Some(found) = &request.node
                        && node != found.id
                    {
                        node.clone_from(&found.id);
                        self.state.lock().unwrap().node = Some(node.clone());
                        self.began(&node);
                    }
                    let refusal = request.error_detail.as_ref().map(|status| &*status.message);
                    self.asked(&node, &request.type_url, &request.response_nonce, refusal);
                    if !request.response_nonce.is_empty() {
                        let refusal = request.error_detail.clone().map(|status| status.message);
                        self.answered(&request.type_url, &request.response_nonce, refusal);
                    }
                    for (name, version) in &request.initial_resource_versions {
                        let of = (request.type_url.clone(), name.clone());
                        (self.state.lock().unwrap().begun_with).insert(of.clone(), version.clone());
                        self.of(&node, |told| drop(told.begun_with.insert(of, version.clone())));
                    }
                    let url = request.type_url.clone();
                    let of_type = asked.entry(url.clone()).or_default();
                    of_type.take(request);
                    let names = of_type.names.clone();
                    self.of(&node, |told| drop(told.names.insert(url, names)));
                }
                Ok(stray) = strays.recv() => {
                    let resources = stray.resources.into_iter().map(|any| Resource {
                        name: name(&any.value),
                        version: stray.nonce.clone(),
                        resource: Some(any),
                        ..Default::default()
                    });
                    let response = DeltaDiscoveryResponse {
                        system_version_info: stray.nonce.clone(),
                        nonce: stray.nonce.clone(),
                        type_url: stray.url,
                        resources: resources.collect(),
                        ..Default::default()
                    };
                    let _ = send.send(Ok(response));
                }
                _ = changed.changed() => {}
            }
            let (epoch, all) = self.said(&node);
            for (url, asked) in &mut asked {
                let said = all.get(url).cloned().unwrap_or_default();
                if let Some(response) = asked.response(url, &said) {
                    let open = (url.clone(), response.nonce.clone());
                    self.of(&node, |told| _ = told.open.insert(open));
                    let _ = send.send(Ok(response));
                }
            }
            self.of(&node, |told| told.epoch = epoch);
        }
    }
}
