use std::sync::Arc;

use http::StatusCode;
use tandem_core::error::{Kind, LocalReply};
use tandem_core::ext::{Certificate, ConnectionInfo, Protocol, StreamInfo, TlsFacts};
use tandem_core::stats::Registry;
use tandem_core::{Body, HttpService, Request, Response};
use tandem_model::filter::rbac::{self as model, Action, Permission, Policy, Principal, Rules};
use tandem_model::matching::{StringMatch, StringMatcher};
use tower::{Layer as _, service_fn};

use super::RbacLayer;

fn rules(action: Action, principal: Principal) -> Option<Arc<Rules>> {
    Some(Arc::new(Rules {
        action,
        policies: vec![Policy {
            name: "some one".into(),
            permissions: vec![Permission::Any],
            principals: vec![principal],
        }],
    }))
}

fn service(config: model::Rbac, stats: &Registry) -> HttpService {
    let inner = service_fn(|_: Request| async {
        Ok::<_, tandem_core::Error>(Response::new(Body::empty()))
    });
    let layer = RbacLayer::new(Arc::new(config), &stats.http("test"));
    HttpService::new(layer.layer(HttpService::new(inner)))
}

fn request(tls: Option<TlsFacts>) -> Request {
    let connection = ConnectionInfo {
        remote: "10.0.0.1:1".parse().ok(),
        tls: tls.map(Arc::new),
        ..Default::default()
    };
    let info = StreamInfo::new(connection.into(), Protocol::Http11, 1);
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(Arc::new(info));
    request
}

async fn refusal(service: &HttpService, request: Request) -> Option<LocalReply> {
    match service.dispatch(request).await {
        Ok(_) => None,
        Err(error) => match error.kind() {
            Kind::Reply(reply) => Some((**reply).clone()),
            other => panic!("expected a reply, got {other:?}"),
        },
    }
}

/// A refusal says which policy it was, in one word.
#[tokio::test]
async fn what_is_denied_is_answered_403() {
    let stats = Registry::default();
    let deny = model::Rbac {
        rules: rules(Action::Deny, Principal::Any),
        ..Default::default()
    };
    let reply = refusal(&service(deny, &stats), request(None)).await;
    let reply = reply.expect("a refusal");
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(&*reply.body, b"RBAC: access denied");
    let details = "rbac_access_denied_matched_policy[some_one]";
    assert_eq!(reply.details, details);
    let nobody = Principal::Not(Box::new(Principal::Any));
    let allow = model::Rbac {
        rules: rules(Action::Allow, nobody),
        ..Default::default()
    };
    let reply = refusal(&service(allow, &stats), request(None)).await;
    let details = reply.map(|reply| reply.details.into_owned());
    let expected = "rbac_access_denied_matched_policy[none]";
    assert_eq!(details.as_deref(), Some(expected));
}

/// Shadow rules refuse nothing; both are counted under their own names, and policies if asked.
#[tokio::test]
async fn shadow_rules_are_only_counted() {
    let stats = Registry::default();
    let config = model::Rbac {
        rules: rules(Action::Allow, Principal::Any),
        shadow_rules: rules(Action::Deny, Principal::Any),
        rules_stat_prefix: "own".into(),
        shadow_rules_stat_prefix: "dry".into(),
        track_per_rule_stats: true,
    };
    let service = service(config, &stats);
    assert!(refusal(&service, request(None)).await.is_none());
    let text = stats.text(|_| true, true);
    let counted: Vec<_> = text.lines().collect();
    let expected = [
        "http.test.rbac.dry.policy.some one.shadow_denied: 1",
        "http.test.rbac.dry.shadow_denied: 1",
        "http.test.rbac.own.allowed: 1",
        "http.test.rbac.own.policy.some one.allowed: 1",
    ];
    assert_eq!(counted, expected);
}

/// Whom the certificate names decides; without TLS nobody is authenticated.
#[tokio::test]
async fn the_peer_certificate_says_who_it_is() {
    let stats = Registry::default();
    let name = StringMatcher {
        matches: StringMatch::Exact("spiffe://td/a".into()),
        ignore_case: false,
    };
    let config = model::Rbac {
        rules: rules(Action::Allow, Principal::Authenticated(Some(name))),
        ..Default::default()
    };
    let service = service(config, &stats);
    let from = |uri: &str| {
        let mut peer = Certificate::default();
        peer.uris.push(uri.into());
        request(Some(TlsFacts {
            peer: Some(Arc::new(peer)),
            ..Default::default()
        }))
    };
    assert!(refusal(&service, from("spiffe://td/a")).await.is_none());
    assert!(refusal(&service, from("spiffe://td/b")).await.is_some());
    assert!(
        refusal(&service, request(Some(TlsFacts::default())))
            .await
            .is_some()
    );
    assert!(refusal(&service, request(None)).await.is_some());
}

/// Rules say nothing of a request of which nothing is known: it does not pass.
#[tokio::test]
async fn a_request_from_nowhere_is_refused() {
    let stats = Registry::default();
    let config = model::Rbac {
        rules: rules(Action::Allow, Principal::Any),
        ..Default::default()
    };
    let service = service(config, &stats);
    let unknown = Request::new(Body::empty());
    assert!(refusal(&service, unknown).await.is_some());
}

/// What the handshake asked for is no requested server name without tls_inspector, as in Envoy.
#[test]
fn the_server_name_is_what_an_inspector_read() {
    let handshake = TlsFacts {
        sni: Some("a.test".into()),
        ..Default::default()
    };
    let mut connection = ConnectionInfo {
        tls: Some(Arc::new(handshake)),
        ..Default::default()
    };
    assert_eq!(super::facts::of_connection(&connection).server_name, "");
    connection.server_name = Some("a.test".into());
    let facts = super::facts::of_connection(&connection);
    assert_eq!(facts.server_name, "a.test");
}
