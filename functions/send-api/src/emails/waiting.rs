//! The cause that an email waits for, as the answers show it.

use domain::record::MessageRecord;
use jiff::Timestamp;
use serde::Serialize;

/// When an email is to be sent, and its state in Okite's own terms.
#[derive(Serialize)]
pub(super) struct WaitingBody {
    /// The time that its caller named, whether it is still ahead or not.
    scheduled_at: Option<Timestamp>,
    /// When it becomes `failed` if it is not sent. Null for an email that never waited.
    okite_deadline: Option<Timestamp>,
    okite_state: &'static str,
    /// Why it failed, or why it still waits.
    okite_reason: Option<&'static str>,
}

impl WaitingBody {
    pub(super) fn of(record: &MessageRecord, now: Timestamp) -> Self {
        let (state, reason) = record.okite_state(now);
        let queued = record.queued.as_ref();
        Self {
            scheduled_at: queued.and_then(|queued| queued.scheduled_at),
            okite_deadline: queued.map(|queued| queued.deadline),
            okite_state: state.as_str(),
            okite_reason: reason,
        }
    }
}
