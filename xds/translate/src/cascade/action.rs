//! What a cascade asks for.

use std::sync::Arc;

use tandem_model::cluster::LoadAssignment;
use tandem_model::config_source::ResourceKey;
use tandem_model::filter::discovery::Extension;
use tandem_model::route::RouteConfiguration;
use tandem_model::runtime::Values;
use tandem_model::scope::{Scope, ScopesKey};
use tandem_model::{Cluster, Listener};

use super::Kind;

/// One step, to be taken in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask a control plane for a resource.
    Subscribe(Kind, ResourceKey),
    /// Nothing needs it any more.
    Unsubscribe(Kind, ResourceKey),
    /// Count what was heard of routes, of a secret or of a filter's settings; of others, only that they were late.
    Heard(Kind, ResourceKey, Heard),
    /// Count what was heard of a cluster's endpoints. What is accepted is set before that.
    EndpointsHeard(Arc<str>, Heard),
    /// Resolve the names of a cluster that is to be served; say [`Cascade::resolved`] then.
    ///
    /// [`Cascade::resolved`]: super::Cascade::resolved
    Resolve(Arc<Cluster>),
    /// Serve a cluster, in place of one of this name if there is one, with these endpoints if a
    /// control plane says them.
    SetCluster(Arc<Cluster>, Option<Arc<LoadAssignment>>),
    /// Replace the endpoints of a cluster.
    SetEndpoints(Arc<str>, Arc<LoadAssignment>),
    /// Stop serving a cluster.
    RemoveCluster(Arc<str>),
    /// Publish routes.
    SetRoutes(ResourceKey, Arc<RouteConfiguration>),
    /// Nothing is served by these routes any more.
    RemoveRoutes(ResourceKey),
    /// Publish scopes of routes, each with routes that are published.
    SetScopes(ScopesKey, Vec<Arc<Scope>>),
    /// Nothing is served by these scopes any more.
    RemoveScopes(ScopesKey),
    /// Publish a filter's settings, or that there are none any more.
    SetExtension(ResourceKey, Option<Arc<Extension>>),
    /// No filter has these settings any more.
    RemoveExtension(ResourceKey),
    /// Give a runtime layer these values.
    SetLayer(ResourceKey, Values),
    /// Serve a listener, in place of one of this name if there is one.
    SetListener(Arc<Listener>),
    /// Stop serving a listener; its connections finish.
    RemoveListener(Arc<str>),
}

/// What became of a resource that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It came, with an answer of this version, and is used.
    Accepted(Arc<str>),
    /// So it did, as it was before: told of endpoints alone.
    Unchanged(Arc<str>),
    /// It came and was refused.
    Refused,
    /// Whoever says all that there is does not have it.
    Missing,
    /// It did not come in its `initial_fetch_timeout`, and nobody waits for it any longer.
    Late,
}
