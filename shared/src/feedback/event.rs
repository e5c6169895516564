//! The parts of SES's event JSON that are read. Everything is optional and times are whatever they are: an event must
//! not be lost over a field that is not needed.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Json {
    pub(super) event_type: Option<String>,
    pub(super) notification_type: Option<String>,
    pub(super) mail: Option<Mail>,
    pub(super) bounce: Option<Bounce>,
    pub(super) complaint: Option<Complaint>,
    pub(super) delivery: Option<Value>,
    pub(super) delivery_delay: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mail {
    pub(super) message_id: Option<String>,
    pub(super) timestamp: Option<Value>,
    pub(super) sending_account_id: Option<String>,
    /// Names and lists of values; event publishing alone has them.
    pub(super) tags: Option<Value>,
}

impl Mail {
    /// The value of a tag that has one.
    pub(super) fn tag(&self, name: &str) -> Option<&Value> {
        self.tags.as_ref()?.get(name)?.get(0)
    }
}

#[expect(clippy::struct_field_names, reason = "the names are SES's")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bounce {
    pub(super) bounce_type: Option<String>,
    pub(super) bounce_sub_type: Option<String>,
    pub(super) bounced_recipients: Option<Vec<Recipient>>,
    pub(super) timestamp: Option<Value>,
    pub(super) feedback_id: Option<String>,
}

#[expect(clippy::struct_field_names, reason = "the names are SES's")]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Complaint {
    pub(super) complained_recipients: Option<Vec<Recipient>>,
    pub(super) timestamp: Option<Value>,
    pub(super) feedback_id: Option<String>,
    pub(super) complaint_sub_type: Option<String>,
    pub(super) complaint_feedback_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recipient {
    pub(super) email_address: Option<String>,
    pub(super) action: Option<String>,
    pub(super) status: Option<String>,
    pub(super) diagnostic_code: Option<String>,
}
