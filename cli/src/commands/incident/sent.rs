//! The number of recipients that the gate admitted on each day, from the samples of its counter.

use std::collections::BTreeMap;

use domain::pacing::GrantSample;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::range::{DateRange, day_of, start_of};

/// A sample taken this long after midnight counts as the one of midnight. Reports come every five minutes, and the gate
/// keeps the first sample of an hour.
const MIDNIGHT_TOLERANCE: SignedDuration = SignedDuration::from_mins(15);

/// Subtracts the counter at one midnight from the counter at the next; for today, from `granted`, the counter now.
/// Leaves out days without a sample at either midnight.
pub(super) fn by_day(samples: &[GrantSample], granted: i64, now: Timestamp, range: DateRange) -> BTreeMap<Date, i64> {
    let at_start = |day: Date| {
        let midnight = start_of(day);
        let near = samples
            .iter()
            .filter(|sample| (SignedDuration::ZERO..=MIDNIGHT_TOLERANCE).contains(&sample.at.duration_since(midnight)));
        near.min_by_key(|sample| sample.at).map(|sample| sample.total)
    };
    let sent = |day: Date| {
        let end = if day == day_of(now) {
            granted
        } else {
            at_start(day.tomorrow().ok()?)?
        };
        // A negative difference means that the gate was created again in between.
        Some((day, end - at_start(day)?)).filter(|(_, sent)| *sent >= 0)
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

    fn sent(taken: &[(&str, i64)]) -> Vec<(String, i64)> {
        let range = DateRange {
            since: "2026-03-01".parse().unwrap(),
            until: "2026-03-03".parse().unwrap(),
        };
        let now = "2026-03-03T12:00:00Z".parse().unwrap();
        let days = by_day(&samples(taken), 1_000, now, range);
        days.into_iter().map(|(day, sent)| (day.to_string(), sent)).collect()
    }

    #[test]
    fn counts_a_day_from_midnight_to_midnight_and_today_until_now() {
        let days = sent(&[
            ("2026-03-01T00:02:00Z", 100),
            ("2026-03-01T14:00:00Z", 250),
            ("2026-03-02T00:04:00Z", 300),
            ("2026-03-03T00:00:00Z", 900),
        ]);
        let wanted = [("2026-03-01", 200), ("2026-03-02", 600), ("2026-03-03", 100)];
        assert_eq!(days, wanted.map(|(day, sent)| (day.to_owned(), sent)));
    }

    #[test]
    fn leaves_out_a_day_without_a_sample_at_either_end() {
        let days = sent(&[("2026-03-01T00:20:00Z", 100), ("2026-03-02T00:00:00Z", 300)]);
        assert_eq!(days, []);
    }
}
