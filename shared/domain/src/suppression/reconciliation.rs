//! How far the daily pass over SES's own list has come.
//!
//! SES gives a page a second, and a run of the reporter has less than a minute: a long list takes several runs. So what is
//! kept between them is the token of the next page. A page is done when all of it is; one that was cut off is read again,
//! which changes nothing, for whatever was done about it is found done.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// From the beginning of one pass to the next.
const EVERY: SignedDuration = SignedDuration::from_hours(24);
/// How long the first pass waits after the first report: a deployment is to be ready soon, and the gate comes first.
const FIRST_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What passes over SES's list found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListDrift {
    /// Addresses on SES's list.
    pub listed: u64,
    /// Of them, those that were put on ours.
    pub added: u64,
    /// Of them, those that were taken off SES's, because ours had let them go.
    pub lifted: u64,
    /// Of them, those that are no addresses by our rules, and are on neither.
    pub unreadable: u64,
}

impl ListDrift {
    /// Adds what another part of the pass found.
    pub fn add(&mut self, other: Self) {
        self.listed += other.listed;
        self.added += other.added;
        self.lifted += other.lifted;
        self.unreadable += other.unreadable;
    }
}

/// A pass under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconciliationPass {
    /// When it began.
    pub started_at: Timestamp,
    /// SES's token of the page that is next; none for the first.
    pub next_token: Option<String>,
    /// What it found so far.
    pub drift: ListDrift,
}

/// A pass that came to the end of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedPass {
    /// When it ended.
    pub at: Timestamp,
    /// What it found.
    pub drift: ListDrift,
}

/// The state of the daily pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// When the next pass may begin.
    pub due_at: Timestamp,
    /// The pass that is under way.
    pub pass: Option<ReconciliationPass>,
    /// The last one that was finished.
    pub last: Option<FinishedPass>,
    /// Why the last attempt did not get on; SES's error code, or `sandbox`.
    pub trouble: Option<String>,
}

impl Reconciliation {
    /// The state before the first pass, in a stack whose first report is made at `now`.
    #[must_use]
    pub fn before_the_first(now: Timestamp) -> Self {
        Self {
            due_at: now + FIRST_AFTER,
            pass: None,
            last: None,
            trouble: None,
        }
    }

    /// Tells whether there is something to do at `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.pass.is_some() || now >= self.due_at
    }

    /// Lets the next pass begin at once if one was asked for at `wanted_at`, since the last one began.
    pub fn wanted(&mut self, wanted_at: Timestamp) {
        let began = self.due_at - EVERY;
        if wanted_at > began {
            self.due_at = self.due_at.min(wanted_at);
        }
    }

    /// Returns the pass that is under way, or begins one.
    pub fn pass(&mut self, now: Timestamp) -> &mut ReconciliationPass {
        self.pass.get_or_insert_with(|| ReconciliationPass {
            started_at: now,
            next_token: None,
            drift: ListDrift::default(),
        })
    }

    /// Goes on to the page of `next`, or ends the pass if there is none.
    pub fn page_done(&mut self, next: Option<String>, now: Timestamp) {
        self.trouble = None;
        match (next, self.pass.as_mut()) {
            (Some(next), Some(pass)) => pass.next_token = Some(next),
            (_, Some(pass)) => {
                self.due_at = pass.started_at + EVERY;
                self.last = Some(FinishedPass {
                    at: now,
                    drift: pass.drift,
                });
                self.pass = None;
            }
            (_, None) => {}
        }
    }

    /// Begins the pass anew: SES no longer takes its token.
    pub fn token_refused(&mut self) {
        if let Some(pass) = &mut self.pass {
            pass.next_token = None;
            pass.drift = ListDrift::default();
        }
    }

    /// Gives the pass up until tomorrow: SES keeps no list for accounts in the sandbox.
    pub fn refused_in_the_sandbox(&mut self, now: Timestamp) {
        self.pass = None;
        self.due_at = now + EVERY;
        self.trouble = Some("sandbox".to_owned());
    }
}

/// The pass in the report: the one under way, or else the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedReconciliation {
    /// Whether a pass is under way.
    pub running: bool,
    /// When the last one ended.
    pub last_finished_at: Option<Timestamp>,
    /// When the next one may begin.
    pub next_at: Option<Timestamp>,
    /// What was found.
    #[serde(flatten)]
    pub drift: ListDrift,
    /// Why the last attempt did not get on; SES's error code, or `sandbox`.
    pub trouble: Option<String>,
}

impl From<&Reconciliation> for ReportedReconciliation {
    fn from(state: &Reconciliation) -> Self {
        let running = state.pass.as_ref();
        let last = state.last.as_ref();
        Self {
            running: running.is_some(),
            last_finished_at: last.map(|last| last.at),
            next_at: running.is_none().then_some(state.due_at),
            drift: running
                .map(|pass| pass.drift)
                .or(last.map(|last| last.drift))
                .unwrap_or_default(),
            trouble: state.trouble.clone(),
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
    fn a_pass_goes_from_page_to_page_and_begins_again_a_day_after_it_began() {
        let mut state = Reconciliation::before_the_first(at(0));
        state.pass(at(10)).drift.listed += 3;
        state.page_done(Some("t".to_owned()), at(11));
        assert!(state.is_due(at(12)));
        let pass = state.pass(at(12)).clone();
        assert_eq!((pass.next_token.as_deref(), pass.started_at), (Some("t"), at(10)));
        assert!(ReportedReconciliation::from(&state).running);
        state.page_done(None, at(12));
        assert!(!state.is_due(at(DAY + 9)) && state.is_due(at(DAY + 10)));
        let reported = ReportedReconciliation::from(&state);
        assert_eq!((reported.last_finished_at, reported.drift.listed), (Some(at(12)), 3));
    }

    #[test]
    fn a_pass_that_is_asked_for_begins_at_once_and_once() {
        let mut state = Reconciliation::before_the_first(at(0));
        state.pass(at(700));
        state.page_done(None, at(701));
        state.wanted(at(699));
        assert!(
            !state.is_due(at(800)),
            "the pass that began after it was asked for has done it"
        );
        state.wanted(at(750));
        assert!(state.is_due(at(800)));
        state.pass(at(800));
        state.page_done(None, at(801));
        state.wanted(at(750));
        assert!(!state.is_due(at(802)) && state.is_due(at(800 + DAY)));
    }

    #[test]
    fn a_token_that_ses_no_longer_takes_begins_the_pass_anew() {
        let mut state = Reconciliation::before_the_first(at(0));
        state.pass(at(10)).drift.listed += 3;
        state.page_done(Some("t".to_owned()), at(11));
        state.token_refused();
        let pass = state.pass(at(12));
        assert_eq!((pass.next_token.as_deref(), pass.drift), (None, ListDrift::default()));
    }

    #[test]
    fn the_sandbox_is_asked_again_a_day_later_and_the_report_says_so() {
        let mut state = Reconciliation::before_the_first(at(0));
        state.pass(at(10));
        state.refused_in_the_sandbox(at(10));
        assert!(!state.is_due(at(DAY + 9)) && state.is_due(at(DAY + 10)));
        assert_eq!(ReportedReconciliation::from(&state).trouble.as_deref(), Some("sandbox"));
        state.pass(at(DAY + 10));
        state.page_done(None, at(DAY + 10));
        assert_eq!(state.trouble, None);
    }
}
