use http::{HeaderMap, HeaderValue, Method};

use super::*;

fn view<'a>(method: &'a Method, headers: &'a HeaderMap) -> RequestView<'a> {
    RequestView {
        method,
        path_and_query: "/p?q",
        authority: "a.test:80",
        uri_scheme: None,
        encrypted: false,
        headers,
        is_grpc: false,
        random: 0,
    }
}

fn by(header: &str, element_separator: &str, extract: Extract) -> FragmentBuilder {
    FragmentBuilder {
        header: match header {
            ":authority" => MatchedHeader::Authority,
            name => MatchedHeader::Name(name.parse().unwrap()),
        },
        element_separator: element_separator.into(),
        extract,
    }
}

fn element(separator: &str, key: &str) -> Extract {
    Extract::Element {
        separator: separator.into(),
        key: key.into(),
    }
}

fn key(
    fragments: Vec<FragmentBuilder>,
    headers: &[(&'static str, &'static str)],
) -> Option<String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_static(value));
    }
    let builder = KeyBuilder { fragments };
    builder.key(&view(&Method::GET, &map)).map(Cow::into_owned)
}

/// Each case: how the key is made, the headers, and the key.
#[test]
fn keys_are_envoys() {
    type Case = (
        FragmentBuilder,
        &'static [(&'static str, &'static str)],
        Option<&'static str>,
    );
    let cases: Vec<Case> = vec![
        (by("x", "", Extract::Index(0)), &[("x", "a,b")], Some("a,b")),
        (by("x", ",", Extract::Index(1)), &[("x", "a,b")], Some("b")),
        (by("x", ",", Extract::Index(2)), &[("x", "a,b")], None),
        (by("x", ",", Extract::Index(0)), &[("x", "")], Some("")),
        (by("x", "", Extract::Index(0)), &[], None),
        (
            by("x", "", Extract::Index(0)),
            &[("x", "1"), ("x", "2")],
            Some("1"),
        ),
        (
            by("x", ";", element("=", "b")),
            &[("x", "a=1;b=2=3;b=4")],
            Some("2=3"),
        ),
        (by("x", ";", element("=", "c")), &[("x", "a=1;b=2")], None),
        (by("x", ";", element("=", "a")), &[("x", "a;b=2")], Some("")),
        (
            by("x", "", element("=", "a")),
            &[("x", "a=1;b=2")],
            Some("1;b=2"),
        ),
        (
            by(":authority", ":", Extract::Index(0)),
            &[],
            Some("a.test"),
        ),
    ];
    for (fragment, headers, expected) in cases {
        let what = format!("{fragment:?} {headers:?}");
        assert_eq!(key(vec![fragment], headers).as_deref(), expected, "{what}");
    }
}

/// A key is what its fragments are, one by one.
#[test]
fn fragments_do_not_run_together() {
    let both = || {
        vec![
            by("x", "", Extract::Index(0)),
            by("y", "", Extract::Index(0)),
        ]
    };
    let made = key(both(), &[("x", "a"), ("y", "bc")]);
    assert_eq!(
        made.as_deref(),
        Some(ScopeKey::new(["a", "bc"]).unwrap().as_str())
    );
    assert_ne!(
        made.as_deref(),
        Some(ScopeKey::new(["ab", "c"]).unwrap().as_str())
    );
    assert_eq!(key(both(), &[("x", "a")]), None);
    assert_eq!(ScopeKey::new(["a\0bc"]), None);
    let whole = ScopeKey::new(["a", "", "c"]).unwrap();
    assert_eq!(whole.fragments().collect::<Vec<_>>(), ["a", "", "c"]);
}
