//! What listener filters find, and what happens when they find nothing.

use std::time::Duration;

use tandem_model::listener::{
    FilterChainMatch, ListenerFilter, ListenerFilterKind, PortPredicate, ServerName, TlsInspector,
};

use super::*;

fn filter(kind: ListenerFilterKind) -> ListenerFilter {
    ListenerFilter {
        name: "".into(),
        disabled: None,
        kind,
    }
}

fn both() -> Vec<ListenerFilter> {
    vec![
        filter(ListenerFilterKind::TlsInspector(TlsInspector::default())),
        filter(ListenerFilterKind::HttpInspector),
    ]
}

fn protocols(transport: &str, names: &[&str]) -> FilterChainMatch {
    FilterChainMatch {
        transport_protocol: Some(transport.into()),
        application_protocols: names.iter().map(|name| (*name).into()).collect(),
        ..Default::default()
    }
}

fn named(name: &str) -> FilterChainMatch {
    FilterChainMatch {
        server_names: vec![ServerName::Exact(name.into())],
        ..Default::default()
    }
}

/// A ClientHello for `a.test`.
fn hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([0; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0, 0, 15]);
    body.extend([0, 0, 0, 11, 0, 9, 0, 0, 6]);
    body.extend(b"a.test");
    let length = body.len() as u8;
    let message = [&[1, 0, 0, length][..], &body].concat();
    [&[22, 3, 1, 0, length + 4][..], &message].concat()
}

async fn rig(change: impl FnOnce(&mut Listener)) -> (Rig, SocketAddr) {
    let mut rig = Rig::new().await;
    let (mut listener, sockets) = rig.listener(
        "l",
        [
            chain("http", protocols("raw_buffer", &["http/1.1", "h2c"]), "a"),
            chain("name", named("a.test"), "b"),
        ],
    );
    // a chain of raw_buffer is committed to: one that does not say so would not be found
    listener.default_filter_chain = Some(chain("rest", FilterChainMatch::default(), "c"));
    listener.listener_filters = both();
    change(&mut listener);
    let port = rig.add(listener, sockets);
    (rig, ([127, 0, 0, 1], port).into())
}

/// Who answers these bytes, and what comes back of them.
async fn answer(rig: &Rig, to: SocketAddr, bytes: &[u8]) -> (String, Vec<u8>) {
    let mut client = rig.open(to).await;
    client.say(bytes).await;
    let who = client.hear().await;
    let mut echo = Vec::new();
    while !who.is_empty() && echo.len() < bytes.len() {
        echo.extend(client.hear().await.into_bytes());
    }
    (who, echo)
}

#[tokio::test]
async fn chains_are_chosen_by_the_first_bytes_which_then_are_served() {
    let (rig, to) = rig(|_| {}).await;
    for (bytes, who) in [
        (&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], "a"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "a"),
        (b"GET / HTTP/1.0\r\n\r\n", "c"),
        (b"hello\n", "c"),
        (b"A1 LOGIN \x01\n", "c"),
    ] {
        assert_eq!(answer(&rig, to, bytes).await, (who.into(), bytes.to_vec()));
    }
    let mut client = rig.open(to).await;
    client.say(&hello()).await;
    assert_eq!(client.hear().await, "b");
    for (stat, count) in [
        ("tls_inspector.tls_found", 1),
        ("tls_inspector.sni_found", 1),
        ("tls_inspector.alpn_not_found", 1),
        ("tls_inspector.tls_not_found", 5),
        ("http_inspector.http11_found", 1),
        ("http_inspector.http2_found", 1),
        ("http_inspector.http10_found", 1),
        ("http_inspector.http_not_found", 2),
        ("listener.l.downstream_pre_cx_active", 0),
    ] {
        assert_eq!(rig.stat(stat), count, "{stat}");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_the_server_is_served_after_the_time_if_the_listener_says_so() {
    let time = Duration::from_millis(300);
    let (waiting, to) = rig(|listener| {
        listener.listener_filters_timeout = Some(time);
        listener.continue_on_listener_filters_timeout = true;
    })
    .await;
    let since = tokio::time::Instant::now();
    assert_eq!(waiting.ask(to).await, "c");
    assert!(since.elapsed() >= time);
    // what had come before is served
    let partly = b"GET / HTT";
    assert_eq!(
        answer(&waiting, to, partly).await,
        ("c".into(), partly.to_vec())
    );
    assert_eq!(waiting.stat("listener.l.downstream_pre_cx_timeout"), 2);

    let (strict, to) = rig(|listener| {
        listener.listener_filters_timeout = Some(time);
    })
    .await;
    assert_eq!(strict.ask(to).await, "");
    assert_eq!(strict.stat("listener.l.downstream_pre_cx_timeout"), 1);
    assert_eq!(strict.stat("listener.l.downstream_cx_total"), 0);
}

#[tokio::test]
async fn a_filter_is_left_out_for_the_ports_that_disable_it() {
    let (rig, to) = rig(|listener| {
        listener.listener_filters_timeout = None;
        for filter in &mut listener.listener_filters {
            let others = PortPredicate::Range(0, 1);
            filter.disabled = Some(PortPredicate::Not(Box::new(others)));
        }
    })
    .await;
    // nobody looks, so nobody waits
    assert_eq!(rig.ask(to).await, "c");
    assert_eq!(rig.stat("http_inspector.http_not_found"), 0);
}

#[tokio::test]
async fn a_client_that_leaves_or_says_too_much_is_counted() {
    let (rig, to) = rig(|listener| {
        listener.listener_filters[0].kind = ListenerFilterKind::TlsInspector(TlsInspector {
            max_client_hello_size: 256,
            ..Default::default()
        });
    })
    .await;
    let mut leaves = rig.open(to).await;
    leaves.say(b"\x16\x03").await;
    leaves.end().await;
    assert_eq!(leaves.hear().await, "");
    assert_eq!(
        rig.stat("listener.l.downstream_listener_filter_remote_close"),
        1
    );

    let long = [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        &[0; 400],
    ]
    .concat();
    assert_eq!(answer(&rig, to, &long).await.0, "");
    assert_eq!(rig.stat("tls_inspector.client_hello_too_large"), 1);

    let long = [b"GET /".to_vec(), vec![b'a'; 70_000]].concat();
    let mut client = rig.open(to).await;
    client.try_say(&long).await;
    assert_eq!(client.hear().await, "");
    assert_eq!(rig.stat("http_inspector.read_error"), 1);
}

#[tokio::test]
async fn what_begins_like_tls_and_is_not_is_closed_if_asked_for() {
    let (rig, to) = rig(|listener| {
        listener.listener_filters[0].kind = ListenerFilterKind::TlsInspector(TlsInspector {
            close_on_parsing_errors: true,
            ..Default::default()
        });
    })
    .await;
    assert_eq!(answer(&rig, to, b"hello\n").await.0, "");
    assert_eq!(rig.stat("tls_inspector.tls_not_found"), 1);
}
