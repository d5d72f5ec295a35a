//! TLS with endpoints.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use rustls::client::{ClientSessionMemoryCache, ResolvesClientCert, Resumption};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, HandshakeKind, SignatureScheme};
use tandem_core::ext::TlsFacts;
use tandem_model::tls::UpstreamTls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

pub use tokio_rustls::client::TlsStream;

use super::failure::Failure;
use super::in_use::{self, InUse};
use super::load::Identity;
use super::secrets::Secrets;
use super::sources::{Gathered, Sources};
use super::verify::{Noted, Verifier, noting};
use super::{Error, certificate, suites};

/// What the handshakes with endpoints of one configuration share, on all workers.
#[derive(Debug)]
pub struct ClientContext {
    config: Arc<UpstreamTls>,
    secrets: Secrets,
    sources: Sources,
    built: ArcSwapOption<Built>,
    building: Mutex<()>,
}

/// The protocols to offer where the configuration names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offer {
    /// None.
    #[default]
    Nothing,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// HTTP/2, or else HTTP/1.1.
    Either,
}

/// Whom a connection is made to.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// Its address; `None` at a Unix socket.
    pub address: Option<IpAddr>,
    /// The server name to send in place of the configured one.
    pub sni: Option<&'a str>,
    /// Whether its certificate must be for that name.
    pub check_name: bool,
    /// What to offer where the configuration says nothing.
    pub offer: Offer,
}

/// A finished handshake.
#[derive(Debug)]
pub struct Connected<IO> {
    /// The connection.
    pub stream: TlsStream<IO>,
    /// What was agreed on, and who the peer is.
    pub facts: TlsFacts,
    /// Whether a session was resumed.
    pub resumed: bool,
}

/// Made from the secrets of one time. Sessions do not outlive it.
#[derive(Debug)]
struct Built {
    generation: u64,
    gathered: Arc<Gathered>,
    configs: Arc<Configs>,
}

/// With the name checked or not, and for each offer: made when first used.
type Configs = [[OnceLock<Arc<ClientConfig>>; 4]; 2];

impl ClientContext {
    /// A context; its secrets may come later.
    ///
    /// # Errors
    /// A secret of its own cannot be used.
    pub fn new(config: Arc<UpstreamTls>, secrets: &Secrets) -> Result<Self, Error> {
        let (context, usable) = Self::patient(config, secrets);
        usable.map(|()| context)
    }

    /// The same, but what cannot be used of its own secrets may be better later as well: until
    /// then there is no connection.
    pub(super) fn patient(
        config: Arc<UpstreamTls>,
        secrets: &Secrets,
    ) -> (Self, Result<(), Error>) {
        let (sources, usable) = Sources::new(secrets, &config.common);
        let context = Self {
            sources,
            secrets: secrets.clone(),
            config,
            built: ArcSwapOption::empty(),
            building: Mutex::new(()),
        };
        (context, usable)
    }

    /// What it was made from.
    pub fn config(&self) -> &Arc<UpstreamTls> {
        &self.config
    }

    /// What it holds; `None` while a secret is missing.
    pub fn in_use(&self) -> Option<InUse> {
        let built = self.current()?;
        let context = &self.config.common;
        Some(InUse::of(context, &self.secrets, &built.gathered))
    }

    /// When the first certificate expires that it shows or trusts.
    pub fn first_end(&self) -> Option<SystemTime> {
        in_use::first_end(&self.current()?.gathered)
    }

    /// Shakes hands with an endpoint.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn connect<IO>(&self, io: IO, peer: Peer<'_>) -> Result<Connected<IO>, Failure>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let built = self.current().ok_or_else(Failure::no_secret)?;
        let name = server_name(peer.sni.unwrap_or(&self.config.sni));
        let check_name = peer.check_name || self.config.auto_sni_san_validation;
        let offer = if self.config.common.alpn.is_empty() {
            peer.offer
        } else {
            Offer::Nothing
        };
        let Ok(config) = self.variant(&built, check_name, offer) else {
            return Err(Failure::no_secret());
        };
        let name = match name {
            Some(name) => name,
            // A name that cannot be asked for cannot be checked either.
            None if check_name => return Err(Failure::no_name()),
            // No server name is sent for an address.
            None => {
                let address = peer.address.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
                ServerName::IpAddress(address.into())
            }
        };
        let connector = TlsConnector::from(config);
        let (result, noted) = noting(connector.connect(name, io)).await;
        match result {
            Ok(stream) => {
                let session = stream.get_ref().1;
                let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
                let mut facts = facts(session, noted, self.config.common.validation.is_some());
                let own = built.gathered.identities.first();
                facts.local = own.map(|identity| Arc::clone(&identity.facts));
                Ok(Connected {
                    stream,
                    facts,
                    resumed,
                })
            }
            Err(error) => Err(Failure::of(&error, noted)),
        }
    }

    /// What the secrets of now make; `None` while one is missing.
    fn current(&self) -> Option<Arc<Built>> {
        let generation = self.secrets.generation();
        let is_now = |built: &Arc<Built>| built.generation == generation;
        if let Some(built) = self.built.load_full().filter(is_now) {
            return Some(built);
        }
        let _turn = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.built.load_full();
        if let Some(built) = before.clone().filter(is_now) {
            return Some(built);
        }
        let gathered = self.sources.gather()?;
        let next = match before {
            Some(before) if before.gathered.is_same(&gathered) => Built {
                generation,
                gathered: Arc::clone(&before.gathered),
                configs: Arc::clone(&before.configs),
            },
            _ => Built {
                generation,
                gathered: Arc::new(gathered),
                configs: Arc::default(),
            },
        };
        let next = Arc::new(next);
        self.built.store(Some(Arc::clone(&next)));
        Some(next)
    }

    fn variant(
        &self,
        built: &Built,
        check_name: bool,
        offer: Offer,
    ) -> Result<Arc<ClientConfig>, Error> {
        let place = &built.configs[usize::from(check_name)][offer as usize];
        if let Some(config) = place.get() {
            return Ok(Arc::clone(config));
        }
        let mut config = match built.configs[usize::from(check_name)]
            .iter()
            .find_map(OnceLock::get)
        {
            // The same sessions can be resumed whatever is offered.
            Some(sibling) => (**sibling).clone(),
            None => self.build(&built.gathered, check_name)?,
        };
        let own = &self.config.common.alpn;
        let protocols: Vec<&[u8]> = match offer {
            Offer::Nothing => own.iter().map(|protocol| protocol.as_bytes()).collect(),
            Offer::Http1 => vec![b"http/1.1"],
            Offer::Http2 => vec![b"h2"],
            Offer::Either => vec![b"h2", b"http/1.1"],
        };
        config.alpn_protocols = protocols.into_iter().map(<[u8]>::to_vec).collect();
        Ok(Arc::clone(place.get_or_init(|| Arc::new(config))))
    }

    fn build(&self, gathered: &Gathered, check_name: bool) -> Result<ClientConfig, Error> {
        let common = &self.config.common;
        let provider = suites::provider(common);
        let verifier = Verifier {
            trust: gathered.trust()?,
            algorithms: provider.signature_verification_algorithms,
            mandatory: false,
            check_name,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&suites::versions(common))
            .map_err(|error| Error::new(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match gathered.identities.first() {
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(Resolver(Arc::clone(identity))))
            }
            None => builder.with_no_client_auth(),
        };
        config.resumption = match usize::try_from(self.config.max_session_keys) {
            Ok(0) | Err(_) => Resumption::disabled(),
            Ok(most) => Resumption::store(Arc::new(ClientSessionMemoryCache::new(most.max(8)))),
        };
        Ok(config)
    }
}

/// The name to ask for, if it is one that can be.
fn server_name(text: &str) -> Option<ServerName<'static>> {
    if text.is_empty() {
        return None;
    }
    ServerName::try_from(text.to_owned()).ok()
}

fn facts(session: &rustls::ClientConnection, noted: Noted, validating: bool) -> TlsFacts {
    let mut facts = super::facts_of(session, noted);
    if facts.peer.is_none()
        && let Some(chain) = session.peer_certificates()
    {
        // A resumed session: the peer is who it was.
        facts.peer = certificate::read(chain).map(Arc::new);
        facts.peer_validated = validating;
    }
    facts
}

/// The one certificate of a client.
#[derive(Debug)]
struct Resolver(Arc<Identity>);

impl ResolvesClientCert for Resolver {
    fn resolve(&self, _roots: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.certified.key.choose_scheme(schemes)?;
        Some(Arc::clone(&self.0.certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
