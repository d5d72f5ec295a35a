//! Which of several compressors a client gets.

use std::sync::Arc;

use http::HeaderMap;
use tandem_model::filter::compressor::Compressor as Config;

use super::message;

/// A compressor that a request met, and those that it met before: they sit in the request's
/// extensions on the way in, all of them in the response's on the way out.
#[derive(Clone)]
pub(super) struct Offer {
    pub(super) config: Arc<Config>,
    pub(super) before: Option<Offers>,
}

/// The last offer.
pub(super) type Offers = Arc<Offer>;

/// What a client gets, by how that came about; it sits in the response's extensions once it is
/// known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The client names this coding.
    Named(&'static str),
    /// The client takes any: the first that was offered.
    Wildcard(&'static str),
    /// The client wants none.
    Identity,
    /// Nothing fits.
    Nothing,
}

impl Choice {
    pub(super) fn coding(self) -> Option<&'static str> {
        match self {
            Self::Named(coding) | Self::Wildcard(coding) => Some(coding),
            Self::Identity | Self::Nothing => None,
        }
    }
}

/// One coding that is on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    pub(super) name: &'static str,
    pub(super) choose_first: bool,
}

/// The codings of compressors that take a response with this head, in their order.
pub(super) fn codings(offers: &Offers, headers: &HeaderMap) -> Vec<Coding> {
    let mut found: Vec<Coding> = Vec::new();
    let mut next = Some(offers);
    while let Some(offer) = next {
        let config = &offer.config;
        if message::is_type_allowed(&config.response.common, headers) {
            // Of two of one coding, the one that comes first counts.
            let name = config.library.coding();
            found.retain(|coding| coding.name != name);
            found.push(Coding {
                name,
                choose_first: config.choose_first,
            });
        }
        next = offer.before.as_ref();
    }
    found.reverse();
    found
}

/// Chooses one of `offered` by the text of `accept-encoding`.
pub(super) fn choose(accepted: &str, mut offered: Vec<Coding>) -> Choice {
    let tokens = accepted.split(',').filter(|token| !token.is_empty());
    let pairs: Vec<(&str, f32)> = tokens.filter_map(parse).collect();
    for (name, _) in pairs.iter().filter(|(_, quality)| *quality == 0.0) {
        offered.retain(|coding| coding.name != *name);
    }
    if pairs.is_empty() || offered.is_empty() {
        return Choice::Nothing;
    }
    let mut best: Option<(Choice, f32)> = None;
    for (name, quality) in pairs {
        let coding = offered.iter().find(|coding| coding.name == name);
        let choice = match (name, coding) {
            (_, Some(coding)) => Choice::Named(coding.name),
            ("identity", None) => Choice::Identity,
            ("*", None) => Choice::Wildcard(offered[0].name),
            _ => continue,
        };
        let first = coding.is_some_and(|coding| coding.choose_first);
        let than = best.map_or(0.0, |(_, quality)| quality);
        if quality > than || (quality == than && quality > 0.0 && first) {
            best = Some((choice, quality));
        }
    }
    best.map_or(Choice::Nothing, |(choice, _)| choice)
}

/// `gzip;q=0.5`; `None` if the quality is no number.
fn parse(token: &str) -> Option<(&str, f32)> {
    let (name, parameters) = match token.split_once(';') {
        Some((name, parameters)) => (name, Some(parameters)),
        None => (token, None),
    };
    let quality = parameters.and_then(|text| text.split_once('='));
    let quality = match quality {
        Some((key, value)) if key.trim().eq_ignore_ascii_case("q") => value.trim().parse().ok()?,
        _ => 1.0,
    };
    Some((name.trim(), quality))
}
