//! What a certificate says, for logs, headers and rules.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use tandem_core::ext::Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::time::ASN1Time;

use super::name;

/// Reads a chain, the leaf first; `None` if the leaf is not a certificate.
pub(crate) fn read<'a>(
    chain: impl IntoIterator<Item = &'a CertificateDer<'a>>,
) -> Option<Certificate> {
    let chain: Vec<Bytes> = chain
        .into_iter()
        .map(|one| Bytes::copy_from_slice(one))
        .collect();
    let leaf = chain.first()?;
    let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
    let mut facts = Certificate {
        subject: name::rfc2253(parsed.subject()).into(),
        issuer: name::rfc2253(parsed.issuer()).into(),
        serial: hex(significant(parsed.raw_serial())).into(),
        not_before: time(parsed.validity().not_before),
        not_after: time(parsed.validity().not_after),
        ..Certificate::default()
    };
    if let Ok(Some(names)) = parsed.subject_alternative_name() {
        for name in &names.value.general_names {
            add(&mut facts, name);
        }
    }
    facts.sha256 = hash(&digest::SHA256, leaf);
    facts.sha1 = hash(&digest::SHA1_FOR_LEGACY_USE_ONLY, leaf);
    facts.chain = chain;
    Some(facts)
}

fn add(facts: &mut Certificate, name: &GeneralName<'_>) {
    let text = |text: &str| is_plain(text).then(|| Arc::from(text));
    match name {
        GeneralName::URI(uri) => facts.uris.extend(text(uri)),
        GeneralName::DNSName(dns) => facts.dns.extend(text(dns)),
        GeneralName::RFC822Name(email) => facts.emails.extend(text(email)),
        GeneralName::IPAddress(bytes) => {
            let ip = match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok().map(IpAddr::from),
                16 => <[u8; 16]>::try_from(*bytes).ok().map(IpAddr::from),
                _ => None,
            };
            facts.ips.extend(ip.map(|ip| Arc::from(ip.to_string())));
        }
        _ => {}
    }
}

/// The hosts that a certificate is for: its DNS names; its common name, if it has no alternative
/// names of any kind.
pub(super) fn hosts(facts: &Certificate) -> Vec<Arc<str>> {
    let leaf = facts.chain.first();
    let parsed = leaf.and_then(|leaf| X509Certificate::from_der(leaf).ok());
    let Some((_, parsed)) = parsed else {
        return facts.dns.clone();
    };
    match parsed.subject_alternative_name() {
        Ok(None) => {
            let first = parsed.subject().iter_common_name().next();
            let name = first.and_then(|name| name.as_str().ok());
            name.map(Arc::from).into_iter().collect()
        }
        _ => facts.dns.clone(),
    }
}

/// All alternative names that are text, in the certificate's order.
pub(super) fn names(der: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    if let Ok((_, parsed)) = X509Certificate::from_der(der)
        && let Ok(Some(names)) = parsed.subject_alternative_name()
    {
        for name in &names.value.general_names {
            let mut one = Certificate::default();
            add(&mut one, name);
            let lists = [one.uris, one.dns, one.emails, one.ips];
            all.extend(lists.into_iter().flatten().map(|name| name.to_string()));
        }
    }
    all
}

/// A name with a control character in it is nobody's name: what a rule reads up to a NUL, and
/// what it reads behind it, would be two different identities.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// The hash of a public key, as pins have it.
pub(super) fn spki_sha256(der: &[u8]) -> Option<[u8; 32]> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    Some(hash(&digest::SHA256, parsed.public_key().raw))
}

/// Between which times a certificate is valid, in seconds since 1970.
pub(super) fn validity(der: &[u8]) -> Option<(i64, i64)> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let validity = parsed.validity();
    Some((
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    ))
}

/// Whether a certificate names itself as its issuer.
pub(super) fn is_self_issued(der: &[u8]) -> bool {
    X509Certificate::from_der(der)
        .is_ok_and(|(_, parsed)| parsed.subject().as_raw() == parsed.issuer().as_raw())
}

/// Whether a certificate's key may sign revocation lists: unless its uses are named without it.
pub(super) fn may_sign_lists(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, parsed)| {
        let usage = parsed.key_usage();
        usage.is_ok_and(|usage| usage.is_none_or(|usage| usage.value.crl_sign()))
    })
}

fn hash<const N: usize>(algorithm: &'static digest::Algorithm, bytes: &[u8]) -> [u8; N] {
    let digest = digest::digest(algorithm, bytes);
    digest.as_ref().try_into().unwrap_or([0; N])
}

fn time(time: ASN1Time) -> Option<SystemTime> {
    let seconds = u64::try_from(time.timestamp()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Without the zero that keeps a positive number positive.
fn significant(serial: &[u8]) -> &[u8] {
    match serial {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
