//! Single resources as control planes send them, by the rules that files obey.

use std::sync::Arc;

use envoy_types::pb::envoy::config::{cluster, core, endpoint, listener, route};
use envoy_types::pb::envoy::extensions::transport_sockets::tls;
use tandem_model::cluster::LoadAssignment;
use tandem_model::filter::discovery::Extension;
use tandem_model::route::{RouteConfiguration, Vhds, VirtualHost};
use tandem_model::runtime::Values;
use tandem_model::tls::Secret;
use tandem_model::{Cluster, Listener};

use crate::cx::{Cx, Report};
use crate::error::{Error, Errors, Trail};
use crate::route::{Known, Scope};
use crate::schema::Message;
use crate::{filter, plain, support, validate};

/// The kinds of resources that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// CDS.
    Cluster,
    /// EDS.
    Endpoints,
    /// LDS.
    Listener,
    /// RDS.
    Routes,
    /// SRDS.
    Scopes,
    /// VHDS.
    VirtualHosts,
    /// SDS.
    Secret,
    /// ECDS.
    Extension,
    /// RTDS.
    Runtime,
}

impl Kind {
    /// All of them, in the order in which they are asked for.
    pub const ALL: [Self; 9] = [
        Self::Runtime,
        Self::Cluster,
        Self::Endpoints,
        Self::Listener,
        Self::Extension,
        Self::Routes,
        Self::Scopes,
        Self::VirtualHosts,
        Self::Secret,
    ];

    /// The message's name.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Cluster => "envoy.config.cluster.v3.Cluster",
            Self::Endpoints => "envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Listener => "envoy.config.listener.v3.Listener",
            Self::Routes => "envoy.config.route.v3.RouteConfiguration",
            Self::Scopes => "envoy.config.route.v3.ScopedRouteConfiguration",
            Self::VirtualHosts => "envoy.config.route.v3.VirtualHost",
            Self::Secret => "envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::Extension => "envoy.config.core.v3.TypedExtensionConfig",
            Self::Runtime => "envoy.service.runtime.v3.Runtime",
        }
    }

    /// The type URL.
    pub fn type_url(self) -> String {
        format!("type.googleapis.com/{}", self.type_name())
    }
}

/// Translates a cluster.
///
/// # Errors
/// Everything that is wrong with it, each with its field; so for the others.
pub fn cluster(bytes: &[u8]) -> Result<Arc<Cluster>, Errors> {
    read(Kind::Cluster, bytes, |cx, proto: &cluster::v3::Cluster| {
        Some(Arc::new(crate::cluster::cluster(cx, proto)))
    })
}

/// Translates an assignment of endpoints; host names cannot stand in it.
pub fn endpoints(bytes: &[u8]) -> Result<LoadAssignment, Errors> {
    type Proto = endpoint::v3::ClusterLoadAssignment;
    read(Kind::Endpoints, bytes, |cx, proto: &Proto| {
        Some(crate::endpoint::load_assignment(cx, proto, false))
    })
}

/// Translates a listener. Routes within it may have to name one of `clusters`.
pub fn listener(bytes: &[u8], clusters: &Known<'_>) -> Result<Arc<Listener>, Errors> {
    read(
        Kind::Listener,
        bytes,
        |cx, proto: &listener::v3::Listener| {
            let scope = Scope { clusters };
            crate::listener::listener(cx, proto, &scope).map(Arc::new)
        },
    )
}

/// Translates a route configuration that came by itself.
pub fn routes(bytes: &[u8], clusters: &Known<'_>) -> Result<Arc<RouteConfiguration>, Errors> {
    type Proto = route::v3::RouteConfiguration;
    read(Kind::Routes, bytes, |cx, proto: &Proto| {
        let scope = Scope { clusters };
        Some(Arc::new(crate::route::alone(cx, proto, &scope)))
    })
}

/// Translates a scope of routes that came by itself.
pub fn scope(
    bytes: &[u8],
    clusters: &Known<'_>,
) -> Result<Arc<tandem_model::scope::Scope>, Errors> {
    type Proto = route::v3::ScopedRouteConfiguration;
    read(Kind::Scopes, bytes, |cx, proto: &Proto| {
        crate::scope::alone(cx, proto, &Scope { clusters }).map(Arc::new)
    })
}

/// Translates a virtual host that came by itself, for a route configuration if it is known.
pub fn virtual_host(
    bytes: &[u8],
    vhds: Option<&Vhds>,
    clusters: &Known<'_>,
) -> Result<Arc<VirtualHost>, Errors> {
    type Proto = route::v3::VirtualHost;
    read(Kind::VirtualHosts, bytes, |cx, proto: &Proto| {
        Some(crate::route::host(cx, proto, vhds, &Scope { clusters }))
    })
}

/// Translates a secret. Whether it can be used shows only when it is.
pub fn secret(bytes: &[u8]) -> Result<Arc<Secret>, Errors> {
    read(Kind::Secret, bytes, |cx, proto: &tls::v3::Secret| {
        crate::tls::secret(cx, proto).map(Arc::new)
    })
}

/// Translates the values of a runtime layer.
pub fn runtime(bytes: &[u8]) -> Result<Values, Errors> {
    type Proto = envoy_types::pb::envoy::service::runtime::v3::Runtime;
    read(Kind::Runtime, bytes, |cx, proto: &Proto| {
        Some(crate::runtime::values(cx, proto))
    })
}

/// Translates a filter's settings that came by themselves.
pub fn extension(bytes: &[u8]) -> Result<Arc<Extension>, Errors> {
    type Proto = core::v3::TypedExtensionConfig;
    let wrong = |ty, bytes: &[u8]| {
        let mut errors = support::check_extension(ty, bytes);
        errors.extend(validate::check(ty, bytes));
        errors
    };
    checked(Kind::Extension, bytes, wrong, |cx, proto: &Proto| {
        filter::extension(cx, proto).map(Arc::new)
    })
}

fn read<P, T>(
    kind: Kind,
    bytes: &[u8],
    translate: impl FnOnce(&Cx<'_>, &P) -> Option<T>,
) -> Result<T, Errors>
where
    P: prost::Message + Default,
{
    let wrong = |ty, bytes: &[u8]| match plain::is_right(ty, bytes) {
        true => Vec::new(),
        false => {
            let mut errors = support::check(ty, bytes);
            errors.extend(validate::check(ty, bytes));
            errors
        }
    };
    checked(kind, bytes, wrong, translate)
}

fn checked<P, T>(
    kind: Kind,
    bytes: &[u8],
    wrong: impl FnOnce(Message, &[u8]) -> Vec<Error>,
    translate: impl FnOnce(&Cx<'_>, &P) -> Option<T>,
) -> Result<T, Errors>
where
    P: prost::Message + Default,
{
    let name = kind.type_name();
    let Some(ty) = Message::named(name) else {
        return Err(Error::new(&Trail::ROOT, format!("the schema has no {name}")).into());
    };
    let errors = wrong(ty, bytes);
    if !errors.is_empty() {
        return Err(Errors(errors));
    }
    let proto = P::decode(bytes).map_err(|error| {
        Errors::from(Error::new(
            &Trail::ROOT,
            format!("expected a {name}: {error}"),
        ))
    })?;
    let report = Report::default();
    let value = translate(&report.root(), &proto);
    report.finish(value).map_err(Errors)
}
