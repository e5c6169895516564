//! The recipients of a chunk, judged again just before it is sent.

use aws::Moved;
use domain::recipient::{JudgedRecipients, OnSuppressed, ResolvedRecipients, judge};
use domain::record::{FailedReason, OkiteState};
use domain::stream::Stream;
use futures_util::future::join_all;

use super::hinted::HintEnd;
use super::prepare::PreparedMail;
use super::run::Run;
use super::wait::{no_time_wait, store_wait};

/// A mail whose recipients are judged.
#[derive(Debug)]
pub(super) struct JudgedMail<'a> {
    pub(super) mail: &'a PreparedMail,
    pub(super) judgement: JudgedRecipients<'a>,
}

impl JudgedMail<'_> {
    /// How many recipients the mail goes to.
    pub(super) fn recipients(&self) -> i64 {
        let recipients = self
            .judgement
            .destination
            .as_ref()
            .map_or(0, ResolvedRecipients::recipients);
        i64::try_from(recipients).unwrap_or(i64::MAX)
    }
}

impl Run<'_> {
    /// Judges the recipients of mails. Returns the mails that somebody is left for, and the ends of the others.
    pub(super) async fn rejudge<'m>(
        &self,
        stream: Stream,
        mails: &'m [PreparedMail],
    ) -> (Vec<JudgedMail<'m>>, Vec<(usize, HintEnd)>) {
        let Some(first) = mails.first() else {
            return (Vec::new(), Vec::new());
        };
        let (sending, now) = (&self.worker.sending, self.deadlines.now());
        let contents = mails.iter().map(|mail| &mail.content.mail);
        let wait = match self
            .deadlines
            .before_sending(sending.registers(contents, stream, now))
            .await
        {
            Ok(Ok(known)) => {
                let tiers = &sending.rules.soft_bounce_tiers;
                let judged = mails.iter().map(|mail| JudgedMail {
                    mail,
                    judgement: judge(&mail.content.mail, &known, now, stream, tiers),
                });
                let (to_send, others): (Vec<_>, Vec<_>) = judged.partition(is_sent);
                let ended = others
                    .iter()
                    .map(async |judged| (judged.mail.due.place, self.leave_out(judged).await));
                return (to_send, join_all(ended).await);
            }
            Ok(Err(error)) => store_wait(first.due.id(), &error),
            Err(_) => no_time_wait(),
        };
        let due = mails.iter().map(|mail| mail.due.clone()).collect();
        (Vec::new(), self.all_come_again(due, wait).await)
    }

    /// Ends a mail that goes to nobody.
    async fn leave_out(&self, judged: &JudgedMail<'_>) -> HintEnd {
        let due = &judged.mail.due;
        if is_rejected(judged) {
            return self.fail(due, FailedReason::Suppressed).await;
        }
        let (messages, now) = (&self.worker.sending.messages, self.deadlines.now());
        let suppress = messages.suppress(due.id(), due.leaving, &judged.judgement.outcomes, now);
        match self.moved(due.id(), suppress).await {
            Some(Moved::Done) => {
                tracing::info!(message.id = %due.id(), "every recipient is suppressed; nothing was sent");
                self.end_written(&due.entry, OkiteState::Suppressed).await
            }
            Some(Moved::Otherwise(_)) => self.decide_again(due).await,
            None => self.deliver_again(&due.hint, due.entry.stream, no_time_wait()).await,
        }
    }
}

fn is_sent(judged: &JudgedMail<'_>) -> bool {
    judged.judgement.destination.is_some() && !is_rejected(judged)
}

/// Returns whether a recipient is suppressed and the caller wants all or none.
fn is_rejected(judged: &JudgedMail<'_>) -> bool {
    judged.mail.content.on_suppressed == OnSuppressed::Reject && judged.judgement.rejected().is_some()
}
