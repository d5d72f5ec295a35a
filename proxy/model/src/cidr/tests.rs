use super::*;

fn cidr(address: &str, bits: u8) -> Cidr {
    Cidr::new(address.parse().unwrap(), bits)
}

#[test]
fn what_lies_behind_the_prefix_does_not_count() {
    assert_eq!(cidr("10.1.2.3", 8), cidr("10.9.9.9", 8));
    assert_ne!(cidr("10.1.2.3", 8), cidr("10.1.2.3", 9));
    assert_eq!(cidr("10.1.2.3", 8).to_string(), "10.0.0.0/8");
    assert_eq!(cidr("2001:db8::7", 32).to_string(), "2001:db8::/32");
    assert_eq!(cidr("10.1.2.3", 99), cidr("10.1.2.3", 32));
}

#[test]
fn a_range_has_the_addresses_of_its_own_family() {
    let contains = |cidr: Cidr, address: &str| cidr.contains(address.parse().unwrap());
    assert!(contains(cidr("0.0.0.0", 0), "255.1.2.3"));
    assert!(!contains(cidr("0.0.0.0", 0), "::1"));
    assert!(contains(cidr("::", 0), "::ffff:1.2.3.4"));
    assert!(contains(cidr("10.128.0.0", 9), "10.255.0.1"));
    assert!(!contains(cidr("10.128.0.0", 9), "10.127.255.255"));
    assert!(contains(cidr("127.0.0.1", 32), "127.0.0.1"));
    assert!(!contains(cidr("127.0.0.1", 32), "127.0.0.2"));
    assert!(contains(cidr("fe80::", 10), "febf::1"));
    assert!(!contains(cidr("fe80::", 10), "fec0::1"));
}
