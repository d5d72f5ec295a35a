//! The live configuration: what control planes say lands here, on a thread of its own.
//!
//! The cascade says in which order; this carries it out. Clusters that come together are
//! published together, then routes, then listeners.

mod apply;
mod judge;
mod resources;
mod sources;
mod stats;
mod thread;
mod transport;
mod version;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tandem_core::stats::Registry;
use tandem_model::Bootstrap;
use tandem_model::config_source::Origin;
use tandem_upstream::Clusters;
use tandem_xds_client::{Event, Node, Offer};
use tandem_xds_translate::cascade::{Action, Cascade, Dump, Judge};
use tandem_xds_translate::resource::Kind;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{oneshot, watch};

use apply::Resolved;
pub(crate) use apply::{Applier, Change};
pub(crate) use judge::Fitness;
use resources::Resources;
use sources::{Sources, Told};
pub(crate) use thread::Landing;
pub(crate) use transport::Transport;

/// Everything that serves, and who changes it.
pub(crate) struct Mesh {
    cascade: Cascade,
    applier: Applier,
    sources: Sources,
    told: UnboundedReceiver<Told>,
    resolved: UnboundedReceiver<Resolved>,
    questions: UnboundedReceiver<Question>,
    ready: watch::Sender<bool>,
    /// What was said of listeners before the first clusters came.
    held: Vec<Told>,
    /// The latest refusals that nothing was accepted after.
    refused: HashMap<(Kind, Origin), String>,
    clusters: stats::Served,
    listeners: stats::Served,
    resources: Resources,
}

/// How long a refusal waits that was said just before, unless more waits for it.
const AGAIN: Duration = Duration::from_secs(1);

/// A wish to see the dynamic configuration.
pub(crate) type Question = oneshot::Sender<Dump>;

/// What the rest of the process knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    questions: tokio::sync::mpsc::UnboundedSender<Question>,
    ready: watch::Receiver<bool>,
}

impl Handle {
    /// What came from control planes.
    pub(crate) async fn dump(&self) -> Dump {
        let (answer, dump) = oneshot::channel();
        let _ = self.questions.send(answer);
        dump.await.unwrap_or_default()
    }

    /// Resolves when everything that was asked for at start has come, or was given up.
    pub(crate) async fn initialized(&mut self) {
        let _ = self.ready.wait_for(|ready| *ready).await;
    }
}

impl Mesh {
    /// Serves what of the bootstrap is ready, and asks its control planes.
    pub(crate) fn start(
        bootstrap: &Bootstrap,
        node: Node,
        clusters: Clusters,
        registry: &Registry,
        mut applier: Applier,
        judge: impl Judge + 'static,
    ) -> (Self, Handle) {
        let dynamic = &bootstrap.dynamic;
        let mut awaited = Vec::new();
        awaited.extend(dynamic.clusters.as_ref().map(|_| Kind::Cluster));
        awaited.extend(dynamic.listeners.as_ref().map(|_| Kind::Listener));
        let resolved = applier.resolved();
        let cascade = Cascade::new(bootstrap, &awaited, judge, Instant::now());
        let (sources, told) = Sources::start(dynamic, node, clusters, registry);
        let (asks, questions) = tokio::sync::mpsc::unbounded_channel();
        let (ready, is_ready) = watch::channel(false);
        let mut mesh = Self {
            cascade,
            applier,
            sources,
            told,
            resolved,
            questions,
            ready,
            held: Vec::new(),
            refused: HashMap::new(),
            clusters: stats::Served::clusters(registry),
            listeners: stats::Served::listeners(registry),
            resources: Resources::new(registry),
        };
        let handle = Handle {
            questions: asks,
            ready: is_ready,
        };
        mesh.act();
        (mesh, handle)
    }

    /// Follows the control planes for ever.
    pub(crate) async fn run(mut self) {
        loop {
            self.act();
            let deadline = self.cascade.deadline();
            tokio::select! {
                biased;
                Some(answer) = self.questions.recv() => {
                    let _ = answer.send(self.cascade.dump());
                }
                Some(resolved) = self.resolved.recv() => {
                    let cluster = self.applier.was_resolved(resolved);
                    self.cascade.resolved(&cluster, Instant::now());
                }
                Some(told) = self.told.recv() => self.hear_in_order(told),
                () = until(deadline) => {
                    self.cascade.tick(Instant::now());
                    self.hear_held();
                }
            }
        }
    }

    /// Takes the steps that have become due.
    fn act(&mut self) {
        let mut actions = self.cascade.actions();
        actions.retain(|action| match action {
            Action::Subscribe(kind, key) => {
                let prefix = match kind {
                    Kind::Routes => self.cascade.stat_prefix_of(key),
                    _ => None,
                };
                self.resources.asked(*kind, key, prefix.as_deref());
                self.sources.subscribe(*kind, key);
                false
            }
            Action::Unsubscribe(kind, key) => {
                self.resources.left(*kind, key);
                self.sources.unsubscribe(*kind, key);
                false
            }
            Action::Heard(kind, key, heard) => {
                self.resources.heard(*kind, key, heard);
                false
            }
            Action::SetRoutes(key, _) => {
                self.resources.reloaded(Kind::Routes, key);
                true
            }
            Action::SetExtension(key, Some(_)) => {
                self.resources.reloaded(Kind::Extension, key);
                true
            }
            _ => true,
        });
        self.applier.apply(actions);
        self.clusters.tell(self.cascade.cluster_counts());
        self.listeners.tell(self.cascade.listener_counts());
        if self.cascade.initialized() {
            self.ready
                .send_if_modified(|ready| !std::mem::replace(ready, true));
        }
    }

    /// Everything waits for the first runtime layers, as in Envoy, and listeners for the first
    /// clusters: routes within them may have to name one.
    fn hear_in_order(&mut self, told: Told) {
        if self.is_early(told.kind) {
            self.held.push(told);
            return;
        }
        self.hear(told);
        self.hear_held();
    }

    /// Whether it is not this kind's turn yet.
    fn is_early(&self, kind: Kind) -> bool {
        let layers = kind != Kind::Runtime && self.cascade.awaits(Kind::Runtime);
        layers || kind == Kind::Listener && self.cascade.awaits(Kind::Cluster)
    }

    /// Hears what has waited and need not any longer; each may be what another waited for.
    fn hear_held(&mut self) {
        loop {
            let waiting = self.held.len();
            for told in std::mem::take(&mut self.held) {
                match self.is_early(told.kind) {
                    true => self.held.push(told),
                    false => self.hear(told),
                }
            }
            if self.held.len() == waiting || self.held.is_empty() {
                return;
            }
        }
    }

    fn hear(&mut self, told: Told) {
        let now = Instant::now();
        let kind = told.kind;
        match told.event {
            Event::Offer(offer) => {
                let outcome = (self.cascade).update(kind, &told.origin, offer.update(), now);
                // Applied before it is acknowledged: who waits for the answer may send requests.
                self.act();
                match outcome {
                    Ok(()) => {
                        self.refused.remove(&(kind, told.origin));
                        offer.accept();
                    }
                    Err(reason) => self.refuse(offer, (kind, told.origin), reason),
                }
            }
            Event::Unreadable => {
                tracing::warn!(
                    kind = kind.type_name(),
                    "an answer that cannot be read is refused"
                );
                self.cascade.unreadable(kind, &told.origin, now);
            }
            Event::Expired(names) => self.cascade.expired(kind, &told.origin, &names, now),
            Event::FetchTimeout => {
                tracing::warn!(
                    kind = kind.type_name(),
                    "no answer from the control plane in initial_fetch_timeout, going on without"
                );
                self.cascade.give_up(kind, now);
            }
        }
    }
}

impl Mesh {
    /// Answers with a refusal. Some control planes send at once again what was just refused: the
    /// same refusal twice is said later, or both would do nothing else any more. Not so where
    /// more has come meanwhile: that would wait for the answer.
    fn refuse(&mut self, offer: Offer, from: (Kind, Origin), reason: String) {
        let kind = from.0;
        if self.refused.get(&from) == Some(&reason) {
            tokio::spawn(async move {
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = offer.overtaken() => {}
                }
                offer.reject(reason);
            });
            return;
        }
        tracing::warn!(kind = kind.type_name(), %reason, "resources are refused");
        self.refused.insert(from, reason.clone());
        offer.reject(reason);
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
