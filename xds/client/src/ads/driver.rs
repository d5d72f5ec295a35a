//! The task that owns the stream.

use envoy_types::pb::envoy::config::core::v3::Node;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tonic::client::GrpcService;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Body as HttpBody, StdError};
use tonic::metadata::MetadataMap;

use super::consumer::Command;
use super::entry::Entry;
use super::link::{Happened, Link};
use super::machine::{Machine, Request, Response};
use super::{Ads, Connection};
use crate::Backoff;

pub(super) struct Driver<M: Machine> {
    node: Node,
    /// Whether every request says the node, and not only a stream's first.
    always: bool,
    method: PathAndQuery,
    /// Whether it is the one type's own, so that responses need not name the type.
    own: bool,
    metadata: MetadataMap,
    backoff: Backoff,
    /// In the order in which they are asked for.
    entries: Vec<Entry<M>>,
    inbox: UnboundedReceiver<Command>,
    connection: watch::Sender<Connection>,
    link: Link<M::Request, M::Response>,
    /// The control plane that the next stream goes to, or the newest went to.
    server: usize,
    /// Whether a response came on the newest stream.
    answered: bool,
}

/// Clusters before their endpoints, listeners before their routes, and what listeners lead to
/// before the listeners, so that no traffic is led to what is not there yet. Others come last.
fn rank(type_url: &str) -> usize {
    const ORDER: [&str; 4] = [
        "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "type.googleapis.com/envoy.config.listener.v3.Listener",
        "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    ];
    let place = ORDER.iter().position(|one| *one == type_url);
    place.unwrap_or(ORDER.len())
}

impl<M: Machine> Driver<M> {
    /// Takes over what was registered. The senders left belong to consumers and offers, so the
    /// inbox closes with the last of them.
    pub(super) fn new(ads: Ads) -> Self {
        let commands = ads.commands;
        let types = ads.types.into_iter();
        let mut entries: Vec<_> = types.map(|one| Entry::new(one, &commands)).collect();
        entries.sort_by_key(|entry| rank(entry.url()));
        Self {
            node: ads.node,
            always: ads.always,
            own: ads.method != ads.variant.aggregated(),
            method: ads.method,
            metadata: ads.metadata,
            backoff: ads.backoff,
            entries,
            inbox: ads.inbox,
            connection: ads.connection,
            link: Link::Idle,
            server: 0,
            answered: false,
        }
    }

    pub(super) async fn run<T>(mut self, services: Vec<T>)
    where
        T: GrpcService<tonic::body::Body> + Clone + Send + 'static,
        T::Future: Send,
        T::ResponseBody: HttpBody + Send + 'static,
        <T::ResponseBody as HttpBody>::Error: Into<StdError>,
    {
        loop {
            // Commands that came together are said together, in the types' order.
            while let Ok(command) = self.inbox.try_recv() {
                self.command(command);
            }
            match &self.link {
                Link::Idle => self.open(&services[self.server]),
                Link::Waiting(_) => {}
                Link::Open { .. } => {
                    let requests = self.entries.iter_mut().filter_map(Entry::poll_request);
                    let requests = requests.collect();
                    self.say(requests);
                }
            }
            let tick = self.entries.iter().filter_map(Entry::next_tick).min();
            tokio::select! {
                command = self.inbox.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                happened = self.link.next() => self.happened(happened, services.len()),
                () = sleep_until(tick.unwrap_or_else(Instant::now)), if tick.is_some() => {
                    self.entries.iter_mut().for_each(Entry::tick);
                }
            }
        }
    }

    /// Opens a stream if there is anything to ask for.
    fn open<T>(&mut self, service: &T)
    where
        T: GrpcService<tonic::body::Body> + Clone + Send + 'static,
        T::Future: Send,
        T::ResponseBody: HttpBody + Send + 'static,
        <T::ResponseBody as HttpBody>::Error: Into<StdError>,
    {
        for entry in &mut self.entries {
            entry.start(self.server);
        }
        let polled = self.entries.iter_mut().filter_map(Entry::poll_request);
        let mut requests: Vec<_> = polled.collect();
        let Some(first) = requests.first_mut() else {
            self.server = 0;
            return;
        };
        first.set_node(self.node.clone());
        self.answered = false;
        let server = self.server;
        self.connection.send_modify(|state| state.server = server);
        self.link = Link::open(
            service.clone(),
            self.method.clone(),
            self.metadata.clone(),
            self.connection.clone(),
        );
        self.say(requests);
    }

    fn command(&mut self, command: Command) {
        let (Command::Subscribe(index, _)
        | Command::Unsubscribe(index, _)
        | Command::Answer(index, _)) = command;
        let mut entries = self.entries.iter_mut();
        let Some(entry) = entries.find(|entry| entry.index() == index) else {
            return;
        };
        match command {
            Command::Subscribe(_, names) => entry.subscribe(&names),
            Command::Unsubscribe(_, names) => entry.unsubscribe(&names),
            Command::Answer(_, answer) => {
                let requests = entry.answer(answer);
                self.say(requests);
            }
        }
    }

    fn happened(&mut self, happened: Happened<M::Response>, servers: usize) {
        match happened {
            Happened::MayOpen => self.link = Link::Idle,
            Happened::Response(response) => {
                if !self.response(response) {
                    let why = "responses come without an end while one waits for its answer";
                    self.lost(why.to_owned(), servers);
                }
            }
            Happened::Lost(why) => self.lost(why, servers),
        }
    }

    /// Whether the stream may go on.
    fn response(&mut self, response: M::Response) -> bool {
        self.backoff.reset();
        self.answered = true;
        if let Some(identifier) = response.control_plane() {
            let identifier = identifier.to_owned();
            let _ = self.connection.send_if_modified(|state| {
                let old = state.identifier.replace(identifier);
                old != state.identifier
            });
        }
        let url = response.type_url();
        let implied = self.own && url.is_empty();
        let mut entries = self.entries.iter_mut();
        match entries.find(|entry| implied || entry.url() == url) {
            Some(entry) => {
                let answers = entry.response(response);
                let flooded = entry.is_flooded();
                self.say(answers);
                return !flooded;
            }
            None => self.connection.send_modify(|state| state.ignored += 1),
        }
        true
    }

    /// Sends requests on the stream that is open, if one is.
    fn say(&mut self, mut requests: Vec<M::Request>) {
        if self.always {
            for request in &mut requests {
                request.set_node(self.node.clone());
            }
        }
        self.link.send(requests);
    }

    fn lost(&mut self, why: String, servers: usize) {
        self.server = match self.answered {
            true => 0,
            false => (self.server + 1) % servers,
        };
        self.link = match self.server {
            0 => Link::Waiting(Instant::now() + self.backoff.next_wait()),
            _ => Link::Idle,
        };
        self.entries.iter_mut().for_each(Entry::lost);
        self.connection.send_modify(|state| {
            state.connected = false;
            state.failure = Some(why);
        });
    }
}
