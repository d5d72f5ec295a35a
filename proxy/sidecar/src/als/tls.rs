//! What an entry says of a client's TLS.

use std::sync::Arc;

use envoy_types::pb::envoy::data::accesslog::v3::TlsProperties;
use envoy_types::pb::envoy::data::accesslog::v3::tls_properties::{
    CertificateProperties, TlsVersion,
    certificate_properties::{SubjectAltName, subject_alt_name::San},
};
use envoy_types::pb::google::protobuf::UInt32Value;
use tandem_core::ext::{Certificate, ConnectionInfo, TlsFacts};

/// The TLS part of an entry.
pub(super) fn properties(facts: &TlsFacts, connection: &ConnectionInfo) -> TlsProperties {
    let version = match facts.version {
        "TLSv1.2" => TlsVersion::TlSv12,
        "TLSv1.3" => TlsVersion::TlSv13,
        _ => TlsVersion::VersionUnspecified,
    };
    let name = facts.sni.as_ref().or(connection.server_name.as_ref());
    TlsProperties {
        tls_version: version.into(),
        tls_cipher_suite: suite(facts.cipher).map(|value| UInt32Value { value }),
        tls_sni_hostname: name.map(ToString::to_string).unwrap_or_default(),
        local_certificate_properties: Some(certificate(facts.local.as_ref(), false)),
        peer_certificate_properties: Some(certificate(facts.peer.as_ref(), true)),
        ..TlsProperties::default()
    }
}

/// There is an empty one where there is no certificate, as in Envoy's entries.
fn certificate(shown: Option<&Arc<Certificate>>, with_issuer: bool) -> CertificateProperties {
    let Some(shown) = shown else {
        return CertificateProperties::default();
    };
    let uri = |uri: &Arc<str>| SubjectAltName {
        san: Some(San::Uri(uri.to_string())),
    };
    let issuer = with_issuer.then(|| shown.issuer.to_string());
    CertificateProperties {
        subject_alt_name: shown.uris.iter().map(uri).collect(),
        subject: shown.subject.to_string(),
        issuer: issuer.unwrap_or_default(),
    }
}

/// The number of a suite (RFC 8446, RFC 5289, RFC 7905) by OpenSSL's name.
fn suite(name: &str) -> Option<u32> {
    Some(match name {
        "TLS_AES_128_GCM_SHA256" => 0x1301,
        "TLS_AES_256_GCM_SHA384" => 0x1302,
        "TLS_CHACHA20_POLY1305_SHA256" => 0x1303,
        "ECDHE-ECDSA-AES128-GCM-SHA256" => 0xc02b,
        "ECDHE-ECDSA-AES256-GCM-SHA384" => 0xc02c,
        "ECDHE-RSA-AES128-GCM-SHA256" => 0xc02f,
        "ECDHE-RSA-AES256-GCM-SHA384" => 0xc030,
        "ECDHE-RSA-CHACHA20-POLY1305" => 0xcca8,
        "ECDHE-ECDSA-CHACHA20-POLY1305" => 0xcca9,
        _ => return None,
    })
}
