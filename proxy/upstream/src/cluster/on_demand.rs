//! Hosts that no list names: each is there for as long as a worker has a pool for it.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, Weak};

use ahash::HashMap;
use tandem_model::Address;
use tandem_model::cluster::Endpoint;

use super::SharedCluster;
use crate::host::{Group, Host};

/// As many are kept before those that are gone are looked for.
const MANY: usize = 64;

/// Those that workers know, and some that are gone.
#[derive(Debug)]
pub(super) struct Hosts {
    by_address: HashMap<SocketAddr, Weak<Host>>,
    most: usize,
}

impl Default for Hosts {
    fn default() -> Self {
        Self {
            by_address: HashMap::default(),
            most: MANY,
        }
    }
}

impl SharedCluster {
    /// The host at an address, made if it is not there.
    pub(crate) fn host_on_demand(&self, address: SocketAddr) -> Arc<Host> {
        let mut hosts = self
            .on_demand
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.by_address.get(&address).and_then(Weak::upgrade) {
            return host;
        }
        if hosts.by_address.len() >= hosts.most {
            hosts.by_address.retain(|_, host| host.strong_count() > 0);
            // Twice what is used, so that looking costs little however many there are.
            hosts.most = MANY.max(2 * hosts.by_address.len());
        }
        let endpoint = Endpoint {
            // As Envoy names them.
            hostname: format!("{}{address}", self.config.name).into(),
            ..Endpoint::new(Address::Socket(address))
        };
        let group = Arc::new(Group::default());
        let host = Arc::new(Host::new(
            Address::Socket(address),
            &endpoint,
            &group,
            Arc::default(),
        ));
        hosts.by_address.insert(address, Arc::downgrade(&host));
        self.stats.membership_change.inc();
        host
    }

    /// Those that are there.
    pub(crate) fn hosts_on_demand(&self) -> Vec<Arc<Host>> {
        let hosts = self
            .on_demand
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = hosts
            .by_address
            .values()
            .filter_map(Weak::upgrade)
            .collect();
        found.sort_by_key(|host| host.address.socket());
        found
    }
}
