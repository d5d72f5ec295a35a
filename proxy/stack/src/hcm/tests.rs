use std::net::SocketAddr;
use std::sync::Arc;

use http::StatusCode;
use tandem_core::error::{Kind, LocalReply};
use tandem_core::ext::{ConnectionInfo, Protocol, StreamInfo};
use tandem_core::{Body, Error, Request, authority};
use tandem_model::HttpConnectionManager;
use tandem_model::hcm::{EscapedSlashes, StripPort, UnderscoresAction};
use tandem_model::matching::RouteTable;

use super::{Settings, client, request};
use crate::server::tests::support::{connection, default_manager};

type Change = fn(&mut HttpConnectionManager);
/// The path, or the refusal with its location.
type Outcome<'a> = Result<&'a str, (StatusCode, Option<&'a str>)>;

fn manager(change: Change) -> HttpConnectionManager {
    let mut manager = default_manager();
    change(&mut manager);
    manager
}

fn from(peer: &str) -> Arc<ConnectionInfo> {
    let mut connection = connection();
    let facts = Arc::get_mut(&mut connection).unwrap();
    facts.remote = Some(peer.parse().unwrap());
    facts.local = Some("10.1.1.1:8080".parse().unwrap());
    connection
}

/// Runs the rules over a request from 203.0.113.9.
fn prepared(
    change: Change,
    target: &str,
    headers: &[(&str, &str)],
) -> Result<Request, Box<LocalReply>> {
    let settings = Settings {
        manager: Arc::new(manager(change)),
        table: Arc::new(RouteTable::new(Arc::default())),
        listener: "l".into(),
    };
    let mut builder = http::Request::builder().uri(target);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let mut request = builder.body(Body::empty()).unwrap();
    if !request.headers().contains_key("host") {
        request
            .headers_mut()
            .insert("host", http::HeaderValue::from_static("a.test:8080"));
    }
    let mut info = StreamInfo::new(from("203.0.113.9:4000"), Protocol::Http11, 1);
    info.is_grpc = tandem_core::grpc::is_grpc(request.headers());
    let found = client::find(&settings.manager, request.headers(), info.connection.remote);
    info.client = found.address;
    info.internal = found.internal;
    match request::prepare(&mut request, &info, &settings) {
        Ok(()) => Ok(request),
        Err(error) => Err(reply(&error)),
    }
}

fn reply(error: &Error) -> Box<LocalReply> {
    match error.kind() {
        Kind::Reply(reply) => reply.clone(),
        other => panic!("expected a reply, got {other:?}"),
    }
}

fn value<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

/// The client is the peer at the edge, else whom `x-forwarded-for` names, `hops` from its end.
#[test]
fn the_client_is_found_behind_trusted_hops() {
    let peer: SocketAddr = "10.0.0.1:1234".parse().unwrap();
    let cases: [(bool, u32, Option<&str>, &str); 7] = [
        (true, 0, Some("1.1.1.1"), "10.0.0.1"),
        (true, 1, Some("1.1.1.1, 2.2.2.2"), "2.2.2.2"),
        (true, 2, Some("1.1.1.1, 2.2.2.2"), "1.1.1.1"),
        (false, 0, Some("1.1.1.1, 2.2.2.2"), "2.2.2.2"),
        (false, 1, Some("1.1.1.1, 2.2.2.2"), "1.1.1.1"),
        (false, 0, None, "10.0.0.1"),
        (false, 0, Some("not an address"), "10.0.0.1"),
    ];
    for (edge, hops, forwarded, expected) in cases {
        let mut manager = default_manager();
        manager.use_remote_address = edge;
        manager.xff_num_trusted_hops = hops;
        let mut headers = http::HeaderMap::new();
        if let Some(text) = forwarded {
            headers.insert("x-forwarded-for", text.parse().unwrap());
        }
        let found = client::find(&manager, &headers, Some(peer))
            .address
            .unwrap();
        assert_eq!(
            found.ip().to_string(),
            expected,
            "{edge} {hops} {forwarded:?}"
        );
    }
}

/// Only a single hop from an internal range makes a request internal.
#[test]
fn internal_is_whom_the_configuration_says() {
    let mut manager = default_manager();
    manager.internal_address = Some(vec![("10.0.0.0".parse().unwrap(), 8)]);
    let peer = Some("127.0.0.1:1".parse().unwrap());
    for (forwarded, expected) in [
        ("10.9.9.9", true),
        ("11.0.0.1", false),
        ("1.1.1.1, 10.9.9.9", false),
    ] {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        assert_eq!(
            client::find(&manager, &headers, peer).internal,
            expected,
            "{forwarded}"
        );
    }
}

/// Who comes by a Unix socket is internal where the configuration says so, and nobody else named
/// a client.
#[test]
fn unix_sockets_may_be_internal() {
    let mut manager = default_manager();
    manager.use_remote_address = true;
    let mut headers = http::HeaderMap::new();
    assert!(!client::find(&manager, &headers, None).internal);
    manager.internal_unix_sockets = true;
    assert!(client::find(&manager, &headers, None).internal);
    headers.insert("x-forwarded-for", "10.9.9.9".parse().unwrap());
    assert!(!client::find(&manager, &headers, None).internal);
}

#[test]
fn hop_by_hop_headers_end_here() {
    let sent = [
        ("connection", "keep-alive, x-private"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "gzip, trailers"),
        ("upgrade", "h2c"),
        ("x-private", "1"),
        ("x-public", "1"),
    ];
    let request = prepared(|_| {}, "/", &sent).unwrap();
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "x-private",
    ] {
        assert_eq!(value(&request, name), None, "{name}");
    }
    assert_eq!(value(&request, "te"), Some("trailers"));
    assert_eq!(value(&request, "x-public"), Some("1"));
}

/// An upgrade keeps what the other side needs to take part in it.
#[test]
fn an_upgrade_stays_one() {
    let sent = [("connection", "upgrade"), ("upgrade", "websocket")];
    let request = prepared(|_| {}, "/", &sent).unwrap();
    assert_eq!(request::upgrade(request.headers()), Some("websocket"));
}

#[test]
fn an_edge_proxy_takes_nobodys_word() {
    let sent = [
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "mine"),
        ("x-envoy-max-retries", "9"),
        ("x-envoy-internal", "true"),
        ("x-envoy-original-path", "/admin"),
        ("x-forwarded-client-cert", "By=me"),
    ];
    let edge = prepared(|manager| manager.use_remote_address = true, "/", &sent).unwrap();
    assert_eq!(value(&edge, "x-forwarded-for"), Some("1.1.1.1,203.0.113.9"));
    assert_eq!(value(&edge, "x-forwarded-proto"), Some("http"));
    assert_eq!(
        value(&edge, "x-envoy-external-address"),
        Some("203.0.113.9")
    );
    assert_ne!(value(&edge, "x-request-id"), Some("mine"));
    for name in [
        "x-envoy-max-retries",
        "x-envoy-internal",
        "x-envoy-original-path",
        "x-forwarded-client-cert",
    ] {
        assert_eq!(value(&edge, name), None, "{name}");
    }
}

#[test]
fn a_proxy_inside_believes_what_was_forwarded() {
    let sent = [
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "mine"),
    ];
    let inside = prepared(|_| {}, "/", &sent).unwrap();
    for (name, expected) in sent {
        assert_eq!(value(&inside, name), Some(expected), "{name}");
    }
}

/// Ids are random UUIDs, version 4, variant 1.
#[test]
fn request_ids_are_made_where_there_is_none() {
    let first = prepared(|_| {}, "/", &[]).unwrap();
    let second = prepared(|_| {}, "/", &[]).unwrap();
    let id = value(&first, "x-request-id").unwrap();
    assert_ne!(Some(id), value(&second, "x-request-id"));
    let bytes = id.as_bytes();
    assert_eq!((bytes.len(), bytes[14]), (36, b'4'));
    assert!(b"89ab".contains(&bytes[19]));
    assert!([8, 13, 18, 23].iter().all(|&at| bytes[at] == b'-'));
}

#[test]
fn hosts_lose_their_port_and_dot_as_configured() {
    let cases: [(Change, &str, &str); 5] = [
        (|_| {}, "a.test:8080", "a.test:8080"),
        (
            |m| m.strip_port = StripPort::Matching,
            "a.test:8080",
            "a.test",
        ),
        (
            |m| m.strip_port = StripPort::Matching,
            "a.test:81",
            "a.test:81",
        ),
        (|m| m.strip_port = StripPort::Any, "[::1]:81", "[::1]"),
        (|m| m.strip_trailing_host_dot = true, "a.test.", "a.test"),
    ];
    for (change, host, expected) in cases {
        let request = prepared(change, "/", &[("host", host)]).unwrap();
        assert_eq!(authority::get(&request), expected, "{host}");
    }
}

#[test]
fn paths_become_what_routes_may_trust() {
    let cases: [(Change, &str, Outcome<'_>); 6] = [
        (|m| m.normalize_path = true, "/a/../b?x=/..", Ok("/b?x=/..")),
        (|m| m.merge_slashes = true, "//a//b", Ok("/a/b")),
        (
            |m| m.escaped_slashes = EscapedSlashes::RejectRequest,
            "/a%2fb",
            Err((StatusCode::BAD_REQUEST, None)),
        ),
        (
            |m| m.escaped_slashes = EscapedSlashes::UnescapeAndForward,
            "/a%2fb",
            Ok("/a/b"),
        ),
        (
            |m| m.escaped_slashes = EscapedSlashes::UnescapeAndRedirect,
            "/a%2fb?q",
            Err((StatusCode::TEMPORARY_REDIRECT, Some("/a/b?q"))),
        ),
        (
            |m| m.normalize_path = true,
            "/a%00",
            Err((StatusCode::BAD_REQUEST, None)),
        ),
    ];
    for (change, target, expected) in cases {
        let answer = prepared(change, target, &[]);
        let got = answer
            .as_ref()
            .map(authority::path_and_query)
            .map_err(|reply| {
                let location = reply.headers.get("location");
                (reply.status, location.map(|value| value.to_str().unwrap()))
            });
        assert_eq!(got, expected, "{target}");
    }
}

#[test]
fn underscores_are_dropped_or_refused() {
    let sent = [("a_b", "1")];
    let allowed = prepared(|_| {}, "/", &sent).unwrap();
    assert_eq!(value(&allowed, "a_b"), Some("1"));
    let dropped = prepared(
        |m| m.underscores = UnderscoresAction::DropHeader,
        "/",
        &sent,
    )
    .unwrap();
    assert_eq!(value(&dropped, "a_b"), None);
    let refused = prepared(
        |m| m.underscores = UnderscoresAction::RejectRequest,
        "/",
        &sent,
    );
    assert_eq!(refused.unwrap_err().status, StatusCode::BAD_REQUEST);
}

#[test]
fn what_cannot_be_routed_is_refused() {
    let missing = prepared(|_| {}, "/", &[("host", "")]);
    assert_eq!(missing.unwrap_err().details, "missing_host_header");
}
