//! The mail and the feedback of the last days, as `GetSendStatistics` lists them.
//!
//! Okite counts bounces and complaints by the day (UTC) and not by 15 minutes, so there is one point a day, at its
//! beginning. Recipients count, and those at domains that the account has verified are left out of past days, as AWS
//! leaves them out of its rates. Okite counts no rejects.

use aws::MARKS_COUNTED_MAX;
use domain::feedback::MarkKind;
use domain::pacing::GrantHistory;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Call;
use crate::fault::ApiFault;
use crate::v1::SendDataPoint;

impl Call<'_> {
    /// Returns a point for each day that is counted, and one for today, the oldest first.
    pub(super) async fn statistics(&self) -> Result<Vec<SendDataPoint>, ApiFault> {
        let now = self.deadlines.arrived;
        let state = self.deadlines.before_answering(self.state.usage.gate_state()).await??;
        let history = GrantHistory {
            samples: &state.samples,
            total: state.granted,
            now,
        };
        let today = now.to_zoned(TimeZone::UTC).date();
        let mut points: Vec<SendDataPoint> = state
            .counted
            .iter()
            .filter(|(day, _)| **day < today)
            .filter_map(|(day, counted)| point(&history, *day, counted.bounces, counted.complaints))
            .collect();
        let bounces = self.marks(today, MarkKind::Bounce).await?;
        let complaints = self.marks(today, MarkKind::Complaint).await?;
        points.extend(point(&history, today, bounces, complaints));
        Ok(points)
    }

    async fn marks(&self, day: Date, kind: MarkKind) -> Result<u64, ApiFault> {
        let marks = &self.state.sending.marks;
        let counted = marks.by_domain(day, kind, None, MARKS_COUNTED_MAX);
        let counted = self.deadlines.before_answering(counted).await??;
        Ok(counted.by_domain.values().sum())
    }
}

fn point(history: &GrantHistory<'_>, day: Date, bounces: u64, complaints: u64) -> Option<SendDataPoint> {
    let midnight = |day: Date| -> Option<Timestamp> { Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp()) };
    let (from, to) = (midnight(day)?, midnight(day.tomorrow().ok()?)?);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of mails, never negative and far below 2^53"
    )]
    let delivery_attempts = history.granted(from, to.min(history.now)).round() as u64;
    Some(SendDataPoint {
        at: from,
        delivery_attempts,
        bounces,
        complaints,
        rejects: 0,
    })
}

#[cfg(test)]
mod tests {
    use domain::pacing::GrantSample;
    use jiff::ToSpan;

    use super::*;

    /// The point of a day, at noon of 2 January. The gate granted 240 recipients on the first day and 60 on the second.
    fn point_of(day: Date) -> Option<SendDataPoint> {
        let midnight: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let sample = |hours: i64, total| GrantSample {
            at: midnight + hours.hours(),
            total,
        };
        let samples = [sample(0, 1_000), sample(12, 1_120), sample(24, 1_240)];
        let history = GrantHistory {
            samples: &samples,
            total: 1_300,
            now: midnight + 36.hours(),
        };
        point(&history, day, 3, 1)
    }

    #[test]
    fn a_point_has_the_recipients_of_its_day() {
        for (day, attempts) in [
            ("2026-01-01", 240),
            ("2026-01-02", 60),
            ("2025-12-31", 0),
            ("2026-01-03", 0),
        ] {
            let point = point_of(day.parse().unwrap()).unwrap();
            let counts = (point.delivery_attempts, point.bounces, point.complaints, point.rejects);
            assert_eq!(counts, (attempts, 3, 1, 0), "{day}");
            assert_eq!(point.at.to_string(), format!("{day}T00:00:00Z"));
        }
    }

    #[test]
    fn the_last_day_of_all_has_no_point() {
        assert_eq!(point_of(Date::MAX), None);
    }
}
