//! Carrying out what the cascade asks for.

use std::collections::HashMap;
use std::sync::Arc;

use tandem_core::discovered::Extensions;
use tandem_core::routes::RouteTables;
use tandem_model::{Cluster, Listener};
use tandem_upstream::{ClusterManager, Warming};
use tandem_xds_translate::cascade::{Action, Heard};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::layers::RuntimeLayers;
use crate::listeners::Listening;

/// Changes what is served.
#[derive(Debug)]
pub(crate) struct Applier {
    clusters: Arc<ClusterManager>,
    routes: RouteTables,
    extensions: Extensions,
    layers: Arc<RuntimeLayers>,
    listening: Listening,
    /// Clusters whose names are being looked up.
    warming: HashMap<Arc<str>, (Arc<Cluster>, Warming)>,
    resolving: UnboundedSender<Resolved>,
    resolved: Option<UnboundedReceiver<Resolved>>,
}

/// A cluster whose names were looked up.
#[derive(Debug)]
pub(super) struct Resolved(Arc<Cluster>);

impl Applier {
    pub(crate) fn new(
        clusters: &Arc<ClusterManager>,
        routes: &RouteTables,
        extensions: &Extensions,
        layers: &Arc<RuntimeLayers>,
        listening: Listening,
    ) -> Self {
        let (resolving, resolved) = unbounded_channel();
        Self {
            clusters: Arc::clone(clusters),
            routes: routes.clone(),
            extensions: extensions.clone(),
            layers: Arc::clone(layers),
            listening,
            warming: HashMap::new(),
            resolving,
            resolved: Some(resolved),
        }
    }

    /// The clusters whose names were looked up; to be taken once.
    pub(super) fn resolved(&mut self) -> UnboundedReceiver<Resolved> {
        self.resolved
            .take()
            .unwrap_or_else(|| unbounded_channel().1)
    }

    pub(super) fn was_resolved(&self, resolved: Resolved) -> Arc<Cluster> {
        resolved.0
    }

    /// Carries out these steps in their order. Clusters beside one another are published
    /// together.
    pub(super) fn apply(&mut self, actions: Vec<Action>) {
        let mut actions = actions.into_iter().peekable();
        let mut commands = Vec::new();
        while let Some(action) = actions.next() {
            match action {
                Action::SetCluster(..)
                | Action::RemoveCluster(_)
                | Action::SetEndpoints(..)
                | Action::EndpointsHeard(..) => {
                    let warming = &mut self.warming;
                    self.clusters.batch(|batch| {
                        let mut next = Some(action);
                        while let Some(action) = next.take() {
                            cluster(batch, warming, action);
                            next = actions.next_if(is_of_clusters);
                        }
                    });
                }
                Action::Resolve(cluster) => self.resolve(cluster),
                Action::SetRoutes(key, config) => {
                    tracing::debug!(name = %key.name, "routes are published");
                    self.routes.publish(&key, config);
                }
                Action::RemoveRoutes(key) => self.routes.remove(&key),
                Action::SetScopes(key, scopes) => self.routes.publish_scopes(&key, &scopes),
                Action::RemoveScopes(key) => self.routes.remove_scopes(&key),
                Action::SetExtension(key, extension) => {
                    tracing::debug!(name = %key.name, "a filter's settings are published");
                    self.extensions.publish(&key, extension);
                }
                Action::RemoveExtension(key) => self.extensions.remove(&key),
                Action::SetLayer(key, values) => self.layers.set(&key, &values),
                Action::SetListener(listener) => commands.push(Change::Set(listener)),
                Action::RemoveListener(name) => commands.push(Change::Remove(name)),
                // Subscriptions are the sources' business.
                Action::Subscribe(..) | Action::Unsubscribe(..) | Action::Heard(..) => {}
            }
        }
        if !commands.is_empty() {
            self.listening.change(commands);
        }
    }

    fn resolve(&mut self, cluster: Arc<Cluster>) {
        let warming = self.clusters.prepare(Arc::clone(&cluster));
        let (looked_up, resolving) = (warming.warmed(), self.resolving.clone());
        let name = Arc::clone(&cluster.name);
        (self.warming).insert(name, (Arc::clone(&cluster), warming));
        tokio::spawn(async move {
            looked_up.await;
            let _ = resolving.send(Resolved(cluster));
        });
    }
}

/// A change of one listener.
#[derive(Debug)]
pub(crate) enum Change {
    /// Serve it, in place of the one of its name.
    Set(Arc<Listener>),
    /// Stop.
    Remove(Arc<str>),
}

fn is_of_clusters(action: &Action) -> bool {
    matches!(
        action,
        Action::SetCluster(..)
            | Action::RemoveCluster(_)
            | Action::SetEndpoints(..)
            | Action::EndpointsHeard(..)
    )
}

fn cluster(
    batch: &mut tandem_upstream::Batch<'_>,
    warming: &mut HashMap<Arc<str>, (Arc<Cluster>, Warming)>,
    action: Action,
) {
    match action {
        Action::SetCluster(cluster, endpoints) => {
            let prepared = warming.remove(&cluster.name);
            match prepared.filter(|(of, _)| Arc::ptr_eq(of, &cluster)) {
                Some((_, warming)) => batch.add(warming),
                None => batch.set_cluster(Arc::clone(&cluster)),
            }
            if let Some(endpoints) = endpoints {
                batch.set_endpoints(&cluster.name, &endpoints);
            }
        }
        Action::SetEndpoints(name, endpoints) => {
            batch.set_endpoints(&name, &endpoints);
        }
        Action::EndpointsHeard(name, heard) => match heard {
            // Those were set, and counted with that.
            Heard::Accepted(version) => {
                batch.heard(&name, tandem_upstream::Heard::Version(version));
            }
            Heard::Unchanged(version) => {
                batch.heard(&name, tandem_upstream::Heard::Unchanged(version));
            }
            Heard::Refused => batch.heard(&name, tandem_upstream::Heard::Refused),
            Heard::Missing => batch.heard(&name, tandem_upstream::Heard::Nothing),
            Heard::Late => batch.heard(&name, tandem_upstream::Heard::Late),
        },
        Action::RemoveCluster(name) => {
            warming.remove(&name);
            batch.remove_cluster(&name);
        }
        _ => {}
    }
}
