use bytes::Bytes;
use http::header::HOST;

use super::chunked::Step;
use super::head::{Framing, parse};
use super::*;

pub(super) const LIMITS: Limits = Limits {
    max_bytes: 60 * 1024,
    max_headers: 100,
    accept_http_10: false,
    allow_absolute_url: true,
    allow_chunked_length: false,
};

fn read(bytes: &[u8], limits: &Limits) -> Result<Head, Refusal> {
    let end = Scan::default().find_end(bytes, limits)?;
    let end = end.expect("a whole head");
    parse(&Bytes::copy_from_slice(&bytes[..end]), limits)
}

/// What the next hop is told of the client is not the client's to remove.
#[test]
fn connection_may_not_name_what_tells_who_asks() {
    let with = |fields: &str| {
        let head = format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n");
        read(head.as_bytes(), &LIMITS).map(|head| head.request.headers().contains_key(HOST))
    };
    let names = |count: usize| format!("connection: {}", vec!["a"; count].join(","));
    for fields in [
        "connection: x-forwarded-for",
        "connection: close, X-Forwarded-Host",
        "connection: keep-alive\r\nconnection: x-forwarded-proto",
        "connection: :path",
        "connection: a, :nothing",
        "connection: a, , , , , , , , , ,",
        &names(10),
        &format!("connection: te\r\nte: {}", "a".repeat(256)),
        // An offer that is not taken up is no other protocol.
        "connection: upgrade, x-forwarded-for\r\nupgrade: h2c",
    ] {
        assert_eq!(with(fields), Err(Refusal::Connection), "{fields}");
    }
    for fields in [
        "connection: keep-alive",
        "connection: x-a, te, a:b,,,,,,,,,,,,",
        &names(9),
        &format!("connection: te\r\nte: {}", "a".repeat(255)),
        &format!("te: {}", "a".repeat(300)),
        "connection: upgrade, x-forwarded-for\r\nupgrade: websocket",
    ] {
        assert_eq!(with(fields), Ok(true), "{fields}");
    }
    assert_eq!(with("connection: Host"), Ok(false));
}

/// Forms by which one reader is made to see other requests than the next one.
#[test]
fn ambiguous_and_malformed_heads_are_refused() {
    use Refusal as R;
    let post = |fields: &str| format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n");
    let get = |fields: &str| format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n");
    let line = |line: &str| format!("{line}\r\nhost: a\r\n\r\n");
    let table: &[(String, Refusal)] = &[
        (
            post("content-length: 5\r\ntransfer-encoding: chunked"),
            R::LengthAndChunked,
        ),
        (
            post("transfer-encoding: chunked\r\ncontent-length: 5"),
            R::LengthAndChunked,
        ),
        (post("content-length: 2\r\ncontent-length: 2"), R::Codec),
        (post("content-length: 2\r\ncontent-length: 3"), R::Codec),
        (post("content-length: 2, 2"), R::Codec),
        (post("content-length: +2"), R::Codec),
        (post("content-length: -2"), R::Codec),
        (post("content-length: 0x2"), R::Codec),
        (post("content-length: 2 2"), R::Codec),
        (post("content-length: "), R::Codec),
        (post("content-length: 18446744073709551616"), R::Codec),
        (
            post("transfer-encoding: gzip, chunked"),
            R::TransferEncoding,
        ),
        (
            post("transfer-encoding: chunked, chunked"),
            R::TransferEncoding,
        ),
        (post("transfer-encoding: identity"), R::TransferEncoding),
        (post("transfer-encoding: xchunked"), R::TransferEncoding),
        (post("transfer-encoding: \"chunked\""), R::TransferEncoding),
        (post("transfer-encoding: chunked;a=b"), R::TransferEncoding),
        (post("transfer-encoding: chunked\x0b"), R::InvalidCharacters),
        (
            post("transfer-encoding: chunked\r\ntransfer-encoding: chunked"),
            R::TransferEncoding,
        ),
        (post("transfer-encoding : chunked"), R::Codec),
        (post("transfer-encoding\t: chunked"), R::Codec),
        (post("transfer-encoding\n: chunked"), R::Codec),
        (get("x: b\r\n c"), R::Codec),
        (get("x: b\r\n\tc: d"), R::Codec),
        (get("x: a\rb"), R::InvalidCharacters),
        (get("x: a\r\rb"), R::InvalidCharacters),
        (get("x: a\0b"), R::InvalidCharacters),
        (get("x: a\x01b"), R::InvalidCharacters),
        (get("x: a\nb: c"), R::Codec),
        (get("x : b"), R::Codec),
        (get(": b"), R::Codec),
        (get("foo"), R::Codec),
        (get("x(y: b"), R::Codec),
        (get("x\0y: b"), R::Codec),
        (get("host: b"), R::Codec),
        (get("host: a"), R::Codec),
        ("GET / HTTP/1.1\r\n host: a\r\n\r\n".into(), R::Codec),
        ("GET / HTTP/1.1\nhost: a\n\n".into(), R::Codec),
        ("GET / HTTP/1.1\r\nhost: a\n\r\n".into(), R::Codec),
        ("GET / HTTP/1.1\r\nhost: a\r\n\n".into(), R::Codec),
        ("\nGET / HTTP/1.1\r\nhost: a\r\n\r\n".into(), R::Codec),
        (line("G@T / HTTP/1.1"), R::Codec),
        (line("FOO / HTTP/1.1"), R::Codec),
        (line("get / HTTP/1.1"), R::Codec),
        (line(" GET / HTTP/1.1"), R::Codec),
        (line("GET  / HTTP/1.1"), R::Codec),
        (line("GET\t/\tHTTP/1.1"), R::Codec),
        (line("GET /a b HTTP/1.1"), R::Codec),
        (line("GET / HTTP/1.1 "), R::Codec),
        (line("GET / http/1.1"), R::Codec),
        (line("GET / HTTP/1.10"), R::Codec),
        (line("GET / HTTP/1.2"), R::Version),
        (line("GET / HTTP/2.0"), R::Version),
        (line("GET / HTTP/1.0"), R::Version),
        (line("GET /"), R::Version),
        (line("GET foo HTTP/1.1"), R::Codec),
        (line("GET * HTTP/1.1"), R::Codec),
        (line("GET ftp://b.c/ HTTP/1.1"), R::InvalidScheme),
        (line("GET http:///x HTTP/1.1"), R::InvalidAuthority),
        (line("GET /\x01 HTTP/1.1"), R::InvalidCharacters),
        (line("GET /\x7f HTTP/1.1"), R::InvalidCharacters),
        (line("GET /\u{e9} HTTP/1.1"), R::Codec),
        (line("CONNECT /x HTTP/1.1"), R::InvalidUrl),
        (line("CONNECT a HTTP/1.1"), R::InvalidUrl),
        (
            "GET / HTTP/1.1\r\nhost: a b\r\n\r\n".into(),
            R::InvalidAuthority,
        ),
        (
            "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n".into(),
            R::InvalidAuthority,
        ),
        (
            "GET / HTTP/1.1\r\nhost: \u{e9}\r\n\r\n".into(),
            R::InvalidAuthority,
        ),
        (get(&"x: a\r\n".repeat(100)), R::TooManyHeaders),
        (
            get(&format!("x: {}", "a".repeat(70_000))),
            R::HeadersTooLarge,
        ),
    ];
    for (bytes, refusal) in table {
        let shown = &bytes[..bytes.len().min(120)];
        assert_eq!(
            read(bytes.as_bytes(), &LIMITS).err(),
            Some(*refusal),
            "{shown:?}"
        );
    }
}

#[test]
fn ordinary_heads_are_read_as_they_are() {
    let head = read(
        b"POST /a?b=c HTTP/1.1\r\nHost: h:80\r\nX-Y:  v w\t\r\nContent-Length: 12\r\n\r\n",
        &LIMITS,
    )
    .unwrap();
    assert_eq!(head.request.method(), "POST");
    assert_eq!(head.request.uri(), "/a?b=c");
    assert_eq!(head.request.headers()["x-y"], "v w");
    assert_eq!(head.framing, Framing::Length(12));
    assert!(head.keep_alive && !head.upgrade && !head.expect_continue && !head.fragment);

    let head = read(
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: Close, x\r\nexpect: 100-Continue\r\n\r\n",
        &LIMITS,
    )
    .unwrap();
    assert!(!head.keep_alive && head.expect_continue);
}

#[test]
fn an_absolute_target_becomes_the_host() {
    for (target, path, host) in [
        ("http://b.c/x?y", "/x?y", "b.c"),
        ("https://u:p@b.c:8/", "/", "b.c:8"),
        ("HTTP://b.c", "/", "b.c"),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n");
        let head = read(bytes.as_bytes(), &LIMITS).unwrap();
        assert_eq!(head.request.uri(), path);
        assert_eq!(head.request.headers()[HOST], host);
        assert_eq!(head.request.headers().len(), 1);
    }
    let refused = Limits {
        allow_absolute_url: false,
        ..LIMITS
    };
    assert_eq!(
        read(b"GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n", &refused).err(),
        Some(Refusal::InvalidUrl)
    );
    assert_eq!(
        read(b"GET http://b.c?q HTTP/1.1\r\nhost: a\r\n\r\n", &LIMITS).err(),
        Some(Refusal::NoPath)
    );
}

#[test]
fn a_fragment_is_noticed_before_the_uri_type_drops_it() {
    assert!(
        read(b"GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n", &LIMITS)
            .unwrap()
            .fragment
    );
}

#[test]
fn http_1_0_is_taken_when_allowed_and_closes_unless_asked() {
    let limits = Limits {
        accept_http_10: true,
        ..LIMITS
    };
    let head = read(b"GET / HTTP/1.0\r\n\r\n", &limits).unwrap();
    assert!(!head.keep_alive);
    let head = read(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", &limits).unwrap();
    assert!(head.keep_alive);
    assert_eq!(
        read(
            b"POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
            &limits
        )
        .err(),
        Some(Refusal::TransferEncoding)
    );
}

#[test]
fn a_tolerated_length_beside_chunked_does_not_travel_on() {
    let limits = Limits {
        allow_chunked_length: true,
        ..LIMITS
    };
    let head = read(
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        &limits,
    )
    .unwrap();
    assert_eq!(head.framing, Framing::Chunked);
    assert!(!head.request.headers().contains_key("content-length"));
}

#[test]
fn upgrades_are_seen_but_the_offer_of_h2c_is_dropped() {
    let head = read(
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\r\n",
        &LIMITS,
    )
    .unwrap();
    assert!(head.upgrade);
    let head = read(
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n\r\n",
        &LIMITS,
    )
    .unwrap();
    assert!(!head.upgrade);
    assert_eq!(head.request.headers().len(), 1);
}

#[test]
fn other_protocols_are_refused_with_their_first_bytes() {
    let mut scan = Scan::default();
    assert_eq!(
        scan.find_end(b"\x16\x03\x01\x02", &LIMITS),
        Err(Refusal::Codec)
    );
    assert_eq!(
        Scan::default().find_end(b"SSH-2.0-", &LIMITS),
        Err(Refusal::Codec)
    );
    for begun in ["", "G", "GET", "GET ", "GET /x HT", "PROPF", "\r"] {
        assert_eq!(
            Scan::default().find_end(begun.as_bytes(), &LIMITS),
            Ok(None),
            "{begun:?}"
        );
    }
}

/// Decodes with the input cut at the given places: data, trailers, bytes left over.
fn decode(input: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, Option<usize>, usize), Refusal> {
    let mut decoder = ChunkedDecoder::default();
    let mut data = Vec::new();
    let mut at = 0;
    for &cut in cuts.iter().chain([&input.len()]) {
        while at < cut {
            match decoder.step(&input[at..cut], &LIMITS)? {
                Step::Framing(n) => at += n,
                Step::Data(n) => {
                    data.extend_from_slice(&input[at..at + n]);
                    at += n;
                }
                Step::End(n, trailers) => {
                    at += n;
                    return Ok((data, Some(trailers.len()), input.len() - at));
                }
            }
        }
    }
    Ok((data, None, 0))
}

#[test]
fn chunked_bodies_are_decoded_to_their_exact_end() {
    let (data, trailers, rest) = decode(
        b"3\r\nabc\r\n1A;x=\"y z\"\r\n0123456789abcdefghijklmnop\r\n0\r\nx: y\r\nz: \r\n\r\nGET",
        &[],
    )
    .unwrap();
    assert_eq!(data, b"abc0123456789abcdefghijklmnop");
    assert_eq!((trailers, rest), (Some(2), 3));
    assert_eq!(decode(b"000\r\n\r\n", &[]).unwrap(), (vec![], Some(0), 0));
}

#[test]
fn broken_chunking_is_refused() {
    for bad in [
        "zz\r\n",
        "\r\n",
        ";a\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x3\r\nabc\r\n",
        "3 \r\nabc\r\n",
        " 3\r\nabc\r\n",
        "3\nabc\r\n",
        "3\r\r\nabc\r\n",
        "3;a\nabc\r\n",
        "3;a\rb\r\nabc\r\n",
        "3\r\nabcxx",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "11111111111111111\r\n",
        "0\r\n\n",
        "0\r\nx y: z\r\n\r\n",
        "0\r\n x: z\r\n\r\n",
        "0\r\nx: a\nb: c\r\n\r\n",
        "0\r\ncontent-length: 3\r\n\r\n",
        "0\r\ntransfer-encoding: chunked\r\n\r\n",
        "0\r\nhost: b\r\n\r\n",
    ] {
        assert!(decode(bad.as_bytes(), &[]).is_err(), "{bad:?}");
    }
    let long = format!("3;{}\r\n", "a".repeat(2000));
    assert!(decode(long.as_bytes(), &[]).is_err());
    let many = format!("0\r\n{}\r\n", "x: y\r\n".repeat(101));
    assert!(decode(many.as_bytes(), &[]).is_err());
}

/// Where the network cuts the bytes changes nothing.
#[test]
fn cuts_do_not_change_the_outcome() {
    use rand::{RngExt as _, SeedableRng as _};
    let mut rng = rand::rngs::SmallRng::seed_from_u64(7);
    let bodies: &[&[u8]] = &[
        b"3\r\nabc\r\n10;e=f\r\n0123456789abcdef\r\n0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\n",
        b"3\r\nabc\r\n3\r\nabcX",
        b"1\r\na\r\n0\r\n\r\n",
        b"1\r\na\r\n0\r\nx: \0\r\n\r\n",
    ];
    for body in bodies {
        let whole = decode(body, &[]);
        for _ in 0..500 {
            let mut cuts: Vec<_> = (0..rng.random_range(0..8))
                .map(|_| rng.random_range(0..body.len()))
                .collect();
            cuts.sort_unstable();
            let cut = decode(body, &cuts);
            match (&whole, &cut) {
                // What follows the message is not the decoder's to count before it is read.
                (Ok(a), Ok(b)) => assert_eq!((&a.0, a.1), (&b.0, b.1), "{cuts:?}"),
                (a, b) => assert_eq!(a, b, "{cuts:?}"),
            }
        }
    }
    let head = b"GET /x HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\nrest";
    for cut in 0..head.len() {
        let mut scan = Scan::default();
        let end = scan.find_end(&head[..cut], &LIMITS).unwrap();
        let end = end.or_else(|| scan.find_end(head, &LIMITS).unwrap());
        assert_eq!(end, Some(head.len() - 4), "{cut}");
    }
}

#[test]
fn response_framing_follows_the_headers_then_the_body() {
    use encode::{Framing as F, framing};
    use http::{HeaderMap, HeaderValue, StatusCode as S, Version as V};
    let none = HeaderMap::new();
    let mut five = HeaderMap::new();
    five.insert("content-length", HeaderValue::from_static("5"));
    for (version, is_head, status, headers, size, expected) in [
        (V::HTTP_11, false, S::OK, &five, None, F::Length(5)),
        (V::HTTP_11, false, S::OK, &none, Some(3), F::Length(3)),
        (V::HTTP_11, false, S::OK, &none, None, F::Chunked),
        (V::HTTP_10, false, S::OK, &none, None, F::Close),
        (V::HTTP_11, true, S::OK, &five, None, F::None),
        (V::HTTP_11, false, S::NO_CONTENT, &none, None, F::None),
        (V::HTTP_11, false, S::NOT_MODIFIED, &five, None, F::None),
    ] {
        assert_eq!(framing(version, is_head, status, headers, size), expected);
    }
}

#[test]
fn a_response_head_is_written_with_this_hops_connection_headers() {
    use http::{HeaderMap, HeaderValue, StatusCode, Version};
    let mut headers = HeaderMap::new();
    headers.insert("x-a", HeaderValue::from_static("b"));
    headers.insert("connection", HeaderValue::from_static("keep-alive, x-a"));
    headers.insert("transfer-encoding", HeaderValue::from_static("gzip"));
    let mut out = Vec::new();
    encode::head(
        &mut out,
        Version::HTTP_11,
        StatusCode::OK,
        &headers,
        encode::Framing::Length(1234),
        true,
    );
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 200 OK\r\nx-a: b\r\nconnection: close\r\ncontent-length: 1234\r\n\r\n"
    );
    let mut out = Vec::new();
    encode::chunk_size(&mut out, 0xabc0);
    encode::last_chunk(
        &mut out,
        Some(
            &headers
                .drain()
                .filter_map(|(n, v)| Some((n?, v)))
                .take(1)
                .collect(),
        ),
    );
    assert_eq!(out, b"abc0\r\n0\r\nx-a: b\r\n\r\n");
}
