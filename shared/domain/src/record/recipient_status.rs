//! The status of each recipient when the record of a message is read.

use jiff::Timestamp;

use super::{DeliveryState, MessageRecord, RecordedRecipient};
use crate::recipient::RecipientStatus;

/// The mail waits or is being sent to the recipient.
const PENDING: &str = "pending";
/// It is not known whether SES accepted the mail for the recipient.
const UNKNOWN: &str = "unknown";

impl MessageRecord {
    /// Returns the status of one of the message's recipients at `now`.
    ///
    /// The row holds whom the mail is meant for, and is written before SES is asked. So a recipient is `accepted` only
    /// if SES accepted the message.
    #[must_use]
    pub fn recipient_status<'a>(&self, recipient: &'a RecordedRecipient, now: Timestamp) -> &'a str {
        if recipient.status != RecipientStatus::Accepted.as_str() {
            return &recipient.status;
        }
        match self.state(now) {
            DeliveryState::Sent => &recipient.status,
            DeliveryState::Queued | DeliveryState::Scheduled(_) | DeliveryState::Sending(_) => PENDING,
            DeliveryState::Unknown => UNKNOWN,
            DeliveryState::Refused | DeliveryState::Suppressed | DeliveryState::Failed | DeliveryState::Canceled => {
                RecipientStatus::NotSent.as_str()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::SenderState;
    use super::*;
    use crate::idempotency::LEASE;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn recipient(status: &str) -> RecordedRecipient {
        RecordedRecipient {
            email: "anna@example.org".to_owned(),
            status: status.to_owned(),
            reason: None,
            since: None,
        }
    }

    fn record(written: SenderState) -> MessageRecord {
        MessageRecord {
            attempt: 1,
            attempt_at: Some(NOW),
            ..MessageRecord::new(Uuid::nil(), written, NOW)
        }
    }

    #[test]
    fn a_recipient_is_accepted_only_if_ses_accepted_the_message() {
        let answered = MessageRecord {
            ses_id: Some("s".to_owned()),
            ..record(SenderState::Sending)
        };
        for (record, now, status) in [
            (answered, NOW, "accepted"),
            (record(SenderState::Sent), NOW, "accepted"),
            (record(SenderState::Sending), NOW, "pending"),
            (record(SenderState::Queued), NOW, "pending"),
            (record(SenderState::Sending), NOW + LEASE, "unknown"),
            (record(SenderState::Unknown), NOW, "unknown"),
            (record(SenderState::Refused), NOW, "not_sent"),
            (record(SenderState::Failed), NOW, "not_sent"),
            (record(SenderState::Canceled), NOW, "not_sent"),
        ] {
            assert_eq!(
                record.recipient_status(&recipient("accepted"), now),
                status,
                "{record:?}"
            );
            for kept in ["suppressed", "not_sent"] {
                assert_eq!(record.recipient_status(&recipient(kept), now), kept, "{record:?}");
            }
        }
    }
}
