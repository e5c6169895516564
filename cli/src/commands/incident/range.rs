//! The days of a report, in UTC.

use aws::MARK_KEPT_DAYS;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::date::Day;

/// Consecutive days in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateRange {
    /// The first day.
    pub(super) since: Date,
    /// The last day.
    pub(super) until: Date,
}

/// Why days cannot be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DateRangeError {
    #[error("--since {since} is later than the last day, {until}: name an earlier day")]
    Backwards { since: Date, until: Date },
    #[error("--until {until} is later than today, {today} in UTC: name an earlier day")]
    Future { until: Date, today: Date },
    #[error(
        "Okite keeps bounces and complaints for {MARK_KEPT_DAYS} days, and --since is earlier: name {oldest} or a \
         later day, or {MARK_KEPT_DAYS}d"
    )]
    TooOld { oldest: Date },
}

impl DateRange {
    /// Returns the days from `since` to `until`. Without `since`, returns `days` days; without `until`, they end today.
    ///
    /// # Errors
    /// [`DateRangeError`] if the days are reversed, in the future, or no longer recorded.
    pub(super) fn new(
        days: u16,
        since: Option<Day>,
        until: Option<Day>,
        now: Timestamp,
    ) -> Result<Self, DateRangeError> {
        let today = day_of(now);
        let until = until.map_or(today, |day| day.ago(today));
        let since = since.map_or_else(|| before(until, days.saturating_sub(1)), |day| day.ago(today));
        let oldest = before(today, MARK_KEPT_DAYS);
        if until > today {
            return Err(DateRangeError::Future { until, today });
        }
        if since > until {
            return Err(DateRangeError::Backwards { since, until });
        }
        if since < oldest {
            return Err(DateRangeError::TooOld { oldest });
        }
        Ok(Self { since, until })
    }

    /// Iterates over the days, oldest first.
    pub(super) fn days(self) -> impl Iterator<Item = Date> + use<> {
        let until = self.until;
        self.since
            .series(Span::new().days(1))
            .take_while(move |day| *day <= until)
    }

    /// Returns the midnight after the last day.
    pub(super) fn end(self) -> Timestamp {
        self.until.tomorrow().map_or(Timestamp::MAX, start_of)
    }

    pub(super) fn contains(self, day: Date) -> bool {
        (self.since..=self.until).contains(&day)
    }
}

/// Returns the midnight at which a day begins.
pub(super) fn start_of(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC)
        .map_or(Timestamp::MAX, |day| day.timestamp())
}

/// Returns the day of a time.
pub(super) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// Returns the day that is `days` days earlier.
fn before(day: Date, days: u16) -> Date {
    day.checked_sub(Span::new().days(days)).unwrap_or(Date::MIN)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn range(days: u16, since: Option<Date>, until: Option<Date>) -> Result<(Date, Date), DateRangeError> {
        let now = "2026-03-31T23:59:59Z".parse().unwrap();
        DateRange::new(days, since.map(Day::Date), until.map(Day::Date), now).map(|range| (range.since, range.until))
    }

    #[test]
    fn the_days_end_today_or_with_the_named_day() {
        let (today, named) = (date(2026, 3, 31), date(2026, 3, 10));
        assert_eq!(range(1, None, None), Ok((today, today)));
        assert_eq!(range(30, None, None), Ok((date(2026, 3, 2), today)));
        assert_eq!(range(3, None, Some(named)), Ok((date(2026, 3, 8), named)));
        assert_eq!(range(30, Some(named), None), Ok((named, today)));
        assert_eq!(range(90, None, None), Ok((date(2026, 1, 1), today)));
    }

    #[test]
    fn rejects_days_that_are_not_recorded() {
        let (today, tomorrow) = (date(2026, 3, 31), date(2026, 4, 1));
        assert_eq!(
            range(1, None, Some(tomorrow)),
            Err(DateRangeError::Future { until: tomorrow, today })
        );
        let backwards = range(1, Some(today), Some(date(2026, 3, 1)));
        assert!(matches!(backwards, Err(DateRangeError::Backwards { .. })));
        let oldest = date(2025, 12, 31);
        assert_eq!(
            range(1, Some(date(2025, 12, 30)), None),
            Err(DateRangeError::TooOld { oldest })
        );
        assert_eq!(range(1, Some(oldest), Some(oldest)), Ok((oldest, oldest)));
    }

    #[test]
    fn contains_every_day_once() {
        let range = DateRange {
            since: date(2026, 2, 27),
            until: date(2026, 3, 1),
        };
        let days: Vec<_> = range.days().map(|day| day.to_string()).collect();
        assert_eq!(days, ["2026-02-27", "2026-02-28", "2026-03-01"]);
        assert_eq!(range.end().to_string(), "2026-03-02T00:00:00Z");
        assert!(range.contains(range.until) && !range.contains(date(2026, 3, 2)));
    }
}
