use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};

use super::*;
use crate::runtime::RuntimeFraction;

fn any() -> RouteMatch {
    RouteMatch {
        path: PathMatch::Prefix("/a".into()),
        case_sensitive: true,
        headers: Vec::new(),
        query_parameters: Vec::new(),
        grpc: false,
        fraction: None,
    }
}

fn exactly(text: &str) -> StringMatcher {
    StringMatcher {
        matches: StringMatch::Exact(text.into()),
        ignore_case: false,
    }
}

/// Why a request for `/a/b?x=1` with `x-user: bob` is not taken.
fn why(matches: &RouteMatch) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.insert("x-user", HeaderValue::from_static("bob"));
    let view = RequestView {
        method: &Method::GET,
        path_and_query: "/a/b?x=1",
        authority: "a.test",
        uri_scheme: None,
        encrypted: false,
        headers: &headers,
        is_grpc: false,
        random: 70,
    };
    matches
        .unmet(&view, view.path(), &mut LastHeader::default())
        .map(|unmet| unmet.why(&view))
}

#[test]
fn the_first_condition_that_says_no_is_named_with_what_it_wanted_and_got() {
    let header = |name: MatchedHeader, value, invert| HeaderMatcher {
        name,
        value,
        invert,
        treat_missing_as_empty: false,
    };
    let user = |value, invert| {
        let name = MatchedHeader::Name(http::HeaderName::from_static("x-user"));
        vec![header(name, value, invert)]
    };
    let text = |text: &str| HeaderValueMatch::String(exactly(text));
    let query = |value: Option<&str>, absent| {
        let (name, value): (Arc<str>, _) = ("x".into(), value.map(exactly));
        vec![QueryParameterMatcher {
            name,
            value,
            absent,
        }]
    };
    let path = |path| RouteMatch { path, ..any() };
    let headers = |headers| RouteMatch { headers, ..any() };
    let queries = |query_parameters| RouteMatch {
        query_parameters,
        ..any()
    };
    let share = |numerator| RouteMatch {
        fraction: Some(RuntimeFraction::from(FractionalPercent {
            numerator,
            denominator: 100,
        })),
        ..any()
    };
    for (matches, wanted) in [
        (any(), None),
        (
            path(PathMatch::Prefix("/c".into())),
            Some("path: expected prefix /c, got /a/b"),
        ),
        (
            path(PathMatch::Exact("/a".into())),
            Some("path: expected exactly /a, got /a/b"),
        ),
        (
            path(PathMatch::PathSeparatedPrefix("/a/".into())),
            Some("path: expected /a/ or below it, got /a/b"),
        ),
        (
            RouteMatch {
                grpc: true,
                ..any()
            },
            Some("expected a gRPC request"),
        ),
        (share(70), Some("takes only 70 % of requests")),
        (share(71), None),
        (headers(user(text("bob"), false)), None),
        (
            headers(user(text("eve"), false)),
            Some("header x-user: expected 'eve', got 'bob'"),
        ),
        (
            headers(user(text("bob"), true)),
            Some("header x-user: expected not 'bob', got 'bob'"),
        ),
        (
            headers(user(HeaderValueMatch::Present(false), false)),
            Some("header x-user: expected none, got 'bob'"),
        ),
        (
            headers(vec![header(MatchedHeader::Method, text("PUT"), false)]),
            Some("header :method: expected 'PUT', got 'GET'"),
        ),
        (
            queries(query(Some("2"), false)),
            Some("query parameter x: expected '2', got '1'"),
        ),
        (
            queries(query(None, true)),
            Some("query parameter x: expected none, got '1'"),
        ),
        (queries(query(Some("1"), false)), None),
    ] {
        assert_eq!(why(&matches).as_deref(), wanted, "{matches:?}");
    }
}
