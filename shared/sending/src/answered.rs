//! Repeating a transaction until it has an answer.

use aws::StoreError;
use domain::backoff;
use tokio::time::sleep;
use uuid::Uuid;

use crate::Deadlines;

/// How often a transaction without an answer is repeated.
const REPEATS_MAX: u32 = 3;

/// Why a transaction has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It certainly was not begun.
    NotBegun(StoreError),
    /// It is not known whether it was carried out, or will be. This is the last error, if there was one.
    Unknown(Option<StoreError>),
}

/// Carries out a transaction, and repeats it with the same token while it has no answer and there is time. `is_begun`
/// tells from the error of the first call whether the transaction may have been begun. No later error is proof that it
/// was not carried out: DynamoDB may have carried out the call before.
pub(crate) async fn until_answered<T>(
    deadlines: &Deadlines,
    random: Uuid,
    is_begun: impl Fn(&StoreError) -> bool,
    call: impl AsyncFn() -> Result<T, StoreError>,
) -> Result<T, Unanswered> {
    let (mut repeat, mut last) = (0, None);
    loop {
        match deadlines.before_answering(call()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if repeat == 0 && !is_begun(&error) => return Err(Unanswered::NotBegun(error)),
            Ok(Err(error)) => {
                let cause = error.cause();
                tracing::warn!(
                    cause,
                    operation = error.operation,
                    code = error.code,
                    "a transaction has no answer"
                );
                last = Some(error);
            }
            Err(_) => return Err(Unanswered::Unknown(last)),
        }
        let delay = backoff::delay(repeat, random, deadlines.left_to_answer());
        match delay.filter(|_| repeat < REPEATS_MAX) {
            Some(delay) => sleep(delay).await,
            None => return Err(Unanswered::Unknown(last)),
        }
        repeat += 1;
    }
}
