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
    pub(super) reject: Option<Value>,
    pub(super) failure: Option<Value>,
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

impl Bounce {
    /// SES's words for it: type and subtype.
    pub(super) fn words(&self) -> String {
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        format!("{}/{}", word(&self.bounce_type), word(&self.bounce_sub_type))
    }
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

impl Complaint {
    /// SES's word for it: the subtype, or what the report says of itself; empty if neither is there.
    pub(super) fn words(&self) -> &str {
        let mut words = [&self.complaint_sub_type, &self.complaint_feedback_type]
            .into_iter()
            .flatten();
        words.find(|words| !words.is_empty()).map_or("", String::as_str)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recipient {
    pub(super) email_address: Option<String>,
    pub(super) action: Option<String>,
    pub(super) status: Option<String>,
    pub(super) diagnostic_code: Option<String>,
}
