//! The outcome for one recipient, as the answers show it.

use domain::recipient::RecipientOutcome;
use domain::record::{MessageRecord, RecordedRecipient};
use jiff::Timestamp;
use serde::Serialize;

/// An entry of the field `recipients`.
#[derive(Serialize)]
pub(crate) struct RecipientBody<'a> {
    email: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

impl<'a> From<&'a RecipientOutcome> for RecipientBody<'a> {
    fn from(verdict: &'a RecipientOutcome) -> Self {
        let suppression = verdict.status.suppression();
        Self {
            email: verdict.address.as_given(),
            status: verdict.status.as_str(),
            reason: suppression.map(|suppression| suppression.reason.as_str()),
            since: suppression.map(|suppression| suppression.since),
        }
    }
}

impl<'a> From<&'a RecordedRecipient> for RecipientBody<'a> {
    fn from(verdict: &'a RecordedRecipient) -> Self {
        Self {
            email: &verdict.email,
            status: &verdict.status,
            reason: verdict.reason.as_deref(),
            since: verdict.since,
        }
    }
}

impl<'a> RecipientBody<'a> {
    /// Returns the outcome for a recipient of an email that is read back at `now`.
    pub(crate) fn of(record: &MessageRecord, recipient: &'a RecordedRecipient, now: Timestamp) -> Self {
        Self {
            status: record.recipient_status(recipient, now),
            ..Self::from(recipient)
        }
    }
}
