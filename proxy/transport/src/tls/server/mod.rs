//! TLS with clients.

mod names;
mod resolve;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use rustls::server::{Acceptor, ClientHello, NoServerSessionStorage};
use rustls::{HandshakeKind, ServerConfig};
use tandem_core::ext::TlsFacts;
use tandem_model::tls::DownstreamTls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;

pub use tokio_rustls::server::TlsStream;

use super::failure::Failure;
use super::in_use::{self, InUse};
use super::secrets::Secrets;
use super::sources::{Gathered, Sources};
use super::verify::{Noted, Trust, Verifier, noting};
use super::{Error, certificate, suites};
pub use names::ClientNames;
use resolve::Resolver;

/// What the handshakes with clients of one configuration share, on all workers.
#[derive(Debug)]
pub struct ServerContext {
    config: Arc<DownstreamTls>,
    secrets: Secrets,
    sources: Sources,
    built: ArcSwapOption<Built>,
    building: Mutex<()>,
}

/// Made from the secrets of one time. Sessions do not outlive it: what the old roots vouched
/// for is vouched for anew.
#[derive(Debug)]
struct Built {
    generation: u64,
    gathered: Arc<Gathered>,
    verifier: Option<Arc<Verifier>>,
    without_alpn: Arc<ServerConfig>,
    /// One for each protocol, since rustls refuses clients with whom it shares none.
    by_alpn: Vec<(Arc<str>, Arc<ServerConfig>)>,
}

/// A finished handshake.
#[derive(Debug)]
pub struct Accepted<IO> {
    /// The connection.
    pub stream: TlsStream<IO>,
    /// What was agreed on, and who the peer is.
    pub facts: TlsFacts,
    /// Whether a session was resumed.
    pub resumed: bool,
}

impl ServerContext {
    /// A context; its secrets may come later.
    ///
    /// # Errors
    /// A secret of its own cannot be used.
    pub fn new(config: Arc<DownstreamTls>, secrets: &Secrets) -> Result<Self, Error> {
        let (sources, usable) = Sources::new(secrets, &config.common);
        usable?;
        let context = Self {
            sources,
            secrets: secrets.clone(),
            config,
            built: ArcSwapOption::empty(),
            building: Mutex::new(()),
        };
        context.current()?;
        Ok(context)
    }

    /// What it holds; `None` while a secret is missing.
    pub fn in_use(&self) -> Option<InUse> {
        let built = self.current().ok()??;
        let context = &self.config.common;
        Some(InUse::of(context, &self.secrets, &built.gathered))
    }

    /// When the first certificate expires that it shows or trusts.
    pub fn first_end(&self) -> Option<SystemTime> {
        in_use::first_end(&self.current().ok()??.gathered)
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    /// Why there is no connection; the client was told as far as TLS tells.
    pub async fn accept<IO>(&self, io: IO) -> Result<Accepted<IO>, Failure>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let mut acceptor = std::pin::pin!(LazyConfigAcceptor::new(Acceptor::default(), io));
        let start = match acceptor.as_mut().await {
            Ok(start) => start,
            Err(error) => return Err(Failure::of(&error, Noted::default())),
        };
        let built = match self.current() {
            Ok(Some(built)) => built,
            _ => return Err(Failure::no_secret()),
        };
        let config = built.choose(&start.client_hello());
        // Within the future: a certificate is chosen already when the stream is made.
        let handshake = async { start.into_stream(config).await };
        let (result, noted) = noting(handshake).await;
        match result {
            Ok(stream) => {
                let session = stream.get_ref().1;
                let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
                let facts = built.facts(session, noted);
                Ok(Accepted {
                    stream,
                    facts,
                    resumed,
                })
            }
            Err(error) => Err(Failure::of(&error, noted)),
        }
    }

    /// What the secrets of now make; `None` while one is missing.
    fn current(&self) -> Result<Option<Arc<Built>>, Error> {
        let generation = self.secrets.generation();
        let built = self.built.load_full();
        if let Some(built) = &built
            && built.generation == generation
        {
            return Ok(Some(Arc::clone(built)));
        }
        let _turn = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.built.load_full();
        if let Some(before) = &before
            && before.generation == generation
        {
            return Ok(Some(Arc::clone(before)));
        }
        let Some(gathered) = self.sources.gather() else {
            return Ok(None);
        };
        let next = match before {
            Some(before) if before.gathered.is_same(&gathered) => Built {
                generation,
                gathered: Arc::clone(&before.gathered),
                verifier: before.verifier.clone(),
                without_alpn: Arc::clone(&before.without_alpn),
                by_alpn: before.by_alpn.clone(),
            },
            _ => Built::new(&self.config, gathered, generation)?,
        };
        let next = Arc::new(next);
        self.built.store(Some(Arc::clone(&next)));
        Ok(Some(next))
    }
}

impl Built {
    fn new(config: &DownstreamTls, gathered: Gathered, generation: u64) -> Result<Self, Error> {
        let gathered = Arc::new(gathered);
        let provider = suites::provider(&config.common);
        let trust = gathered.trust()?;
        let asks_who = trust.as_deref().is_some_and(Trust::asks_who);
        let mandatory = config.require_client_certificate || asks_who;
        let verifier = (trust.is_some() || mandatory).then(|| {
            Arc::new(Verifier {
                trust,
                algorithms: provider.signature_verification_algorithms,
                mandatory,
                check_name: false,
            })
        });
        let unusable = |error: rustls::Error| Error::new(error.to_string());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&suites::versions(&config.common))
            .map_err(unusable)?;
        let builder = match &verifier {
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier) as _),
            None => builder.with_no_client_auth(),
        };
        let resolver = Resolver(gathered.identities.clone());
        let mut server = builder.with_cert_resolver(Arc::new(resolver));
        server.ignore_client_order = !config.prefer_client_ciphers;
        if !config.disable_stateless_session_resumption {
            server.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(unusable)?;
        }
        if config.disable_stateful_session_resumption {
            server.session_storage = Arc::new(NoServerSessionStorage {});
            if config.disable_stateless_session_resumption {
                server.send_tls13_tickets = 0;
            }
        }
        let by_alpn = config.common.alpn.iter().map(|protocol| {
            let mut server = server.clone();
            server.alpn_protocols = vec![protocol.as_bytes().to_vec()];
            (Arc::clone(protocol), Arc::new(server))
        });
        Ok(Self {
            by_alpn: by_alpn.collect(),
            generation,
            gathered,
            verifier,
            without_alpn: Arc::new(server),
        })
    }

    /// The first of our protocols that the client offers decides; without one there is none,
    /// which is for the client to mind.
    fn choose(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let offered: Vec<&[u8]> = hello.alpn().map(Iterator::collect).unwrap_or_default();
        let shared = self
            .by_alpn
            .iter()
            .find(|(protocol, _)| offered.contains(&protocol.as_bytes()));
        Arc::clone(shared.map_or(&self.without_alpn, |(_, config)| config))
    }

    fn facts(&self, session: &rustls::ServerConnection, noted: Noted) -> TlsFacts {
        let mut facts = super::facts_of(session, noted);
        facts.sni = session.server_name().map(Into::into);
        if facts.peer.is_none()
            && let Some(chain) = session.peer_certificates()
        {
            // A resumed session: who it was then is who it is now.
            facts.peer = certificate::read(chain).map(Arc::new);
            let verifier = self.verifier.as_ref();
            facts.peer_validated = verifier.is_some_and(|verifier| verifier.validates(chain));
        }
        if facts.local.is_none() {
            let first = self.gathered.identities.first();
            facts.local = first.map(|identity| Arc::clone(&identity.facts));
        }
        facts
    }
}
