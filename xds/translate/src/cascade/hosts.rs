//! Virtual hosts that came by themselves.
//!
//! All those of a source are asked for at once; the part of a name before its last `/` says whose
//! they are. They are kept also for a route configuration that is yet to come, since a control
//! plane has no reason to send them again then.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use tandem_model::config_source::{Origin, ResourceKey};
use tandem_model::route::{RouteConfiguration, Vhds, VirtualHost};
use tandem_xds_client::Update;

use super::{Action, Cascade, Kind, Received, Refused, bytes};
use crate::error::{Error, Errors, Trail};
use crate::resource;

/// The virtual hosts of a route configuration by their resources' names.
type Hosts = BTreeMap<String, Arc<VirtualHost>>;

/// All that came.
#[derive(Debug, Default)]
pub(super) struct AllHosts {
    sources: HashMap<Origin, Source>,
    pub(super) refused: HashMap<String, Refused>,
}

#[derive(Debug, Default)]
struct Source {
    /// The route configurations that asked for it.
    users: HashSet<ResourceKey>,
    /// Whether it has answered.
    came: bool,
    /// By the route configuration's name.
    all: HashMap<String, Hosts>,
}

/// The route configuration that a virtual host belongs to, by its resource's name.
fn owner(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(owner, _)| owner)
}

impl AllHosts {
    /// Whether the source has said what it has.
    pub(super) fn came(&self, vhds: &Vhds) -> bool {
        let source = self.sources.get(&vhds.source.origin);
        source.is_some_and(|source| source.came)
    }

    /// A route configuration with the virtual hosts that came for it.
    pub(super) fn whole(&self, config: &Arc<RouteConfiguration>) -> Arc<RouteConfiguration> {
        let source = (config.vhds.as_ref()).and_then(|vhds| self.sources.get(&vhds.source.origin));
        let hosts = source.and_then(|source| source.all.get(&*config.name));
        let Some(hosts) = hosts.filter(|hosts| !hosts.is_empty()) else {
            return Arc::clone(config);
        };
        let mut whole = (**config).clone();
        whole.virtual_hosts.extend(hosts.values().cloned());
        Arc::new(whole)
    }
}

/// A domain may stand once in a route configuration, wherever its virtual host came from.
pub(super) fn once_each(config: &RouteConfiguration) -> Result<(), String> {
    let mut seen = HashSet::new();
    let mut domains = config.virtual_hosts.iter().flat_map(|host| &host.domains);
    match domains.find(|domain| !seen.insert(*domain)) {
        Some(twice) => Err(format!("expected every domain once, got '{twice}' again")),
        None => Ok(()),
    }
}

fn refuse(reason: String) -> Errors {
    Error::new(&Trail::ROOT.field("domains"), reason).into()
}

impl Cascade {
    /// Asks for the virtual hosts of a route configuration, or no more.
    pub(super) fn watch_hosts(&mut self, routes: &ResourceKey, vhds: Option<&Vhds>) {
        let wanted = vhds.map(|vhds| &vhds.source.origin);
        let others = self.hosts.sources.iter_mut();
        let mut left = Vec::new();
        for (origin, source) in others.filter(|(origin, _)| Some(*origin) != wanted) {
            if source.users.remove(routes) && source.users.is_empty() {
                left.push(origin.clone());
            }
        }
        let all = |origin: &Origin| ResourceKey {
            origin: origin.clone(),
            name: "*".into(),
        };
        for origin in left {
            self.hosts.sources.remove(&origin);
            let action = Action::Unsubscribe(Kind::VirtualHosts, all(&origin));
            self.actions.push(action);
        }
        if let Some(origin) = wanted {
            let source = self.hosts.sources.entry(origin.clone()).or_default();
            if source.users.is_empty() {
                let action = Action::Subscribe(Kind::VirtualHosts, all(origin));
                self.actions.push(action);
            }
            source.users.insert(routes.clone());
        }
    }

    /// Those of a source are not waited for any longer.
    pub(super) fn no_more_hosts(&mut self, origin: &Origin, now: Instant) {
        let Some(source) = self.hosts.sources.get_mut(origin) else {
            return;
        };
        source.came = true;
        for routes in source.users.clone() {
            self.assemble_routes(&routes, now);
        }
    }

    pub(super) fn update_hosts(
        &mut self,
        origin: &Origin,
        update: &Update,
        now: Instant,
        faults: &mut Vec<(String, Errors)>,
    ) {
        let Some(source) = self.hosts.sources.get(origin) else {
            // Asked for by nobody any more.
            return;
        };
        let users: Vec<_> = source.users.iter().cloned().collect();
        let mut changed: HashMap<String, Hosts> = HashMap::new();
        let before = |name: &str| source.all.get(owner(name)).cloned().unwrap_or_default();
        for name in &update.removed {
            self.hosts.refused.remove(name);
            let hosts = changed.entry(owner(name).to_owned());
            hosts.or_insert_with(|| before(name)).remove(name);
        }
        for one in &update.added {
            let base = self.routes.base(&users, owner(&one.name));
            let vhds = base.and_then(|base| base.vhds.as_ref());
            let judged = bytes(one)
                .and_then(|bytes| resource::virtual_host(bytes, vhds, &self.clusters.names()));
            match judged {
                Ok(host) => {
                    self.hosts.refused.remove(&one.name);
                    let hosts = changed.entry(owner(&one.name).to_owned());
                    let hosts = hosts.or_insert_with(|| before(&one.name));
                    hosts.insert(one.name.clone(), host);
                }
                Err(errors) => faults.push((one.name.clone(), errors)),
            }
        }
        // Domains may move between the virtual hosts of one update, so that all of it is looked
        // at together.
        changed.retain(|owner, hosts| {
            let mut whole = RouteConfiguration::default();
            let base = self.routes.base(&users, owner);
            let own = base.into_iter().flat_map(|base| &base.virtual_hosts);
            whole.virtual_hosts = own.chain(hosts.values()).cloned().collect();
            let checked = once_each(&whole);
            if let Err(reason) = &checked {
                let ours = update
                    .added
                    .iter()
                    .filter(|one| self::owner(&one.name) == owner);
                let ours = ours.filter(|one| hosts.contains_key(&one.name));
                faults.extend(ours.map(|one| (one.name.clone(), refuse(reason.clone()))));
            }
            checked.is_ok()
        });
        for (name, errors) in faults.iter() {
            if let Some(one) = update.added.iter().find(|one| one.name == *name) {
                let refused = Refused {
                    received: Received::from(one),
                    reason: errors.to_string(),
                };
                self.hosts.refused.insert(name.clone(), refused);
            }
        }
        if let Some(source) = self.hosts.sources.get_mut(origin) {
            source.came = true;
            source.all.extend(changed);
            source.all.retain(|_, hosts| !hosts.is_empty());
        }
        for routes in users {
            self.assemble_routes(&routes, now);
        }
    }
}
