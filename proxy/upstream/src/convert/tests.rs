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
    let upgrade = [("host", "a"), ("upgrade", "websocket")];
    assert!(to_http2(&mut self::head("/", &upgrade)).is_err());
}
