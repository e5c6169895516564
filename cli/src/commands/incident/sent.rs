//! How many recipients the gate let pass on each day, as far as its samples still say.

use std::collections::BTreeMap;

use domain::permit::Sample;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::Range;
use super::range::{day_of, start_of};

/// A sample so long after midnight stands for midnight: reports come every five minutes, and the first of an hour is kept.
const STANDS_FOR_MIDNIGHT: SignedDuration = SignedDuration::from_mins(15);

/// Works it out from one midnight to the next; for the present day, to now. Days whose ends are not on record are left out.
pub(super) fn by_day(samples: &[Sample], granted: i64, now: Timestamp, range: Range) -> BTreeMap<Date, i64> {
    let at_start = |day: Date| {
        let midnight = start_of(day);
        let near = samples.iter().filter(|sample| {
            (SignedDuration::ZERO..=STANDS_FOR_MIDNIGHT).contains(&sample.at.duration_since(midnight))
        });
        near.min_by_key(|sample| sample.at).map(|sample| sample.total)
    };
    let sent = |day: Date| {
        let end = if day == day_of(now) {
            granted
        } else {
            at_start(day.tomorrow().ok()?)?
        };
        // Where the gate was begun anew in between, nobody knows.
        Some((day, end - at_start(day)?)).filter(|(_, sent)| *sent >= 0)
    };
    range.days().filter_map(sent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(samples: &[(&str, i64)]) -> Vec<Sample> {
        let sample = |(at, total): &(&str, i64)| Sample {
            at: at.parse().unwrap(),
            total: *total,
        };
        samples.iter().map(sample).collect()
    }

    fn sent(taken: &[(&str, i64)]) -> Vec<(String, i64)> {
        let range = Range {
            since: "2026-03-01".parse().unwrap(),
            until: "2026-03-03".parse().unwrap(),
        };
        let now = "2026-03-03T12:00:00Z".parse().unwrap();
        let days = by_day(&samples(taken), 1_000, now, range);
        days.into_iter().map(|(day, sent)| (day.to_string(), sent)).collect()
    }

    #[test]
    fn a_day_is_what_passed_from_midnight_to_midnight_and_today_to_now() {
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
    fn a_day_without_a_sample_at_either_end_is_not_known() {
        let days = sent(&[("2026-03-01T00:20:00Z", 100), ("2026-03-02T00:00:00Z", 300)]);
        assert_eq!(days, []);
    }
}
