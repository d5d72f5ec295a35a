//! Whether the filter chain's transport takes the connection, and what that shows of the client.

use std::sync::Arc;

use tandem_core::ext::{Certificate, TlsFacts};
use tandem_model::listener::{FilterChain, NetworkFilter};
use tandem_model::tls::DownstreamTls;
use tandem_transport::tls::ClientNames;

use super::{Ask, Explanation, World};

/// What the handshake showed, if there is one; `None`: the connection ends here.
pub(super) fn shake(
    ask: &Ask,
    world: &World<'_>,
    chain: &FilterChain,
    out: &mut Explanation,
) -> Option<Option<TlsFacts>> {
    let refusal = match (&chain.transport_socket, &chain.filter) {
        (Some(_), _) if !ask.tls => {
            "the filter chain takes TLS only: the handshake of plain bytes fails"
        }
        (Some(tls), _) => return accepted(ask, world, tls, out).map(Some),
        (None, NetworkFilter::Http(_)) if ask.tls => {
            "the filter chain does not decrypt: TLS is answered 400, as no HTTP"
        }
        (None, _) => return Some(None),
    };
    out.refuse(refusal);
    None
}

fn accepted(
    ask: &Ask,
    world: &World<'_>,
    tls: &Arc<DownstreamTls>,
    out: &mut Explanation,
) -> Option<TlsFacts> {
    let peer = ask.identity.as_ref().map(|uri| {
        Arc::new(Certificate {
            uris: vec![Arc::clone(uri)],
            ..Certificate::default()
        })
    });
    let mut facts = TlsFacts {
        version: "TLSv1.3",
        sni: ask.server_name.clone(),
        alpn: ask.application_protocols.first().cloned(),
        peer_validated: peer.is_some(),
        peer,
        ..TlsFacts::default()
    };
    let last = out.steps.len() - 1;
    let step = &mut out.steps[last];
    let context = world.clusters.tls().server(tls);
    let Some(peer) = &facts.peer else {
        let wants = context.map(|context| context.wants_certificate());
        // What is missing in a file may come; a process that serves has it or cannot answer.
        match wants {
            Ok(None) if world.is_live => {
                out.refuse("the handshake fails: secrets of the filter chain have not come");
                return None;
            }
            wants if tls.require_client_certificate || matches!(wants, Ok(Some(true))) => {
                out.refuse(
                    "the handshake fails: the client has to show a certificate, and shows none; \
                     --identity says whose it shows",
                );
                return None;
            }
            _ => return Some(facts),
        }
    };
    match context.map(|context| context.judge_names(peer)) {
        Ok(Some(ClientNames::NotAskedFor)) => {
            step.note("clients are not asked for a certificate: nobody sees the identity");
            facts.peer = None;
            facts.peer_validated = false;
        }
        Ok(Some(ClientNames::Taken { validated })) => facts.peer_validated = validated,
        Ok(Some(ClientNames::Refused(wanted))) => {
            let identity = ask.identity.as_deref().unwrap_or_default();
            out.refuse(format!(
                "the handshake fails: the client's names are not taken: {wanted}, got '{identity}'"
            ));
            return None;
        }
        Ok(None) if world.is_live => {
            out.refuse("the handshake fails: secrets of the filter chain have not come");
            return None;
        }
        Ok(None) => {
            step.note("whose certificates are taken is not known here: a control plane says it");
        }
        Err(error) => {
            step.note(format!("its certificates cannot be read here: {error}"));
        }
    }
    Some(facts)
}
