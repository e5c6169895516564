//! Calling SES for one mail, and again while it is throttled; then its row is settled.
//!
//! A mail that SES turns away for its rate is certainly not taken, so calling again cannot send it twice. Nothing else is
//! tried again here: another refusal would be repeated, and a call without a clear answer may have sent the mail. All the
//! calls are one attempt of the message, for at most one of them is accepted.

use aws::{NewMessage, Outgoing, SendError, Ses, StoreError};
use domain::backoff;
use domain::recipient::Destination;
use domain::ses_error::Retry;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::State;
use crate::error::ApiError;
use crate::time::Time;

/// Sends a message whose row is written, and settles the row.
pub(super) async fn deliver(
    state: &State,
    message: &NewMessage<'_>,
    destination: &Destination<'_>,
    time: &Time,
    patience: Instant,
) -> Result<(), ApiError> {
    let id = message.id;
    let outgoing = Outgoing {
        id,
        attempt: message.attempt,
        stream: message.stream,
        email: message.email,
        destination,
    };
    match send(&state.ses, outgoing, patience, delays_of(message)).await {
        Ok(ses_id) => {
            tracing::info!(message.id = %id, ses.id = ses_id, "SES took the message");
            // The mail is on its way: that the record could not be written must not tell the caller otherwise.
            settle(id, time, state.messages.accepted(id, &ses_id)).await;
            Ok(())
        }
        Err(SendError::Refused { refusal, code }) => {
            tracing::warn!(message.id = %id, code, ?refusal, "SES refused the message");
            let sender = message.email.from.address();
            Err(ApiError::refused(refusal, sender, &state.config.process.region))
        }
        Err(SendError::Ambiguous { code }) => {
            tracing::error!(message.id = %id, code, "it is not known whether SES took the message");
            Err(ApiError::ambiguous(id))
        }
    }
}

/// What the delays of a message are drawn from: the emails of a batch, which share a nonce, are not to come again together.
fn delays_of(message: &NewMessage<'_>) -> Uuid {
    Uuid::from_u128(message.nonce.as_u128() ^ message.id.as_u128().rotate_left(64))
}

/// Sends a mail, and returns SES's id of it. No call begins after `until`, but for the first; `random` spreads the calls of
/// those who are throttled together.
async fn send(ses: &Ses, outgoing: Outgoing<'_>, until: Instant, random: Uuid) -> Result<String, SendError> {
    let call = async || {
        let answer = ses.send(outgoing).await;
        if is_throttled(&answer) {
            tracing::info!(message.id = %outgoing.id, "SES throttled a call");
        }
        answer
    };
    while_throttled(call, until, random).await
}

/// Writes what became of a message, as long as there is time to answer afterwards.
pub(super) async fn settle(id: Uuid, time: &Time, update: impl Future<Output = Result<(), StoreError>>) {
    let code = match timeout_at(time.answer_by, update).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.code,
        Err(_) => "OutOfTime".to_owned(),
    };
    tracing::error!(message.id = %id, code, "the record of a message was not settled");
}

/// Calls until the answer is another than that there are too many calls, or `until` is too near.
async fn while_throttled<T>(
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
        Err(SendError::Refused { refusal, .. }) => matches!(refusal.row().retry, Retry::AtOnceThenAfter(_)),
        Ok(_) | Err(SendError::Ambiguous { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use domain::ses_error::{Refusal, TABLE};

    use super::*;

    fn refused(refusal: Refusal) -> Result<u8, SendError> {
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
        let answer = while_throttled(call, until, Uuid::nil()).await;
        let left = answers.borrow().len();
        (answer, left)
    }

    fn in_a_minute() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[tokio::test]
    async fn calls_again_while_throttled_and_no_more_when_taken() {
        let throttled = || refused(Refusal::RateExceeded);
        let (answer, left) = called(vec![Ok(2), Ok(1), throttled(), throttled()], in_a_minute()).await;
        assert_eq!((answer.unwrap(), left), (1, 1));
    }

    #[tokio::test]
    async fn without_time_left_one_call_is_all() {
        let (answer, left) = called(vec![Ok(1), refused(Refusal::RateExceeded)], Instant::now()).await;
        assert!(matches!(
            answer,
            Err(SendError::Refused {
                refusal: Refusal::RateExceeded,
                ..
            })
        ));
        assert_eq!(left, 1);
    }

    #[tokio::test]
    async fn a_call_without_a_clear_answer_is_the_last() {
        let throttled = refused(Refusal::RateExceeded);
        let (answer, left) = called(vec![Ok(1), ambiguous(), throttled], in_a_minute()).await;
        assert!(matches!(answer, Err(SendError::Ambiguous { .. })));
        assert_eq!(left, 1);
    }

    #[tokio::test]
    async fn no_other_refusal_is_repeated() {
        let others = TABLE.iter().filter_map(|row| row.refusal);
        for refusal in others.filter(|&refusal| refusal != Refusal::RateExceeded) {
            let (answer, left) = called(vec![Ok(1), refused(refusal)], in_a_minute()).await;
            assert!(answer.is_err());
            assert_eq!(left, 1, "{refusal:?}");
        }
    }
}
