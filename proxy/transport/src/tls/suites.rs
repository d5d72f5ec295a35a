//! Which cryptography a context allows, and what logs call it.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{
    CipherSuite as Suite, ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion,
};
use tandem_model::tls::{CipherSuite, CommonTls, Curve, TlsVersion};

/// The cryptography that a context allows.
pub(super) fn provider(context: &CommonTls) -> Arc<CryptoProvider> {
    // Of TLS 1.3 all, the cheapest of the safe ones first.
    let mut cipher_suites = vec![
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    if context.cipher_suites.is_empty() {
        cipher_suites.extend(OLDER.map(older));
    } else {
        cipher_suites.extend(context.cipher_suites.iter().map(|suite| older(*suite)));
    }
    let kx_groups = if context.curves.is_empty() {
        vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1]
    } else {
        context.curves.iter().map(|curve| group(*curve)).collect()
    };
    Arc::new(CryptoProvider {
        cipher_suites,
        kx_groups,
        ..default_provider()
    })
}

/// Those of TLS 1.2, the cheapest of the safe ones first.
const OLDER: [CipherSuite; 6] = [
    CipherSuite::EcdheEcdsaAes128GcmSha256,
    CipherSuite::EcdheRsaAes128GcmSha256,
    CipherSuite::EcdheEcdsaAes256GcmSha384,
    CipherSuite::EcdheRsaAes256GcmSha384,
    CipherSuite::EcdheEcdsaChacha20Poly1305,
    CipherSuite::EcdheRsaChacha20Poly1305,
];

fn older(suite: CipherSuite) -> SupportedCipherSuite {
    use CipherSuite as C;
    match suite {
        C::EcdheEcdsaAes128GcmSha256 => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        C::EcdheEcdsaAes256GcmSha384 => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        C::EcdheEcdsaChacha20Poly1305 => {
            cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        }
        C::EcdheRsaAes128GcmSha256 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        C::EcdheRsaAes256GcmSha384 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        C::EcdheRsaChacha20Poly1305 => cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    }
}

fn group(curve: Curve) -> &'static dyn SupportedKxGroup {
    match curve {
        Curve::X25519 => kx_group::X25519,
        Curve::P256 => kx_group::SECP256R1,
        Curve::P384 => kx_group::SECP384R1,
        Curve::X25519MlKem768 => kx_group::X25519MLKEM768,
    }
}

/// The versions that a context allows.
pub(super) fn versions(context: &CommonTls) -> Vec<&'static SupportedProtocolVersion> {
    let allowed = context.min_version..=context.max_version;
    let all = [
        (TlsVersion::V1_3, &rustls::version::TLS13),
        (TlsVersion::V1_2, &rustls::version::TLS12),
    ];
    let wanted = all.into_iter().filter(|(v, _)| allowed.contains(v));
    wanted.map(|(_, version)| version).collect()
}

/// The version agreed on, as logs have it.
pub(super) fn version_name(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_2) => TlsVersion::V1_2.as_str(),
        Some(ProtocolVersion::TLSv1_3) => TlsVersion::V1_3.as_str(),
        _ => "",
    }
}

/// The cipher suite agreed on, by OpenSSL's name.
pub(super) fn cipher_name(suite: Option<SupportedCipherSuite>) -> &'static str {
    match suite.map(|suite| suite.suite()) {
        Some(Suite::TLS13_AES_128_GCM_SHA256) => "TLS_AES_128_GCM_SHA256",
        Some(Suite::TLS13_AES_256_GCM_SHA384) => "TLS_AES_256_GCM_SHA384",
        Some(Suite::TLS13_CHACHA20_POLY1305_SHA256) => "TLS_CHACHA20_POLY1305_SHA256",
        Some(Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) => "ECDHE-ECDSA-AES128-GCM-SHA256",
        Some(Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384) => "ECDHE-ECDSA-AES256-GCM-SHA384",
        Some(Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256) => {
            "ECDHE-ECDSA-CHACHA20-POLY1305"
        }
        Some(Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256) => "ECDHE-RSA-AES128-GCM-SHA256",
        Some(Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) => "ECDHE-RSA-AES256-GCM-SHA384",
        Some(Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256) => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => "",
    }
}
