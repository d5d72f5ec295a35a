use http::{HeaderMap, HeaderValue, Uri};

use super::{X_FORWARDED_PROTO, of};

/// Only a scheme that HTTP has is believed; the URI's own goes before it, the connection's after.
#[test]
fn a_forwarded_scheme_counts_only_if_http_has_it() {
    for (uri, forwarded, encrypted, expected) in [
        ("/", None, false, "http"),
        ("/", None, true, "https"),
        ("/", Some("https"), false, "https"),
        ("/", Some("HTTPS"), false, "https"),
        ("/", Some("http"), true, "http"),
        ("/", Some("javascript"), false, "http"),
        ("/", Some("javascript"), true, "https"),
        ("/", Some("https,http"), false, "http"),
        ("/", Some(""), false, "http"),
        ("http://a.test/", Some("https"), false, "http"),
        ("https://a.test/", Some("http"), false, "https"),
    ] {
        let uri: Uri = uri.parse().unwrap();
        let given = forwarded.map(|value| (X_FORWARDED_PROTO, HeaderValue::from_static(value)));
        let headers: HeaderMap = given.into_iter().collect();
        let found = of(uri.scheme_str(), &headers, encrypted);
        assert_eq!(found, expected, "{uri} {forwarded:?} {encrypted}");
    }
}
