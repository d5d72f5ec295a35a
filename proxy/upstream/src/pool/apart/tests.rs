use std::net::{Ipv4Addr, SocketAddr};

use tandem_core::ext::ConnectionInfo;
use tandem_core::stats::Registry;
use tandem_model::Cluster;
use tandem_model::cluster::{Discovery, LbPolicy, OriginalDst};
use tokio::runtime::Handle;

use super::*;
use crate::ClusterManager;
use crate::worker::Asker;

fn pool() -> Arc<HostPool> {
    let cluster = Arc::new(Cluster {
        discovery: Discovery::OriginalDst(OriginalDst::default()),
        lb_policy: LbPolicy::ClusterProvided,
        ..Cluster::new("c")
    });
    let manager = ClusterManager::new(&[cluster], &Registry::default(), &Handle::current());
    let connection = ConnectionInfo {
        original_destination: Some(([127, 0, 0, 1], 1).into()),
        ..ConnectionInfo::default()
    };
    let cluster = manager.worker().find("c").unwrap();
    let asker = Asker {
        connection: &connection,
        headers: None,
    };
    cluster.choose(asker).unwrap()
}

fn from(client: u32, mark: Option<u32>) -> Apart {
    let client = SocketAddr::from((Ipv4Addr::from_bits(client), 1000));
    Apart {
        name: None,
        source: Some(Source::of(client, mark)),
    }
}

/// Ports of a client do not count; its address, the mark and the name do.
#[tokio::test]
async fn each_client_has_a_pool_of_its_own() {
    let pool = pool();
    let first = pool.apart(from(1, None));
    let named = Apart {
        name: Some(ServerName {
            sni: Some("a.test".into()),
            check: false,
        }),
        ..from(1, None)
    };
    for other in [from(2, None), from(1, Some(7)), named] {
        assert!(!Arc::ptr_eq(&first, &pool.apart(other)));
    }
    let later = SocketAddr::from((Ipv4Addr::from_bits(1), 2000));
    let same = Apart {
        source: Some(Source::of(later, None)),
        ..Apart::default()
    };
    assert!(Arc::ptr_eq(&first, &pool.apart(same)));
}

/// Clients come and go; what nobody uses any more costs nothing for long.
#[tokio::test]
async fn pools_that_nobody_uses_are_forgotten() {
    let pool = pool();
    let used: Vec<_> = (0..100)
        .map(|client| pool.apart(from(client, None)))
        .collect();
    for client in 100..10_000 {
        pool.apart(from(client, None));
    }
    assert!(pool.pools_apart().by_key.len() <= 200);
    for (client, used) in (0..).zip(&used) {
        assert!(Arc::ptr_eq(used, &pool.apart(from(client, None))));
    }
    assert!(!pool.is_connected());
}
