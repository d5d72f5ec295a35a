//! Writing times (UTC).

use std::cell::RefCell;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use tandem_model::format::{TimeFormat, TimePiece};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A moment in civil terms.
struct Civil {
    epoch: u64,
    nanos: u32,
    year: i64,
    month: u32,
    day: u32,
    day_of_year: u32,
    weekday: u32,
    hour: u64,
    minute: u64,
    second: u64,
}

/// Appends a time; without a format as `2026-01-31T23:59:59.123Z`.
pub fn write(format: Option<&TimeFormat>, time: SystemTime, out: &mut Vec<u8>) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (epoch, nanos) = (since.as_secs(), since.subsec_nanos());
    match format {
        None => {
            write_second(epoch, out);
            let _ = write!(out, ".{:03}Z", nanos / 1_000_000);
        }
        Some(format) => {
            let civil = civil(epoch, nanos);
            for piece in &format.pieces {
                write_piece(piece, &civil, out);
            }
        }
    }
}

/// The part that is the same for a whole second is kept per thread: a busy worker writes
/// thousands of lines in it.
fn write_second(epoch: u64, out: &mut Vec<u8>) {
    thread_local! {
        static LAST: RefCell<(u64, Vec<u8>)> = const { RefCell::new((u64::MAX, Vec::new())) };
    }
    LAST.with_borrow_mut(|(second, text)| {
        if *second != epoch {
            let c = civil(epoch, 0);
            text.clear();
            let _ = write!(
                text,
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                c.year, c.month, c.day, c.hour, c.minute, c.second
            );
            *second = epoch;
        }
        out.extend_from_slice(text);
    });
}

fn write_piece(piece: &TimePiece, c: &Civil, out: &mut Vec<u8>) {
    use TimePiece as P;
    let month = MONTHS
        .get(c.month as usize - 1)
        .copied()
        .unwrap_or_default();
    let weekday = DAYS.get(c.weekday as usize).copied().unwrap_or_default();
    let hour12 = (c.hour + 11) % 12 + 1;
    let fraction = || format!("{:09}", c.nanos);
    let _ = match piece {
        P::Literal(text) => write!(out, "{text}"),
        P::Year => write!(out, "{}", c.year),
        P::ShortYear => write!(out, "{:02}", c.year.rem_euclid(100)),
        P::Century => write!(out, "{:02}", c.year / 100),
        P::Month => write!(out, "{:02}", c.month),
        P::MonthName => write!(out, "{}", &month[..3]),
        P::MonthFullName => write!(out, "{month}"),
        P::Day => write!(out, "{:02}", c.day),
        P::DayPadded => write!(out, "{:2}", c.day),
        P::DayOfYear => write!(out, "{:03}", c.day_of_year),
        P::WeekdayName => write!(out, "{}", &weekday[..3]),
        P::WeekdayFullName => write!(out, "{weekday}"),
        P::Weekday => write!(out, "{}", if c.weekday == 0 { 7 } else { c.weekday }),
        P::WeekdayFromSunday => write!(out, "{}", c.weekday),
        P::Hour => write!(out, "{:02}", c.hour),
        P::Hour12 => write!(out, "{hour12:02}"),
        P::AmPm => write!(out, "{}", if c.hour < 12 { "AM" } else { "PM" }),
        P::Minute => write!(out, "{:02}", c.minute),
        P::Second => write!(out, "{:02}", c.second),
        P::Epoch => write!(out, "{}", c.epoch),
        P::Fraction(digits) => {
            write!(
                out,
                "{}",
                fraction().get(..usize::from(*digits)).unwrap_or_default()
            )
        }
        P::ShortestFraction { with_seconds } => {
            let fraction = fraction();
            let digits = fraction.trim_end_matches('0');
            match (with_seconds, digits.is_empty()) {
                (true, true) => write!(out, "{:02}", c.second),
                (true, false) => write!(out, "{:02}.{digits}", c.second),
                (false, true) => write!(out, "0"),
                (false, false) => write!(out, "{digits}"),
            }
        }
        P::Offset { colon } => write!(out, "{}", if *colon { "+00:00" } else { "+0000" }),
        P::Zone => write!(out, "UTC"),
    };
}

/// Days to a date (Howard Hinnant's `civil_from_days`).
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "small by then"
)]
#[allow(clippy::cast_sign_loss, reason = "days since 1970 are not negative")]
fn civil(epoch: u64, nanos: u32) -> Civil {
    let days = (epoch / 86_400) as i64;
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = (if mp < 10 { mp + 3 } else { mp - 9 }) as u32;
    let year = yoe + era * 400 + i64::from(month <= 2);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let before = BEFORE.get(month as usize - 1).copied().unwrap_or_default();
    Civil {
        epoch,
        nanos,
        year,
        month,
        day,
        day_of_year: before + day + u32::from(leap && month > 2),
        weekday: ((days + 4) % 7) as u32,
        hour: epoch % 86_400 / 3600,
        minute: epoch % 3600 / 60,
        second: epoch % 60,
    }
}
