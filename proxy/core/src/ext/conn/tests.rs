use super::*;

/// The port and the label are of one connection alone; the interface belongs to the address.
#[test]
fn a_source_is_an_address_without_a_port() {
    for (client, source) in [
        ("10.0.0.1:1234", "10.0.0.1:0"),
        ("[fe80::1%3]:1234", "[fe80::1%3]:0"),
    ] {
        let source: SocketAddr = source.parse().unwrap();
        assert_eq!(Source::of(client.parse().unwrap(), None).address, source);
    }
    let labelled = std::net::SocketAddrV6::new("fd00::1".parse().unwrap(), 1, 5, 0);
    let plain = "[fd00::1]:2".parse().unwrap();
    assert_eq!(
        Source::of(labelled.into(), Some(7)),
        Source::of(plain, Some(7))
    );
    assert_ne!(Source::of(plain, None), Source::of(plain, Some(7)));
}
