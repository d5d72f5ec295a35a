//! One value, and what it is when read as a number or a share.

use std::sync::Arc;

use crate::FractionalPercent;

/// A runtime value: text, which those who ask read as what they need.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    text: Arc<str>,
    integer: Option<u64>,
    share: Option<FractionalPercent>,
}

impl Value {
    /// From its text: that of a number, a word, or a share such as
    /// `{numerator: 5, denominator: MILLION}`.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            integer: integer(text),
            share: share(text),
        }
    }

    /// A share.
    pub fn share(share: FractionalPercent) -> Self {
        let denominator = match share.denominator {
            1_000_000 => "MILLION",
            10_000 => "TEN_THOUSAND",
            _ => "HUNDRED",
        };
        let text = format!(
            "{{numerator: {}, denominator: {denominator}}}",
            share.numerator
        );
        Self {
            share: Some(share),
            ..Self::new(&text)
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As a whole number that is not negative.
    pub fn as_integer(&self) -> Option<u64> {
        self.integer
    }

    /// As a share: a whole number is a percentage.
    pub fn as_share(&self) -> Option<FractionalPercent> {
        self.share.or_else(|| {
            let numerator = u32::try_from(self.integer?).unwrap_or(u32::MAX);
            Some(FractionalPercent {
                numerator,
                denominator: 100,
            })
        })
    }
}

impl Value {
    /// As a yes or no: `true` and `false` in any case, and whole numbers, of which 0 is no.
    pub fn as_flag(&self) -> Option<bool> {
        let text = self.text.trim();
        if text.eq_ignore_ascii_case("true") {
            return Some(true);
        }
        if text.eq_ignore_ascii_case("false") {
            return Some(false);
        }
        self.integer.map(|number| number != 0)
    }
}

/// `5`, and `5.0` too, as Envoy reads numbers.
fn integer(text: &str) -> Option<u64> {
    let text = text.trim();
    let whole = match text.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    whole.parse().ok()
}

/// `{numerator: 5, denominator: MILLION}`, with or without quotes.
fn share(text: &str) -> Option<FractionalPercent> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let (mut numerator, mut denominator) = (None, 100);
    for field in inner.split(',') {
        let (name, value) = field.split_once(':')?;
        let unquoted = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
        match (unquoted(name).as_str(), unquoted(value).as_str()) {
            ("numerator", number) => numerator = number.parse().ok(),
            ("denominator", "HUNDRED" | "0") => denominator = 100,
            ("denominator", "TEN_THOUSAND" | "1") => denominator = 10_000,
            ("denominator", "MILLION" | "2") => denominator = 1_000_000,
            _ => return None,
        }
    }
    Some(FractionalPercent {
        numerator: numerator?,
        denominator,
    })
}
