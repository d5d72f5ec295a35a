//! Clusters: those that are served, those that warm, those that leave.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use tandem_model::Cluster;
use tandem_model::cluster::Discovery;
use tandem_model::config_source::{ResourceKey, Subscribed};
use tandem_xds_client::{Resource, Update};

use super::secrets::{self, User};
use super::{
    Action, Cascade, Counts, GRACE, Heard, Kind, LINGER, Received, Refused, bytes, named,
    references,
};
use crate::error::{Error, Errors, Trail};
use crate::resource;

/// All clusters.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    counts: Counts,
    all: HashMap<Arc<str>, Entry>,
    warming: BTreeSet<Arc<str>>,
    leaving: BTreeMap<Arc<str>, Leaving>,
    pub(super) refused: HashMap<String, Refused>,
}

#[derive(Debug)]
struct Entry {
    /// Served now.
    active: Option<(Arc<Cluster>, Option<Received>)>,
    /// Served when it is ready.
    warming: Option<(Arc<Cluster>, Option<Received>)>,
    /// Of the version that warms.
    names: Names,
    /// Whether who leads to it has waited for it long enough.
    given_up: bool,
    from_bootstrap: bool,
}

/// When a removed cluster goes.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    /// When it is looked at next: from then on it goes once nothing leads to it.
    next: Instant,
    /// When it goes in any case.
    last: Instant,
}

/// Whether the names of a cluster's endpoints were looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Names {
    #[default]
    Unresolved,
    Asked,
    Resolved,
}

impl Clusters {
    pub(super) fn set_static(&mut self, cluster: &Arc<Cluster>) {
        let entry = Entry {
            active: None,
            warming: Some((Arc::clone(cluster), None)),
            names: Names::default(),
            given_up: false,
            from_bootstrap: true,
        };
        self.all.insert(Arc::clone(&cluster.name), entry);
        self.counts.added += 1;
        self.warming.insert(Arc::clone(&cluster.name));
    }

    /// Whether what is served of a cluster has the endpoints of that name.
    pub(super) fn is_served_with(&self, name: &str, endpoints: &ResourceKey) -> bool {
        let active = self.all.get(name).and_then(|entry| entry.active.as_ref());
        let need = active.and_then(|(cluster, _)| need(cluster));
        need.is_some_and(|need| need.key == *endpoints)
    }

    pub(super) fn is_active(&self, name: &str) -> bool {
        (self.all.get(name)).is_some_and(|entry| entry.active.is_some())
    }

    /// Whether it will be served but is not yet, and is waited for.
    pub(super) fn is_coming(&self, name: &str) -> bool {
        (self.all.get(name)).is_some_and(|entry| entry.active.is_none() && !entry.given_up)
    }

    /// Nobody waits for these any longer, whatever leads to them from now on: one that never
    /// comes would hold back every update.
    pub(super) fn give_up<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            if let Some(entry) = self.all.get_mut(name) {
                entry.given_up = true;
            }
        }
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    pub(super) fn is_from_bootstrap(&self, name: &str) -> bool {
        (self.all.get(name)).is_some_and(|entry| entry.from_bootstrap)
    }

    pub(super) fn warms(&self) -> bool {
        !self.warming.is_empty()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            warming: u64::try_from(self.warming.len()).unwrap_or(u64::MAX),
            ..self.counts
        }
    }

    /// What is served, if it is of these very bytes: nothing has to be made of them again.
    fn is_served_as(&self, resource: &Resource) -> Option<Arc<Cluster>> {
        let entry = self.all.get(&*resource.name)?;
        let (cluster, from) = entry.active.as_ref()?;
        let is_same = from.as_ref().is_some_and(|from| from.is(resource));
        is_same.then(|| Arc::clone(cluster))
    }

    /// What the latest version waits for.
    pub(super) fn needs(&self, name: &str) -> Option<Subscribed> {
        let entry = self.all.get(name)?;
        let (latest, _) = entry.warming.as_ref().or(entry.active.as_ref())?;
        need(latest).cloned()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.leaving.values().map(|leaving| leaving.next).min()
    }

    /// What is served or warms, with what was received for it.
    pub(super) fn dump(&self) -> impl Iterator<Item = (&Arc<str>, bool, &Received)> {
        self.all.iter().flat_map(|(name, entry)| {
            let active = entry.active.as_ref();
            let warming = entry.warming.as_ref();
            let active = active.and_then(|(_, from)| Some((name, true, from.as_ref()?)));
            let warming = warming.and_then(|(_, from)| Some((name, false, from.as_ref()?)));
            active.into_iter().chain(warming)
        })
    }
}

fn need(cluster: &Cluster) -> Option<&Subscribed> {
    match &cluster.discovery {
        Discovery::Eds(need) => Some(need),
        _ => None,
    }
}

impl Cascade {
    pub(super) fn update_clusters(
        &mut self,
        update: &Update,
        now: Instant,
        faults: &mut Vec<(String, Errors)>,
    ) {
        let mut taken: HashSet<Arc<str>> = HashSet::new();
        for resource in &update.added {
            if let Some(active) = self.clusters.is_served_as(resource) {
                self.clusters.refused.remove(&resource.name);
                self.set_cluster(active, resource, now);
                continue;
            }
            let translated = bytes(resource).and_then(resource::cluster);
            let judged = translated.and_then(|cluster| {
                let refuse = |reason| Errors::from(Error::new(&Trail::ROOT, reason));
                self.judge
                    .cluster(&cluster)
                    .map_err(refuse)
                    .map(|()| cluster)
            });
            match judged {
                Ok(cluster) => {
                    self.clusters.refused.remove(&resource.name);
                    if *cluster.name != *resource.name {
                        taken.insert(Arc::clone(&cluster.name));
                    }
                    self.set_cluster(cluster, resource, now);
                }
                Err(errors) => {
                    let refused = Refused {
                        received: Received::from(resource),
                        reason: errors.to_string(),
                    };
                    self.clusters.refused.insert(resource.name.clone(), refused);
                    faults.push((resource.name.clone(), errors));
                }
            }
        }
        for name in &update.removed {
            self.remove_cluster(name, now);
        }
        if update.complete {
            let named = named(update);
            let gone = (self.clusters.all.iter())
                .filter(|(name, entry)| !entry.from_bootstrap && !named.contains(&***name))
                // Not what came in a wrapper with another name.
                .filter(|(name, _)| !taken.contains(*name));
            let gone: Vec<Arc<str>> = gone.map(|(name, _)| Arc::clone(name)).collect();
            for name in gone {
                self.remove_cluster(&name, now);
            }
            // Of those that were never accepted nothing else is known.
            let refused = &mut self.clusters.refused;
            refused.retain(|name, _| named.contains(&**name));
        }
    }

    fn set_cluster(&mut self, cluster: Arc<Cluster>, resource: &Resource, now: Instant) {
        let name = Arc::clone(&cluster.name);
        let all = &mut self.clusters.all;
        let entry = all.entry(Arc::clone(&name)).or_insert_with(|| Entry {
            active: None,
            warming: None,
            names: Names::default(),
            given_up: false,
            from_bootstrap: false,
        });
        if entry.from_bootstrap {
            // As in Envoy: what the bootstrap has is nobody else's.
            return;
        }
        let counts = &mut self.clusters.counts;
        let is_back = self.clusters.leaving.remove(&name).is_some();
        let is_new = is_back || entry.active.is_none() && entry.warming.is_none();
        counts.added += u64::from(is_new);
        if let Some((active, from)) = &mut entry.active
            && *active == cluster
        {
            match from {
                Some(from) if !is_back => from.came(resource),
                _ => *from = Some(Received::from(resource)),
            }
            self.drop_warming(&name, now);
            return;
        }
        if let Some((warming, Some(from))) = &mut entry.warming
            && **warming == *cluster
        {
            from.came(resource);
            return;
        }
        counts.modified += u64::from(!is_new);
        let dropped = (entry.warming).replace((cluster, Some(Received::from(resource))));
        entry.names = Names::default();
        self.clusters.warming.insert(Arc::clone(&name));
        self.watch_endpoints(&name, now);
        self.watch_cluster_secrets(&name, now);
        if let Some((dropped, _)) = dropped {
            self.leave_endpoints(&dropped);
        }
    }

    /// Lets go of the endpoints of a version, unless another version of the cluster has the same.
    /// What is served keeps its own until the version that warms takes its place.
    fn leave_endpoints(&mut self, version: &Cluster) {
        let Some(Subscribed { key, .. }) = need(version) else {
            return;
        };
        let is_kept = self.clusters.all.get(&version.name).is_some_and(|entry| {
            let versions = [&entry.active, &entry.warming].into_iter().flatten();
            let mut needs = versions.filter_map(|(cluster, _)| need(cluster));
            needs.any(|need| need.key == *key)
        });
        if !is_kept && self.endpoints.remove_user(key, &version.name) {
            let action = Action::Unsubscribe(Kind::Endpoints, key.clone());
            self.actions.push(action);
        }
    }

    pub(super) fn remove_cluster(&mut self, name: &str, now: Instant) {
        self.clusters.refused.remove(name);
        let known = self.clusters.all.get_key_value(name);
        let Some((name, _)) = known.filter(|(_, entry)| !entry.from_bootstrap) else {
            return;
        };
        let name = Arc::clone(name);
        self.drop_warming(&name, now);
        if !self.clusters.is_active(&name) {
            // No request can be on its way to it, and nobody is to wait for it.
            self.clusters.counts.removed += 1;
            self.forget_cluster(&name, now);
            return;
        }
        let counts = &mut self.clusters.counts;
        self.clusters.leaving.entry(name).or_insert_with(|| {
            counts.removed += 1;
            Leaving {
                next: now + LINGER,
                last: now + GRACE,
            }
        });
    }

    fn forget_cluster(&mut self, name: &Arc<str>, now: Instant) {
        self.clusters.leaving.remove(name);
        self.clusters.warming.remove(name);
        let Some(entry) = self.clusters.all.remove(name) else {
            return;
        };
        let versions = [&entry.active, &entry.warming];
        for (cluster, _) in versions.into_iter().flatten() {
            self.leave_endpoints(cluster);
        }
        self.watch_secrets(&User::Cluster(Arc::clone(name)), &[], now);
        if entry.active.is_some() {
            self.clusters.counts.active -= 1;
            self.actions.push(Action::RemoveCluster(Arc::clone(name)));
        }
    }

    /// Forgets a version that is not served yet.
    fn drop_warming(&mut self, name: &Arc<str>, now: Instant) {
        self.clusters.warming.remove(name);
        let Some(entry) = self.clusters.all.get_mut(name) else {
            return;
        };
        let Some((dropped, _)) = entry.warming.take() else {
            return;
        };
        self.leave_endpoints(&dropped);
        self.watch_cluster_secrets(name, now);
    }

    /// Asks for the secrets of a cluster's versions.
    pub(super) fn watch_cluster_secrets(&mut self, name: &Arc<str>, now: Instant) {
        let Some(entry) = self.clusters.all.get(name) else {
            return;
        };
        let versions = [&entry.active, &entry.warming].into_iter().flatten();
        let needs: Vec<_> = versions
            .flat_map(|(cluster, _)| secrets::of_cluster(cluster))
            .collect();
        self.watch_secrets(&User::Cluster(Arc::clone(name)), &needs, now);
    }

    /// Serves the clusters whose endpoints are there.
    pub(super) fn settle_clusters(&mut self) {
        let names: Vec<_> = self.clusters.warming.iter().cloned().collect();
        for name in names {
            let Some(entry) = self.clusters.all.get_mut(&name) else {
                self.clusters.warming.remove(&name);
                continue;
            };
            let Some((cluster, _)) = &entry.warming else {
                self.clusters.warming.remove(&name);
                continue;
            };
            let cluster = Arc::clone(cluster);
            if !self.secrets.are_there(&secrets::of_cluster(&cluster)) {
                continue;
            }
            let mut endpoints = None;
            if let Some(need) = need(&cluster) {
                if !self.endpoints.are_there(&need.key) {
                    continue;
                }
                endpoints = self.endpoints.get(&need.key);
            }
            if cluster.discovery.dns().is_some() && entry.names != Names::Resolved {
                if entry.names == Names::Unresolved {
                    entry.names = Names::Asked;
                    self.actions.push(Action::Resolve(cluster));
                }
                continue;
            }
            let replaced = entry.active.take();
            entry.active = entry.warming.take();
            self.clusters.counts.active += u64::from(replaced.is_none());
            self.clusters.warming.remove(&name);
            let version = need(&cluster).and_then(|need| self.endpoints.version(&need.key));
            let heard = version.map(|version| {
                Action::EndpointsHeard(Arc::clone(&name), Heard::Accepted(Arc::clone(version)))
            });
            self.actions.push(Action::SetCluster(cluster, endpoints));
            self.actions.extend(heard);
            if let Some((replaced, _)) = replaced {
                self.leave_endpoints(&replaced);
            }
        }
    }

    /// The names of a cluster were looked up, with success or without.
    pub fn resolved(&mut self, cluster: &Arc<Cluster>, now: Instant) {
        if let Some(entry) = self.clusters.all.get_mut(&cluster.name)
            && let Some((warming, _)) = &entry.warming
            && Arc::ptr_eq(warming, cluster)
        {
            entry.names = Names::Resolved;
            self.settle(now);
        }
    }

    /// Takes away the clusters that nothing leads to, or that had their time.
    pub(super) fn settle_leaving(&mut self, now: Instant) {
        if self.clusters.deadline().is_none_or(|next| next > now) {
            return;
        }
        let used = references::clusters(
            (self.routes.served().chain(self.scopes.served())).map(|config| &**config),
            self.listeners.served().map(|listener| &**listener),
        );
        let mut gone: Vec<Arc<str>> = Vec::new();
        for (name, leaving) in &mut self.clusters.leaving {
            if leaving.next > now {
                continue;
            }
            if leaving.last <= now || !used.contains(&**name) {
                gone.push(Arc::clone(name));
            } else {
                leaving.next = (now + LINGER).min(leaving.last);
            }
        }
        for name in gone {
            self.forget_cluster(&name, now);
        }
    }
}
