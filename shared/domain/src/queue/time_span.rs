//! Spans of time as callers write them: a whole number and a unit.

use std::time::Duration;

/// The spellings of each unit, and its length in seconds.
const UNITS: [(&[&str], u64); 4] = [
    (&["s", "sec", "secs", "second", "seconds"], 1),
    (&["m", "min", "mins", "minute", "minutes"], 60),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600),
    (&["d", "day", "days"], 24 * 3_600),
];
/// The most digits of the number. Every such span in days fits in a [`Duration`].
const DIGITS_MAX: usize = 9;

/// The units as an error lists them.
pub(super) const UNITS_LISTED: &str =
    "s, sec, second, m, min, minute, h, hr, hour, d or day, in the singular or the plural";

/// Reads a whole number, at most one space, and a unit in any case: `10m`, `10 minutes`. Returns `None` for any other
/// text.
pub(super) fn parse_span(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if !(1..=DIGITS_MAX).contains(&digits) {
        return None;
    }
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, seconds) = UNITS
        .iter()
        .find(|(spellings, _)| spellings.iter().any(|spelling| unit.eq_ignore_ascii_case(spelling)))?;
    let number: u64 = number.parse().ok()?;
    Some(Duration::from_secs(number.checked_mul(*seconds)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_and_a_unit_are_a_span() {
        for (text, seconds) in [
            ("1s", 1),
            ("0 sec", 0),
            ("90secs", 90),
            ("1 second", 1),
            ("2 seconds", 2),
            ("10m", 600),
            ("10 min", 600),
            ("10mins", 600),
            ("1 Minute", 60),
            ("2 MINUTES", 120),
            ("2h", 7_200),
            ("2hr", 7_200),
            ("2 hrs", 7_200),
            ("1 hour", 3_600),
            ("24 hours", 86_400),
            ("3d", 259_200),
            ("1day", 86_400),
            ("007 days", 604_800),
        ] {
            assert_eq!(parse_span(text), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_span() {
        for text in [
            "",
            " ",
            "m",
            "10",
            "10 ",
            " 10m",
            "10m ",
            "10  m",
            "-1m",
            "+1m",
            "1.5h",
            "1,5h",
            "1h30m",
            "1 week",
            "1 month",
            "1 y",
            "10 M M",
            "an hour",
            "1000000000s",
            "１m",
            "1\u{a0}m",
            "1ſ",
            "10ms",
        ] {
            assert_eq!(parse_span(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", digits in "[0-9]{0,30} ?[a-z]{0,6}") {
            let _ = (parse_span(&text), parse_span(&digits));
        }
    }
}
