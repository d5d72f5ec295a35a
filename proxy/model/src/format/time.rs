//! Time formats: `strftime` with Envoy's and Abseil's fractions.

/// A parsed time format; times are UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat {
    /// Text and fields, in order.
    pub pieces: Vec<TimePiece>,
}

/// A piece of a time format.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TimePiece {
    /// Text as it is.
    Literal(Box<str>),
    /// `%Y`.
    Year,
    /// `%y`.
    ShortYear,
    /// `%C`.
    Century,
    /// `%m`.
    Month,
    /// `%b`, `%h`.
    MonthName,
    /// `%B`.
    MonthFullName,
    /// `%d`.
    Day,
    /// `%e`: padded with a space.
    DayPadded,
    /// `%j`.
    DayOfYear,
    /// `%a`.
    WeekdayName,
    /// `%A`.
    WeekdayFullName,
    /// `%u`: Monday is 1.
    Weekday,
    /// `%w`: Sunday is 0.
    WeekdayFromSunday,
    /// `%H`.
    Hour,
    /// `%I`.
    Hour12,
    /// `%p`.
    AmPm,
    /// `%M`.
    Minute,
    /// `%S`.
    Second,
    /// `%s`: seconds since 1970.
    Epoch,
    /// `%f`, `%1f` … `%9f`: so many digits of the fraction.
    Fraction(u8),
    /// `%E*S`, `%E*f`: the fraction without trailing zeros; with the seconds before it or not.
    ShortestFraction {
        /// Whether it is `%E*S`.
        with_seconds: bool,
    },
    /// `%z`; with `%Ez` a colon stands in it.
    Offset {
        /// `+00:00` instead of `+0000`.
        colon: bool,
    },
    /// `%Z`.
    Zone,
}

impl TimeFormat {
    /// Parses a pattern. What is not a conversion is printed as it is, as `strftime` does.
    pub fn parse(pattern: &str) -> Self {
        let mut out = Builder::default();
        let mut rest = pattern;
        while let Some(at) = rest.find('%') {
            out.text(&rest[..at]);
            rest = out.conversion(&rest[at..]);
        }
        out.text(rest);
        Self { pieces: out.pieces }
    }
}

#[derive(Default)]
struct Builder {
    pieces: Vec<TimePiece>,
}

impl Builder {
    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(TimePiece::Literal(last)) = self.pieces.last_mut() {
            *last = format!("{last}{text}").into();
        } else {
            self.pieces.push(TimePiece::Literal(text.into()));
        }
    }

    fn all(&mut self, pattern: &str) {
        self.pieces.extend(TimeFormat::parse(pattern).pieces);
    }

    /// Takes one conversion from the front of `text`, which starts with `%`.
    fn conversion<'a>(&mut self, text: &'a str) -> &'a str {
        use TimePiece as P;
        let mut chars = text.char_indices().skip(1);
        let Some((_, first)) = chars.next() else {
            self.text(text);
            return "";
        };
        let mut end = 1 + first.len_utf8();
        let piece = match first {
            'Y' => P::Year,
            'y' => P::ShortYear,
            'C' => P::Century,
            'm' => P::Month,
            'b' | 'h' => P::MonthName,
            'B' => P::MonthFullName,
            'd' => P::Day,
            'e' => P::DayPadded,
            'j' => P::DayOfYear,
            'a' => P::WeekdayName,
            'A' => P::WeekdayFullName,
            'u' => P::Weekday,
            'w' => P::WeekdayFromSunday,
            'H' => P::Hour,
            'I' => P::Hour12,
            'p' => P::AmPm,
            'M' => P::Minute,
            'S' => P::Second,
            's' => P::Epoch,
            'f' => P::Fraction(9),
            'z' => P::Offset { colon: false },
            'Z' => P::Zone,
            'F' | 'T' | 'D' | 'R' | 'c' | 'x' | 'X' | 'r' | 'n' | 't' | '%' => {
                match first {
                    'F' => self.all("%Y-%m-%d"),
                    'T' | 'X' => self.all("%H:%M:%S"),
                    'D' | 'x' => self.all("%m/%d/%y"),
                    'R' => self.all("%H:%M"),
                    'r' => self.all("%I:%M:%S %p"),
                    'c' => self.all("%a %b %e %H:%M:%S %Y"),
                    'n' => self.text("\n"),
                    't' => self.text("\t"),
                    _ => self.text("%"),
                }
                return &text[end..];
            }
            '1'..='9' if text[end..].starts_with('f') => {
                end += 1;
                P::Fraction(digit(first))
            }
            'E' => match extended(&text[end..]) {
                Some((pieces, length)) => {
                    self.pieces.extend(pieces);
                    return &text[end + length..];
                }
                None => {
                    self.text(&text[..end]);
                    return &text[end..];
                }
            },
            _ => {
                self.text(&text[..end]);
                return &text[end..];
            }
        };
        self.pieces.push(piece);
        &text[end..]
    }
}

/// What follows `%E`: its pieces and its length.
fn extended(text: &str) -> Option<(Vec<TimePiece>, usize)> {
    use TimePiece as P;
    let mut chars = text.chars();
    let first = chars.next()?;
    let second = chars.next();
    Some(match (first, second) {
        ('z', _) => (vec![P::Offset { colon: true }], 1),
        ('4', Some('Y')) => (vec![P::Year], 2),
        ('*', Some('z')) => (vec![P::Offset { colon: true }, P::Literal(":00".into())], 2),
        ('*', Some('S')) => (vec![P::ShortestFraction { with_seconds: true }], 2),
        ('*', Some('f')) => (
            vec![P::ShortestFraction {
                with_seconds: false,
            }],
            2,
        ),
        ('0', Some('S')) => (vec![P::Second], 2),
        ('1'..='9', Some('S')) => (
            vec![P::Second, P::Literal(".".into()), P::Fraction(digit(first))],
            2,
        ),
        ('1'..='9', Some('f')) => (vec![P::Fraction(digit(first))], 2),
        _ => return None,
    })
}

fn digit(c: char) -> u8 {
    u8::try_from(c.to_digit(10).unwrap_or(0)).unwrap_or(0)
}
