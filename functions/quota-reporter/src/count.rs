//! Counts the stack's own bounces and complaints, to estimate AWS's rates.
//!
//! Each bounce and complaint left a mark. The marks of the present day are counted for each report. Those of a past day
//! are counted once an hour until no more can arrive, and the counts are stored beside the gate. Counting again returns
//! the same result.

use std::collections::BTreeSet;
use std::time::Duration;

use aws::{CountedDay, GateState, MARKS_COUNTED_MAX, Pace, StoreError, VerifiedDomains};
use domain::feedback::MarkKind;
use domain::pacing::GrantHistory;
use domain::reputation::{CountingWindow, FeedbackCounts, is_to_be_counted};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use crate::state::QuotaReporterState;

/// How long SES may take to list the verified domains. The reporter calls it at most once a second.
const LISTED_WITHIN: Duration = Duration::from_secs(5);
/// How long SES's list of verified domains is cached.
const VERIFIED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Counts the days of the window. Returns `None` if the number of sent mails is unknown.
pub(crate) async fn count(
    state: &QuotaReporterState,
    gate: &GateState,
    history: &GrantHistory<'_>,
) -> Result<Option<FeedbackCounts>, StoreError> {
    let Some(window) = CountingWindow::of(history) else {
        return Ok(None);
    };
    let mut counter = MarkCounter {
        state,
        gate,
        now: history.now,
        verified: None,
    };
    let mut counts = FeedbackCounts {
        days: 0,
        sent: window.sent,
        ..FeedbackCounts::default()
    };
    for day in window.days() {
        let of_day = counter.day(day, day < window.today).await?;
        counts.days += 1;
        counts.bounces += of_day.bounces;
        counts.complaints += of_day.complaints;
        counts.has_more_bounces |= of_day.has_more_bounces;
        counts.has_more_complaints |= of_day.has_more_complaints;
    }
    Ok(Some(counts))
}

struct MarkCounter<'a> {
    state: &'a QuotaReporterState,
    gate: &'a GateState,
    now: Timestamp,
    /// The verified domains. They are read at most once, when there are marks to filter.
    verified: Option<BTreeSet<String>>,
}

impl MarkCounter<'_> {
    async fn day(&mut self, day: Date, is_over: bool) -> Result<CountedDay, StoreError> {
        let kept = self.gate.counted.get(&day).copied();
        if let Some(kept) = kept.filter(|kept| !is_to_be_counted(day, Some(kept.at), self.now)) {
            return Ok(kept);
        }
        let (bounces, has_more_bounces) = self.marks(day, MarkKind::Bounce).await?;
        let (complaints, has_more_complaints) = self.marks(day, MarkKind::Complaint).await?;
        let counted = CountedDay {
            at: self.now,
            bounces,
            complaints,
            has_more_bounces,
            has_more_complaints,
        };
        if is_over {
            self.state.usage.put_counted_day(day, &counted).await?;
        }
        Ok(counted)
    }

    /// Counts the marks of a kind and day. Also returns whether there are more.
    async fn marks(&mut self, day: Date, kind: MarkKind) -> Result<(u64, bool), StoreError> {
        let marks = self.state.marks.by_domain(day, kind, None, MARKS_COUNTED_MAX).await?;
        if marks.by_domain.is_empty() {
            return Ok((0, marks.has_more));
        }
        let verified = self.verified().await;
        let counts = marks
            .by_domain
            .iter()
            .filter(|(domain, _)| !verified.contains(domain.as_str()));
        Ok((counts.map(|(_, count)| count).sum(), marks.has_more))
    }

    /// Returns the domains that the account has verified. AWS does not count recipients at these domains. If SES cannot
    /// list them, the cached list applies, or none are left out: an estimate that is too high is safe.
    async fn verified(&mut self) -> &BTreeSet<String> {
        if self.verified.is_none() {
            self.verified = Some(self.read_verified().await);
        }
        self.verified.get_or_insert_default()
    }

    async fn read_verified(&self) -> BTreeSet<String> {
        let kept = self.gate.verified.as_ref();
        if let Some(kept) = kept.filter(|kept| self.now.duration_since(kept.at) < VERIFIED_FOR) {
            return kept.domains.clone();
        }
        let listed = timeout(LISTED_WITHIN, self.state.ses.verified_domains(&mut Pace::new(true))).await;
        match listed
            .map_err(|_| "TooSlow".to_owned())
            .and_then(|listed| listed.map_err(|error| error.code))
        {
            Ok(domains) => {
                let domains = domains.into_iter().collect();
                let verified = VerifiedDomains { at: self.now, domains };
                if let Err(error) = self.state.usage.put_verified_domains(&verified).await {
                    tracing::warn!("the verified domains were not stored: {error}");
                }
                verified.domains
            }
            Err(error) => {
                tracing::warn!("the verified domains cannot be read: {error}");
                kept.map(|kept| kept.domains.clone()).unwrap_or_default()
            }
        }
    }
}
