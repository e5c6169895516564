//! Letting go of the idempotency key when a request has done what it could.

use aws::{Put, StoreError};
use futures_util::future::try_join_all;

use crate::chunks::Chunks;
use crate::{NotSent, Receipt, Submission};

/// How many rows are written at a time.
const ROWS_AT_ONCE: usize = 5;

impl Chunks<'_> {
    /// Frees the key if no request with it sent anything, and releases it if there is something left to do. Otherwise
    /// the key stays.
    pub(crate) async fn let_go(
        &self,
        submissions: &[Submission],
        outcomes: &[Option<Result<Receipt, NotSent>>],
    ) -> Result<(), StoreError> {
        let Some(claim) = &self.claimed.claim else {
            return Ok(());
        };
        let (claims, now) = (&self.sending.claims, self.deadlines.now());
        let sent_nothing = |outcome: &Result<Receipt, NotSent>| matches!(outcome, Err(error) if error.frees_key());
        if outcomes.iter().flatten().all(sent_nothing)
            && !self.claimed.may_have_sent(now)
            && self.predecessor_is_shut_out(submissions, claim.emails).await?
        {
            // A key never remembers a refusal, and the request may be corrected.
            claims.free(&claim.id, claim.nonce).await
        } else if outcomes.iter().any(|outcome| outcome.as_ref().is_none_or(sent_nothing)) {
            claims.release(claim, now).await
        } else {
            Ok(())
        }
    }

    /// Returns whether no earlier request with the key can queue one of its emails any more. Such a write may have had
    /// no answer and be carried out late. It fails once the email has a refused row of this request. Without one, the
    /// key must not be freed: its caller could send the email again while the first one is queued.
    async fn predecessor_is_shut_out(&self, submissions: &[Submission], emails: usize) -> Result<bool, StoreError> {
        if !self.claimed.is_taken_over || self.sending.queue.is_none() {
            return Ok(true);
        }
        // An email that is not submitted now cannot be given a row.
        if submissions.len() != emails {
            return Ok(false);
        }
        let open = |submission: &&Submission| self.own_attempts.refused(self.claimed.id(submission)).is_none();
        let open: Vec<&Submission> = submissions.iter().filter(open).collect();
        for submissions in open.chunks(ROWS_AT_ONCE) {
            let writes = submissions.iter().map(async |submission| {
                let message = self.message_to_nobody(self.claimed.id(submission), &submission.mail);
                self.sending.messages.refused_without_row(&message).await
            });
            if try_join_all(writes).await?.contains(&Put::Overtaken) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
