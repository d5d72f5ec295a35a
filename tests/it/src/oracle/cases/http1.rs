//! HTTP/1 as it comes: malformed, ambiguous, old, pipelined.

use crate::oracle::{Case, bootstrap, check, listener, raw};

const ROUTES: &str = "- {match: {prefix: /}, route: {cluster: up}}\n";

/// The request line, which has to be right.
const LINES: &[(&str, &str)] = &[
    ("no version", "GET /"),
    ("HTTP/0.9", "GET / HTTP/0.9"),
    ("HTTP/1.2", "GET / HTTP/1.2"),
    ("HTTP/2.0", "GET / HTTP/2.0"),
    ("HTTP/3", "GET / HTTP/3"),
    ("no HTTP", "GET / FTP/1.1"),
    ("two spaces", "GET  / HTTP/1.1"),
    ("a space at the end", "GET / HTTP/1.1 "),
    ("a space in the path", "GET /a b HTTP/1.1"),
    ("a tab for a space", "GET\t/ HTTP/1.1"),
    ("no path", "GET HTTP/1.1"),
    ("a leading space", " GET / HTTP/1.1"),
    ("an empty method", "/ HTTP/1.1"),
    ("a lower-case method", "get / HTTP/1.1"),
    ("a method with a bad character", "G@T / HTTP/1.1"),
    ("a method with a dash", "M-SEARCH / HTTP/1.1"),
    ("NUL in the path", "GET /\0 HTTP/1.1"),
    ("a control character in the path", "GET /\x01 HTTP/1.1"),
    ("DEL in the path", "GET /\x7f HTTP/1.1"),
    ("a form feed for a space", "GET\x0c/ HTTP/1.1"),
    ("PRI", "PRI * HTTP/1.1"),
    ("CONNECT with a path", "CONNECT / HTTP/1.1"),
    ("CONNECT", "CONNECT any.test:80 HTTP/1.1"),
    ("CONNECT without a port", "CONNECT any.test HTTP/1.1"),
    ("OPTIONS *", "OPTIONS * HTTP/1.1"),
    ("GET *", "GET * HTTP/1.1"),
];

/// Fields after a Host.
const FIELDS: &[(&str, &str)] = &[
    ("a space before the colon", "x-a : 1"),
    ("a tab before the colon", "x-a\t: 1"),
    ("no colon", "x-a 1"),
    ("an empty name", ": 1"),
    ("a folded value", "x-a: 1\r\n 2"),
    ("a folded value by a tab", "x-a: 1\r\n\t2"),
    ("a first field that folds", " x-a: 1"),
    ("a name with a bad character", "x(a): 1"),
    ("a name with a slash", "x/a: 1"),
    ("a name with an at", "x@a: 1"),
    ("a name in quotes", "\"x\": 1"),
    ("a name above 127", "x\u{e4}: 1"),
    ("NUL in a value", "x-a: 1\0"),
    ("NUL in a name", "x\0a: 1"),
    ("a control character in a value", "x-a: 1\x01"),
    ("DEL in a value", "x-a: 1\x7f"),
    ("a tab in a value", "x-a: 1\t2"),
    ("a value above 127", "x-a: \u{e4}"),
    ("a bare CR in a value", "x-a: 1\r2"),
    ("a bare LF in a value", "x-a: 1\nx-b: 2"),
    ("a bare LF ends a field", "x-a: 1\nx-b: 2\n"),
    ("no space after the colon", "x-a:1"),
    ("many spaces", "x-a:   1   "),
    ("two hosts", "Host: any.test"),
    ("two different hosts", "Host: other.test"),
    ("a host with a path", "Host: any.test/x"),
    ("a host with a user", "Host: u@any.test"),
    ("an upper-case name", "X-UPPER: 1"),
    ("an :authority field", ":authority: other.test"),
    ("an :path field", ":path: /other"),
];

/// How a POST says how long its body is, and what follows.
const FRAMINGS: &[(&str, &str, &str)] = &[
    ("content-length", "Content-Length: 2", "ab"),
    ("content-length nought", "Content-Length: 0", ""),
    (
        "the same content-length twice",
        "Content-Length: 2\r\nContent-Length: 2",
        "ab",
    ),
    (
        "two content-lengths",
        "Content-Length: 2\r\nContent-Length: 3",
        "abc",
    ),
    (
        "a list of the same content-lengths",
        "Content-Length: 2, 2",
        "ab",
    ),
    ("a list of content-lengths", "Content-Length: 2, 3", "abc"),
    ("a negative content-length", "Content-Length: -1", ""),
    ("a content-length with a sign", "Content-Length: +2", "ab"),
    (
        "a content-length in hexadecimal",
        "Content-Length: 0x2",
        "ab",
    ),
    ("a content-length with a point", "Content-Length: 2.0", "ab"),
    ("a content-length with a word", "Content-Length: two", "ab"),
    ("an empty content-length", "Content-Length:", ""),
    (
        "a content-length with noughts before",
        "Content-Length: 002",
        "ab",
    ),
    (
        "a content-length with a space inside",
        "Content-Length: 1 2",
        "ab",
    ),
    (
        "a content-length that is too large",
        "Content-Length: 99999999999999999999",
        "ab",
    ),
    (
        "a content-length of 2^64",
        "Content-Length: 18446744073709551616",
        "ab",
    ),
    ("a body shorter than said", "Content-Length: 5", "ab"),
    (
        "chunks",
        "Transfer-Encoding: chunked",
        "2\r\nab\r\n0\r\n\r\n",
    ),
    (
        "chunks and content-length",
        "Transfer-Encoding: chunked\r\nContent-Length: 2",
        "2\r\nab\r\n0\r\n\r\n",
    ),
    (
        "content-length and chunks",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "0\r\n\r\n",
    ),
    (
        "chunked in capitals",
        "Transfer-Encoding: Chunked",
        "2\r\nab\r\n0\r\n\r\n",
    ),
    (
        "chunked twice",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "2\r\nab\r\n0\r\n\r\n",
    ),
    (
        "chunked, chunked",
        "Transfer-Encoding: chunked, chunked",
        "2\r\nab\r\n0\r\n\r\n",
    ),
    (
        "chunked, identity",
        "Transfer-Encoding: chunked, identity",
        "2\r\nab\r\n0\r\n\r\n",
    ),
    ("identity", "Transfer-Encoding: identity", ""),
    (
        "identity and content-length",
        "Transfer-Encoding: identity\r\nContent-Length: 2",
        "ab",
    ),
    (
        "gzip, chunked",
        "Transfer-Encoding: gzip, chunked",
        "2\r\nab\r\n0\r\n\r\n",
    ),
    ("gzip", "Transfer-Encoding: gzip", "ab"),
    (
        "xchunked",
        "Transfer-Encoding: xchunked",
        "2\r\nab\r\n0\r\n\r\n",
    ),
    (
        "chunked with a vertical tab",
        "Transfer-Encoding: \x0bchunked",
        "2\r\nab\r\n0\r\n\r\n",
    ),
    (
        "chunked with a space before the colon",
        "Transfer-Encoding : chunked",
        "2\r\nab\r\n0\r\n\r\n",
    ),
    ("an empty transfer-encoding", "Transfer-Encoding:", ""),
    (
        "chunked folded",
        "Transfer-Encoding:\r\n chunked",
        "2\r\nab\r\n0\r\n\r\n",
    ),
    (
        "a chunk size in capitals",
        "Transfer-Encoding: chunked",
        "A\r\n0123456789\r\n0\r\n\r\n",
    ),
    (
        "a chunk size with noughts",
        "Transfer-Encoding: chunked",
        "002\r\nab\r\n000\r\n\r\n",
    ),
    (
        "a chunk size that is none",
        "Transfer-Encoding: chunked",
        "xyz\r\nab\r\n0\r\n\r\n",
    ),
    (
        "a negative chunk size",
        "Transfer-Encoding: chunked",
        "-1\r\nab\r\n0\r\n\r\n",
    ),
    (
        "a chunk size with 0x",
        "Transfer-Encoding: chunked",
        "0x2\r\nab\r\n0\r\n\r\n",
    ),
    (
        "a chunk size with a space",
        "Transfer-Encoding: chunked",
        "2 \r\nab\r\n0\r\n\r\n",
    ),
    (
        "a chunk size that overflows",
        "Transfer-Encoding: chunked",
        "fffffffffffffffff\r\nab\r\n0\r\n\r\n",
    ),
    (
        "an empty chunk size",
        "Transfer-Encoding: chunked",
        "\r\nab\r\n0\r\n\r\n",
    ),
    (
        "a chunk that is longer than said",
        "Transfer-Encoding: chunked",
        "2\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "a chunk that is shorter than said",
        "Transfer-Encoding: chunked",
        "3\r\nab\r\n0\r\n\r\n",
    ),
    (
        "a chunk extension",
        "Transfer-Encoding: chunked",
        "2;x=y\r\nab\r\n0\r\n\r\n",
    ),
    (
        "a chunk extension in quotes",
        "Transfer-Encoding: chunked",
        "2;x=\"y z\"\r\nab\r\n0\r\n\r\n",
    ),
    (
        "a chunk extension with a bare LF",
        "Transfer-Encoding: chunked",
        "2;x\nab\r\n0\r\n\r\n",
    ),
    (
        "a chunk ended by LF",
        "Transfer-Encoding: chunked",
        "2\nab\n0\n\n",
    ),
    (
        "a chunk ended by CR",
        "Transfer-Encoding: chunked",
        "2\rab\r0\r\r",
    ),
    (
        "no last chunk's end",
        "Transfer-Encoding: chunked",
        "2\r\nab\r\n0\r\n",
    ),
    (
        "trailers",
        "Transfer-Encoding: chunked",
        "2\r\nab\r\n0\r\nx-t: 1\r\n\r\n",
    ),
    (
        "a malformed trailer",
        "Transfer-Encoding: chunked",
        "2\r\nab\r\n0\r\nx-t\r\n\r\n",
    ),
    (
        "a trailer that is a length",
        "Transfer-Encoding: chunked",
        "2\r\nab\r\n0\r\nContent-Length: 9\r\n\r\n",
    ),
    ("neither", "X: y", ""),
];

/// What Envoy repairs or passes on and Tandem refuses, by the end of a case's name.
const STRICTER: &[&str] = &[
    "line: two spaces",
    "line: a space at the end",
    "line: a tab for a space",
    "field: a folded value",
    "field: a folded value by a tab",
    "field: a bare CR in a value",
    "field: a bare LF in a value",
    "field: a bare LF ends a field",
    "field: two hosts",
    "field: two different hosts",
    "field: a host with a user",
    "chunked folded",
    "a chunk size with a space",
    "a chunk that is longer than said",
    "a chunk that is shorter than said",
    "a trailer that is a length",
    "identity and content-length",
    "only LF",
    "a LF after the request line",
    "a LF at the end",
    "1.0 with chunks",
    "0.9",
];

fn cases() -> Vec<Case> {
    let strict = |case: Case| {
        let stricter = STRICTER.iter().any(|end| case.name.ends_with(end));
        if stricter {
            case.stricter("malformed HTTP/1 is refused, not repaired")
        } else {
            case
        }
    };
    table().into_iter().map(strict).collect()
}

fn table() -> Vec<Case> {
    let mut all = Vec::new();
    for (name, line) in LINES {
        all.push(raw(
            &format!("line: {name}"),
            format!("{line}\r\nHost: any.test\r\n\r\n"),
        ));
    }
    for (name, field) in FIELDS {
        let bytes: Vec<u8> = format!("GET / HTTP/1.1\r\nHost: any.test\r\n{field}\r\n\r\n")
            .chars()
            .map(|c| c as u8)
            .collect();
        all.push(raw(&format!("field: {name}"), bytes));
    }
    for (name, fields, body) in FRAMINGS {
        all.push(
            raw(
                &format!("framing: {name}"),
                format!("POST / HTTP/1.1\r\nHost: any.test\r\n{fields}\r\n\r\n{body}"),
            )
            .racy(),
        );
        // What a mistaken proxy would take for the next request.
        let smuggled = format!(
            "POST / HTTP/1.1\r\nHost: any.test\r\n{fields}\r\n\r\n{body}GET /smuggled HTTP/1.1\r\nHost: any.test\r\n\r\n"
        );
        all.push(
            raw(&format!("smuggling: {name}"), smuggled)
                .responses(2)
                .racy(),
        );
    }
    all.extend(lines_and_versions());
    all
}

fn lines_and_versions() -> Vec<Case> {
    let mut all = vec![
        raw("only LF", "GET / HTTP/1.1\nHost: any.test\n\n"),
        raw("a LF after the request line", "GET / HTTP/1.1\nHost: any.test\r\n\r\n"),
        raw("a LF at the end", "GET / HTTP/1.1\r\nHost: any.test\r\n\n"),
        raw("a CR for the line end", "GET / HTTP/1.1\rHost: any.test\r\r"),
        raw("empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: any.test\r\n\r\n"),
        raw("a line of spaces first", "  \r\nGET / HTTP/1.1\r\nHost: any.test\r\n\r\n"),
        raw("no host", "GET / HTTP/1.1\r\n\r\n"),
        raw("no host but an absolute target", "GET http://any.test/ HTTP/1.1\r\n\r\n"),
        raw("garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03abcdef\r\n\r\n"),
        raw("half a request line and the end", "GET / HT").cancel(50),
        raw("GET with a body", "GET / HTTP/1.1\r\nHost: any.test\r\nContent-Length: 2\r\n\r\nab"),
        raw("GET with chunks", "GET / HTTP/1.1\r\nHost: any.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
        raw("two requests at once", "GET /1 HTTP/1.1\r\nHost: any.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: any.test\r\n\r\n").responses(2),
        raw("four requests at once, one with a body", "GET /1 HTTP/1.1\r\nHost: any.test\r\n\r\nPOST /2 HTTP/1.1\r\nHost: any.test\r\nContent-Length: 2\r\n\r\nabGET /3 HTTP/1.1\r\nHost: any.test\r\n\r\nGET /4 HTTP/1.1\r\nHost: any.test\r\n\r\n").responses(4),
        raw("a bad request after a good one", "GET /1 HTTP/1.1\r\nHost: any.test\r\n\r\nGET /2 HTTP/9.1\r\n\r\n").responses(2),
        raw("close, then another request", "GET /1 HTTP/1.1\r\nHost: any.test\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: any.test\r\n\r\n").responses(2),
        raw("byte by byte", "G").then(5, "ET / HT").then(5, "TP/1.1\r").then(5, "\nHost: any.te").then(5, "st\r\n\r").then(5, "\n"),
        raw("a chunk in parts", "POST / HTTP/1.1\r\nHost: any.test\r\nTransfer-Encoding: chunked\r\n\r\n").then(20, "5\r").then(20, "\nab").then(20, "cde\r\n0").then(20, "\r\n\r\n"),
        raw("HEAD with a body", "HEAD / HTTP/1.1\r\nHost: any.test\r\nContent-Length: 2\r\n\r\nab"),
        raw("HTTP/1.0 with a host, to 1.1", "GET / HTTP/1.0\r\nHost: any.test\r\n\r\n").on("old"),
    ];
    for listener in ["main", "old", "old-default"] {
        for (name, request) in [
            ("1.0", "GET / HTTP/1.0\r\n\r\n"),
            (
                "1.0 with a host",
                "GET / HTTP/1.0\r\nHost: any.test\r\n\r\n",
            ),
            (
                "1.0 keep-alive",
                "GET / HTTP/1.0\r\nHost: any.test\r\nConnection: keep-alive\r\n\r\n",
            ),
            (
                "1.0 with a body",
                "POST / HTTP/1.0\r\nHost: any.test\r\nContent-Length: 2\r\n\r\nab",
            ),
            (
                "1.0 with chunks",
                "POST / HTTP/1.0\r\nHost: any.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            ),
            (
                "1.0 and chunks back",
                "GET / HTTP/1.0\r\nHost: any.test\r\nx-script: 200 chunked\r\n\r\n",
            ),
            ("1.0 HEAD", "HEAD / HTTP/1.0\r\nHost: any.test\r\n\r\n"),
            ("0.9", "GET /\r\n\r\n"),
        ] {
            all.push(raw(&format!("{listener}: {name}"), request).on(listener));
        }
    }
    all
}

#[tokio::test]
async fn http1() {
    let with = |name, hcm: &str| listener(name).hcm(hcm).route_list(ROUTES);
    let bootstrap = bootstrap()
        .listener(with("main", ""))
        .listener(with("old", "http_protocol_options: {accept_http_10: true}"))
        .listener(with(
            "old-default",
            "http_protocol_options: {accept_http_10: true, default_host_for_http_10: any.test}",
        ));
    check("http1", bootstrap, cases()).await;
}
