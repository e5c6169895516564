//! The progress of the daily pass over SES's own suppression list.
//!
//! SES returns one page a second, and a run of the reporter has less than 5 minutes. So a long list takes several runs,
//! and Okite keeps the token of the next page between them. If a run ends within a page, the next run reads the whole
//! page again. That is safe, because the steps are idempotent.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::time;

/// The time after which a pass that has not reached the end of the list is reported. The longest list takes some hours.
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_hours(3 * 24);
/// The trouble of such a pass. SES may reject the token of each run, which begins the pass anew each time.
pub const UNFINISHED: &str = "unfinished";
/// The time between the starts of two passes.
const EVERY: SignedDuration = SignedDuration::from_hours(24);
/// The wait between the first report and the first pass. A new deployment first makes the gate ready.
const FIRST_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// The differences that a pass over SES's list found and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListDrift {
    /// The number of addresses on SES's list.
    pub listed: u64,
    /// The number that was missing on Okite's list and was added to it.
    pub added: u64,
    /// The number that Okite had lifted and removed from SES's list.
    pub lifted: u64,
    /// The number that Okite cannot parse as addresses, whose own entries it cannot read, or that SES does not remove.
    /// It leaves them as they are.
    pub unreadable: u64,
}

impl ListDrift {
    /// Adds the numbers of another part of the pass.
    pub fn add(&mut self, other: Self) {
        self.listed += other.listed;
        self.added += other.added;
        self.lifted += other.lifted;
        self.unreadable += other.unreadable;
    }
}

/// A pass that has not reached the end of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconciliationPass {
    /// The time at which the pass began.
    pub started_at: Timestamp,
    /// SES's token of the next page. It is `None` before the first page.
    pub next_token: Option<String>,
    /// The differences found so far.
    pub drift: ListDrift,
}

/// A pass that reached the end of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedPass {
    /// The time at which the pass ended.
    pub at: Timestamp,
    /// The differences found.
    pub drift: ListDrift,
}

/// The state of the daily pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// The time from which the next pass may begin.
    pub due_at: Timestamp,
    /// The pass that is running, if any.
    pub pass: Option<ReconciliationPass>,
    /// The last pass that finished.
    pub last: Option<FinishedPass>,
    /// The error of the last attempt: SES's error code, or `sandbox`.
    pub trouble: Option<String>,
}

impl Reconciliation {
    /// Returns the state before the first pass of a stack that makes its first report at `now`.
    #[must_use]
    pub fn before_the_first(now: Timestamp) -> Self {
        Self {
            due_at: time::plus(now, FIRST_AFTER),
            pass: None,
            last: None,
            trouble: None,
        }
    }

    /// Returns whether a pass is running or due at `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.pass.is_some() || now >= self.due_at
    }

    /// Makes the next pass due at once if an operator requested it at `wanted_at`, after the last pass began.
    pub fn wanted(&mut self, wanted_at: Timestamp) {
        let began = time::minus(self.due_at, EVERY);
        if wanted_at > began {
            self.due_at = self.due_at.min(wanted_at);
        }
    }

    /// Returns the running pass, or begins one.
    pub fn pass(&mut self, now: Timestamp) -> &mut ReconciliationPass {
        self.pass.get_or_insert_with(|| ReconciliationPass {
            started_at: now,
            next_token: None,
            drift: ListDrift::default(),
        })
    }

    /// Continues with the page of the token `next`. Ends the pass if there is no next page.
    pub fn page_done(&mut self, next: Option<String>, now: Timestamp) {
        self.trouble = None;
        match (next, self.pass.as_mut()) {
            (Some(next), Some(pass)) => pass.next_token = Some(next),
            (_, Some(pass)) => {
                self.due_at = time::plus(pass.started_at, EVERY);
                self.last = Some(FinishedPass {
                    at: now,
                    drift: pass.drift,
                });
                self.pass = None;
            }
            (_, None) => {}
        }
    }

    /// Restarts the running pass at the first page, because SES rejected its token.
    pub fn token_refused(&mut self) {
        if let Some(pass) = &mut self.pass {
            pass.next_token = None;
            pass.drift = ListDrift::default();
        }
    }

    /// Ends the pass and makes the next one due in a day. SES keeps no list for accounts in the sandbox.
    pub fn refused_in_the_sandbox(&mut self, now: Timestamp) {
        self.pass = None;
        self.due_at = time::plus(now, EVERY);
        self.trouble = Some("sandbox".to_owned());
    }
}

/// The reconciliation in the report: the running pass, or otherwise the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedReconciliation {
    /// Whether a pass is running.
    pub running: bool,
    /// The time at which the last pass ended.
    pub last_finished_at: Option<Timestamp>,
    /// The time from which the next pass may begin. It is `None` while a pass is running.
    pub next_at: Option<Timestamp>,
    /// The differences that the pass found.
    #[serde(flatten)]
    pub drift: ListDrift,
    /// The error of the last attempt: SES's error code, `sandbox`, or [`UNFINISHED`] for a pass that has been running
    /// for three days.
    pub trouble: Option<String>,
}

impl ReportedReconciliation {
    /// Reports the state at `now`.
    #[must_use]
    pub fn of(state: &Reconciliation, now: Timestamp) -> Self {
        let running = state.pass.as_ref();
        let last = state.last.as_ref();
        let is_overdue = running.is_some_and(|pass| now.duration_since(pass.started_at) >= OVERDUE_AFTER);
        Self {
            running: running.is_some(),
            last_finished_at: last.map(|last| last.at),
            next_at: running.is_none().then_some(state.due_at),
            drift: running
                .map(|pass| pass.drift)
                .or(last.map(|last| last.drift))
                .unwrap_or_default(),
            trouble: state.trouble.clone().or(is_overdue.then(|| UNFINISHED.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap()
    }

    const DAY: i64 = 24 * 60;

    #[test]
    fn the_first_pass_waits_for_the_deployment() {
        let state = Reconciliation::before_the_first(at(0));
        assert!(!state.is_due(at(9)) && state.is_due(at(10)));
    }

    #[test]
    fn a_pass_reads_page_after_page_and_the_next_begins_a_day_after_it_began() {
        let mut state = Reconciliation::before_the_first(at(0));
        state.pass(at(10)).drift.listed += 3;
        state.page_done(Some("t".to_owned()), at(11));
        assert!(state.is_due(at(12)));
        let pass = state.pass(at(12)).clone();
        assert_eq!((pass.next_token.as_deref(), pass.started_at), (Some("t"), at(10)));
        assert!(ReportedReconciliation::of(&state, at(12)).running);
        state.page_done(None, at(12));
        assert!(!state.is_due(at(DAY + 9)) && state.is_due(at(DAY + 10)));
        let reported = ReportedReconciliation::of(&state, at(12));
        assert_eq!((reported.last_finished_at, reported.drift.listed), (Some(at(12)), 3));
    }

    #[test]
    fn a_requested_pass_begins_at_once_and_only_once() {
        let mut state = Reconciliation::before_the_first(at(0));
        state.pass(at(700));
        state.page_done(None, at(701));
        state.wanted(at(699));
        assert!(!state.is_due(at(800)), "a pass that began after the request fulfils it");
        state.wanted(at(750));
        assert!(state.is_due(at(800)));
        state.pass(at(800));
        state.page_done(None, at(801));
        state.wanted(at(750));
        assert!(!state.is_due(at(802)) && state.is_due(at(800 + DAY)));
    }

    #[test]
    fn a_rejected_token_restarts_the_pass() {
        let mut state = Reconciliation::before_the_first(at(0));
        state.pass(at(10)).drift.listed += 3;
        state.page_done(Some("t".to_owned()), at(11));
        state.token_refused();
        let pass = state.pass(at(12));
        assert_eq!((pass.next_token.as_deref(), pass.drift), (None, ListDrift::default()));
    }

    #[test]
    fn a_pass_that_begins_anew_for_three_days_is_reported() {
        let mut state = Reconciliation::before_the_first(at(0));
        state.pass(at(10));
        state.page_done(None, at(11));
        state.pass(at(20));
        for days in 0..4 {
            let now = at(20 + days * DAY);
            state.token_refused();
            state.pass(now);
            state.page_done(Some("t".to_owned()), now);
            let reported = ReportedReconciliation::of(&state, now);
            assert_eq!((reported.running, reported.last_finished_at), (true, Some(at(11))));
            assert_eq!(reported.trouble.as_deref(), (days == 3).then_some(UNFINISHED), "{days}");
        }
        state.page_done(None, at(20 + 4 * DAY));
        assert_eq!(ReportedReconciliation::of(&state, at(20 + 4 * DAY)).trouble, None);
    }

    #[test]
    fn a_sandbox_account_is_tried_again_a_day_later_and_the_report_shows_it() {
        let mut state = Reconciliation::before_the_first(at(0));
        state.pass(at(10));
        state.refused_in_the_sandbox(at(10));
        assert!(!state.is_due(at(DAY + 9)) && state.is_due(at(DAY + 10)));
        assert_eq!(
            ReportedReconciliation::of(&state, at(9 * DAY)).trouble.as_deref(),
            Some("sandbox")
        );
        state.pass(at(DAY + 10));
        state.page_done(None, at(DAY + 10));
        assert_eq!(state.trouble, None);
    }
}
