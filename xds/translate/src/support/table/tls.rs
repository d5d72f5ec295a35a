//! TLS contexts and secrets.

use crate::support::area::{Area, types};

pub(super) const AREA: Area = Area {
    title: "TLS",
    types: types! {
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext" {
            common_tls_context, require_client_certificate, disable_stateless_session_resumption,
            disable_stateful_session_resumption, prefer_client_ciphers,
        }
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext" {
            common_tls_context, sni, auto_host_sni, auto_sni_san_validation, max_session_keys;
            enforce_rsa_key_usage: "no key is exchanged by RSA",
        }
        "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext" {
            tls_params, tls_certificates, tls_certificate_sds_secret_configs, validation_context,
            validation_context_sds_secret_config, combined_validation_context, alpn_protocols,
        }
        "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext" {
            default_validation_context, validation_context_sds_secret_config,
        }
        "envoy.extensions.transport_sockets.tls.v3.TlsParameters" {
            tls_minimum_protocol_version = TLS_AUTO | TLSv1_2 | TLSv1_3,
            tls_maximum_protocol_version = TLS_AUTO | TLSv1_2 | TLSv1_3,
            cipher_suites, ecdh_curves,
        }
        "envoy.extensions.transport_sockets.tls.v3.TlsCertificate" {
            certificate_chain, private_key, watched_directory,
        }
        "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext" {
            trusted_ca, crl, watched_directory, match_typed_subject_alt_names,
            match_subject_alt_names, verify_certificate_hash, verify_certificate_spki,
            allow_expired_certificate, trust_chain_verification, only_verify_leaf_cert_crl,
            max_verify_depth,
        }
        "envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher" {
            san_type = EMAIL | DNS | URI | IP_ADDRESS, matcher,
        }
        "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig" { name, sds_config }
        "envoy.extensions.transport_sockets.tls.v3.Secret" {
            name, tls_certificate, validation_context,
        }
        "envoy.config.core.v3.WatchedDirectory" { path }
    },
};
