use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use tandem_core::ext::{Protocol, StreamInfo};
use tandem_core::{Body, Request, authority};
use tandem_model::headers::HeaderMutations;
use tandem_model::matching::Regex;
use tandem_model::route::{
    Action, ClusterSpecifier, HostRewrite, PathMatch, PathRewrite, Redirect, RedirectPath, Route,
    RouteAction, RouteMatch,
};

use super::{redirect, rewrite};
use crate::server::tests::support::connection;

fn info() -> StreamInfo {
    StreamInfo::new(connection(), Protocol::Http11, 1)
}

fn request(host: &'static str, target: &str) -> Request {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = target.parse().unwrap();
    request
        .headers_mut()
        .insert("host", HeaderValue::from_static(host));
    request
}

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
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        per_request_buffer_limit_bytes: None,
        filters: Vec::new(),
    }
}

fn action() -> RouteAction {
    RouteAction {
        cluster: ClusterSpecifier::Cluster("c".into()),
        cluster_not_found_response_code: StatusCode::SERVICE_UNAVAILABLE,
        path_rewrite: None,
        host_rewrite: None,
        append_x_forwarded_host: false,
        timeout: None,
        idle_timeout: None,
        max_stream_duration: None,
        max_grpc_timeout: None,
        grpc_timeout_offset: None,
        grpc_timeout_header_max: None,
        grpc_timeout_header_offset: None,
        retry_policy: None,
        high_priority: false,
        upgrades: Vec::new(),
    }
}

fn plain() -> Redirect {
    Redirect {
        scheme: None,
        host: None,
        port: None,
        path: None,
        strip_query: false,
        status: StatusCode::MOVED_PERMANENTLY,
    }
}

fn digits() -> Regex {
    Regex::new("[0-9]+").unwrap()
}

/// Each field of a redirect shows in the location, and the rest stays as it was.
#[test]
fn locations_are_envoys() {
    let prefix = route(PathMatch::Prefix("/old".into()));
    let cases: [(&str, Redirect, &str); 10] = [
        (
            "a.test",
            Redirect {
                scheme: Some("https".into()),
                ..plain()
            },
            "https://a.test/old/1?q=2",
        ),
        (
            "a.test:80",
            Redirect {
                scheme: Some("https".into()),
                ..plain()
            },
            "https://a.test/old/1?q=2",
        ),
        (
            "a.test:8080",
            Redirect {
                scheme: Some("https".into()),
                ..plain()
            },
            "https://a.test:8080/old/1?q=2",
        ),
        (
            "a.test",
            Redirect {
                host: Some("b.test".into()),
                ..plain()
            },
            "http://b.test/old/1?q=2",
        ),
        (
            "a.test:81",
            Redirect {
                port: Some(8443),
                ..plain()
            },
            "http://a.test:8443/old/1?q=2",
        ),
        (
            "a.test",
            Redirect {
                path: Some(RedirectPath::Replace("/new".into())),
                ..plain()
            },
            "http://a.test/new?q=2",
        ),
        (
            "a.test",
            Redirect {
                path: Some(RedirectPath::Replace("/new?z".into())),
                ..plain()
            },
            "http://a.test/new?z",
        ),
        (
            "a.test",
            Redirect {
                path: Some(RedirectPath::Prefix("/new".into())),
                ..plain()
            },
            "http://a.test/new/1?q=2",
        ),
        (
            "a.test",
            Redirect {
                path: Some(RedirectPath::Regex {
                    pattern: digits(),
                    substitution: "n".into(),
                }),
                ..plain()
            },
            "http://a.test/old/n?q=2",
        ),
        (
            "a.test",
            Redirect {
                strip_query: true,
                ..plain()
            },
            "http://a.test/old/1",
        ),
    ];
    for (host, redirect, expected) in cases {
        let request = request(host, "/old/1?q=2");
        let location = redirect::location(&redirect, &prefix, &request, &info(), "http");
        assert_eq!(location, expected, "{host} {redirect:?}");
    }
}

#[test]
fn paths_are_rewritten_and_remembered() {
    let cases = [
        (
            PathMatch::Prefix("/old".into()),
            PathRewrite::Prefix("/new".into()),
            "/new/1?q=2",
        ),
        (
            PathMatch::Exact("/old/1".into()),
            PathRewrite::Prefix("/new".into()),
            "/new?q=2",
        ),
        (
            PathMatch::Prefix("/".into()),
            PathRewrite::Regex {
                pattern: digits(),
                substitution: "<${0}>".into(),
            },
            "/old/%3C1%3E?q=2",
        ),
    ];
    for (path, rewrite, expected) in cases {
        let action = RouteAction {
            path_rewrite: Some(rewrite),
            ..action()
        };
        let mut request = request("a.test", "/old/1?q=2");
        rewrite::path(&mut request, &route(path), &action, &info(), true);
        assert_eq!(authority::path_and_query(&request), expected);
        assert_eq!(request.headers()["x-envoy-original-path"], "/old/1?q=2");
    }
}

/// `suppress_envoy_headers` leaves no trace of the old path.
#[test]
fn the_old_path_is_kept_only_where_it_may() {
    let action = RouteAction {
        path_rewrite: Some(PathRewrite::Prefix("/new".into())),
        ..action()
    };
    let mut request = request("a.test", "/old");
    rewrite::path(
        &mut request,
        &route(PathMatch::Prefix("/old".into())),
        &action,
        &info(),
        false,
    );
    assert_eq!(authority::path_and_query(&request), "/new");
    assert!(!request.headers().contains_key("x-envoy-original-path"));
}

#[test]
fn hosts_are_rewritten_from_every_source() {
    let cases = [
        (
            HostRewrite::Literal(HeaderValue::from_static("b.test")),
            "b.test",
        ),
        (
            HostRewrite::Header(http::HeaderName::from_static("x-host")),
            "c.test",
        ),
        (
            HostRewrite::PathRegex {
                pattern: Regex::new("^/([a-z]+)/.*$").unwrap(),
                substitution: Arc::from("${1}.test"),
            },
            "old.test",
        ),
        (HostRewrite::Auto, "a.test"),
        (
            HostRewrite::Header(http::HeaderName::from_static("x-none")),
            "a.test",
        ),
    ];
    for (host_rewrite, expected) in cases {
        let action = RouteAction {
            host_rewrite: Some(host_rewrite),
            append_x_forwarded_host: true,
            ..action()
        };
        let mut request = request("a.test", "/old/1?q");
        request
            .headers_mut()
            .insert("x-host", HeaderValue::from_static("c.test"));
        rewrite::host(&mut request, &action, None, &info(), true);
        assert_eq!(authority::get(&request), expected, "{action:?}");
        let kept = request.headers().get("x-forwarded-host").is_some();
        assert_eq!(kept, expected != "a.test", "{action:?}");
    }
}
