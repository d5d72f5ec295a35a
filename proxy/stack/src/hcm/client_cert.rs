//! `x-forwarded-client-cert`: what is said of the client's certificate to whoever comes next.
//!
//! Semantics: Envoy's `ConnectionManagerUtility::mutateXfccRequestHeader`.

use http::{HeaderMap, HeaderName, HeaderValue};
use tandem_core::ext::{ConnectionInfo, TlsFacts};
use tandem_model::hcm::{ClientCertDetails, ForwardClientCert};

const X_FORWARDED_CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// Removes, keeps, replaces or extends the header.
pub(super) fn forward(
    headers: &mut HeaderMap,
    mode: ForwardClientCert,
    details: ClientCertDetails,
    connection: &ConnectionInfo,
) {
    if mode == ForwardClientCert::AlwaysForwardOnly {
        return;
    }
    let tls = connection.tls.as_deref().filter(|tls| tls.peer.is_some());
    let Some(tls) = tls.filter(|_| mode != ForwardClientCert::Sanitize) else {
        // A client's certificate is what this proxy saw of it, not what the client says.
        headers.remove(X_FORWARDED_CLIENT_CERT);
        return;
    };
    if mode == ForwardClientCert::ForwardOnly {
        return;
    }
    // A connection belongs to one connection manager, so it says the same of each request.
    let own = tls.client_cert_header.get_or_init(|| say(tls, details));
    let Some(own) = own else { return };
    let given = match mode {
        ForwardClientCert::AppendForward => joined(headers),
        _ => None,
    };
    let value = match given {
        None => Some(own.clone()),
        Some(given) => {
            HeaderValue::from_bytes(&[given.as_slice(), b",", own.as_bytes()].concat()).ok()
        }
    };
    match value {
        Some(value) => headers.insert(X_FORWARDED_CLIENT_CERT, value),
        None => headers.remove(X_FORWARDED_CLIENT_CERT),
    };
}

/// What came, as one list.
fn joined(headers: &HeaderMap) -> Option<Vec<u8>> {
    let values = headers.get_all(X_FORWARDED_CLIENT_CERT);
    let values: Vec<&[u8]> = values.iter().map(HeaderValue::as_bytes).collect();
    (!values.is_empty()).then(|| values.join(&b","[..]))
}

fn say(tls: &TlsFacts, details: ClientCertDetails) -> Option<HeaderValue> {
    use std::fmt::Write as _;
    let peer = tls.peer.as_ref()?;
    let mut text = String::new();
    if let Some(own) = tls.local.as_ref().and_then(|local| local.uris.first()) {
        let _ = write!(text, "By={own};");
    }
    text.push_str("Hash=");
    for byte in peer.sha256 {
        let _ = write!(text, "{byte:02x}");
    }
    if details.cert {
        let _ = write!(text, ";Cert=\"{}\"", peer.url_encoded_pem());
    }
    if details.chain {
        let _ = write!(text, ";Chain=\"{}\"", peer.url_encoded_chain());
    }
    if details.subject {
        let _ = write!(text, ";Subject=\"{}\"", peer.subject);
    }
    if details.uri {
        if peer.uris.is_empty() {
            text.push_str(";URI=");
        }
        for uri in &peer.uris {
            let _ = write!(text, ";URI={uri}");
        }
    }
    if details.dns {
        for dns in &peer.dns {
            let _ = write!(text, ";DNS={dns}");
        }
    }
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tandem_core::ext::Certificate;

    use super::*;

    fn connection() -> ConnectionInfo {
        let certificate = |uri: &str| Certificate {
            uris: vec![uri.into()],
            dns: vec!["c.test".into()],
            subject: "CN=c".into(),
            ..Certificate::default()
        };
        ConnectionInfo {
            tls: Some(Arc::new(TlsFacts {
                peer: Some(Arc::new(certificate("spiffe://td/client"))),
                local: Some(Arc::new(certificate("spiffe://td/server"))),
                ..TlsFacts::default()
            })),
            ..ConnectionInfo::default()
        }
    }

    fn forwarded(mode: ForwardClientCert, connection: &ConnectionInfo) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_CLIENT_CERT, HeaderValue::from_static("Hash=a"));
        let details = ClientCertDetails {
            subject: true,
            uri: true,
            dns: true,
            ..ClientCertDetails::default()
        };
        forward(&mut headers, mode, details, connection);
        let value = headers.get(X_FORWARDED_CLIENT_CERT)?;
        Some(value.to_str().ok()?.to_owned())
    }

    #[test]
    fn who_has_no_certificate_cannot_claim_one() {
        use ForwardClientCert as F;
        let plain = ConnectionInfo::default();
        for mode in [
            F::Sanitize,
            F::ForwardOnly,
            F::AppendForward,
            F::SanitizeSet,
        ] {
            assert_eq!(forwarded(mode, &plain), None, "{mode:?}");
        }
        let kept = forwarded(F::AlwaysForwardOnly, &plain);
        assert_eq!(kept.as_deref(), Some("Hash=a"));
    }

    #[test]
    fn each_mode_does_what_its_name_says() {
        use ForwardClientCert as F;
        let hash = "0".repeat(64);
        let own = format!(
            "By=spiffe://td/server;Hash={hash};Subject=\"CN=c\";URI=spiffe://td/client;DNS=c.test"
        );
        for (mode, expected) in [
            (F::Sanitize, None),
            (F::ForwardOnly, Some("Hash=a".to_owned())),
            (F::AppendForward, Some(format!("Hash=a,{own}"))),
            (F::SanitizeSet, Some(own)),
            (F::AlwaysForwardOnly, Some("Hash=a".to_owned())),
        ] {
            assert_eq!(forwarded(mode, &connection()), expected, "{mode:?}");
        }
    }
}
