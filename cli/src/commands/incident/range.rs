//! The days that a report is about, in UTC.

use aws::MARK_KEPT_DAYS;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Some days (UTC), one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub since: Date,
    /// The last.
    pub until: Date,
}

/// Why some days cannot be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRange {
    /// They end before they begin.
    #[error("--since {since} is later than the last day, {until}")]
    Backwards {
        /// The first.
        since: Date,
        /// The last.
        until: Date,
    },
    /// They are not yet.
    #[error("--until {until} is later than today, {today} in UTC")]
    Future {
        /// The last.
        until: Date,
        /// Today.
        today: Date,
    },
    /// Their marks are gone.
    #[error("bounces and complaints are on record for {MARK_KEPT_DAYS} days: the first day may be {oldest} or later")]
    TooOld {
        /// The first day that is on record.
        oldest: Date,
    },
}

impl Range {
    /// The days from `since` to `until`, or the last so many.
    ///
    /// # Errors
    /// [`BadRange`] if these are no days that are on record.
    pub fn new(days: u16, since: Option<Date>, until: Option<Date>, now: Timestamp) -> Result<Self, BadRange> {
        let today = day_of(now);
        let until = until.unwrap_or(today);
        let since = since.unwrap_or_else(|| before(until, days.saturating_sub(1)));
        let oldest = before(today, MARK_KEPT_DAYS);
        if until > today {
            return Err(BadRange::Future { until, today });
        }
        if since > until {
            return Err(BadRange::Backwards { since, until });
        }
        if since < oldest {
            return Err(BadRange::TooOld { oldest });
        }
        Ok(Self { since, until })
    }

    /// The days, the oldest first.
    pub(super) fn days(self) -> impl Iterator<Item = Date> + use<> {
        let until = self.until;
        self.since
            .series(Span::new().days(1))
            .take_while(move |day| *day <= until)
    }

    /// When the day after the last begins.
    pub(super) fn end(self) -> Timestamp {
        self.until.tomorrow().map_or(Timestamp::MAX, start_of)
    }

    pub(super) fn contains(self, day: Date) -> bool {
        (self.since..=self.until).contains(&day)
    }
}

/// When a day begins. Every day that is not at the end of time does.
pub(super) fn start_of(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC)
        .map_or(Timestamp::MAX, |day| day.timestamp())
}

/// The day of a time.
pub(super) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn before(day: Date, days: u16) -> Date {
    day.checked_sub(Span::new().days(days)).unwrap_or(Date::MIN)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn range(days: u16, since: Option<Date>, until: Option<Date>) -> Result<(Date, Date), BadRange> {
        let now = "2026-03-31T23:59:59Z".parse().unwrap();
        Range::new(days, since, until, now).map(|range| (range.since, range.until))
    }

    #[test]
    fn the_last_days_end_with_today_or_with_the_day_that_is_named() {
        let (today, named) = (date(2026, 3, 31), date(2026, 3, 10));
        assert_eq!(range(1, None, None), Ok((today, today)));
        assert_eq!(range(30, None, None), Ok((date(2026, 3, 2), today)));
        assert_eq!(range(3, None, Some(named)), Ok((date(2026, 3, 8), named)));
        assert_eq!(range(30, Some(named), None), Ok((named, today)));
        assert_eq!(range(90, None, None), Ok((date(2026, 1, 1), today)));
    }

    #[test]
    fn days_that_are_not_on_record_are_refused() {
        let (today, tomorrow) = (date(2026, 3, 31), date(2026, 4, 1));
        assert_eq!(
            range(1, None, Some(tomorrow)),
            Err(BadRange::Future { until: tomorrow, today })
        );
        let backwards = range(1, Some(today), Some(date(2026, 3, 1)));
        assert!(matches!(backwards, Err(BadRange::Backwards { .. })));
        let oldest = date(2025, 12, 31);
        assert_eq!(
            range(1, Some(date(2025, 12, 30)), None),
            Err(BadRange::TooOld { oldest })
        );
        assert_eq!(range(1, Some(oldest), Some(oldest)), Ok((oldest, oldest)));
    }

    #[test]
    fn has_every_day_once_and_ends_with_the_last() {
        let range = Range {
            since: date(2026, 2, 27),
            until: date(2026, 3, 1),
        };
        let days: Vec<_> = range.days().map(|day| day.to_string()).collect();
        assert_eq!(days, ["2026-02-27", "2026-02-28", "2026-03-01"]);
        assert_eq!(range.end().to_string(), "2026-03-02T00:00:00Z");
        assert!(range.contains(range.until) && !range.contains(date(2026, 3, 2)));
    }
}
