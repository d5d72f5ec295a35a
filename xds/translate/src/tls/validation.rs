//! How peers are judged (`CertificateValidationContext`).

use std::sync::Arc;

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    self as proto, certificate_validation_context::TrustChainVerification,
    common_tls_context::ValidationContextType, subject_alt_name_matcher::SanType,
};
use tandem_model::tls::{SanKind, SanMatcher, TrustVerification, Validation, ValidationRef};

use super::secret::{by_name, data, directory};
use crate::cx::Cx;
use crate::matcher;

/// A context's rules; the outer `None` if they are wrong.
pub(super) fn reference(
    cx: &Cx<'_>,
    proto: Option<&ValidationContextType>,
) -> Option<Option<ValidationRef>> {
    Some(match proto {
        None => None,
        Some(ValidationContextType::ValidationContext(proto)) => {
            let cx = &cx.field("validation_context");
            let rules = rules(cx, proto)?;
            if let Some(field) = rules.needs_roots() {
                cx.field("trusted_ca").error(format!(
                    "expected roots: without them '{field}' protects nothing"
                ));
                return None;
            }
            Some(ValidationRef::Inline(Arc::new(rules)))
        }
        Some(ValidationContextType::ValidationContextSdsSecretConfig(proto)) => {
            let cx = &cx.field("validation_context_sds_secret_config");
            Some(ValidationRef::Sds(by_name(cx, proto)?))
        }
        Some(ValidationContextType::CombinedValidationContext(proto)) => {
            let cx = &cx.field("combined_validation_context");
            let default = proto.default_validation_context.clone().unwrap_or_default();
            let secret = proto
                .validation_context_sds_secret_config
                .clone()
                .unwrap_or_default();
            Some(ValidationRef::Combined {
                default: Arc::new(rules(&cx.field("default_validation_context"), &default)?),
                secret: by_name(&cx.field("validation_context_sds_secret_config"), &secret)?,
            })
        }
        Some(_) => {
            cx.error("certificate providers are not supported");
            return None;
        }
    })
}

#[allow(
    deprecated,
    reason = "`match_subject_alt_names` is what control planes send"
)]
pub(super) fn rules(
    cx: &Cx<'_>,
    proto: &proto::CertificateValidationContext,
) -> Option<Validation> {
    let source = |field: &str, source: Option<&_>| match source {
        None => Some(None),
        Some(source) => data(&cx.field(field), source).map(Some),
    };
    let field = "match_typed_subject_alt_names";
    let mut sans = cx.each(field, &proto.match_typed_subject_alt_names, typed_san);
    let field = "match_subject_alt_names";
    let untyped = cx.each(field, &proto.match_subject_alt_names, |cx, proto| {
        matcher::string(cx, proto)
    });
    // Without a type all names that are text are meant.
    for matcher in untyped {
        let kinds = [SanKind::Dns, SanKind::Uri, SanKind::Email, SanKind::Ip];
        sans.extend(kinds.map(|kind| SanMatcher {
            kind,
            matcher: matcher.clone(),
        }));
    }
    let pins = |field: &str, pins: &[String], parse: fn(&str) -> Option<[u8; 32]>| {
        cx.each(field, pins, |cx, pin| {
            if parse(pin).is_none() {
                cx.error(format!("expected a SHA-256, got '{pin}'"));
            }
            parse(pin)
        })
    };
    Some(Validation {
        trusted_ca: source("trusted_ca", proto.trusted_ca.as_ref())?,
        crl: source("crl", proto.crl.as_ref())?,
        watched_directory: directory(proto.watched_directory.as_ref()),
        sans,
        hash_pins: pins(
            "verify_certificate_hash",
            &proto.verify_certificate_hash,
            hex,
        ),
        spki_pins: pins(
            "verify_certificate_spki",
            &proto.verify_certificate_spki,
            base64,
        ),
        allow_expired: proto.allow_expired_certificate,
        trust: match proto.trust_chain_verification() {
            TrustChainVerification::VerifyTrustChain => TrustVerification::Verify,
            TrustChainVerification::AcceptUntrusted => TrustVerification::AcceptUntrusted,
        },
        only_verify_leaf_crl: proto.only_verify_leaf_cert_crl,
        max_verify_depth: proto.max_verify_depth.as_ref().map(|depth| depth.value),
    })
}

fn typed_san(cx: &Cx<'_>, proto: &proto::SubjectAltNameMatcher) -> Option<SanMatcher> {
    let kind = match proto.san_type() {
        SanType::Email => SanKind::Email,
        SanType::Dns => SanKind::Dns,
        SanType::Uri => SanKind::Uri,
        SanType::IpAddress => SanKind::Ip,
        SanType::Unspecified | SanType::OtherName => {
            cx.field("san_type")
                .error("expected one of EMAIL, DNS, URI, IP_ADDRESS");
            return None;
        }
    };
    let matcher = matcher::string(&cx.field("matcher"), proto.matcher.as_ref()?)?;
    Some(SanMatcher { kind, matcher })
}

/// Hexadecimal, with or without colons.
fn hex(text: &str) -> Option<[u8; 32]> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let mut hash = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(hash)
}

fn base64(text: &str) -> Option<[u8; 32]> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .ok()?;
    bytes.try_into().ok()
}
