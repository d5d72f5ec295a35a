use super::*;

/// An extension.
fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(data)].concat()
}

fn vec16(data: &[u8]) -> Vec<u8> {
    [&(data.len() as u16).to_be_bytes()[..], data].concat()
}

fn vec8(data: &[u8]) -> Vec<u8> {
    [&[data.len() as u8][..], data].concat()
}

fn sni(name: &[u8]) -> Vec<u8> {
    extension(SERVER_NAME, &vec16(&[&[0][..], &vec16(name)].concat()))
}

fn alpn(names: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = names.iter().flat_map(|name| vec8(name)).collect();
    extension(ALPN, &vec16(&list))
}

/// The body of a hello with these extensions.
fn body(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend(vec8(&[9; 32]));
    body.extend(vec16(&[0x13, 1, 0x13, 2]));
    body.extend(vec8(&[0]));
    body.extend(vec16(&extensions.concat()));
    body
}

fn handshake(body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&[CLIENT_HELLO][..], &length[1..], body].concat()
}

/// Records of at most `most` bytes.
fn records(message: &[u8], most: usize) -> Vec<u8> {
    let record = |part: &[u8]| [&[HANDSHAKE, 3, 1][..], &vec16(part)].concat();
    message.chunks(most).flat_map(record).collect()
}

fn hello(extensions: &[Vec<u8>]) -> Vec<u8> {
    records(&handshake(&body(extensions)), MAX_LENGTH)
}

fn found(bytes: &[u8]) -> ClientHello {
    match client_hello(bytes) {
        Some(Judged::Tls(hello)) => hello,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_name_and_the_protocols_are_found() {
    let bytes = hello(&[
        extension(10, &[0, 2, 0, 29]),
        alpn(&[b"h2", b"http/1.1", b"\xff"]),
        sni(b"Www.Example.COM"),
    ]);
    assert_eq!(
        found(&bytes),
        ClientHello {
            server_name: Some("www.example.com".into()),
            application_protocols: vec!["h2".into(), "http/1.1".into()],
            has_alpn: true,
        }
    );
    let sni_of_istio = hello(&[sni(b"outbound_.80_._.echo.test")]);
    assert_eq!(
        found(&sni_of_istio).server_name.as_deref(),
        Some("outbound_.80_._.echo.test")
    );
}

#[test]
fn what_is_not_asked_for_is_not_found() {
    assert_eq!(found(&hello(&[])), ClientHello::default());
    // no extensions at all, as TLS 1.0 had it
    let mut old = body(&[]);
    old.truncate(old.len() - 2);
    assert_eq!(
        found(&records(&handshake(&old), 100)),
        ClientHello::default()
    );
}

#[test]
fn it_may_come_in_any_number_of_records_and_pieces() {
    let message = handshake(&body(&[alpn(&[b"h2"]), sni(b"a.test")]));
    let whole = found(&records(&message, MAX_LENGTH));
    for most in [1, 2, 3, 4, 5, 7, 50, 100] {
        let mut bytes = records(&message, most);
        for end in 0..bytes.len() {
            assert_eq!(client_hello(&bytes[..end]), None, "{most}, {end}");
        }
        assert_eq!(found(&bytes), whole);
        bytes.extend_from_slice(b"early data");
        assert_eq!(found(&bytes), whole);
    }
    let empty = [22, 3, 1, 0, 0];
    let padded = [&empty[..], &empty, &records(&message, 9)].concat();
    assert_eq!(found(&padded), whole);
    assert_eq!(client_hello(&empty.repeat(40)), Some(Judged::NotTls));
}

#[test]
fn what_cannot_become_a_hello_is_not_tls() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"hello",
        b"\x16\x02\x00\x00\x10",
        b"\x16\x03\x01\x42\x68",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
        b"\x16\x03\x01\x00\x05\x01\x00\xff\xff\x00",
        b"\x17\x03\x03\x00\x05",
    ] {
        assert_eq!(client_hello(bytes), Some(Judged::NotTls), "{bytes:?}");
    }
    // as long as there is no whole header Envoy waits, whatever has come
    for bytes in [&b""[..], b"\x16", b"\x16\x03\x01", b"GET ", b"\x01\x02\x03"] {
        assert_eq!(client_hello(bytes), None, "{bytes:?}");
    }
    assert_eq!(client_hello(b"\x16\x03\x01\x00\x00"), None);
}

#[test]
fn a_malformed_hello_is_not_tls() {
    let refused = |body: Vec<u8>| {
        let bytes = records(&handshake(&body), MAX_LENGTH);
        assert_eq!(client_hello(&bytes), Some(Judged::NotTls), "{body:?}");
    };
    let good = body(&[sni(b"a")]);
    for end in [0, 1, 33, 34, 60, 70, 80, good.len() - 1] {
        refused(good[..end].to_vec());
    }
    refused([&good[..], &[0]].concat());
    refused([&[3, 0][..], &good[2..]].concat());
    refused([&[2, 3][..], &good[2..]].concat());
    refused(body(&[sni(b"a"), sni(b"a")]));
    refused(body(&[sni(b"")]));
    refused(body(&[sni(b"a\0b")]));
    refused(body(&[sni(&[b'a'; 256])]));
    refused(body(&[extension(SERVER_NAME, &[])]));
    refused(body(&[extension(SERVER_NAME, &[0, 4, 1, 0, 1, b'a'])]));
}

#[test]
fn a_malformed_list_of_protocols_is_none() {
    for data in [
        &[][..],
        &[0, 0],
        &[0, 1, 0],
        &[0, 2, 2, b'h'],
        &[0, 9, 1, b'h'],
    ] {
        let hello = found(&hello(&[extension(ALPN, data)]));
        assert!(hello.has_alpn && hello.application_protocols.is_empty());
    }
}

#[test]
fn nothing_makes_it_panic_or_take_back_its_word() {
    use rand::RngExt as _;
    let mut rng = rand::rng();
    let good = records(&handshake(&body(&[alpn(&[b"h2"]), sni(b"a.test")])), 40);
    for _ in 0..3_000 {
        let mut bytes = good.clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        let mut said = None;
        for end in 0..=bytes.len() {
            let now = client_hello(&bytes[..end]);
            assert!(said.is_none() || now == said, "{bytes:?} at {end}");
            said = now;
        }
    }
}
