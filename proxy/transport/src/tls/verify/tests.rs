use super::san::dns_matches;

/// RFC 6125, 6.4.3.
#[test]
fn a_wildcard_stands_for_one_label() {
    for (pattern, host, fits) in [
        ("a.example.com", "A.example.COM", true),
        ("*.example.com", "a.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", ".example.com", false),
        ("*.example.com", "a.b.example.com", false),
        ("a*.example.com", "ab.example.com", true),
        ("a*c.example.com", "abc.example.com", true),
        ("a*c.example.com", "ac.example.com", true),
        ("ab*bc.example.com", "abc.example.com", false),
        ("*.com", "example.com", false),
        ("*", "com", false),
        ("x.*.com", "x.y.com", false),
        ("xn--*.example.com", "xn--a.example.com", false),
        ("*.example.com", "xn--a.example.com", true),
    ] {
        assert_eq!(dns_matches(pattern, host), fits, "{pattern} {host}");
    }
}
