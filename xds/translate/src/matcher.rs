//! Conditions on strings, headers and query parameters.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3 as route;
use envoy_types::pb::envoy::r#type::matcher::v3 as matcher;
use tandem_model::headers::{
    HeaderMatcher, HeaderValueMatch, MatchedHeader, QueryParameterMatcher,
};
use tandem_model::matching::{Regex, StringMatch, StringMatcher};

use crate::cx::Cx;
use crate::value;

pub(crate) fn regex(cx: &Cx<'_>, proto: &matcher::RegexMatcher) -> Option<Regex> {
    cx.field("regex").ok(Regex::new(&proto.regex))
}

/// A pattern and its replacement, from RE2's `\1` to Rust's `${1}`.
pub(crate) fn substitution(
    cx: &Cx<'_>,
    proto: &matcher::RegexMatchAndSubstitute,
) -> Option<(Regex, Arc<str>)> {
    let pattern = regex(&cx.field("pattern"), proto.pattern.as_ref()?)?;
    let cx = &cx.field("substitution");
    let mut out = String::new();
    let mut chars = proto.substitution.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some('\\') => out.push('\\'),
                Some(digit @ '0'..='9') => {
                    let groups = pattern.group_count();
                    if digit.to_digit(10).is_some_and(|d| d as usize > groups) {
                        cx.error(format!("expected a group up to {groups}, got \\{digit}"));
                        return None;
                    }
                    out.push_str(&format!("${{{digit}}}"));
                }
                _ => {
                    cx.error("expected a digit or another backslash behind a backslash");
                    return None;
                }
            },
            c => out.push(c),
        }
    }
    Some((pattern, out.into()))
}

pub(crate) fn string(cx: &Cx<'_>, proto: &matcher::StringMatcher) -> Option<StringMatcher> {
    use matcher::string_matcher::MatchPattern;
    let matches = match proto.match_pattern.as_ref()? {
        MatchPattern::Exact(text) => StringMatch::Exact(text.as_str().into()),
        MatchPattern::Prefix(text) => StringMatch::Prefix(text.as_str().into()),
        MatchPattern::Suffix(text) => StringMatch::Suffix(text.as_str().into()),
        MatchPattern::Contains(text) => StringMatch::Contains(text.as_str().into()),
        MatchPattern::SafeRegex(proto) => {
            StringMatch::Regex(regex(&cx.field("safe_regex"), proto)?)
        }
        MatchPattern::Custom(_) => {
            cx.error("'custom' is not supported");
            return None;
        }
    };
    Some(StringMatcher {
        matches,
        ignore_case: proto.ignore_case,
    })
}

#[allow(deprecated, reason = "Envoy still takes the older forms")]
pub(crate) fn header(cx: &Cx<'_>, proto: &route::HeaderMatcher) -> Option<HeaderMatcher> {
    use route::header_matcher::HeaderMatchSpecifier as Specifier;
    let plain = |matches| {
        Some(HeaderValueMatch::String(StringMatcher {
            matches,
            ignore_case: false,
        }))
    };
    let name = matched_header(&cx.field("name"), &proto.name);
    let value = match &proto.header_match_specifier {
        None => Some(HeaderValueMatch::Present(true)),
        Some(Specifier::PresentMatch(present)) => Some(HeaderValueMatch::Present(*present)),
        Some(Specifier::StringMatch(proto)) => {
            string(&cx.field("string_match"), proto).map(HeaderValueMatch::String)
        }
        Some(Specifier::RangeMatch(range)) => Some(HeaderValueMatch::Range {
            start: range.start,
            end: range.end,
        }),
        Some(Specifier::ExactMatch(text)) => plain(StringMatch::Exact(text.as_str().into())),
        Some(Specifier::PrefixMatch(text)) => plain(StringMatch::Prefix(text.as_str().into())),
        Some(Specifier::SuffixMatch(text)) => plain(StringMatch::Suffix(text.as_str().into())),
        Some(Specifier::ContainsMatch(text)) => plain(StringMatch::Contains(text.as_str().into())),
        Some(Specifier::SafeRegexMatch(proto)) => {
            regex(&cx.field("safe_regex_match"), proto).and_then(|r| plain(StringMatch::Regex(r)))
        }
    };
    Some(HeaderMatcher {
        name: name?,
        value: value?,
        invert: proto.invert_match,
        treat_missing_as_empty: proto.treat_missing_header_as_empty,
    })
}

pub(crate) fn matched_header(cx: &Cx<'_>, name: &str) -> Option<MatchedHeader> {
    Some(match name.to_ascii_lowercase().as_str() {
        ":method" => MatchedHeader::Method,
        ":path" => MatchedHeader::Path,
        // Envoy keeps both under one name
        ":authority" | "host" => MatchedHeader::Authority,
        ":scheme" => MatchedHeader::Scheme,
        _ => MatchedHeader::Name(value::header_name(cx, name)?),
    })
}

pub(crate) fn query_parameter(
    cx: &Cx<'_>,
    proto: &route::QueryParameterMatcher,
) -> Option<QueryParameterMatcher> {
    use route::query_parameter_matcher::QueryParameterMatchSpecifier as Specifier;
    let (value, absent) = match &proto.query_parameter_match_specifier {
        None => (None, false),
        Some(Specifier::PresentMatch(present)) => (None, !present),
        Some(Specifier::StringMatch(proto)) => {
            (Some(string(&cx.field("string_match"), proto)?), false)
        }
    };
    Some(QueryParameterMatcher {
        name: proto.name.as_str().into(),
        value,
        absent,
    })
}
