use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};

use super::*;
use crate::headers::{HeaderValueMatch, MatchedHeader};
use crate::matching::{Regex, RequestView, StringMatch};

fn exact(text: &str) -> StringMatcher {
    string(StringMatch::Exact(text.into()))
}

fn string(matches: StringMatch) -> StringMatcher {
    StringMatcher {
        matches,
        ignore_case: false,
    }
}

fn header(value: StringMatcher, invert: bool) -> HeaderMatcher {
    HeaderMatcher {
        name: MatchedHeader::Name("x-m".parse().expect("a name")),
        value: HeaderValueMatch::String(value),
        invert,
        treat_missing_as_empty: false,
    }
}

fn range(text: &str) -> Cidr {
    let (address, bits) = text.split_once('/').expect("a slash");
    Cidr::new(
        address.parse().expect("an address"),
        bits.parse().expect("a length"),
    )
}

fn rules(action: Action, policies: &[(&str, Permission, Principal)]) -> Rules {
    let policy = |(name, permission, principal): &(&str, Permission, Principal)| Policy {
        name: (*name).into(),
        permissions: vec![permission.clone()],
        principals: vec![principal.clone()],
    };
    Rules {
        action,
        policies: policies.iter().map(policy).collect(),
    }
}

/// A request from 10.0.0.1 (for 192.0.2.7) to 10.9.9.9:8080.
fn with_request<T>(path: &str, values: &[&[u8]], then: impl FnOnce(&Facts<'_>) -> T) -> T {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("x-m", HeaderValue::from_bytes(value).expect("a value"));
    }
    then(&Facts {
        request: Some(RequestView {
            method: &Method::GET,
            path_and_query: path,
            authority: "any.test",
            uri_scheme: None,
            encrypted: false,
            headers: &headers,
            is_grpc: false,
            random: 0,
        }),
        local: "10.9.9.9:8080".parse().ok(),
        peer: "10.0.0.1:1000".parse().ok(),
        client: "192.0.2.7:0".parse().ok(),
        ..Facts::default()
    })
}

/// What each action makes of a match, and of none.
#[test]
fn actions_decide_by_the_first_policy_that_matches() {
    let never = Principal::Not(Box::new(Principal::Any));
    let policies = [
        ("a", Permission::Any, never.clone()),
        ("b", Permission::Any, Principal::Any),
        ("c", Permission::Any, Principal::Any),
    ];
    let facts = Facts::default();
    for (action, some, none) in [
        (Action::Allow, true, false),
        (Action::Deny, false, true),
        (Action::Log, true, true),
    ] {
        let found = rules(action, &policies).decide(&facts);
        assert_eq!((found.allowed, found.policy), (some, Some(1)), "{action:?}");
        let found = rules(action, &policies[..1]).decide(&facts);
        assert_eq!((found.allowed, found.policy), (none, None), "{action:?}");
        assert_eq!(rules(action, &[]).decide(&facts).allowed, none);
    }
}

#[test]
fn permissions_match_what_is_done() {
    let path = |text: &str| Permission::Path(exact(text));
    let never = Permission::Not(Box::new(Permission::Any));
    let table = [
        (path("/admin"), true),
        (path("/admin?x=1"), false),
        (Permission::All(vec![path("/admin"), Permission::Any]), true),
        (Permission::All(vec![path("/admin"), never.clone()]), false),
        (Permission::OneOf(vec![never.clone(), path("/admin")]), true),
        (Permission::OneOf(Vec::new()), false),
        (never, false),
        (Permission::DestinationIp(range("10.9.0.0/16")), true),
        (Permission::DestinationIp(range("10.8.0.0/16")), false),
        (Permission::DestinationIp(range("::/0")), false),
        (Permission::DestinationPort(8080), true),
        (Permission::DestinationPort(8081), false),
        (
            Permission::DestinationPorts {
                start: 8080,
                end: 8081,
            },
            true,
        ),
        (
            Permission::DestinationPorts {
                start: 8070,
                end: 8080,
            },
            false,
        ),
        (
            Permission::Metadata(MetadataMatcher { invert: false }),
            false,
        ),
        (Permission::Metadata(MetadataMatcher { invert: true }), true),
        (Permission::ServerName(exact("")), true),
        (Permission::ServerName(exact("a.test")), false),
    ];
    with_request("/admin?x=1#f", &[], |facts| {
        for (permission, matches) in &table {
            assert_eq!(permission.matches(facts), *matches, "{permission:?}");
        }
    });
}

#[test]
fn principals_match_who_does_it() {
    let table = [
        (Principal::DirectRemoteIp(range("10.0.0.0/30")), true),
        (Principal::DirectRemoteIp(range("192.0.2.0/24")), false),
        (Principal::RemoteIp(range("192.0.2.7/32")), true),
        (Principal::RemoteIp(range("10.0.0.0/8")), false),
        (Principal::RemoteIp(range("0.0.0.0/0")), true),
        (Principal::Authenticated(None), false),
        (Principal::Path(exact("/")), true),
        (Principal::OneOf(vec![]), false),
        (
            Principal::All(vec![
                Principal::Any,
                Principal::RemoteIp(range("192.0.2.0/24")),
            ]),
            true,
        ),
    ];
    with_request("/", &[], |facts| {
        for (principal, matches) in &table {
            assert_eq!(principal.matches(facts), *matches, "{principal:?}");
        }
    });
}

/// Every name of the certificate counts, as in Envoy; a peer without one has an empty subject.
#[test]
fn identities_are_uri_names_dns_names_and_the_subject() {
    let uris = [Arc::from("spiffe://td/ns/a/sa/b")];
    let dns = [Arc::from("b.a.svc")];
    let peer = Peer {
        uri_sans: &uris,
        dns_sans: &dns,
        subject: "CN=b",
    };
    let named = |peer, name: &str| {
        let facts = Facts {
            tls: Some(peer),
            ..Facts::default()
        };
        Principal::Authenticated(Some(exact(name))).matches(&facts)
    };
    for name in ["spiffe://td/ns/a/sa/b", "b.a.svc", "CN=b"] {
        assert!(named(peer, name), "{name}");
        assert!(!named(Peer::default(), name), "{name}");
    }
    assert!(!named(peer, "spiffe://td/ns/a/sa/bb"));
    assert!(named(Peer::default(), ""));
    let anonymous = Facts {
        tls: Some(Peer::default()),
        ..Facts::default()
    };
    assert!(Principal::Authenticated(None).matches(&anonymous));
}

/// Each of several fields is looked at by itself, bytes that are not UTF-8 do not hide one, and
/// a missing field meets no condition on a value.
#[test]
fn a_header_cannot_be_hidden() {
    let plain = Permission::Header(header(exact("admin"), false));
    let inverted = Permission::Header(header(exact("admin"), true));
    let part = Permission::Header(header(string(StringMatch::Contains("admin".into())), false));
    let regex = Regex::new(".*admin.*").expect("a pattern");
    let regex = Permission::Header(header(string(StringMatch::Regex(regex)), false));
    let table: [(&[&[u8]], [bool; 4]); 7] = [
        (&[], [false, false, false, false]),
        (&[b"admin"], [true, false, true, true]),
        (&[b"x", b"admin"], [true, false, true, true]),
        (&[b"admin", b"x"], [true, false, true, true]),
        (&[b"x", b"y"], [false, true, false, false]),
        (&[b"admin\xff"], [false, true, true, true]),
        (&[b"\xffadmin"], [false, true, true, true]),
    ];
    for (values, expected) in table {
        with_request("/", values, |facts| {
            let found = [&plain, &inverted, &part, &regex].map(|rule| rule.matches(facts));
            assert_eq!(found, expected, "{values:?}");
        });
    }
}

/// Where there is no request, nothing is known of one.
#[test]
fn a_connection_has_no_path_and_no_headers() {
    let facts = Facts::default();
    assert!(!Permission::Path(string(StringMatch::Prefix("".into()))).matches(&facts));
    assert!(!Permission::Header(header(exact("x"), true)).matches(&facts));
    assert!(!Permission::DestinationPort(0).matches(&facts));
    assert!(!Principal::RemoteIp(range("0.0.0.0/0")).matches(&facts));
}

#[test]
fn a_route_counts_where_the_list_counts() {
    let listed = Rbac {
        rules_stat_prefix: "listed".into(),
        track_per_rule_stats: true,
        ..Rbac::default()
    };
    let own = Rbac {
        rules: Some(Arc::new(rules(Action::Deny, &[]))),
        rules_stat_prefix: "own".into(),
        ..Rbac::default()
    };
    let used = own.counted_as(&listed);
    assert_eq!(&*used.rules_stat_prefix, "listed");
    assert!(!used.track_per_rule_stats && used.rules.is_some());
}
