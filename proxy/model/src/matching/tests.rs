use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};

use super::*;
use crate::headers::{HeaderMatcher, HeaderValueMatch, MatchedHeader, QueryParameterMatcher};
use crate::route::{Action, PathMatch, Route, RouteConfiguration, RouteMatch, VirtualHost};

fn route(path: PathMatch) -> Route {
    Route {
        name: "".into(),
        matches: RouteMatch {
            path,
            case_sensitive: true,
            headers: Vec::new(),
            query_parameters: Vec::new(),
            grpc: false,
            fraction: None,
        },
        action: Action::NonForwarding,
        request_headers: Default::default(),
        response_headers: Default::default(),
        per_request_buffer_limit_bytes: None,
        filters: Vec::new(),
    }
}

fn table(hosts: Vec<(&[&str], Vec<Route>)>, ignore_port: bool) -> RouteTable {
    let virtual_hosts = hosts
        .into_iter()
        .map(|(domains, routes)| {
            Arc::new(VirtualHost {
                name: domains[0].into(),
                domains: domains.iter().map(|domain| (*domain).into()).collect(),
                routes: routes.into_iter().map(Arc::new).collect(),
                require_tls: Default::default(),
                request_headers: Default::default(),
                response_headers: Default::default(),
                retry_policy: None,
                include_request_attempt_count: false,
                include_attempt_count_in_response: false,
                per_request_buffer_limit_bytes: None,
                filters: Vec::new(),
            })
        })
        .collect();
    RouteTable::new(Arc::new(RouteConfiguration {
        virtual_hosts,
        ignore_port_in_host_matching: ignore_port,
        ..Default::default()
    }))
}

fn view<'a>(path: &'a str, headers: &'a HeaderMap) -> RequestView<'a> {
    RequestView {
        method: &Method::GET,
        path_and_query: path,
        authority: "host",
        uri_scheme: None,
        encrypted: false,
        headers,
        is_grpc: false,
        random: 0,
    }
}

/// Exact beats the longest suffix, which beats the longest prefix, which beats `*`.
#[test]
fn domains_are_searched_in_envoys_order() {
    let domains: [&[&str]; 6] = [
        &["*"],
        &["a.b.com"],
        &["*.b.com"],
        &["*.com"],
        &["a.*"],
        &["a.b.*"],
    ];
    let table = table(domains.map(|d| (d, Vec::new())).into(), false);
    for (authority, expected) in [
        ("a.b.com", 1),
        ("A.B.com", 1),
        ("x.b.com", 2),
        ("x.y.com", 3),
        ("a.b.org", 5),
        ("a.x.org", 4),
        ("z.org", 0),
        (".b.com", 3),
        ("a.b.com:80", 5),
    ] {
        assert_eq!(table.virtual_host(authority), Some(expected), "{authority}");
    }
}

#[test]
fn a_port_is_ignored_when_asked() {
    let table = table(
        vec![(&["host"], Vec::new()), (&["[::1]"], Vec::new())],
        true,
    );
    assert_eq!(table.virtual_host("host:8080"), Some(0));
    assert_eq!(table.virtual_host("[::1]:8080"), Some(1));
    assert_eq!(table.virtual_host("[::1]"), Some(1));
}

/// However the index finds candidates, the first route in file order is taken.
#[test]
fn the_first_route_that_matches_wins() {
    let regex = Regex::new("/a/.*").expect("valid");
    let routes = vec![
        route(PathMatch::Exact("/a/b".into())),
        route(PathMatch::Regex(regex)),
        route(PathMatch::Prefix("/a/b/c".into())),
        route(PathMatch::PathSeparatedPrefix("/s".into())),
        route(PathMatch::Prefix("/x".into())),
        route(PathMatch::Exact("/x/y".into())),
        route(PathMatch::Prefix("/".into())),
    ];
    let table = table(vec![(&["*"], routes)], false);
    let headers = HeaderMap::new();
    for (path, expected) in [
        ("/a/b", 0),
        ("/a/b?q", 0),
        ("/a/b/c", 1),
        ("/s", 3),
        ("/s/t", 3),
        ("/st", 6),
        ("/x/y", 4),
        ("/other#x", 6),
        ("/é", 6),
    ] {
        let found = table.find(&view(path, &headers)).expect("a host");
        assert_eq!(found.route, Some(expected), "{path}");
    }
}

#[test]
fn a_route_whose_other_conditions_fail_lets_the_next_one_try() {
    let mut first = route(PathMatch::Prefix("/".into()));
    first.matches.headers.push(HeaderMatcher {
        name: MatchedHeader::Name("x-v".parse().expect("valid")),
        value: HeaderValueMatch::Present(true),
        invert: false,
        treat_missing_as_empty: false,
    });
    let table = table(
        vec![(&["*"], vec![first, route(PathMatch::Prefix("/".into()))])],
        false,
    );
    let mut headers = HeaderMap::new();
    assert_eq!(table.route(0, &view("/", &headers)), Some(1));
    headers.insert("x-v", HeaderValue::from_static("1"));
    assert_eq!(table.route(0, &view("/", &headers)), Some(0));
}

/// What one route found out about a header is of use to the next, of another header it is not.
#[test]
fn routes_in_a_row_ask_for_the_same_header_and_for_others() {
    let asks = |name: &str, value: &str| {
        let mut asking = route(PathMatch::Prefix("/".into()));
        asking.matches.headers.push(HeaderMatcher {
            name: MatchedHeader::Name(name.parse().expect("valid")),
            value: HeaderValueMatch::String(StringMatcher {
                matches: StringMatch::Exact(value.into()),
                ignore_case: false,
            }),
            invert: false,
            treat_missing_as_empty: false,
        });
        asking
    };
    let conditions = [("a", "1"), ("a", "2"), ("b", "1"), ("a", "3"), ("b", "2")];
    let routes = conditions.map(|(name, value)| asks(name, value));
    let table = table(vec![(&["*"], routes.into())], false);
    for (fields, expected) in [
        (&[("a", "2")][..], Some(1)),
        (&[("b", "1")], Some(2)),
        (&[("a", "0"), ("b", "2")], Some(4)),
        (&[("a", "0"), ("a", "3")], Some(3)),
        (&[("c", "1")], None),
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        assert_eq!(table.route(0, &view("/", &headers)), expected, "{fields:?}");
    }
}

#[test]
fn header_conditions_follow_envoy() {
    let string = |matches, invert, empty| HeaderMatcher {
        name: MatchedHeader::Name("x".parse().expect("valid")),
        value: HeaderValueMatch::String(StringMatcher {
            matches,
            ignore_case: false,
        }),
        invert,
        treat_missing_as_empty: empty,
    };
    let exact = |text: &str, invert, empty| string(StringMatch::Exact(text.into()), invert, empty);
    let none = HeaderMap::new();
    let mut two = HeaderMap::new();
    two.append("x", HeaderValue::from_static("a"));
    two.append("x", HeaderValue::from_static("b"));
    for (matcher, headers, expected) in [
        (exact("a", false, false), &two, true),
        (exact("b", false, false), &two, true),
        (exact("a,b", false, false), &two, false),
        (exact("b", true, false), &two, false),
        (exact("c", true, false), &two, true),
        (exact("a", false, false), &none, false),
        (exact("a", true, false), &none, false),
        (exact("a", true, true), &none, true),
        (exact("", false, true), &none, true),
    ] {
        assert_eq!(
            matcher.matches(&view("/", headers)),
            expected,
            "{matcher:?}"
        );
    }
    let range = HeaderMatcher {
        value: HeaderValueMatch::Range { start: -1, end: 5 },
        ..exact("", false, false)
    };
    for (value, expected) in [("-1", true), ("4", true), ("5", false), ("x", false)] {
        let mut headers = HeaderMap::new();
        headers.insert("x", HeaderValue::from_static(value));
        assert_eq!(range.matches(&view("/", &headers)), expected, "{value}");
    }
}

#[test]
fn query_conditions_look_at_the_first_parameter_of_the_name() {
    let matcher = |value: Option<&str>, absent| QueryParameterMatcher {
        name: "q".into(),
        value: value.map(|text| StringMatcher {
            matches: StringMatch::Exact(text.into()),
            ignore_case: false,
        }),
        absent,
    };
    assert!(matcher(Some("1"), false).matches("a=2&q=1&q=3"));
    assert!(!matcher(Some("3"), false).matches("q=1&q=3"));
    assert!(matcher(None, false).matches("q"));
    assert!(matcher(None, true).matches("a=1"));
    assert!(!matcher(Some(""), false).matches("a=1"));
}

#[test]
fn paths_are_normalised() {
    for (given, expected) in [
        ("/a/b", Some("/a/b")),
        ("/a/./b/../c?x=/../y", Some("/a/c?x=/../y")),
        ("/..", Some("/")),
        ("/a/..", Some("/")),
        ("/a/.", Some("/a/")),
        ("/%2e%2E/a/%7Eb", Some("/a/~b")),
        ("/a%2Fb", Some("/a%2Fb")),
        ("/a\\b", Some("/a/b")),
        ("//a", Some("//a")),
        // As Envoy 1.40, which resolves dot segments with parameters too.
        ("/a/..;x/b", Some("/b")),
        ("/a/.;x/b", Some("/a/b")),
        ("/a/..;", Some("/")),
        ("/a/b/..;x/..;y/c", Some("/c")),
        ("/a/..%3bx/b", Some("/a/..%3bx/b")),
        ("/a;x/b", Some("/a;x/b")),
        ("/a/...;x/b", Some("/a/...;x/b")),
        // Stricter than Envoy, which leaves `..;y` behind.
        ("/a/%2e%2e;y/b", Some("/b")),
        ("/a|b^c", Some("/a%7Cb%5Ec")),
        ("/{\"<`>}?{^}", Some("/%7B%22%3C%60%3E%7D?{^}")),
        ("/a%00", None),
        ("a", None),
    ] {
        assert_eq!(path::normalize(given).as_deref(), expected, "{given}");
    }
    assert_eq!(path::merge_slashes("//a///b?//"), "/a/b?//");
    assert_eq!(path::unescape_slashes("/a%2Fb%5cc?%2f"), "/a/b\\c?%2f");
}
