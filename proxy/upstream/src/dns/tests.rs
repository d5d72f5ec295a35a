use tandem_model::cluster::{Dns, DnsLookupFamily};

use super::*;

fn family(lookup_family: DnsLookupFamily) -> Dns {
    Dns {
        lookup_family,
        ..Dns::default()
    }
}

/// `localhost` needs no server and obeys the address family.
#[tokio::test]
async fn localhost_is_known() {
    let resolver = Resolver::default();
    let lookup = async |wanted| {
        let found = resolver.lookup("localhost", &family(wanted)).await;
        found.unwrap().addresses
    };
    let v4 = IpAddr::from([127, 0, 0, 1]);
    assert_eq!(lookup(DnsLookupFamily::V4Only).await, [v4]);
    assert!(lookup(DnsLookupFamily::V6Only).await[0].is_ipv6());
    assert_eq!(lookup(DnsLookupFamily::All).await.len(), 2);
}

/// Names in the hosts file need no server either.
#[tokio::test]
async fn the_hosts_file_is_read() {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let entry = hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let ip: std::net::Ipv4Addr = words.next()?.parse().ok()?;
        let name = words.find(|name| !name.contains("localhost"))?;
        Some((IpAddr::from(ip), name))
    });
    // A machine without such an entry has nothing to check.
    let Some((ip, name)) = entry else { return };
    let found = Resolver::default()
        .lookup(name, &family(DnsLookupFamily::V4Only))
        .await
        .unwrap();
    assert!(found.addresses.contains(&ip), "{name}: {found:?}");
}
