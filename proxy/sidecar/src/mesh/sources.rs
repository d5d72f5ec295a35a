//! Who is asked for which resources: one stream for everything that says `ads`, one for each
//! kind of every other source.

use std::collections::HashMap;
use std::mem::discriminant;
use std::time::Duration;

use tandem_core::stats::Registry;
use tandem_model::bootstrap::Dynamic;
use tandem_model::config_source::{
    ApiConfigSource, ApiType, ConfigSource, Origin, PathConfigSource, ResourceKey,
};
use tandem_upstream::Clusters;
use tandem_xds_client::poll::{Decode, File, Files, Rest, Timing};
use tandem_xds_client::{Ads, Backoff, Connection, Consumer, Event, Node, Variant};
use tandem_xds_translate::Source;
use tandem_xds_translate::resource::Kind;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tonic::metadata::MetadataMap;

use super::stats;
use super::transport::Transport;

/// What a control plane said.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) kind: Kind,
    pub(super) origin: Origin,
    pub(super) event: Event,
}

/// The streams to control planes.
#[derive(Debug)]
pub(super) struct Sources {
    node: Node,
    clusters: Clusters,
    registry: Registry,
    streams: stats::Streams,
    told: UnboundedSender<Told>,
    ads: HashMap<Kind, Wants>,
    own: HashMap<(Origin, Kind), Wants>,
}

/// What a consumer is told to ask for.
#[derive(Debug)]
enum Want {
    More(String),
    Less(String),
}

impl Want {
    fn name(&self) -> &str {
        let (Self::More(name) | Self::Less(name)) = self;
        name
    }
}

impl Sources {
    /// Starts the streams that the bootstrap asks for; the receiver yields what they say.
    pub(super) fn start(
        dynamic: &Dynamic,
        node: Node,
        clusters: Clusters,
        registry: &Registry,
    ) -> (Self, UnboundedReceiver<Told>) {
        let (told, inbox) = unbounded_channel();
        let mut sources = Self {
            node,
            clusters,
            registry: registry.clone(),
            streams: stats::Streams::new(registry),
            told,
            ads: HashMap::new(),
            own: HashMap::new(),
        };
        if let Some(config) = &dynamic.ads {
            sources.start_ads(config, dynamic);
        }
        for (kind, source) in [
            (Kind::Cluster, &dynamic.clusters),
            (Kind::Listener, &dynamic.listeners),
        ] {
            if let Some(source) = source {
                sources.start_own(&source.origin, kind, Whole::Yes(source));
            }
        }
        (sources, inbox)
    }

    /// Asks for a resource.
    pub(super) fn subscribe(&mut self, kind: Kind, key: &ResourceKey) {
        if key.origin != Origin::Ads {
            self.start_own(&key.origin, kind, Whole::No);
        }
        self.tell(kind, key, Want::More(key.name.to_string()));
    }

    /// Asks for a resource no more.
    pub(super) fn unsubscribe(&mut self, kind: Kind, key: &ResourceKey) {
        self.tell(kind, key, Want::Less(key.name.to_string()));
    }

    fn tell(&self, kind: Kind, key: &ResourceKey, want: Want) {
        let wants = match &key.origin {
            Origin::Ads => self.ads.get(&kind),
            origin => self.own.get(&(origin.clone(), kind)),
        };
        match wants {
            Some(wants) => {
                let _ = wants.send(want);
            }
            None => tracing::warn!(
                name = %key.name,
                kind = kind.type_name(),
                "nobody can be asked for this resource: expected an ads_config in the bootstrap"
            ),
        }
    }

    fn start_ads(&mut self, config: &ApiConfigSource, dynamic: &Dynamic) {
        let mut ads = self.stream(config);
        for kind in Kind::ALL {
            let whole = match kind {
                Kind::Cluster => dynamic.clusters.as_ref(),
                Kind::Listener => dynamic.listeners.as_ref(),
                // State of the world knows no virtual hosts.
                Kind::VirtualHosts if config.api != ApiType::DeltaGrpc => continue,
                Kind::Endpoints
                | Kind::Routes
                | Kind::Scopes
                | Kind::VirtualHosts
                | Kind::Secret
                | Kind::Extension
                | Kind::Runtime => None,
            };
            let whole = whole.filter(|source| source.origin == Origin::Ads);
            let timeout = whole.and_then(|source| source.initial_fetch_timeout);
            if let Some(wants) = self.consume(&mut ads, kind, Origin::Ads, whole.is_some(), timeout)
            {
                self.ads.insert(kind, wants);
            }
        }
        self.run(ads, config);
    }

    fn start_own(&mut self, origin: &Origin, kind: Kind, whole: Whole<'_>) {
        let place = (origin.clone(), kind);
        if self.own.contains_key(&place) {
            return;
        }
        let wants = match origin {
            Origin::Ads => return,
            Origin::Api(config) if config.api == ApiType::Rest => {
                self.start_rest(config, kind, origin, whole)
            }
            Origin::Api(config) => self.start_stream(config, kind, origin, whole),
            Origin::Path(config) => Some(self.start_file(config, kind, origin, whole)),
        };
        self.own.extend(wants.map(|wants| (place, wants)));
    }

    fn start_stream(
        &self,
        config: &ApiConfigSource,
        kind: Kind,
        origin: &Origin,
        whole: Whole<'_>,
    ) -> Option<Wants> {
        let mut stream = self.stream(config);
        let (wildcard, timeout) = whole.asks();
        let wants = self.consume(&mut stream, kind, origin.clone(), wildcard, timeout)?;
        match stream.own_service() {
            Ok(stream) => self.run(stream, config),
            Err(error) => {
                tracing::error!(%error, "cannot ask a control plane");
                return None;
            }
        }
        Some(wants)
    }

    fn start_rest(
        &self,
        config: &ApiConfigSource,
        kind: Kind,
        origin: &Origin,
        whole: Whole<'_>,
    ) -> Option<Wants> {
        let (wildcard, fetch) = whole.asks();
        let mut timing = Timing::new(config.refresh_delay);
        timing.request = config.request_timeout;
        let decode = decode("the control plane's answer".to_owned());
        let rest = Rest::new(kind.type_url(), wildcard, fetch, &self.node, timing, decode);
        let (rest, consumer) = rest
            .map_err(|error| tracing::error!(%error, "cannot ask a control plane"))
            .ok()?;
        self.watch_connection(
            config.services.first()?.cluster.to_string(),
            None,
            rest.connection(),
        );
        let mut services = self.services(config);
        tokio::spawn(rest.run(services.next()?, services.collect::<Vec<_>>()));
        Some(self.pump(consumer, kind, origin.clone()))
    }

    fn start_file(
        &self,
        config: &PathConfigSource,
        kind: Kind,
        origin: &Origin,
        whole: Whole<'_>,
    ) -> Wants {
        let (wildcard, fetch) = whole.asks();
        let file = File {
            path: config.path.clone(),
            watched_directory: config.watched_directory.clone(),
            poll_interval: None,
        };
        let name = config.path.display().to_string();
        let decode = decode(name.clone());
        let (files, consumer) = Files::new(kind.type_url(), wildcard, fetch, file, decode);
        self.watch_connection(name, None, files.connection());
        tokio::spawn(files.run());
        self.pump(consumer, kind, origin.clone())
    }

    fn stream(&self, config: &ApiConfigSource) -> Ads {
        let variant = match config.api {
            ApiType::DeltaGrpc => Variant::Delta,
            ApiType::Grpc | ApiType::Rest => Variant::StateOfTheWorld,
        };
        // Each service has its own, which goes with its calls.
        let metadata = MetadataMap::default();
        Ads::new(variant, self.node.clone(), metadata, Backoff::default())
    }

    fn consume(
        &self,
        ads: &mut Ads,
        kind: Kind,
        origin: Origin,
        wildcard: bool,
        timeout: Option<Duration>,
    ) -> Option<Wants> {
        let consumer = ads.consumer(kind.type_url(), wildcard, timeout);
        let consumer = consumer
            .map_err(|error| tracing::error!(%error, "cannot ask a control plane"))
            .ok()?;
        Some(self.pump(consumer, kind, origin))
    }

    fn pump(&self, consumer: Consumer, kind: Kind, origin: Origin) -> Wants {
        tokio::spawn(stats::follow(kind, self.registry.clone(), consumer.stats()));
        let (wants, inbox) = unbounded_channel();
        tokio::spawn(pump(consumer, inbox, kind, origin, self.told.clone()));
        wants
    }

    fn services(&self, config: &ApiConfigSource) -> impl Iterator<Item = Transport> {
        let planes = config.services.iter();
        planes.map(|plane| Transport::new(plane, &self.clusters))
    }

    fn run(&self, ads: Ads, config: &ApiConfigSource) {
        let mut services = self.services(config);
        if let Some(first) = services.next() {
            let name = config.services[0].cluster.to_string();
            let streams = Some(self.streams.clone());
            self.watch_connection(name, streams, ads.connection());
            let backups: Vec<_> = services.collect();
            tokio::spawn(ads.run_with_backups(first, backups));
        }
    }

    fn watch_connection(
        &self,
        what: String,
        streams: Option<stats::Streams>,
        connection: watch::Receiver<Connection>,
    ) {
        tokio::spawn(stats::follow_connection(what, streams, connection));
    }
}

/// What is to be asked for, on its way to a consumer.
type Wants = UnboundedSender<Want>;

/// Reads a response by the rules of files; `name` is what errors call it.
fn decode(name: String) -> Decode {
    Box::new(move |bytes| {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let source = Source::file(name.as_str(), text);
        tandem_xds_translate::read_response(&source).map_err(|errors| errors.to_string())
    })
}

/// Whether all resources of a kind are asked for.
#[derive(Clone, Copy, Debug)]
enum Whole<'a> {
    Yes(&'a ConfigSource),
    No,
}

impl Whole<'_> {
    /// Whether everything is asked for, and how long the first answer may take.
    fn asks(self) -> (bool, Option<Duration>) {
        match self {
            Self::Yes(source) => (true, source.initial_fetch_timeout),
            Self::No => (false, None),
        }
    }
}

/// Carries what one consumer hears and is to ask for.
async fn pump(
    mut consumer: Consumer,
    mut wants: UnboundedReceiver<Want>,
    kind: Kind,
    origin: Origin,
    told: UnboundedSender<Told>,
) {
    let mut asked = Vec::new();
    loop {
        tokio::select! {
            // All that wait: fifty thousand clusters want their endpoints at once, and state of
            // the world says every name again in each request.
            count = wants.recv_many(&mut asked, usize::MAX) => {
                if count == 0 {
                    return;
                }
                ask(&consumer, &asked);
                asked.clear();
            }
            event = consumer.next() => {
                let Some(event) = event else { return };
                let origin = origin.clone();
                if told.send(Told { kind, origin, event }).is_err() {
                    return;
                }
            }
        }
    }
}

/// Asks for names together where nothing else was wanted in between.
fn ask(consumer: &Consumer, wants: &[Want]) {
    for run in wants.chunk_by(|one, next| discriminant(one) == discriminant(next)) {
        let names = run.iter().map(Want::name);
        match run.first() {
            Some(Want::More(_)) => consumer.subscribe(names),
            Some(Want::Less(_)) => consumer.unsubscribe(names),
            None => {}
        }
    }
}
