//! The service.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::StatusCode;
use tandem_core::error::LocalReply;
use tandem_core::ext::{ConnectionInfo, StreamInfo, TlsFacts};
use tandem_core::{BoxFuture, Error, HttpService, Request, Response};
use tandem_model::filter::rbac::{Facts, Peer, Rbac as Config};
use tower::Service;

use super::layer::Stats;
use crate::view;

/// Lets requests pass, or refuses them.
#[derive(Clone, Debug)]
pub struct Rbac {
    pub(super) inner: HttpService,
    pub(super) config: Arc<Config>,
    pub(super) stats: Arc<Stats>,
}

impl Service<Request> for Rbac {
    type Response = Response;
    type Error = Error;
    type Future = BoxFuture<Result<Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.check(&request) {
            Ok(()) => self.inner.dispatch(request),
            Err(refused) => Box::pin(std::future::ready(Err(refused))),
        }
    }
}

impl Rbac {
    fn check(&self, request: &Request) -> Result<(), Error> {
        let info = request.extensions().get::<Arc<StreamInfo>>();
        let facts = facts(request, info);
        if let Some(rules) = &self.config.shadow_rules {
            let decision = rules.decide(&facts);
            self.stats.shadow_rules.count(rules, decision);
        }
        let Some(rules) = &self.config.rules else {
            return Ok(());
        };
        let decision = rules.decide(&facts);
        self.stats.rules.count(rules, decision);
        // Of a request whose connection is not known, nothing that is said of it would hold.
        if decision.allowed && info.is_some() {
            return Ok(());
        }
        let policy = decision.policy.map(|policy| &*rules.policies[policy].name);
        Err(Error::reply(LocalReply::new(
            StatusCode::FORBIDDEN,
            "RBAC: access denied",
            details(policy),
        )))
    }
}

/// What the rules look at.
fn facts<'a>(request: &'a Request, info: Option<&'a Arc<StreamInfo>>) -> Facts<'a> {
    let mut facts = info.map_or_else(Facts::default, |info| of_connection(&info.connection));
    facts.request = Some(view::of(request));
    facts.client = info.and_then(|info| info.client).or(facts.peer);
    facts
}

/// The same of a connection without a request.
fn of_connection(connection: &ConnectionInfo) -> Facts<'_> {
    let tls = connection.tls.as_deref();
    let by_tls = tls.and_then(|tls| tls.sni.as_deref());
    Facts {
        request: None,
        local: connection.local,
        peer: connection.remote,
        client: connection.remote,
        server_name: connection
            .server_name
            .as_deref()
            .or(by_tls)
            .unwrap_or_default(),
        tls: tls.map(identity),
    }
}

/// Whom the peer showed itself to be.
fn identity(tls: &TlsFacts) -> Peer<'_> {
    tls.peer.as_ref().map_or_else(Peer::default, |peer| Peer {
        uri_sans: &peer.uris,
        dns_sans: &peer.dns,
        subject: &peer.subject,
    })
}

/// `%RESPONSE_CODE_DETAILS%`, without blanks.
fn details(policy: Option<&str>) -> Cow<'static, str> {
    match policy {
        None => Cow::Borrowed("rbac_access_denied_matched_policy[none]"),
        Some(name) => {
            let name = name.replace(char::is_whitespace, "_");
            Cow::Owned(format!("rbac_access_denied_matched_policy[{name}]"))
        }
    }
}
