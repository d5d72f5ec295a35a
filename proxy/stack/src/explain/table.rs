//! Which routes a request meets: the listener's own, those of a name, those of its scope.

use std::sync::Arc;

use tandem_core::Request;
use tandem_core::ext::ConnectionInfo;
use tandem_core::scopes::ScopeTable;
use tandem_model::HttpConnectionManager;
use tandem_model::hcm::RouteSource;
use tandem_model::matching::RouteTable;
use tandem_model::scope::{ScopeRoutes, ScopeSource, ScopedRoutes};

use super::{Explanation, World};
use crate::hcm::scoped;

/// The routes that a request meets.
pub(super) struct Routes {
    pub(super) table: Arc<RouteTable>,
    /// Why there are none, if something is missing.
    pub(super) missing: Option<String>,
}

/// The routes in force; `None`: nobody knows them here.
pub(super) fn find(
    world: &World<'_>,
    manager: &HttpConnectionManager,
    request: &Request,
    connection: &ConnectionInfo,
    out: &mut Explanation,
) -> Option<Routes> {
    let routes = match &manager.routes {
        RouteSource::Inline(config) => Routes::of(Arc::new(RouteTable::new(Arc::clone(config)))),
        RouteSource::Rds(rds) => {
            let table = world.routes.now(&rds.key);
            came(world, &rds.key.name, table, out)?
        }
        RouteSource::Scoped(scoped) => {
            let scopes = scopes(world, scoped, out)?;
            of_scope(world, scoped, &scopes, manager, request, connection, out)?
        }
    };
    if routes.missing.is_none() {
        out.route_configuration = Some(routes.table.config().name.to_string());
    }
    Some(routes)
}

/// Routes that come by themselves.
fn came(
    world: &World<'_>,
    name: &str,
    table: Option<Arc<RouteTable>>,
    out: &mut Explanation,
) -> Option<Routes> {
    match table {
        Some(table) => Some(Routes::of(table)),
        None if world.is_live => {
            out.step("routes", name).note("they have not come yet");
            Some(Routes::missing(format!(
                "routes '{name}' have not come yet"
            )))
        }
        None => {
            unknown("routes", name, out);
            None
        }
    }
}

fn unknown(what: &str, name: &str, out: &mut Explanation) {
    let note = "unknown here: a control plane sends them; ask the process (--admin)";
    out.step(what, name).note(note);
    out.refuse("the routes are not known");
}

fn scopes(
    world: &World<'_>,
    scoped: &ScopedRoutes,
    out: &mut Explanation,
) -> Option<Arc<ScopeTable>> {
    if let ScopeSource::Inline(all) = &scoped.scopes {
        return Some(Arc::new(
            world.routes.inline_scopes(all, scoped.rds.as_ref()),
        ));
    }
    let (key, _) = scoped.followed()?;
    let scopes = world.routes.scopes_now(&key);
    if scopes.is_none() && !world.is_live {
        unknown("scopes", &scoped.name, out);
        return None;
    }
    Some(scopes.unwrap_or_default())
}

fn of_scope(
    world: &World<'_>,
    scoped: &ScopedRoutes,
    scopes: &ScopeTable,
    manager: &HttpConnectionManager,
    request: &Request,
    connection: &ConnectionInfo,
    out: &mut Explanation,
) -> Option<Routes> {
    let places = scopes.places();
    let (key, taken) = scoped::with_key(scoped, manager, request, connection, |key| {
        let taken = places.iter().find(|place| Some(place.key.as_str()) == key);
        (key.map(fragments), taken)
    });
    let step = out.step("scope", taken.map_or("none", |place| &place.name));
    step.note(match &key {
        Some(key) => format!("key {key}"),
        None => "the request has not all that makes a key".to_owned(),
    });
    for place in places {
        if taken.is_none_or(|taken| taken.key != place.key) {
            let why = format!("key: expected {}", fragments(place.key.as_str()));
            step.not(&place.name, why);
        }
    }
    let Some(place) = taken else {
        return Some(Routes::missing(match places.len() {
            0 => format!("no scopes of '{}' have come", scoped.name),
            _ => format!("no scope of '{}' has the request's key", scoped.name),
        }));
    };
    match &place.source {
        ScopeRoutes::Inline(_) => Some(Routes::of(place.routes.get())),
        ScopeRoutes::Named(name) => {
            let need = place.source.wanted(scoped.rds.as_ref());
            let table = need.and_then(|need| world.routes.now(&need.key));
            came(world, name, table, out)
        }
    }
}

/// A key's fragments, to be read.
fn fragments(key: &str) -> String {
    let parts = key.split('\0').map(|part| format!("'{part}'"));
    parts.collect::<Vec<_>>().join(", ")
}

impl Routes {
    fn of(table: Arc<RouteTable>) -> Self {
        Self {
            table,
            missing: None,
        }
    }

    fn missing(why: String) -> Self {
        Self {
            table: Arc::new(RouteTable::new(Arc::default())),
            missing: Some(why),
        }
    }
}
