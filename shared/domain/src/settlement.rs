//! An operator's decision on a message of which it is not known whether SES took it.

use std::time::Duration;

use jiff::Timestamp;

use crate::queue::UNKNOWN_AFTER;
use crate::record::{DeliveryState, MessageRecord, SenderState};
use crate::time::plus;

/// How long after the lease of its last attempt a message may be settled. The operator's clock may be ahead of the
/// clock of the function, which may then still wait for SES's answer.
pub const SETTLED_AFTER: Duration = Duration::from_mins(5);

/// What an operator found out about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// SES took it.
    Sent,
    /// SES did not take it.
    NotSent,
}

impl Settlement {
    /// Returns the state that the row of the message gets.
    #[must_use]
    pub fn state(self) -> SenderState {
        match self {
            Self::Sent => SenderState::Sent,
            Self::NotSent => SenderState::Refused,
        }
    }
}

/// The consequence of an operator's decision for a message, by what its record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleStep {
    /// It is unknown, so the decision is written.
    Write,
    /// The record says the same already.
    Known,
    /// The record says the opposite, so the decision is refused.
    Contradicts,
    /// A request or a worker may still be sending it, so the decision comes too early. It can be made from this time
    /// on.
    TooEarly(Timestamp),
    /// It waits in the queue until this deadline, so nobody has tried to send it.
    Waits(Timestamp),
    /// It was queued, so its caller was told that Okite sends it, and no request sends it again: it cannot be recorded
    /// as not sent.
    WasQueued,
}

impl SettleStep {
    /// Finds the consequence for a message whose record was read with its events.
    #[must_use]
    pub fn of(record: &MessageRecord, settlement: Settlement, now: Timestamp) -> Self {
        // A worker may still take over an attempt that certainly sent nothing, until the row says `unknown`.
        let is_open = record.queued.is_some() && record.written != SenderState::Unknown;
        let after = if is_open { UNKNOWN_AFTER } else { SETTLED_AFTER };
        let from = plus(record.lease_until(), after);
        match (record.state(now), settlement) {
            (DeliveryState::Sending(_), _) => Self::TooEarly(from),
            (DeliveryState::Unknown, _) if now < from => Self::TooEarly(from),
            (DeliveryState::Unknown, Settlement::NotSent) if record.queued.is_some() => Self::WasQueued,
            (DeliveryState::Unknown, _) => Self::Write,
            (DeliveryState::Queued | DeliveryState::Scheduled(_), _) => {
                Self::Waits(record.queued.as_ref().map_or(now, |queued| queued.deadline))
            }
            (DeliveryState::Sent, Settlement::Sent) => Self::Known,
            (DeliveryState::Sent, Settlement::NotSent) => Self::Contradicts,
            (
                DeliveryState::Refused | DeliveryState::Suppressed | DeliveryState::Failed | DeliveryState::Canceled,
                decision,
            ) => match decision {
                Settlement::NotSent => Self::Known,
                Settlement::Sent => Self::Contradicts,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::idempotency::LEASE;
    use crate::record::QueuedMail;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn record(written: SenderState) -> MessageRecord {
        MessageRecord {
            attempt: 1,
            attempt_at: Some(NOW),
            ..MessageRecord::new(Uuid::nil(), written, NOW)
        }
    }

    #[test]
    fn only_an_unknown_message_is_settled() {
        let later = NOW + LEASE + SETTLED_AFTER;
        let just_before = later - Duration::from_millis(1);
        let queued = |written| MessageRecord {
            queued: Some(QueuedMail {
                queued_at: NOW,
                content_nonce: Uuid::nil(),
                scheduled_at: None,
                deadline: later,
                waits_for: None,
                rescheduled_at: None,
                ended_at: None,
                claim_id: None,
            }),
            ..record(written)
        };
        let mut taken = record(SenderState::Sending);
        taken.ses_id = Some("s".to_owned());
        let (write, known, contradicts) = (SettleStep::Write, SettleStep::Known, SettleStep::Contradicts);
        // A worker may take over an attempt that it released, so a mail of the queue is open for longer.
        let given_up = NOW + LEASE + UNKNOWN_AFTER;
        let (too_early, open, waits, was_queued) = (
            SettleStep::TooEarly(later),
            SettleStep::TooEarly(given_up),
            SettleStep::Waits(later),
            SettleStep::WasQueued,
        );
        for (record, at, sent, not_sent) in [
            (record(SenderState::Sending), later, write, write),
            (record(SenderState::Sending), NOW, too_early, too_early),
            (record(SenderState::Sending), just_before, too_early, too_early),
            (queued(SenderState::Queued), later, waits, waits),
            (queued(SenderState::Sending), later, open, open),
            (queued(SenderState::Sending), given_up, write, was_queued),
            (queued(SenderState::Unknown), later, write, was_queued),
            (taken, later, known, contradicts),
            (record(SenderState::Sent), later, known, contradicts),
            (record(SenderState::Refused), later, contradicts, known),
            (record(SenderState::Suppressed), later, contradicts, known),
            (record(SenderState::Failed), later, contradicts, known),
            (record(SenderState::Unknown), later, write, write),
        ] {
            let steps = [Settlement::Sent, Settlement::NotSent].map(|decision| SettleStep::of(&record, decision, at));
            assert_eq!(steps, [sent, not_sent], "{record:?}");
        }
    }
}
