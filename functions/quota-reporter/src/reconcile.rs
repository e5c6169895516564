//! The daily pass over SES's own suppression list, a part of it in each run.
//!
//! It goes on for as long as the run has time, and keeps where it stopped after each page. What it does may be done twice: a
//! run that dies leaves a page to be read again, by which nothing changes. It takes nothing down: whatever goes wrong is
//! kept as the state's trouble and tried again.

use std::time::Duration;

use aws::{KeptReconciliation, ListError, Pace, StoreError, TAKEN_AT_ONCE};
use domain::suppression::{ListDrift, Reconciliation, SesListEntry};
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use crate::state::QuotaReporterState;

/// What a run must have left to begin another step: a call to SES, which may take 10 s, then up to two to the store and the report, 6 s each.
const STEP: Duration = Duration::from_secs(30);

/// Why a part of the pass was not done.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("another run is at work on SES's list")]
    Overtaken,
}

/// Goes on with the pass if one is due, until it is done or `deadline` is near. Returns the state, which is to be reported.
pub(crate) async fn run(
    state: &QuotaReporterState,
    kept: Option<KeptReconciliation>,
    now: Timestamp,
    deadline: Instant,
    new_id: impl Fn() -> Uuid,
) -> Reconciliation {
    let Some(kept) = kept else {
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
        pace: Pace::new(true),
    };
    if let Err(error) = run.pages().await {
        tracing::warn!("SES's suppression list was not gone through: {error}");
        run.failed(&error).await;
    }
    run.kept.state
}

/// The first report of a stack: the pass waits until the deployment is through.
async fn begin(state: &QuotaReporterState, now: Timestamp) -> Reconciliation {
    let kept = KeptReconciliation {
        state: Reconciliation::before_the_first(now),
        revision: 1,
    };
    if let Err(error) = state.usage.put_reconciliation(&kept).await {
        tracing::warn!("the pass over SES's suppression list was not planned: {error}");
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
}

impl<F: Fn() -> Uuid> Pass<'_, F> {
    async fn pages(&mut self) -> Result<(), PassError> {
        let mut begun_anew = false;
        // Whoever is at work writes first: the other run of the same time stops here.
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
                    "SES's suppression list was gone through"
                );
                return Ok(());
            }
        }
        Ok(())
    }

    /// Does what a page asks for, and tells whether it came to the end of it. What was done of it is kept in the count either
    /// way, and not done again.
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
            for listed in taken.to_lift {
                if !self.has_time() {
                    self.keep().await?;
                    return Ok(false);
                }
                self.pace.wait().await;
                self.state.ses_list.remove(&listed.address).await?;
                // It is off the list: whoever reads the page again does not find it.
                let done = &mut self.kept.state.pass(self.now).drift;
                done.lifted += 1;
                done.listed += 1;
                read.listed -= 1;
            }
        }
        self.kept.state.pass(self.now).drift.add(read);
        Ok(true)
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
            // What the other run keeps is the truth.
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
            tracing::warn!("where the pass over SES's suppression list stopped was not kept: {error}");
        }
    }
}
