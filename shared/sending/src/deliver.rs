//! Calling SES for one mail, again while it throttles, and settling the mail's row.
//!
//! A mail that SES turns away for its rate is certainly not taken, so calling again cannot send it twice. No other call
//! is repeated: another refusal would be the same again, and a call without a clear answer may have sent the mail. All
//! calls are one attempt of the message, because SES accepts at most one of them.

use aws::{NewMessage, Outgoing, Put, SendError};
use domain::backoff;
use domain::recipient::ResolvedRecipients;
use domain::ses_error::{ErrorCause, RetryAdvice, SesRefusal};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use crate::brake_watch::BrakeWatch;
use crate::chunks::{Attempted, Chunks, Planned};
use crate::own_attempts::AttemptLeft;
use crate::settle::settle;
use crate::slot::Slot;
use crate::{NotSent, Receipt, Sending, Unavailable};

impl Chunks<'_> {
    /// Sends an email whose row is written, at its slot, and settles the row. `slot` is the error of the row if it may
    /// not have been written.
    pub(crate) async fn deliver(
        &self,
        planned: &Planned<'_>,
        message: &NewMessage<'_>,
        slot: Result<Slot, NotSent>,
        watch: &BrakeWatch<'_>,
    ) -> Attempted {
        let id = planned.id;
        // The write of the row may still be carried out, after the request has ended.
        let may_get_row = matches!(slot, Err(NotSent::Unavailable(Unavailable::Store)));
        let sent = match (slot, &planned.judgement.destination) {
            (Err(error), _) => Err(error),
            (Ok(_), None) => {
                tracing::info!(message.id = %id, "every recipient is suppressed; nothing was sent");
                Ok(None)
            }
            (Ok(slot), Some(destination)) => match watch.let_pass(slot.at).await {
                Ok(()) => self.call_ses(message, destination, slot).await.map(Some),
                Err(error) => Err(error),
            },
        };
        if let Err(error) = &sent
            && error.frees_key()
        {
            let messages = &self.sending.messages;
            let is_refused = if may_get_row {
                let refused = messages.refused_without_row(message);
                // Nothing was sent, so this is no email whose outcome is open. The failed table is logged already.
                let refused = self.deadlines.before_answering(refused).await;
                if !matches!(refused, Ok(Ok(_))) {
                    tracing::warn!(message.id = %id, "the row of a message that was not sent may still be written");
                }
                matches!(refused, Ok(Ok(Put::Written)))
            } else {
                settle(id, self.deadlines, messages.refused(message)).await
            };
            let left = if is_refused {
                AttemptLeft::Refused(message.attempt)
            } else {
                AttemptLeft::Unconfirmed
            };
            self.own_attempts.ended(id, left);
        }
        let outcomes = &planned.judgement.outcomes;
        self.own_events
            .add_attempted(message, outcomes, sent.as_ref().map(Option::as_deref));
        let receipt = sent.map(|ses_id| Receipt::new(id, ses_id, outcomes));
        (planned.index, receipt)
    }

    async fn call_ses(
        &self,
        message: &NewMessage<'_>,
        destination: &ResolvedRecipients<'_>,
        slot: Slot,
    ) -> Result<String, NotSent> {
        let id = message.id;
        let outgoing = Outgoing {
            id,
            attempt: message.attempt,
            stream: message.stream,
            mail: message.mail,
            destination,
        };
        sleep_until(slot.at).await;
        let called = self.sending.call_ses(outgoing, slot.retry_until, message.nonce);
        match called.await {
            Ok(ses_id) => {
                // The mail is on its way: a record that cannot be written must not tell the caller otherwise.
                let accepted = self.sending.messages.accepted(id, &ses_id, self.deadlines.now());
                settle(id, self.deadlines, accepted).await;
                Ok(ses_id)
            }
            Err(SendError::Refused { refusal, .. }) => Err(NotSent::refused(refusal)),
            Err(SendError::Ambiguous { .. }) => Err(NotSent::Unknown { id }),
        }
    }
}

impl Sending {
    /// Calls SES for one mail, again while it throttles and `retry_until` is not too near. `random` spreads the calls
    /// of mails that are throttled together.
    pub(crate) async fn call_ses(
        &self,
        outgoing: Outgoing<'_>,
        retry_until: Instant,
        random: Uuid,
    ) -> Result<String, SendError> {
        let id = outgoing.id;
        let call = async || {
            // On the heap: its future has eight kilobytes.
            let answer = Box::pin(self.ses.send(outgoing)).await;
            if is_throttled(&answer) {
                tracing::info!(message.id = %id, "SES throttled a call");
            }
            answer
        };
        let answer = retry_throttled(call, retry_until, delays_of(id, random)).await;
        match &answer {
            Ok(ses_id) => tracing::info!(message.id = %id, ses.id = ses_id, "SES accepted the message"),
            Err(SendError::Refused { refusal, code }) if needs_operator(*refusal) => {
                tracing::error!(cause = "deployment", message.id = %id, code, ?refusal, "SES refused the message");
            }
            Err(SendError::Refused { refusal, code }) => {
                tracing::warn!(message.id = %id, code, ?refusal, "SES refused the message");
            }
            Err(SendError::Ambiguous { code }) => tracing::error!(
                message.id = %id,
                code,
                cause = "ambiguous_send",
                "it is not known whether SES accepted the message"
            ),
        }
        answer
    }
}

/// Returns whether SES refuses every mail until somebody mends the deployment or its account.
fn needs_operator(refusal: SesRefusal) -> bool {
    refusal.fault() == ErrorCause::Deployment || refusal == SesRefusal::SendingPaused
}

/// Returns the value that the delays of a message are drawn from. The emails of a request share a nonce, and must not
/// come again together.
fn delays_of(id: Uuid, random: Uuid) -> Uuid {
    Uuid::from_u128(random.as_u128() ^ id.as_u128().rotate_left(64))
}

/// Calls SES until its answer is not throttling, or `until` is too near. `random` spreads the calls of requests that
/// are throttled together.
async fn retry_throttled<T>(
    call: impl AsyncFn() -> Result<T, SendError>,
    until: Instant,
    random: Uuid,
) -> Result<T, SendError> {
    let mut retry = 0;
    loop {
        let answer = call().await;
        if !is_throttled(&answer) {
            return answer;
        }
        let left = until.saturating_duration_since(Instant::now());
        let Some(delay) = backoff::delay(retry, random, left) else {
            return answer;
        };
        sleep(delay).await;
        retry += 1;
    }
}

fn is_throttled<T>(answer: &Result<T, SendError>) -> bool {
    match answer {
        Err(SendError::Refused { refusal, .. }) => matches!(refusal.row().retry, RetryAdvice::AtOnceThenAfter(_)),
        Ok(_) | Err(SendError::Ambiguous { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use domain::ses_error::TABLE;

    use super::*;

    fn refused(refusal: SesRefusal) -> Result<u8, SendError> {
        let code = String::new();
        Err(SendError::Refused { refusal, code })
    }

    fn ambiguous() -> Result<u8, SendError> {
        let code = String::new();
        Err(SendError::Ambiguous { code })
    }

    /// Gives these answers to as many calls, the last one first, and returns the final one with what was not asked for.
    async fn called(answers: Vec<Result<u8, SendError>>, until: Instant) -> (Result<u8, SendError>, usize) {
        let answers = RefCell::new(answers);
        let call = async || answers.borrow_mut().pop().unwrap();
        let answer = retry_throttled(call, until, Uuid::nil()).await;
        let left = answers.borrow().len();
        (answer, left)
    }

    fn in_a_minute() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[tokio::test]
    async fn calls_again_while_throttled_and_no_more_when_taken() {
        let throttled = || refused(SesRefusal::RateExceeded);
        let (answer, left) = called(vec![Ok(2), Ok(1), throttled(), throttled()], in_a_minute()).await;
        assert_eq!((answer.unwrap(), left), (1, 1));
    }

    #[tokio::test]
    async fn without_time_left_one_call_is_all() {
        let (answer, left) = called(vec![Ok(1), refused(SesRefusal::RateExceeded)], Instant::now()).await;
        assert!(matches!(
            answer,
            Err(SendError::Refused {
                refusal: SesRefusal::RateExceeded,
                ..
            })
        ));
        assert_eq!(left, 1);
    }

    #[tokio::test]
    async fn a_call_without_a_clear_answer_is_the_last() {
        let throttled = refused(SesRefusal::RateExceeded);
        let (answer, left) = called(vec![Ok(1), ambiguous(), throttled], in_a_minute()).await;
        assert!(matches!(answer, Err(SendError::Ambiguous { .. })));
        assert_eq!(left, 1);
    }

    #[tokio::test]
    async fn no_other_refusal_is_repeated() {
        let others = TABLE.iter().filter_map(|row| row.refusal);
        for refusal in others.filter(|&refusal| refusal != SesRefusal::RateExceeded) {
            let (answer, left) = called(vec![Ok(1), refused(refusal)], in_a_minute()).await;
            assert!(answer.is_err());
            assert_eq!(left, 1, "{refusal:?}");
        }
    }
}
