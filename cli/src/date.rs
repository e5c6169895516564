//! A day on the command line: a date, or a number of days from today.

use jiff::Span;
use jiff::civil::Date;

/// A day on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Day {
    Date(Date),
    /// A number of days from today: before it or after it, as the option says.
    Days(u16),
}

impl Day {
    /// Returns the date, if days are counted back from today.
    pub(crate) fn ago(self, today: Date) -> Date {
        match self {
            Self::Date(date) => date,
            Self::Days(days) => today.checked_sub(Span::new().days(days)).unwrap_or(Date::MIN),
        }
    }

    /// Returns the date, if days are counted on from today.
    pub(crate) fn ahead(self, today: Date) -> Date {
        match self {
            Self::Date(date) => date,
            Self::Days(days) => today.checked_add(Span::new().days(days)).unwrap_or(Date::MAX),
        }
    }
}

/// Parses a day: a date such as `2026-01-31`, or a number of days such as `14d`.
///
/// # Errors
/// The message for a text that is neither.
pub(crate) fn parse_day(text: &str) -> Result<Day, String> {
    let days = text.strip_suffix('d');
    let days = days.filter(|days| days.bytes().all(|byte| byte.is_ascii_digit()));
    let day = match days {
        Some(days) => days.parse().map(Day::Days).ok(),
        None => text.parse().map(Day::Date).ok(),
    };
    day.ok_or_else(|| "a day has the form 2026-01-31 and must exist, or is a number of days, such as 14d".to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_day_is_a_date_or_a_number_of_days_from_today() {
        let today = date(2026, 3, 31);
        for (text, ago, ahead) in [
            ("2026-01-31", date(2026, 1, 31), date(2026, 1, 31)),
            ("14d", date(2026, 3, 17), date(2026, 4, 14)),
            ("0d", today, today),
        ] {
            let day = parse_day(text).unwrap();
            assert_eq!((day.ago(today), day.ahead(today)), (ago, ahead), "{text}");
        }
    }

    #[test]
    fn rejects_everything_else() {
        for wrong in [
            "yesterday",
            "2026-02-30",
            "",
            "d",
            "-1d",
            "+1d",
            "14",
            "14h",
            "65536d",
            "1.5d",
        ] {
            assert!(parse_day(wrong).unwrap_err().contains("14d"), "{wrong}");
        }
    }
}
