//! What a TLS handshake showed of a connection.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;

/// A finished handshake; shared by all that runs over the connection.
#[derive(Debug, Default)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by OpenSSL's name.
    pub cipher: &'static str,
    /// The server name that the client asked for.
    pub sni: Option<Arc<str>>,
    /// The protocol agreed on; its bytes need not be text.
    pub alpn: Option<Arc<str>>,
    /// The peer's certificate, if it showed one.
    pub peer: Option<Arc<Certificate>>,
    /// Whether that certificate passed a check (one of any kind was asked for).
    pub peer_validated: bool,
    /// This side's certificate, if it showed one.
    pub local: Option<Arc<Certificate>>,
    /// What the connection manager says of the client in `x-forwarded-client-cert`, once it has
    /// been said.
    pub client_cert_header: OnceLock<Option<HeaderValue>>,
}

/// A certificate, and those that came with it.
#[derive(Debug, Default)]
pub struct Certificate {
    /// Its subject, as RFC 2253 writes it.
    pub subject: Arc<str>,
    /// Its issuer, likewise.
    pub issuer: Arc<str>,
    /// Its serial number, in lower-case hexadecimal.
    pub serial: Arc<str>,
    /// Alternative names that are URIs.
    pub uris: Vec<Arc<str>>,
    /// Alternative names that are host names.
    pub dns: Vec<Arc<str>>,
    /// Alternative names that are e-mail addresses.
    pub emails: Vec<Arc<str>>,
    /// Alternative names that are IP addresses.
    pub ips: Vec<Arc<str>>,
    /// SHA-256 of the certificate.
    pub sha256: [u8; 32],
    /// SHA-1 of the certificate.
    pub sha1: [u8; 20],
    /// When it begins to be valid.
    pub not_before: Option<SystemTime>,
    /// When it ends to be valid.
    pub not_after: Option<SystemTime>,
    /// It and its issuers as they were shown, DER, the leaf first.
    pub chain: Vec<Bytes>,
    /// Written out when first asked for.
    pub texts: Texts,
}

/// A certificate as text.
#[derive(Debug, Default)]
pub struct Texts {
    pem: OnceLock<Arc<str>>,
    chain: OnceLock<Arc<str>>,
}

impl Certificate {
    /// The certificate as PEM, percent-encoded as `x-forwarded-client-cert` has it.
    pub fn url_encoded_pem(&self) -> &Arc<str> {
        let text = || self.chain.first().map(|leaf| url_encoded(leaf));
        self.texts
            .pem
            .get_or_init(|| text().unwrap_or_default().into())
    }

    /// The whole chain, likewise.
    pub fn url_encoded_chain(&self) -> &Arc<str> {
        let text = || self.chain.iter().map(|one| url_encoded(one)).collect();
        self.texts.chain.get_or_init(|| {
            let text: String = text();
            text.into()
        })
    }
}

/// PEM in lines of 64, with what a URI may not hold (and `+`, `/`, `=`) as percent signs.
fn url_encoded(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = String::with_capacity(base64.len() * 5 / 4 + 96);
    text.push_str("-----BEGIN%20CERTIFICATE-----%0A");
    for line in base64.as_bytes().chunks(64) {
        for byte in line {
            match byte {
                b'+' => text.push_str("%2B"),
                b'/' => text.push_str("%2F"),
                b'=' => text.push_str("%3D"),
                other => text.push(char::from(*other)),
            }
        }
        text.push_str("%0A");
    }
    text.push_str("-----END%20CERTIFICATE-----%0A");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_written_as_percent_encoded_pem() {
        let certificate = Certificate {
            chain: vec![Bytes::from_static(&[0xfb, 0xff, 0xfe, 0x00]), Bytes::new()],
            ..Certificate::default()
        };
        let leaf =
            "-----BEGIN%20CERTIFICATE-----%0A%2B%2F%2F%2BAA%3D%3D%0A-----END%20CERTIFICATE-----%0A";
        assert_eq!(**certificate.url_encoded_pem(), *leaf);
        assert!(
            certificate
                .url_encoded_chain()
                .starts_with(&**certificate.url_encoded_pem())
        );
    }
}
