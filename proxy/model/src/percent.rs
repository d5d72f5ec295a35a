//! Percentages without floating point, so that configuration stays comparable.

/// A share of requests (`type.v3.FractionalPercent`): `numerator` of `denominator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FractionalPercent {
    /// How many …
    pub numerator: u32,
    /// … of how many: 100, 10,000 or 1,000,000.
    pub denominator: u32,
}

impl FractionalPercent {
    /// Everything.
    pub const ALL: Self = Self {
        numerator: 100,
        denominator: 100,
    };
    /// Nothing.
    pub const NONE: Self = Self {
        numerator: 0,
        denominator: 100,
    };

    /// Whether a random number falls within the share (Envoy's `evaluateFractionalPercent`).
    pub fn hit(self, random: u64) -> bool {
        random % u64::from(self.denominator) < u64::from(self.numerator)
    }

    /// In percent.
    pub fn percent(self) -> f64 {
        (f64::from(self.numerator) * 100.0 / f64::from(self.denominator.max(1))).min(100.0)
    }
}

impl std::fmt::Display for FractionalPercent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} %", self.percent())
    }
}

/// A percentage in millionths, for fields that are `double` in the API (`type.v3.Percent`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Percent {
    /// Parts per million: 100 % is 1,000,000.
    pub millionths: u32,
}

impl Percent {
    /// From a percentage such as 12.5; values outside 0 to 100 are clamped.
    pub fn from_f64(percent: f64) -> Self {
        let scaled = (percent.clamp(0.0, 100.0) * 10_000.0).round();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped above"
        )]
        let millionths = scaled as u32;
        Self { millionths }
    }

    /// As a fraction between 0 and 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.millionths) / 1_000_000.0
    }
}
