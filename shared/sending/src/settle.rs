//! Writing what became of a message, in the time that is left.

use aws::StoreError;
use uuid::Uuid;

use crate::Deadlines;

/// Carries out a write about a message, as long as there is time to answer afterwards. Returns whether it was
/// confirmed. A write that fails is logged: the mail is sent or not, whatever its record says.
pub(crate) fn settle(
    id: Uuid,
    deadlines: &Deadlines,
    write: impl Future<Output = Result<(), StoreError>>,
) -> impl Future<Output = bool> {
    let written = deadlines.before_answering(write);
    async move {
        let code = match written.await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error.code,
            Err(_) => "OutOfTime".to_owned(),
        };
        tracing::error!(message.id = %id, code, cause = "not_settled", "the record of a message was not settled");
        false
    }
}
