//! An operator's word on a message of which it is not known whether SES took it.

use jiff::Timestamp;

use crate::record::{DeliveryState, MessageRecord, SenderState};

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

/// The consequence of an operator's word for a message, by what its record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleStep {
    /// It is unknown, so the word is written.
    Write,
    /// The record says the same already.
    Known,
    /// The record says the opposite, so the word is refused.
    Contradicts,
    /// A request or a worker may send it until this time at the latest, so the word comes too early.
    TooEarly(Timestamp),
}

impl SettleStep {
    /// Finds the consequence for a message whose record was read with its events.
    #[must_use]
    pub fn of(record: &MessageRecord, settlement: Settlement, now: Timestamp) -> Self {
        match (record.state(now), settlement) {
            (DeliveryState::Unknown, _) => Self::Write,
            (DeliveryState::Sending(until), _) => Self::TooEarly(until),
            (DeliveryState::Queued | DeliveryState::Scheduled(_), _) => {
                let deadline = record.queued.as_ref().map_or(now, |queued| queued.deadline);
                Self::TooEarly(deadline)
            }
            (DeliveryState::Sent, Settlement::Sent) => Self::Known,
            (DeliveryState::Sent, Settlement::NotSent) => Self::Contradicts,
            (
                DeliveryState::Refused | DeliveryState::Suppressed | DeliveryState::Failed | DeliveryState::Canceled,
                word,
            ) => match word {
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
    use crate::record::RecordedMail;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn record(written: SenderState) -> MessageRecord {
        MessageRecord {
            id: Uuid::nil(),
            written,
            attempt: 1,
            attempt_at: Some(NOW),
            nonce: None,
            lease_until: None,
            queued: None,
            failed: None,
            ses_id: None,
            settled_at: None,
            created_at: NOW,
            mail: RecordedMail::default(),
            recipients: Vec::new(),
            events: Vec::new(),
        }
    }

    #[test]
    fn only_an_unknown_message_is_settled() {
        let later = NOW + LEASE;
        let mut taken = record(SenderState::Sending);
        taken.ses_id = Some("s".to_owned());
        for (record, at, sent, not_sent) in [
            (
                record(SenderState::Sending),
                later,
                SettleStep::Write,
                SettleStep::Write,
            ),
            (
                record(SenderState::Sending),
                NOW,
                SettleStep::TooEarly(later),
                SettleStep::TooEarly(later),
            ),
            (taken, later, SettleStep::Known, SettleStep::Contradicts),
            (
                record(SenderState::Sent),
                later,
                SettleStep::Known,
                SettleStep::Contradicts,
            ),
            (
                record(SenderState::Refused),
                later,
                SettleStep::Contradicts,
                SettleStep::Known,
            ),
            (
                record(SenderState::Suppressed),
                later,
                SettleStep::Contradicts,
                SettleStep::Known,
            ),
            (
                record(SenderState::Failed),
                later,
                SettleStep::Contradicts,
                SettleStep::Known,
            ),
            (record(SenderState::Unknown), NOW, SettleStep::Write, SettleStep::Write),
        ] {
            let steps = [Settlement::Sent, Settlement::NotSent].map(|word| SettleStep::of(&record, word, at));
            assert_eq!(steps, [sent, not_sent], "{record:?}");
        }
    }
}
