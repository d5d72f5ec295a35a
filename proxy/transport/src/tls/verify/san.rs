//! Conditions on alternative names.

use std::sync::Arc;

use tandem_core::ext::Certificate;
use tandem_model::matching::StringMatch;
use tandem_model::tls::{SanKind, SanMatcher};

/// Whether a certificate's names are taken: there are no conditions on them, or they meet one.
pub(in crate::tls) fn are_taken(rules: &[SanMatcher], certificate: &Certificate) -> bool {
    rules.is_empty() || rules.iter().any(|rule| matches(rule, certificate))
}

/// Whether one of the names meets the condition.
fn matches(matcher: &SanMatcher, certificate: &Certificate) -> bool {
    let names: &[Arc<str>] = match matcher.kind {
        SanKind::Dns => &certificate.dns,
        SanKind::Uri => &certificate.uris,
        SanKind::Email => &certificate.emails,
        SanKind::Ip => &certificate.ips,
    };
    names.iter().any(|name| match &matcher.matcher.matches {
        StringMatch::Exact(wanted) if matcher.kind == SanKind::Dns => dns_matches(name, wanted),
        _ => matcher.matcher.matches(name),
    })
}

/// Whether a certificate's host name, which may begin with a wildcard, is that of `host`.
///
/// A wildcard stands for one label, or the end of one's beginning (`a*.example.com`), never for
/// the whole of a name that has no other label, and never inside an internationalised one.
pub(super) fn dns_matches(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some((pattern_label, pattern_rest)) = pattern.split_once('.') else {
        return false;
    };
    let Some((label, rest)) = host.split_once('.') else {
        return false;
    };
    let Some((head, tail)) = pattern_label.split_once('*') else {
        return false;
    };
    let plain = !tail.contains('*') && !pattern_rest.contains('*');
    let international = [pattern_label, label].iter().any(|label| {
        label
            .get(..4)
            .is_some_and(|p| p.eq_ignore_ascii_case("xn--"))
    });
    let fits = || {
        label.len() >= (head.len() + tail.len()).max(1)
            && label.as_bytes()[..head.len()].eq_ignore_ascii_case(head.as_bytes())
            && label.as_bytes()[label.len() - tail.len()..].eq_ignore_ascii_case(tail.as_bytes())
    };
    plain
        && pattern_rest.contains('.')
        && pattern_rest.eq_ignore_ascii_case(rest)
        && (pattern_label == "*" || !international)
        && fits()
}
