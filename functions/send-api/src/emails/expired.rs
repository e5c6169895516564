//! Settles emails whose deadline is over when somebody reads them, so that nobody sees one waiting in vain.
//!
//! The entry in the table Outbox stays until a worker or the sweep finds it, within a minute or two. It also emits that
//! the email failed: an event from here would only be a copy.

use aws::{Messages, Moved, StoreError};
use domain::record::{DeliveryState, FailedReason, MessageRecord, SenderState};
use futures_util::future::join_all;
use jiff::Timestamp;
use sending::Deadlines;

/// How many emails are settled at a time.
const AT_ONCE: usize = 10;

/// Writes that emails failed that wait past their deadline. One for which that has no answer is shown as waiting.
pub(super) async fn settle_expired(messages: &Messages, records: &mut [MessageRecord], deadlines: &Deadlines) {
    let now = deadlines.arrived;
    let mut expired: Vec<&mut MessageRecord> = records.iter_mut().filter(|record| has_expired(record, now)).collect();
    for few in expired.chunks_mut(AT_ONCE) {
        let settled = few.iter_mut().map(|record| settle(messages, record, now));
        if deadlines.before_answering(join_all(settled)).await.is_err() {
            return;
        }
    }
}

/// Returns whether an email waits past its deadline.
fn has_expired(record: &MessageRecord, now: Timestamp) -> bool {
    let waits = matches!(record.state(now), DeliveryState::Queued | DeliveryState::Scheduled(_));
    let deadline = record.queued.as_ref().map(|queued| queued.deadline);
    waits && deadline.is_some_and(|deadline| deadline <= now)
}

async fn settle(messages: &Messages, record: &mut MessageRecord, now: Timestamp) {
    match settled(messages, record, now).await {
        Ok(()) => tracing::info!(message.id = %record.id, "the deadline of a message that was read is over"),
        Err(error) => {
            tracing::warn!(message.id = %record.id, code = error.code, "a message past its deadline cannot be settled");
        }
    }
}

async fn settled(messages: &Messages, record: &mut MessageRecord, now: Timestamp) -> Result<(), StoreError> {
    match messages.expire_queued(record.id, now).await? {
        Moved::Done => {
            record.written = SenderState::Failed;
            record.failed = Some(FailedReason::Expired);
        }
        Moved::Otherwise(Some(found)) => {
            let events = std::mem::take(&mut record.events);
            *record = MessageRecord { events, ..*found };
        }
        // It was deleted meanwhile.
        Moved::Otherwise(None) => {}
    }
    Ok(())
}
