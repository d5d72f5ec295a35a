//! Clusters whose endpoints have names, with a name server that says what the test wants.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::*;
use tandem_model::cluster::*;
use tandem_model::{Address, Cluster};
use tandem_upstream::RoutePolicy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

/// What the name server says: addresses (127.0.0.N) or a response code.
type Says = Arc<Mutex<Result<Vec<u8>, u8>>>;

/// Answers every query for IPv4 addresses.
async fn name_server() -> (SocketAddr, Says) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    let says: Says = Arc::new(Mutex::new(Ok(vec![1])));
    let said = Arc::clone(&says);
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let answer = reply(&buffer[..length], &said.lock().unwrap());
            let _ = socket.send_to(&answer, peer).await;
        }
    });
    (addr, says)
}

fn reply(query: &[u8], says: &Result<Vec<u8>, u8>) -> Vec<u8> {
    // The question ends after the root label, a type and a class.
    let end = 12 + query[12..].iter().position(|b| *b == 0).unwrap() + 5;
    let (code, hosts) = match says {
        Ok(hosts) => (0, hosts.as_slice()),
        Err(code) => (*code, &[][..]),
    };
    let mut out = Vec::from(&query[..2]);
    out.extend([0x85, 0x80 | code, 0, 1, 0, hosts.len() as u8, 0, 0, 0, 0]);
    out.extend(&query[12..end]);
    for host in hosts {
        out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, *host]);
    }
    out
}

/// Servers on one port of 127.0.0.1, 127.0.0.2 and so on, which answer with their number.
async fn numbered(count: u8) -> u16 {
    let mut port = 0;
    for number in 1..=count {
        let addr = SocketAddr::from(([127, 0, 0, number], port));
        let listener = TcpListener::bind(addr).await.unwrap();
        port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                        let answer =
                            format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                });
            }
        });
    }
    port
}

fn dns(server: SocketAddr) -> Dns {
    Dns {
        refresh_rate: Duration::from_millis(5),
        lookup_family: DnsLookupFamily::V4Only,
        resolvers: vec![server],
        ..Dns::default()
    }
}

fn named(discovery: Discovery, port: u16) -> Cluster {
    let mut config = cluster(&[SocketAddr::from(([0, 0, 0, 0], port))]);
    config.discovery = discovery;
    config.load_assignment.localities[0].endpoints[0].address = Address::Name {
        host: "service.test".into(),
        port,
    };
    config
}

async fn rig(discovery: Discovery, port: u16) -> Rig {
    let rig = Rig::new(named(discovery, port), RoutePolicy::default());
    rig.manager.warmed().await;
    rig
}

async fn until(rig: &Rig, stat: &str, reached: impl Fn(i64) -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !reached(rig.stat(stat)) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{stat}: {}",
            rig.stat(stat)
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn asked_anew(rig: &Rig) {
    let before = rig.stat("update_attempt");
    until(rig, "update_attempt", |n| n > before + 2).await;
}

async fn ask(rig: &Rig) -> String {
    text(rig.send(get("/")).await.unwrap()).await
}

/// Every address of a name is a host of STRICT_DNS; answers in another order change nothing,
/// none empties the cluster, and a server in trouble changes nothing either.
#[tokio::test]
async fn strict_dns_follows_the_name_server() {
    let port = numbered(2).await;
    let (server, says) = name_server().await;
    let rig = rig(Discovery::StrictDns(dns(server)), port).await;
    assert_eq!(ask(&rig).await, "1");
    *says.lock().unwrap() = Ok(vec![2, 1]);
    until(&rig, "membership_total", |n| n == 2).await;
    *says.lock().unwrap() = Ok(vec![1, 2]);
    asked_anew(&rig).await;
    assert_eq!(rig.stat("membership_change"), 2);
    let mut answers = vec![ask(&rig).await, ask(&rig).await];
    answers.sort();
    assert_eq!(answers, ["1", "2"]);
    const SERVFAIL: u8 = 2;
    *says.lock().unwrap() = Err(SERVFAIL);
    until(&rig, "update_failure", |n| n > 0).await;
    assert_eq!(rig.stat("membership_total"), 2);
    const NXDOMAIN: u8 = 3;
    *says.lock().unwrap() = Err(NXDOMAIN);
    until(&rig, "membership_total", |n| n == 0).await;
    assert!(rig.send(get("/")).await.is_err());
}

/// As in Envoy, each name has hosts of its own: an address behind two of them is two hosts. One
/// that a name says twice is one, and nothing changes as long as the answers stay.
#[tokio::test]
async fn an_address_behind_two_names_counts_twice() {
    let port = numbered(2).await;
    let (server, says) = name_server().await;
    let mut config = named(Discovery::StrictDns(dns(server)), port);
    let endpoints = &mut config.load_assignment.localities[0].endpoints;
    let mut other = endpoints[0].clone();
    other.address = Address::Name {
        host: "other.test".into(),
        port,
    };
    endpoints.push(other);
    *says.lock().unwrap() = Ok(vec![1, 2, 1]);
    let rig = Rig::new(config, RoutePolicy::default());
    rig.manager.warmed().await;
    assert_eq!(rig.stat("membership_total"), 4);
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(ask(&rig).await);
    }
    answers.sort();
    assert_eq!(answers, ["1", "1", "2", "2"]);
    let (changes, same) = (rig.stat("membership_change"), rig.stat("update_no_rebuild"));
    until(&rig, "update_no_rebuild", |n| n > same + 4).await;
    assert_eq!(rig.stat("membership_change"), changes);
    *says.lock().unwrap() = Ok(vec![2]);
    until(&rig, "membership_total", |n| n == 2).await;
    assert_eq!([ask(&rig).await, ask(&rig).await], ["2", "2"]);
}

#[tokio::test]
async fn a_name_that_stands_twice_has_hosts_for_each() {
    let port = numbered(1).await;
    let (server, _says) = name_server().await;
    let mut config = named(Discovery::StrictDns(dns(server)), port);
    let endpoints = &mut config.load_assignment.localities[0].endpoints;
    let mut again = endpoints[0].clone();
    again.weight = 2;
    endpoints.push(again);
    let rig = Rig::new(config, RoutePolicy::default());
    rig.manager.warmed().await;
    assert_eq!(rig.stat("membership_total"), 2);
    let same = rig.stat("update_no_rebuild");
    until(&rig, "update_no_rebuild", |n| n > same + 4).await;
}

/// LOGICAL_DNS is one host at the first address; when that changes, connections stay for as
/// long as they are good, and new ones go to the new address.
#[tokio::test]
async fn logical_dns_is_one_host_that_moves() {
    let port = numbered(2).await;
    let (server, says) = name_server().await;
    let rig = rig(Discovery::LogicalDns(dns(server)), port).await;
    *says.lock().unwrap() = Ok(vec![1, 2]);
    asked_anew(&rig).await;
    assert_eq!(rig.stat("membership_total"), 1);
    assert_eq!(ask(&rig).await, "1");
    *says.lock().unwrap() = Ok(vec![2, 1]);
    asked_anew(&rig).await;
    assert_eq!(ask(&rig).await, "1");
    assert_eq!(rig.stat("upstream_cx_total"), 1);
    // The idle connection is taken, so the other request needs a new one.
    let (one, two) = tokio::join!(rig.send(get("/")), rig.send(get("/")));
    let mut answers = vec![text(one.unwrap()).await, text(two.unwrap()).await];
    answers.sort();
    assert_eq!(answers, ["1", "2"]);
    let host = rig.info().upstream.load_full().unwrap().host.to_string();
    assert_eq!(host, format!("127.0.0.2:{port}"));
    // It keeps its address when the name server forgets it.
    *says.lock().unwrap() = Ok(vec![]);
    asked_anew(&rig).await;
    assert_eq!(rig.stat("membership_total"), 1);
}

/// A cluster that replaces another serves with the addresses that were known while the name server
/// is in trouble, however often it is asked.
#[tokio::test]
async fn a_replaced_cluster_keeps_its_addresses_until_a_good_answer() {
    let port = numbered(2).await;
    let (server, says) = name_server().await;
    let kinds: [fn(Dns) -> Discovery; 2] = [Discovery::StrictDns, Discovery::LogicalDns];
    for discovery in kinds {
        *says.lock().unwrap() = Ok(vec![1]);
        let rig = rig(discovery(dns(server)), port).await;
        *says.lock().unwrap() = Err(2);
        let mut config = named(discovery(dns(server)), port);
        config.connect_timeout = Duration::from_secs(7);
        let failures = rig.stat("update_failure");
        rig.manager.set_cluster(Arc::new(config));
        until(&rig, "update_failure", |n| n > failures + 3).await;
        assert_eq!(rig.stat("membership_total"), 1);
        assert_eq!(ask(&rig).await, "1");
        *says.lock().unwrap() = Ok(vec![2]);
        asked_anew(&rig).await;
        let shown = rig.manager.admin_text();
        assert!(shown.contains(&format!("c::127.0.0.2:{port}::")), "{shown}");
    }
}
