//! Waiting for room: an email whose caller wants that is attempted again for some seconds.

use std::time::Duration;

use domain::backoff;
use domain::queue::{Wait, WhenBusy, cause_wait};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::chunks::Chunks;
use crate::{Busy, NotSent, Receipt, Submission};

/// How long an email waits for room, from when it is attempted first.
const WAITS_FOR: Duration = Duration::from_secs(20);

impl Chunks<'_> {
    /// Attempts every submission that has no outcome yet and is not scheduled for later. Those that want to wait for
    /// room are attempted again when there may be some.
    ///
    /// # Errors
    /// When the request is larger than can ever be sent in one request; nothing was attempted then.
    pub(crate) async fn attempt_patiently(
        &self,
        submissions: &[Submission],
        outcomes: &mut [Option<Result<Receipt, NotSent>>],
    ) -> Result<(), NotSent> {
        self.refuse_too_many(submissions, outcomes)?;
        let until = Instant::now() + WAITS_FOR.min(self.deadlines.left_to_send());
        let mut retry = 0;
        loop {
            self.attempt(submissions, outcomes).await;
            let waits = submissions
                .iter()
                .zip(&*outcomes)
                .filter_map(|(submission, outcome)| self.wait_of(submission, outcome.as_ref()));
            let Some(wait) = waits.min() else {
                return Ok(());
            };
            let left = until.saturating_duration_since(Instant::now()).saturating_sub(wait);
            // Those that were refused together must not come again together.
            let Some(jitter) = backoff::delay(retry, self.random(), left) else {
                return Ok(());
            };
            sleep(wait.saturating_add(jitter)).await;
            for (submission, outcome) in submissions.iter().zip(&mut *outcomes) {
                if self.wait_of(submission, outcome.as_ref()).is_some() {
                    *outcome = None;
                }
            }
            retry += 1;
        }
    }

    /// Returns how long an email has to wait until it may be attempted again; `None` if it does not wait.
    fn wait_of(&self, submission: &Submission, outcome: Option<&Result<Receipt, NotSent>>) -> Option<Duration> {
        let Some(Err(NotSent::Busy(busy))) = outcome else {
            return None;
        };
        let waits =
            submission.when_busy == WhenBusy::Wait && self.own_attempts.allow_another(self.claimed.id(submission));
        if !waits {
            return None;
        }
        match busy {
            Busy::Gate(refusal) => Some(cause_wait(*refusal)),
            Busy::Ses(refusal) => Wait::after_refusal(*refusal),
        }
    }

    fn random(&self) -> Uuid {
        self.origin.ids.nonce
    }
}
