//! The judgement of a peer's certificate: chain, alternative names, pins.

use rustls::CertificateError;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tandem_core::ext::Certificate;
use tandem_model::tls::TrustVerification;
use webpki::{
    EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::{Trust, san, words};
use crate::tls::certificate;

/// Which check a certificate failed, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tls) enum Failed {
    /// The chain.
    Chain,
    /// The alternative names.
    Names,
    /// The pins.
    Pins,
}

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) failed: Failed,
    /// Envoy's words for it.
    pub(super) words: String,
    /// What decides which alert the peer gets.
    pub(super) error: CertificateError,
}

/// The peer's chain.
pub(super) struct Shown<'a> {
    pub(super) leaf: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) facts: &'a Certificate,
    /// The name that it must be for, if it must be for one.
    pub(super) name: Option<&'a ServerName<'a>>,
    pub(super) now: UnixTime,
}

impl<'a> Shown<'a> {
    /// The chain with all that may be between it and a root.
    pub(super) fn chain<'b>(&self, trust: &'b Trust) -> Vec<&'b CertificateDer<'b>>
    where
        'a: 'b,
    {
        let first = std::iter::once(self.leaf).chain(self.intermediates);
        first.chain(&trust.between).collect()
    }
}

/// Judges; whether anything was checked at all, and passed.
pub(super) fn judge(
    trust: &Trust,
    usage: KeyUsage,
    algorithms: &WebPkiSupportedAlgorithms,
    shown: &Shown<'_>,
) -> Result<bool, Refusal> {
    match judged(trust, usage, algorithms, shown) {
        Err(_) if trust.rules.trust == TrustVerification::AcceptUntrusted => Ok(false),
        other => other,
    }
}

fn judged(
    trust: &Trust,
    usage: KeyUsage,
    algorithms: &WebPkiSupportedAlgorithms,
    shown: &Shown<'_>,
) -> Result<bool, Refusal> {
    let rules = &trust.rules;
    let mut checked = false;
    if !trust.anchors.is_empty() || !trust.between.is_empty() {
        chain(trust, usage, algorithms, shown)?;
        checked = true;
    }
    let is_pinned = !rules.hash_pins.is_empty() || !rules.spki_pins.is_empty();
    if let Some(name) = shown.name {
        // Anybody can put the name into a certificate of their own.
        if !checked && !is_pinned {
            return Err(refusal(Failed::Chain, ""));
        }
        let is_for = match name {
            ServerName::DnsName(host) => {
                let names = &shown.facts.dns;
                names.iter().any(|dns| san::dns_matches(dns, host.as_ref()))
            }
            ServerName::IpAddress(ip) => {
                let ip = std::net::IpAddr::from(*ip).to_string();
                shown.facts.ips.iter().any(|other| **other == *ip)
            }
            _ => false,
        };
        if !is_for {
            let (wanted, names) = (name.to_str(), certificate::names(shown.leaf).join(", "));
            let words =
                format!("verify SAN list, expected SANs: [{wanted}], certificate SANs: [{names}]");
            return Err(refusal(Failed::Names, &words));
        }
        checked = true;
    }
    if !rules.sans.is_empty() {
        if !san::are_taken(&rules.sans, shown.facts) {
            let names = certificate::names(shown.leaf).join(", ");
            let words = format!("SAN matcher, certificate SANs are [{names}]");
            return Err(refusal(Failed::Names, &words));
        }
        checked = true;
    }
    if is_pinned {
        let pinned = rules.hash_pins.contains(&shown.facts.sha256)
            || certificate::spki_sha256(shown.leaf)
                .is_some_and(|hash| rules.spki_pins.contains(&hash));
        if !pinned {
            return Err(refusal(Failed::Pins, "cert hash and spki"));
        }
        checked = true;
    }
    Ok(checked)
}

fn refusal(failed: Failed, words: &str) -> Refusal {
    Refusal {
        failed,
        words: words.to_owned(),
        error: CertificateError::Other(rustls::OtherError(std::sync::Arc::new(
            crate::tls::Error::new("the certificate is not one of those asked for"),
        ))),
    }
}

fn chain(
    trust: &Trust,
    usage: KeyUsage,
    algorithms: &WebPkiSupportedAlgorithms,
    shown: &Shown<'_>,
) -> Result<(), Refusal> {
    let refused = |error: webpki::Error| Refusal {
        failed: Failed::Chain,
        words: words::of_chain(&error, shown, trust),
        error: words::to_rustls(&error),
    };
    // A certificate that is itself a root needs no path to one, unless somebody has to be asked
    // whether it is revoked.
    let roots = trust.roots.iter().filter(|_| trust.lists.is_empty());
    let own = roots.into_iter().find(|(root, _)| root == shown.leaf);
    if let Some((_, validity)) = own {
        return in_time(trust, *validity, shown.now).map_err(refused);
    }
    let leaf = EndEntityCert::try_from(shown.leaf).map_err(refused)?;
    let mut now = shown.now;
    // Time can be looked at, not ignored: a certificate that has expired is looked at as of its
    // last second, and then the next one of the chain.
    for _ in 0..=shown.intermediates.len() + 1 {
        match path(trust, usage, algorithms, shown, &leaf, now) {
            Err(webpki::Error::CertExpired { not_after, .. }) if trust.rules.allow_expired => {
                now = not_after;
            }
            other => return other.map_err(refused),
        }
    }
    Err(refused(webpki::Error::UnknownIssuer))
}

fn path(
    trust: &Trust,
    usage: KeyUsage,
    algorithms: &WebPkiSupportedAlgorithms,
    shown: &Shown<'_>,
    leaf: &EndEntityCert<'_>,
    now: UnixTime,
) -> Result<(), webpki::Error> {
    // Lists are of today, whatever day certificates are looked at as of. Envoy takes lists that
    // are late or early as well where certificates may have expired; but that a certificate is
    // old says nothing for a list that knows nothing of the last revocations.
    let lists = match trust.lists.is_empty() {
        true => Vec::new(),
        false => trust.lists.of(&shown.chain(trust), shown.now),
    };
    let verify_path = |path: &webpki::VerifiedPath<'_>| {
        let place = trust
            .anchors
            .iter()
            .position(|a| std::ptr::eq(a, path.anchor()));
        if let Some((root, validity)) = place.and_then(|place| trust.roots.get(place)) {
            in_time(trust, *validity, now)?;
            by_lists(trust, root, shown, path)?;
        }
        let between = path.intermediate_certificates().count();
        match trust.rules.max_verify_depth {
            Some(most) if between > most as usize => Err(webpki::Error::MaximumPathDepthExceeded),
            _ => Ok(()),
        }
    };
    let joined;
    let intermediates = match trust.between.is_empty() {
        true => shown.intermediates,
        false => {
            joined = [shown.intermediates, &trust.between].concat();
            &joined
        }
    };
    leaf.verify_for_usage(
        algorithms.all,
        &trust.anchors,
        intermediates,
        now,
        usage,
        revocation(trust, &lists),
        Some(&verify_path),
    )?;
    // Without lists that count, the path builder was asked for none.
    if lists.is_empty() && !trust.lists.is_empty() {
        return Err(webpki::Error::UnknownRevocationStatus);
    }
    Ok(())
}

/// Roots are taken without a look at the clock by the path builder.
fn in_time(trust: &Trust, (from, to): (i64, i64), now: UnixTime) -> Result<(), webpki::Error> {
    let time = |seconds: i64| {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    };
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if seconds < from {
        return Err(webpki::Error::CertNotValidYet {
            time: now,
            not_before: time(from),
        });
    }
    if seconds > to && !trust.rules.allow_expired {
        return Err(webpki::Error::CertExpired {
            time: now,
            not_after: time(to),
        });
    }
    Ok(())
}

/// What the path builder does not look at, since it trusts roots without a question: that a root
/// is in its own list, and that it may not sign lists.
fn by_lists(
    trust: &Trust,
    root: &CertificateDer<'_>,
    shown: &Shown<'_>,
    path: &webpki::VerifiedPath<'_>,
) -> Result<(), webpki::Error> {
    if trust.lists.is_empty() {
        return Ok(());
    }
    let whole = !trust.rules.only_verify_leaf_crl;
    if whole && trust.lists.revokes(root, shown.now) {
        return Err(webpki::Error::CertRevoked);
    }
    let signs = whole || path.intermediate_certificates().next().is_none();
    match signs && !certificate::may_sign_lists(root) {
        true => Err(webpki::Error::IssuerNotCrlSigner),
        false => Ok(()),
    }
}

fn revocation<'a>(
    trust: &Trust,
    lists: &'a [&'a webpki::CertRevocationList<'a>],
) -> Option<RevocationOptions<'a>> {
    let depth = if trust.rules.only_verify_leaf_crl {
        RevocationCheckDepth::EndEntity
    } else {
        RevocationCheckDepth::Chain
    };
    let options = RevocationOptionsBuilder::new(lists).ok()?;
    Some(
        options
            .with_depth(depth)
            .with_status_policy(UnknownStatusPolicy::Deny)
            // Those out of time are not among them.
            .with_expiration_policy(ExpirationPolicy::Ignore)
            .build(),
    )
}
