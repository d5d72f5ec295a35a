//! Looking at a connection before its chain is chosen: the listener filters, in their order,
//! within the listener's time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tandem_core::ext::Source;
use tandem_core::stats::{Counter, Registry};
use tandem_model::listener::{
    ListenerFilter, ListenerFilterKind, OriginalSrc, PortPredicate, TlsInspector,
};
use tandem_transport::accept::Peer;
use tandem_transport::inspect::{self, HttpKind, Judged, Peeked};
use tandem_transport::original_dst::original_dst;
use tokio::net::TcpStream;

use super::built::Built;
use super::stats::{Http, Stats, Tls};

/// What is known of a connection that has no chain yet.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Where it connected to, or was going before it was redirected.
    pub(super) local: Option<SocketAddr>,
    pub(super) original_destination: Option<SocketAddr>,
    /// Where connections made for it come from.
    pub(super) source: Option<Source>,
    pub(super) tls: bool,
    pub(super) server_name: Option<Arc<str>>,
    pub(super) application_protocols: Vec<Arc<str>>,
}

impl Facts {
    pub(super) fn new(stream: &TcpStream) -> Self {
        Self {
            local: stream.local_addr().ok(),
            ..Self::default()
        }
    }
}

/// A listener filter, built.
#[derive(Debug)]
pub(super) struct Filter {
    disabled: Option<PortPredicate>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    OriginalDst,
    OriginalSrc(OriginalSrc),
    Tls(TlsInspector, Tls),
    Http(Http),
}

/// The connection is to be closed; why is counted.
struct Close;

/// Runs the listener's filters. `None`: the connection was closed.
///
/// Where the time runs out and the listener says so, it goes on by what is known: a client that
/// waits for the server to speak first does not wait for ever.
pub(super) async fn look(
    built: &Built,
    stream: TcpStream,
    client: &Peer,
    facts: &mut Facts,
) -> Option<TcpStream> {
    let listener = &built.listener;
    let looking = run(built, &stream, client, facts);
    let outcome = match listener.listener_filters_timeout {
        Some(time) => tokio::time::timeout(time, looking).await,
        None => Ok(looking.await),
    };
    match outcome {
        Ok(Ok(())) => Some(stream),
        Ok(Err(Close)) => None,
        Err(_elapsed) => {
            built.stats.pre_timeout.inc();
            if !listener.continue_on_listener_filters_timeout {
                return None;
            }
            inspect::rearm(stream).ok()
        }
    }
}

async fn run(
    built: &Built,
    stream: &TcpStream,
    client: &Peer,
    facts: &mut Facts,
) -> Result<(), Close> {
    let (listener, stats) = (&built.listener, &*built.stats);
    for filter in &built.filters {
        if filter.is_disabled(facts) {
            continue;
        }
        match &filter.kind {
            Kind::OriginalDst => restore(stream, listener.transparent, facts),
            Kind::OriginalSrc(config) => {
                // By a Unix socket there is no address to keep.
                let client = client.address();
                facts.source = client.map(|client| Source::of(client, config.mark));
            }
            Kind::Tls(config, counters) => tls(config, counters, stats, stream, facts).await?,
            // HTTP cannot be seen through TLS.
            Kind::Http(_) if facts.tls => {}
            Kind::Http(counters) => http(counters, stats, stream, facts).await?,
        }
    }
    // As if it were the last of the filters, which is where Envoy puts it.
    if listener.use_original_dst && facts.original_destination.is_none() {
        restore(stream, listener.transparent, facts);
    }
    Ok(())
}

impl Filter {
    /// A filter with its counters.
    pub(super) fn new(config: &ListenerFilter, stats: &Registry) -> Self {
        Self {
            disabled: config.disabled.clone(),
            kind: match config.kind {
                ListenerFilterKind::OriginalDst => Kind::OriginalDst,
                ListenerFilterKind::OriginalSrc(config) => Kind::OriginalSrc(config),
                ListenerFilterKind::TlsInspector(config) => Kind::Tls(config, Tls::new(stats)),
                ListenerFilterKind::HttpInspector => Kind::Http(Http::new(stats)),
            },
        }
    }

    fn is_disabled(&self, facts: &Facts) -> bool {
        match (&self.disabled, facts.local) {
            (Some(predicate), Some(local)) => predicate.holds(local.port()),
            _ => false,
        }
    }
}

fn restore(stream: &TcpStream, transparent: bool, facts: &mut Facts) {
    if let Some(wanted) = original_dst(stream, transparent) {
        facts.local = Some(wanted);
        facts.original_destination = Some(wanted);
    }
}

async fn tls(
    config: &TlsInspector,
    counters: &Tls,
    stats: &Stats,
    stream: &TcpStream,
    facts: &mut Facts,
) -> Result<(), Close> {
    let most = usize::try_from(config.max_client_hello_size).unwrap_or(usize::MAX);
    let seen = inspect::peek(stream, most, inspect::client_hello).await;
    match decided(seen, stats, &counters.client_hello_too_large)? {
        Judged::Tls(hello) => {
            counters.found(&hello);
            facts.tls = true;
            facts.server_name = hello.server_name.map(Into::into);
            let names = hello.application_protocols.into_iter();
            facts.application_protocols = names.map(Into::into).collect();
            Ok(())
        }
        Judged::NotTls => {
            counters.not_found.inc();
            match config.close_on_parsing_errors {
                true => Err(Close),
                false => Ok(()),
            }
        }
    }
}

async fn http(
    counters: &Http,
    stats: &Stats,
    stream: &TcpStream,
    facts: &mut Facts,
) -> Result<(), Close> {
    let seen = inspect::peek(stream, inspect::MAX, inspect::http).await;
    let (counter, protocol) = match decided(seen, stats, &counters.read_error)? {
        HttpKind::Http10 => (&counters.http10, "http/1.0"),
        HttpKind::Http11 => (&counters.http11, "http/1.1"),
        HttpKind::Http2 => (&counters.http2, "h2c"),
        HttpKind::Not => {
            counters.not_found.inc();
            return Ok(());
        }
    };
    counter.inc();
    facts.application_protocols = vec![protocol.into()];
    Ok(())
}

/// What was found; else counts why nothing was.
fn decided<T>(seen: io::Result<Peeked<T>>, stats: &Stats, too_long: &Counter) -> Result<T, Close> {
    let why = match seen {
        Ok(Peeked::Found(found)) => return Ok(found),
        Ok(Peeked::TooLong) => too_long,
        Ok(Peeked::Closed) => &stats.filter_remote_close,
        Err(_) => &stats.filter_error,
    };
    why.inc();
    Err(Close)
}
