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

use super::claims::{self, Claimant};
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

/// What an update does to the virtual hosts of a route configuration.
struct Change {
    hosts: Hosts,
    /// Those that came, in the update's order.
    came: Vec<(String, Arc<VirtualHost>)>,
}

impl Change {
    /// Takes those that came beside the route configuration's own; returns those that cannot be
    /// taken, each with a domain that another has. They stay as they were.
    fn take(&mut self, own: &[Arc<VirtualHost>]) -> Vec<(String, Arc<str>)> {
        let mut came: HashSet<&str> = HashSet::new();
        came.extend(self.came.iter().map(|(name, _)| &**name));
        let others = self
            .hosts
            .iter()
            .filter(|(name, _)| !came.contains(&***name));
        let others = others.map(|(_, host)| host).chain(own);
        let held: Vec<_> = others
            .flat_map(|host| host.domains.iter().map(|domain| (domain, &*host.name)))
            .collect();
        let claimants: Vec<_> = (self.came.iter())
            .map(|(name, host)| Claimant {
                name,
                before: domains(self.hosts.get(name)),
                now: domains(Some(host)),
            })
            .collect();
        let mut refused: BTreeMap<usize, Arc<str>> = (claims::refused(&held, &claimants))
            .into_iter()
            .map(|(i, (domain, _))| (i, Arc::clone(domain)))
            .collect();
        let mut faults = Vec::new();
        for (i, (name, host)) in std::mem::take(&mut self.came).into_iter().enumerate() {
            match refused.remove(&i) {
                Some(domain) => faults.push((name, domain)),
                None => drop(self.hosts.insert(name, host)),
            }
        }
        faults
    }
}

fn domains(host: Option<&Arc<VirtualHost>>) -> Vec<&Arc<str>> {
    host.into_iter().flat_map(|host| &host.domains).collect()
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
        let mut changed: HashMap<String, Change> = HashMap::new();
        let before = |owner: &str| Change {
            hosts: source.all.get(owner).cloned().unwrap_or_default(),
            came: Vec::new(),
        };
        for name in &update.removed {
            self.hosts.refused.remove(name);
            let owner = owner(name);
            let change = changed.entry(owner.to_owned());
            change.or_insert_with(|| before(owner)).hosts.remove(name);
        }
        let known = |name: &str| self.clusters.knows(name);
        for one in &update.added {
            let owner = owner(&one.name);
            let base = self.routes.base(&users, owner);
            let vhds = base.and_then(|base| base.vhds.as_ref());
            let judged = bytes(one).and_then(|bytes| resource::virtual_host(bytes, vhds, &known));
            match judged {
                Ok(host) => {
                    self.hosts.refused.remove(&one.name);
                    let change = changed.entry(owner.to_owned());
                    let change = change.or_insert_with(|| before(owner));
                    change.came.push((one.name.clone(), host));
                }
                Err(errors) => faults.push((one.name.clone(), errors)),
            }
        }
        // Domains may move between the virtual hosts of one update, so that all of it is looked
        // at together.
        for (owner, change) in &mut changed {
            let base = self.routes.base(&users, owner);
            let own = base.map_or(&[][..], |base| &base.virtual_hosts);
            for (name, domain) in change.take(own) {
                let reason = format!("expected every domain once, got '{domain}' again");
                faults.push((name, refuse(reason)));
            }
        }
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
            let changed = changed.into_iter();
            (source.all).extend(changed.map(|(owner, change)| (owner, change.hosts)));
            source.all.retain(|_, hosts| !hosts.is_empty());
        }
        for routes in users {
            self.assemble_routes(&routes, now);
        }
    }
}
