//! Where a request would go, and why nowhere else: asked, not sent.
//!
//! Nothing here decides. Listeners, chains, routes and rewrites are found by the code that serves
//! (the model's matching, [`crate::hcm`], [`crate::router`]); this asks it, and asks each matcher
//! that was passed over for its reason.

mod connection;
mod handshake;
mod http;
mod matched;
mod table;
mod target;

use std::net::SocketAddr;
use std::sync::Arc;

use ::http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};
use tandem_core::Request;
use tandem_core::discovered::Extensions;
use tandem_core::ext::ConnectionInfo;
use tandem_core::filter::Verdict;
use tandem_core::routes::RouteTables;
use tandem_model::Listener;
use tandem_model::filter::FilterConfig;
use tandem_model::listener::{ConnectionFilter, TrafficDirection};
use tandem_upstream::ClusterManager;

/// The request that is asked about.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its method.
    pub method: Method,
    /// Its authority, as the client writes it.
    pub authority: String,
    /// Its path and query.
    pub path: String,
    /// Its headers, without `host`.
    pub headers: HeaderMap,
    /// Whether it is HTTP at all; else bytes of a connection.
    pub is_http: bool,
    /// Over HTTP/2.
    pub http2: bool,
    /// Whether the client encrypts.
    pub tls: bool,
    /// The server name that it asks for then.
    pub server_name: Option<Arc<str>>,
    /// The application protocols that it offers then.
    pub application_protocols: Vec<Arc<str>>,
    /// The URI in the certificate that it shows, if it shows one.
    pub identity: Option<Arc<str>>,
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it connects to; the address is unspecified where it is not known.
    pub destination: SocketAddr,
    /// The listener that it reaches; `None`: found by what follows.
    pub listener: Option<String>,
    /// Which of the two doors it takes.
    pub direction: TrafficDirection,
}

/// What it is asked of.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The listeners that are served.
    pub listeners: &'a [Arc<Listener>],
    /// The route configurations and scopes that came by themselves.
    pub routes: &'a RouteTables,
    /// The filters' settings that came by themselves.
    pub extensions: &'a Extensions,
    /// The clusters.
    pub clusters: &'a ClusterManager,
    /// Whether what control planes say is known: endpoints of EDS clusters, resolved names.
    pub is_live: bool,
    /// What an HTTP filter would do.
    pub filter: fn(&FilterConfig, &Request) -> Verdict,
    /// What a network filter would do.
    pub gate: fn(&ConnectionFilter, &ConnectionInfo) -> Verdict,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Whether it is taken somewhere: a route that sends, redirects or answers, or an endpoint.
    pub found: bool,
    /// The answer in one line.
    pub answer: String,
    /// The status that the proxy itself would answer with.
    pub status: Option<u16>,
    /// The response flags that would be logged.
    pub flags: String,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The listener's name.
    pub listener: Option<String>,
    /// The filter chain's name.
    pub filter_chain: Option<String>,
    /// The route configuration's name.
    pub route_configuration: Option<String>,
    /// The virtual host's name.
    pub virtual_host: Option<String>,
    /// The route's name; may be empty.
    pub route: Option<String>,
    /// The route's place in its virtual host, from 0.
    pub route_number: Option<usize>,
    /// The clusters that it may go to.
    pub clusters: Vec<Target>,
    /// How it got there.
    pub steps: Vec<Step>,
}

/// One choice on the way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What was chosen: `listener`, `filter chain`, …
    pub what: String,
    /// Which one.
    pub name: String,
    /// More about it.
    pub notes: Vec<String>,
    /// What was not chosen.
    pub not: Vec<Other>,
}

/// Something that was not chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Other {
    /// Which one.
    pub name: String,
    /// Why not.
    pub why: String,
}

/// A cluster that a request may go to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Its name.
    pub cluster: String,
    /// Of the requests, in percent.
    pub share: f64,
    /// The status in its place, if the request gets no further.
    pub status: Option<u16>,
    /// The flags that are logged then.
    pub flags: String,
    /// How endpoints are found, how they are chosen, and what else is to be known.
    pub notes: Vec<String>,
    /// Path and query as they are sent.
    pub path: String,
    /// The authority as it is sent.
    pub authority: String,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its address.
    pub address: String,
    /// Of the cluster's requests, in percent.
    pub share: f64,
    /// Its weight.
    pub weight: u32,
    /// 0 is the highest.
    pub priority: u32,
    /// Region, zone and sub-zone.
    pub locality: String,
    /// How it is.
    pub health: String,
    /// What carries the connections to it; empty where the cluster never encrypts.
    #[serde(default)]
    pub transport: String,
}

/// Finds out where a request would go.
pub fn explain(ask: &Ask, world: &World<'_>) -> Explanation {
    let mut out = Explanation::default();
    connection::follow(ask, world, &mut out);
    out
}

impl Explanation {
    /// It ends here.
    fn refuse(&mut self, answer: impl Into<String>) {
        self.found = false;
        self.answer = answer.into();
    }

    /// The proxy answers itself.
    fn reply(&mut self, status: StatusCode, flags: impl ToString, answer: impl Into<String>) {
        self.refuse(answer);
        self.status = Some(status.as_u16());
        self.flags = flags.to_string();
    }

    fn step(&mut self, what: &str, name: impl ToString) -> &mut Step {
        self.steps.push(Step {
            what: what.to_owned(),
            name: name.to_string(),
            ..Step::default()
        });
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }
}

impl Step {
    fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.notes.push(note.into());
        self
    }

    fn not(&mut self, name: impl ToString, why: impl Into<String>) {
        self.not.push(Other {
            name: name.to_string(),
            why: why.into(),
        });
    }
}
