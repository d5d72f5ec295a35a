//! What the rules look at, and what is said of a refusal.

use std::borrow::Cow;
use std::sync::Arc;

use tandem_core::Request;
use tandem_core::ext::{ConnectionInfo, StreamInfo, TlsFacts};
use tandem_model::filter::rbac::{Facts, Peer};

use crate::view;

/// Of a request.
pub(super) fn of_request<'a>(request: &'a Request, info: Option<&'a Arc<StreamInfo>>) -> Facts<'a> {
    let mut facts = info.map_or_else(Facts::default, |info| of_connection(&info.connection));
    facts.request = Some(view::of(request));
    facts.client = info.and_then(|info| info.client).or(facts.peer);
    facts
}

/// Of a connection without a request.
pub(super) fn of_connection(connection: &ConnectionInfo) -> Facts<'_> {
    Facts {
        request: None,
        local: connection.local,
        peer: connection.remote,
        client: connection.remote,
        // As in Envoy, whose rbac.proto says so: known only where tls_inspector reads it.
        server_name: connection.server_name.as_deref().unwrap_or_default(),
        tls: connection.tls.as_deref().map(identity),
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
pub(super) fn details(policy: Option<&str>) -> Cow<'static, str> {
    match policy {
        None => Cow::Borrowed("rbac_access_denied_matched_policy[none]"),
        Some(name) => {
            let name = name.replace(char::is_whitespace, "_");
            Cow::Owned(format!("rbac_access_denied_matched_policy[{name}]"))
        }
    }
}
