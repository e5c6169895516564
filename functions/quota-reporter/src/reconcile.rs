//! The daily pass over SES's own suppression list. Each run does a part of it.
//!
//! SES returns 1,000 addresses a second, so a list of ten million takes some hours, in runs of some minutes each. A run
//! continues the pass while it has time, and stores the position after each page. Every step can be repeated: if
//! a run stops in the middle of a page, the next run reads the page again and changes nothing twice. Failures stop
//! nothing else: the pass's state records them, and a later run tries again.
//!
//! Each address that is added has an event for webhooks, up to [`EVENTS_MAX`] a run: the first pass over a long list
//! must not flood an application. An address that is taken off SES's list has none, because its event was that of the
//! lift.

use std::time::Duration;

use aws::{AddedFromSes, GateState, KeptReconciliation, ListError, Pace, StoreError, TAKEN_AT_ONCE};
use domain::suppression::{ListDrift, Reconciliation, ReportedReconciliation, SesListEntry};
use domain::webhook::{SuppressionChange, SuppressionEvent, WebhookEvent};
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use crate::state::QuotaReporterState;

/// The time that a run must have left to begin another step: a call to SES of up to 10 s, then up to two calls to the
/// store of up to 6 s each.
const STEP: Duration = Duration::from_secs(30);

/// The most additions of a run that are emitted as events.
const EVENTS_MAX: usize = 300;

/// Why a run could not do its part of the pass.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("another run is working on SES's suppression list")]
    Overtaken,
}

/// Returns the state of the pass for a report. If there is none yet, the first pass is planned.
pub(crate) async fn reported(state: &QuotaReporterState, gate: &GateState, now: Timestamp) -> ReportedReconciliation {
    match kept(gate) {
        Some(kept) => ReportedReconciliation::of(&kept.state, now),
        None => ReportedReconciliation::of(&begin(state, now).await, now),
    }
}

/// Returns the state of the pass. An early pass that was requested is due.
fn kept(gate: &GateState) -> Option<KeptReconciliation> {
    let mut kept = gate.reconciliation.clone()?;
    if let Some(wanted_at) = gate.reconciliation_wanted_at {
        kept.state.wanted(wanted_at);
    }
    Some(kept)
}

/// Continues the pass if one is due, until it is complete or `deadline` is near. Returns its state.
pub(crate) async fn run(
    state: &QuotaReporterState,
    gate: GateState,
    now: Timestamp,
    deadline: Instant,
    new_id: impl Fn() -> Uuid,
) -> Reconciliation {
    let Some(kept) = kept(&gate) else {
        return begin(state, now).await;
    };
    if !kept.state.is_due(now) {
        return kept.state;
    }
    let mut run = Pass {
        state,
        kept,
        now,
        deadline,
        new_id,
        pace: Pace::new(false),
        events: 0,
    };
    if let Err(error) = run.pages().await {
        tracing::warn!("the pass over SES's suppression list failed: {error}");
        run.failed(&error).await;
    }
    if run.events > EVENTS_MAX {
        tracing::info!(
            added = run.events,
            emitted = EVENTS_MAX,
            "SES's list has more new addresses than events are emitted for in a run"
        );
    }
    run.kept.state
}

/// Schedules the first pass of a new stack. It waits until the deployment is complete.
async fn begin(state: &QuotaReporterState, now: Timestamp) -> Reconciliation {
    let kept = KeptReconciliation {
        state: Reconciliation::before_the_first(now),
        revision: 1,
    };
    if let Err(error) = state.usage.put_reconciliation(&kept).await {
        tracing::warn!("the first pass over SES's suppression list was not scheduled: {error}");
    }
    kept.state
}

struct Pass<'a, F> {
    state: &'a QuotaReporterState,
    kept: KeptReconciliation,
    now: Timestamp,
    deadline: Instant,
    new_id: F,
    pace: Pace,
    /// How many addresses this run has added.
    events: usize,
}

impl<F: Fn() -> Uuid> Pass<'_, F> {
    async fn pages(&mut self) -> Result<(), PassError> {
        let mut begun_anew = false;
        // Each run writes the state first, so a concurrent run stops here.
        self.kept.state.pass(self.now);
        self.keep().await?;
        while self.has_time() {
            let token = self.kept.state.pass(self.now).next_token.clone();
            self.pace.wait().await;
            let page = match self.state.ses_list.page(token.as_deref()).await {
                Err(ListError::StaleToken) if !begun_anew => {
                    begun_anew = true;
                    self.kept.state.token_refused();
                    continue;
                }
                page => page?,
            };
            if !self.page(&page.listed).await? {
                return Ok(());
            }
            let ended = page.next.is_none();
            self.kept.state.page_done(page.next, self.now);
            self.keep().await?;
            if ended {
                let drift = self.kept.state.last.map(|last| last.drift).unwrap_or_default();
                let ListDrift {
                    listed,
                    added,
                    lifted,
                    unreadable,
                } = drift;
                tracing::info!(
                    listed,
                    added,
                    lifted,
                    unreadable,
                    "the pass over SES's suppression list is complete"
                );
                return Ok(());
            }
        }
        Ok(())
    }

    /// Applies one page. Returns whether it reached the end of the page. The counts include the applied part in any
    /// case, and the next run does not repeat it.
    async fn page(&mut self, listed: &[SesListEntry]) -> Result<bool, PassError> {
        let mut read = ListDrift::default();
        for part in listed.chunks(TAKEN_AT_ONCE) {
            if !self.has_time() {
                self.keep().await?;
                return Ok(false);
            }
            let taken = self
                .state
                .suppressions
                .take_from_ses(part, self.now, &self.new_id)
                .await?;
            let done = &mut self.kept.state.pass(self.now).drift;
            done.added += taken.drift.added;
            read.listed += taken.drift.listed;
            read.unreadable += taken.drift.unreadable;
            self.emit(&taken.suppressed).await;
            for listed in taken.to_lift {
                if !self.has_time() {
                    self.keep().await?;
                    return Ok(false);
                }
                self.pace.wait().await;
                match self.state.ses_list.remove(&listed.address).await {
                    Ok(()) => {}
                    // SES would refuse it in every pass. It must not hold up the rest of the list.
                    Err(ListError::Failed { code, .. }) if code == "BadRequestException" => {
                        tracing::warn!("SES refuses to remove an address from its suppression list");
                        read.unreadable += 1;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
                // The address is off SES's list, so a second read of the page does not return it.
                let done = &mut self.kept.state.pass(self.now).drift;
                done.lifted += 1;
                done.listed += 1;
                read.listed -= 1;
            }
        }
        self.kept.state.pass(self.now).drift.add(read);
        Ok(true)
    }

    /// Emits the events of addresses that were added, as far as they are not too many. The pass does not wait for
    /// webhooks: what cannot be emitted is logged.
    async fn emit(&mut self, added: &[AddedFromSes]) {
        let left = EVENTS_MAX.saturating_sub(self.events);
        self.events = self.events.saturating_add(added.len());
        let events: Vec<WebhookEvent> = added.iter().take(left).map(event).collect();
        self.state.emitter.emit_or_log(&events, self.now).await;
    }

    fn has_time(&self) -> bool {
        Instant::now() + STEP < self.deadline
    }

    async fn keep(&mut self) -> Result<(), PassError> {
        self.kept.revision += 1;
        if self.state.usage.put_reconciliation(&self.kept).await? {
            Ok(())
        } else {
            Err(PassError::Overtaken)
        }
    }

    async fn failed(&mut self, error: &PassError) {
        let state = &mut self.kept.state;
        match error {
            // The state that the other run stored applies.
            PassError::Overtaken => return,
            PassError::List(ListError::Sandbox) => state.refused_in_the_sandbox(self.now),
            PassError::List(ListError::StaleToken) => {
                state.token_refused();
                state.trouble = Some("InvalidNextTokenException".to_owned());
            }
            PassError::List(ListError::Failed { code, .. }) => state.trouble = Some(code.clone()),
            PassError::Store(error) => state.trouble = Some(error.code.clone()),
        }
        if let Err(error) = self.keep().await {
            tracing::warn!("the position of the pass over SES's suppression list was not stored: {error}");
        }
    }
}

/// Makes the event of an address that was added.
fn event(added: &AddedFromSes) -> WebhookEvent {
    let change = SuppressionEvent {
        id: added.id.to_string(),
        email: added.address.normalised().to_owned(),
        change: SuppressionChange::Added,
        reason: added.reason,
        topic: None,
        since: added.since,
        source_id: None,
    };
    WebhookEvent::of_suppression(change, added.since)
}
