//! The number of recipients that the gate admitted on each day, from the samples of its counter.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::iter::Sum;

use domain::pacing::GrantSample;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::range::{DateRange, day_of, start_of};

/// A sample taken this long after midnight counts as the one of midnight. Reports come every five minutes, and the gate
/// keeps the first sample of an hour.
const MIDNIGHT_TOLERANCE: SignedDuration = SignedDuration::from_mins(15);

/// The number of recipients of a day, or of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SentCount {
    pub(super) recipients: i64,
    /// Whether only a part of the day was counted, such as the day on which the stack was deployed.
    pub(super) at_least: bool,
}

impl Display for SentCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = if self.at_least { "at least " } else { "" };
        write!(f, "{at_least}{}", self.recipients)
    }
}

impl Sum for SentCount {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        let none = Self {
            recipients: 0,
            at_least: false,
        };
        counts.fold(none, |sum, day| Self {
            recipients: sum.recipients + day.recipients,
            at_least: sum.at_least || day.at_least,
        })
    }
}

/// Subtracts the counter at one midnight from the counter at the next; for today, from `granted`, the counter now. A
/// day without a sample at either midnight has the part that lies between its own samples. Leaves out days without any.
pub(super) fn by_day(
    samples: &[GrantSample],
    granted: i64,
    now: Timestamp,
    range: DateRange,
) -> BTreeMap<Date, SentCount> {
    let near_midnight = |day: Date| {
        let midnight = start_of(day);
        let near = samples
            .iter()
            .filter(|sample| (SignedDuration::ZERO..=MIDNIGHT_TOLERANCE).contains(&sample.at.duration_since(midnight)));
        near.min_by_key(|sample| sample.at).map(|sample| sample.total)
    };
    let of_day = |day: Date| samples.iter().filter(move |sample| day_of(sample.at) == day);
    let sent = |day: Date| {
        let exact_start = near_midnight(day);
        let exact_end = if day == day_of(now) {
            Some(granted)
        } else {
            day.tomorrow().ok().and_then(near_midnight)
        };
        let first = || of_day(day).min_by_key(|sample| sample.at).map(|sample| sample.total);
        let last = || of_day(day).max_by_key(|sample| sample.at).map(|sample| sample.total);
        let count = SentCount {
            recipients: exact_end.or_else(last)? - exact_start.or_else(first)?,
            at_least: exact_start.is_none() || exact_end.is_none(),
        };
        // A negative difference means that the gate was created again in between.
        Some((day, count)).filter(|(_, count)| count.recipients >= 0)
    };
    range.days().filter_map(sent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(samples: &[(&str, i64)]) -> Vec<GrantSample> {
        let sample = |(at, total): &(&str, i64)| GrantSample {
            at: at.parse().unwrap(),
            total: *total,
        };
        samples.iter().map(sample).collect()
    }

    fn sent(taken: &[(&str, i64)]) -> Vec<(String, String)> {
        let range = DateRange {
            since: "2026-03-01".parse().unwrap(),
            until: "2026-03-03".parse().unwrap(),
        };
        let now = "2026-03-03T12:00:00Z".parse().unwrap();
        let days = by_day(&samples(taken), 1_000, now, range);
        days.into_iter()
            .map(|(day, sent)| (day.to_string(), sent.to_string()))
            .collect()
    }

    fn days<const N: usize>(days: [(&str, &str); N]) -> Vec<(String, String)> {
        days.map(|(day, sent)| (day.to_owned(), sent.to_owned())).into()
    }

    #[test]
    fn counts_a_day_from_midnight_to_midnight_and_today_until_now() {
        let counted = sent(&[
            ("2026-03-01T00:02:00Z", 100),
            ("2026-03-01T14:00:00Z", 250),
            ("2026-03-02T00:04:00Z", 300),
            ("2026-03-03T00:00:00Z", 900),
        ]);
        let wanted = [("2026-03-01", "200"), ("2026-03-02", "600"), ("2026-03-03", "100")];
        assert_eq!(counted, days(wanted));
    }

    #[test]
    fn a_day_without_a_sample_at_either_end_has_a_part() {
        let counted = sent(&[
            ("2026-03-01T00:20:00Z", 100),
            ("2026-03-02T00:00:00Z", 300),
            ("2026-03-02T13:00:00Z", 450),
        ]);
        // There is no sample of the third day.
        let wanted = [("2026-03-01", "at least 200"), ("2026-03-02", "at least 150")];
        assert_eq!(counted, days(wanted));
    }

    #[test]
    fn the_day_of_the_deployment_has_what_was_sent_since_the_first_sample() {
        let counted = sent(&[("2026-03-03T11:00:00Z", 0)]);
        assert_eq!(counted, days([("2026-03-03", "at least 1000")]));
    }

    #[test]
    fn leaves_out_days_without_samples_and_a_gate_that_was_created_again() {
        assert_eq!(sent(&[]), []);
        let counted = sent(&[("2026-03-01T00:00:00Z", 100), ("2026-03-02T00:00:00Z", 40)]);
        assert_eq!(counted, days([("2026-03-02", "at least 0")]));
    }

    #[test]
    fn a_sum_is_at_least_when_a_part_is() {
        let count = |recipients, at_least| SentCount { recipients, at_least };
        let sum: SentCount = [count(5, false), count(2, true)].into_iter().sum();
        assert_eq!(sum, count(7, true));
    }
}
