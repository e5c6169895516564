//! The days over which we count bounces and complaints ourselves.
//!
//! AWS does not publish its "representative volume". A week covers a whole cycle of most senders, and is short enough
//! for the brake to release itself.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use crate::pacing::GrantHistory;
use crate::time;

/// The number of counted days (UTC), the present one included.
const DAYS: i32 = 7;
/// The time after a day's end from which its count is final. Later feedback of SES does not matter.
const FINAL_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// The interval at which the count of a past day is repeated until it is final.
const RECOUNTED_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// The counted days, and the recipients that the gate granted in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountingWindow {
    /// The first day.
    pub since: Date,
    /// The present day.
    pub today: Date,
    /// Recipients granted in all of these days.
    pub sent: u64,
}

impl CountingWindow {
    /// Returns the days up to the present one whose grants are known. Returns `None` if even the present day's are not
    /// known, which happens on the day of an upgrade.
    #[must_use]
    pub fn of(history: &GrantHistory<'_>) -> Option<Self> {
        let today = day_of(history.now);
        let wanted = today.checked_sub(Span::new().days(DAYS - 1)).ok()?;
        let first = history.samples.iter().min_by_key(|sample| sample.at)?;
        let day_of_first = day_of(first.at);
        let since = if first.at <= start_of(wanted)? {
            wanted
        } else if first.total == 0 || first.at < time::plus(start_of(day_of_first)?, SignedDuration::from_hours(1)) {
            // Nothing was sent before the first sample, or hardly anything on that day.
            day_of_first.max(wanted)
        } else {
            day_of_first.tomorrow().ok()?.max(wanted)
        };
        (since <= today).then_some(())?;
        Some(Self {
            since,
            today,
            sent: whole(history.granted(start_of(since)?, history.now)),
        })
    }

    /// Returns the days, the oldest first.
    pub fn days(&self) -> impl Iterator<Item = Date> + use<> {
        let today = self.today;
        self.since
            .series(Span::new().days(1))
            .take_while(move |day| *day <= today)
    }
}

/// Returns whether the marks of a day, last counted at `counted_at`, need a new count.
#[must_use]
pub fn is_to_be_counted(day: Date, counted_at: Option<Timestamp>, now: Timestamp) -> bool {
    let Some(counted_at) = counted_at else { return true };
    if day >= day_of(now) {
        return true;
    }
    let is_final = day
        .tomorrow()
        .ok()
        .and_then(start_of)
        .is_some_and(|end| counted_at >= time::plus(end, FINAL_AFTER));
    !is_final && now.duration_since(counted_at) >= RECOUNTED_AFTER
}

fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn start_of(day: Date) -> Option<Timestamp> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from f64 saturates, and NaN becomes 0"
)]
fn whole(recipients: f64) -> u64 {
    recipients.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pacing::GrantSample;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn of(samples: &[(&str, i64)], total: i64, now: &str) -> Option<(String, u64, usize)> {
        let samples: Vec<GrantSample> = samples
            .iter()
            .map(|(time, total)| GrantSample {
                at: at(time),
                total: *total,
            })
            .collect();
        let history = GrantHistory {
            samples: &samples,
            total,
            now: at(now),
        };
        let window = CountingWindow::of(&history)?;
        Some((window.since.to_string(), window.sent, window.days().count()))
    }

    #[test]
    fn covers_seven_days_whose_grants_are_known() {
        let now = "2026-01-10T12:00:00Z";
        let since = |day: &str, sent, days| Some((day.to_owned(), sent, days));
        let old = [
            ("2026-01-03T00:02:00Z", 50),
            ("2026-01-04T00:00:00Z", 100),
            ("2026-01-10T11:00:00Z", 900),
        ];
        assert_eq!(of(&old, 1_000, now), since("2026-01-04", 900, 7));
        // A stack that is two days old.
        assert_eq!(of(&[("2026-01-08T15:00:00Z", 0)], 30, now), since("2026-01-08", 30, 3));
        // What is known of an older stack begins in the middle of a day: that day is not counted.
        assert_eq!(
            of(
                &[("2026-01-08T15:00:00Z", 7_000), ("2026-01-09T00:00:00Z", 7_100)],
                7_150,
                now
            ),
            since("2026-01-09", 50, 2)
        );
        assert_eq!(
            of(&[("2026-01-08T00:04:00Z", 7_000)], 7_150, now),
            since("2026-01-08", 150, 3)
        );
        assert_eq!(of(&[("2026-01-10T09:00:00Z", 7_000)], 7_150, now), None);
        assert_eq!(of(&[], 7_150, now), None);
        // The gate was made anew.
        assert_eq!(of(&old, 3, now), since("2026-01-04", 0, 7));
    }

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        let samples = [("2026-01-01T00:00:00Z", 0)];
        assert_eq!(of(&samples, 1, "2026-01-07T23:59:59Z").unwrap().0, "2026-01-01");
        assert_eq!(of(&samples, 1, "2026-01-08T00:00:00Z").unwrap().0, "2026-01-02");
    }

    #[test]
    fn counts_a_day_until_its_count_is_final() {
        let day = "2026-01-05".parse().unwrap();
        for (counted_at, now, again) in [
            (None, "2026-01-10T00:00:00Z", true),
            (Some("2026-01-05T23:59:00Z"), "2026-01-05T23:59:01Z", true),
            (Some("2026-01-06T00:10:00Z"), "2026-01-06T01:09:59Z", false),
            (Some("2026-01-06T00:10:00Z"), "2026-01-06T01:10:00Z", true),
            (Some("2026-01-06T23:59:59Z"), "2026-01-09T00:00:00Z", true),
            (Some("2026-01-07T00:00:00Z"), "2026-01-09T00:00:00Z", false),
        ] {
            assert_eq!(
                is_to_be_counted(day, counted_at.map(at), at(now)),
                again,
                "{counted_at:?} {now}"
            );
        }
    }
}
