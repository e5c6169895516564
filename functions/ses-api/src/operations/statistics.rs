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
