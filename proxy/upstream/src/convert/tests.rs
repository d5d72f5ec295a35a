use bytes::Bytes;
use http::Request;

use super::*;

fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// An HTTP/2 head becomes origin form with a host.
#[test]
fn http2_heads_become_http1() {
    let mut head = head("http://example.org:81/a?b=c", &[("te", "trailers")]);
    head.version = Version::HTTP_2;
    to_http1(&mut head, &Outgoing::Empty);
    assert_eq!(head.uri, "/a?b=c");
    assert_eq!(head.headers["host"], "example.org:81");
    assert_eq!(head.version, Version::HTTP_11);
    assert!(!head.headers.contains_key("transfer-encoding"));
}

/// A body without a length is chunked, whatever the method; one with a length is not.
#[test]
fn bodies_are_framed() {
    let body = || Outgoing::Full(Some(Bytes::from_static(b"x")));
    let mut unknown = head("/", &[("host", "a")]);
    to_http1(&mut unknown, &body());
    assert_eq!(unknown.headers["transfer-encoding"], "chunked");
    let mut known = head("/", &[("host", "a"), ("content-length", "1")]);
    to_http1(&mut known, &body());
    assert!(!known.headers.contains_key("transfer-encoding"));
}

/// An HTTP/1 head gets its authority from the host and loses what belongs to its connection.
#[test]
fn http1_heads_become_http2() {
    let mut head = head(
        "/a",
        &[
            ("host", "example.org"),
            ("connection", "x"),
            ("keep-alive", "1"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip"),
            ("x-kept", "1"),
        ],
    );
    to_http2(&mut head).unwrap();
    assert_eq!(head.uri, "http://example.org/a");
    assert_eq!(head.headers.len(), 1);
    assert!(to_http2(&mut self::head("/", &[])).is_err());
    assert!(to_http2(&mut self::head("/", &[("host", "a b")])).is_err());
}

/// What HTTP/1 asks of a connection, HTTP/2 asks of a stream (RFC 8441); a second try finds the
/// head as the first left it.
#[test]
fn an_upgrade_becomes_an_extended_connect() {
    let fields = [
        ("host", "a"),
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
    ];
    let mut head = head("/chat", &fields);
    for _ in 0..2 {
        to_http2(&mut head).unwrap();
        assert_eq!(head.method, Method::CONNECT);
        assert_eq!(head.uri, "http://a/chat");
        assert!(head.headers.is_empty(), "{:?}", head.headers);
        let protocol = head.extensions.get::<h2::ext::Protocol>();
        assert_eq!(protocol.map(|p| p.as_str()), Some("websocket"));
    }
}

/// What came over HTTP/1 is part of a large buffer, which a long-lived connection would keep.
#[test]
fn http1_values_leave_their_buffer_behind() {
    let read = Bytes::from(b"host: a\r\nx-id: 1\r\n".to_vec());
    let mut head = head("/", &[("host", "a")]);
    let id = http::HeaderValue::from_maybe_shared(read.slice(15..16)).unwrap();
    head.headers.insert("x-id", id);
    to_http2(&mut head).unwrap();
    assert_eq!(head.headers["x-id"], "1");
    assert!(read.is_unique());
}
