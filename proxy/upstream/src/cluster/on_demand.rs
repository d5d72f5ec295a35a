//! Hosts that no list names: each is there for as long as a worker has a pool for it.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, Weak};

use ahash::HashMap;
use tandem_model::Address;
use tandem_model::cluster::Endpoint;

use super::SharedCluster;
use crate::host::{Group, Host};

/// By address; those that are gone leave with the next change.
pub(super) type Hosts = HashMap<SocketAddr, Weak<Host>>;

impl SharedCluster {
    /// The host at an address, made if it is not there.
    pub(crate) fn host_on_demand(&self, address: SocketAddr) -> Arc<Host> {
        let mut hosts = self
            .on_demand
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(&address).and_then(Weak::upgrade) {
            return host;
        }
        hosts.retain(|_, host| host.strong_count() > 0);
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
        hosts.insert(address, Arc::downgrade(&host));
        self.stats.membership_change.inc();
        host
    }

    /// Those that are there.
    pub(crate) fn hosts_on_demand(&self) -> Vec<Arc<Host>> {
        let hosts = self
            .on_demand
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = hosts.values().filter_map(Weak::upgrade).collect();
        found.sort_by_key(|host| host.address.socket());
        found
    }
}
