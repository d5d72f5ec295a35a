//! Every expectation here was observed of Envoy 1.40's HTTP inspector.

use super::HttpKind::{Http2, Http10, Http11, Not};
use super::*;

#[test]
fn what_begins_like_http_is_awaited() {
    for bytes in [
        "",
        "P",
        "PRI",
        "PRI * HTTP/2.0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r",
        "G",
        "GET",
        "GET ",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r",
        "GET /\u{1}",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert_eq!(http(bytes.as_bytes()), None, "{bytes:?}");
    }
    assert_eq!(http(b"GET /\xff"), None);
}

#[test]
fn request_lines_are_recognised() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1 \r\n",
        "GET / HTTP/1.1\t\r\n",
        "GET / HTTP/1.1\n\n",
        "get / HTTP/1.1\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET /x  HTTP/1.1\r\n",
        "GET\t/\tHTTP/1.1\r\n",
        "GET /\u{1} HTTP/1.1\r\n",
        "GET /\0 HTTP/1.1\r\n",
        "FOO / HTTP/1.1\r\n",
        "PRIX / HTTP/1.1\r\n",
        "PRI * HTTP/1.1\r\n",
        "GET * HTTP/1.1\r\n",
        "GET http://a/ HTTP/1.1\r\n",
        "GET http:// HTTP/1.1\r\n",
        "CONNECT a:1 HTTP/1.1\r\n",
        "CONNECT / HTTP/1.1\r\n",
        "!#$%&'*+-.^_`|~09 / HTTP/1.1\r\n",
    ] {
        assert_eq!(http(line.as_bytes()), Some(Http11), "{line:?}");
    }
    for line in [
        "GET / HTTP/1.0\r\n",
        "GET /\r\n",
        "GET / HTTP/0.9\r\n",
        "GET / HTTP/1.2\r\n",
        "GET / HTTP/2.0\r\n",
        "GET / HTTP/9.9\r\n",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "PRI * HTTP/2.0\r\n\n",
    ] {
        assert_eq!(http(line.as_bytes()), Some(Http10), "{line:?}");
    }
    assert_eq!(http(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"), Some(Http2));
}

#[test]
fn everything_else_is_not_http() {
    for line in [
        "\r\nGET / HTTP/1.1\r\n",
        " GET",
        "\n",
        "GET\r\n",
        "GET \r\n",
        "GET HTTP/1.1\r\n",
        "GET  HTTP/1.1\r\n",
        "GET / HTTP/1\r\n",
        "GET / HTTP/1.\r\n",
        "GET / HTTP/11\r\n",
        "GET / HTTP/1.10\r\n",
        "GET / HTTP/a.b\r\n",
        "GET / http/1.1\r\n",
        "GET / HTTP/1.1x\r\n",
        "GET /a b HTTP/1.1\r\n",
        "GET world HTTP/1.1\r\n",
        "GET ?x HTTP/1.1\r\n",
        "GET a:b HTTP/1.1\r\n",
        "G@T",
        "G:T / HTTP/1.1\r\n",
        "GE\0",
        "\0",
        "\u{16}\u{3}\u{1}",
        "HTTP/1.1",
        "PUT /x\u{7f} HTTP/1.1\r\n",
        "hello\n",
        "hello world\n",
        "SSH-2.0-OpenSSH_9\r\n",
        "USER anonymous\r\n",
        "EHLO host.example\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "set a b HTTP/1.1\r\n",
    ] {
        assert_eq!(http(line.as_bytes()), Some(Not), "{line:?}");
    }
    assert_eq!(http(b"GET /\xff HTTP/1.1\r\n"), Some(Not));
}

#[test]
fn nothing_makes_it_panic_or_take_back_its_word() {
    use rand::RngExt as _;
    let mut rng = rand::rng();
    let alphabet = b"GET /*:@PRI HTTP/1.10\r\n\t\0\xff?";
    for _ in 0..20_000 {
        let length = rng.random_range(0..40);
        let bytes: Vec<u8> = (0..length)
            .map(|_| alphabet[rng.random_range(0..alphabet.len())])
            .collect();
        let mut said = None;
        for end in 0..=bytes.len() {
            let now = http(&bytes[..end]);
            assert!(said.is_none() || now == said, "{bytes:?} at {end}");
            said = now;
        }
    }
}
