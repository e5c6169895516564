//! The parts of SES's event JSON that are read. Everything is optional, and a field of another type than expected
//! counts as missing: an event must not be lost over a field that is not needed. Of a field given twice the last one
//! counts.

use serde_json::{Map, Value};

#[derive(Debug, Default)]
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
    pub(super) open: Option<Value>,
    pub(super) click: Option<Value>,
    pub(super) subscription: Option<Value>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Mail {
    pub(super) message_id: Option<String>,
    pub(super) timestamp: Option<Value>,
    /// The address in the envelope.
    pub(super) source: Option<String>,
    pub(super) sending_account_id: Option<String>,
    /// The list of addresses that the mail was sent to.
    pub(super) destination: Option<Value>,
    /// Names and lists of values; event publishing alone has them.
    pub(super) tags: Option<Value>,
    /// The list of headers, each with its `name` and `value`.
    pub(super) headers: Option<Value>,
    /// The usual headers by name: `from` is a list, `subject` a text.
    pub(super) common_headers: Option<Value>,
}

impl Mail {
    /// The value of a tag that has one.
    pub(super) fn tag(&self, name: &str) -> Option<&Value> {
        self.tags.as_ref()?.get(name)?.get(0)
    }
}

#[expect(clippy::struct_field_names, reason = "the names are SES's")]
#[derive(Debug, Default)]
pub(super) struct Bounce {
    pub(super) bounce_type: Option<String>,
    pub(super) bounce_sub_type: Option<String>,
    pub(super) bounced_recipients: Option<Vec<Recipient>>,
    pub(super) timestamp: Option<Value>,
    pub(super) feedback_id: Option<String>,
}

impl Bounce {
    /// SES's words for it: type and subtype, as far as they are there.
    pub(super) fn words(&self) -> String {
        let words = [&self.bounce_type, &self.bounce_sub_type].into_iter().flatten();
        let words: Vec<&str> = words.map(String::as_str).filter(|word| !word.is_empty()).collect();
        words.join("/")
    }
}

#[expect(clippy::struct_field_names, reason = "the names are SES's")]
#[derive(Debug, Default)]
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

#[derive(Debug, Default)]
pub(super) struct Recipient {
    pub(super) email_address: Option<String>,
    pub(super) action: Option<String>,
    pub(super) status: Option<String>,
    pub(super) diagnostic_code: Option<String>,
}

/// A JSON object of which fields are taken.
struct Fields(Map<String, Value>);

impl Fields {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Object(fields) => Some(Self(fields)),
            _ => None,
        }
    }

    fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    fn object(&mut self, name: &str) -> Option<Self> {
        Self::of(self.value(name)?)
    }

    fn recipients(&mut self, name: &str) -> Option<Vec<Recipient>> {
        match self.value(name)? {
            Value::Array(entries) => Some(entries.into_iter().map(Recipient::read).collect()),
            // A recipient of another shape is one that cannot be read: the event is kept for a person.
            entry => Some(vec![Recipient::read(entry)]),
        }
    }
}

impl Json {
    /// Takes what is needed; everything else is dropped.
    pub(super) fn read(value: Value) -> Self {
        let Some(mut fields) = Fields::of(value) else {
            return Self::default();
        };
        Self {
            event_type: fields.text("eventType"),
            notification_type: fields.text("notificationType"),
            mail: fields.object("mail").map(Mail::read),
            bounce: fields.object("bounce").map(Bounce::read),
            complaint: fields.object("complaint").map(Complaint::read),
            delivery: fields.value("delivery"),
            delivery_delay: fields.value("deliveryDelay"),
            reject: fields.value("reject"),
            failure: fields.value("failure"),
            open: fields.value("open"),
            click: fields.value("click"),
            subscription: fields.value("subscription"),
        }
    }
}

impl Mail {
    fn read(mut fields: Fields) -> Self {
        Self {
            message_id: fields.text("messageId"),
            timestamp: fields.value("timestamp"),
            source: fields.text("source"),
            sending_account_id: fields.text("sendingAccountId"),
            destination: fields.value("destination"),
            tags: fields.value("tags"),
            headers: fields.value("headers"),
            common_headers: fields.value("commonHeaders"),
        }
    }
}

impl Bounce {
    fn read(mut fields: Fields) -> Self {
        Self {
            bounce_type: fields.text("bounceType"),
            bounce_sub_type: fields.text("bounceSubType"),
            bounced_recipients: fields.recipients("bouncedRecipients"),
            timestamp: fields.value("timestamp"),
            feedback_id: fields.text("feedbackId"),
        }
    }
}

impl Complaint {
    fn read(mut fields: Fields) -> Self {
        Self {
            complained_recipients: fields.recipients("complainedRecipients"),
            timestamp: fields.value("timestamp"),
            feedback_id: fields.text("feedbackId"),
            complaint_sub_type: fields.text("complaintSubType"),
            complaint_feedback_type: fields.text("complaintFeedbackType"),
        }
    }
}

impl Recipient {
    /// Reads an entry; one that is no object has no address, unless it is a text.
    fn read(entry: Value) -> Self {
        if let Value::String(address) = entry {
            return Self {
                email_address: Some(address),
                ..Self::default()
            };
        }
        let Some(mut fields) = Fields::of(entry) else {
            return Self::default();
        };
        Self {
            email_address: fields.text("emailAddress"),
            action: fields.text("action"),
            status: fields.text("status"),
            diagnostic_code: fields.text("diagnosticCode"),
        }
    }
}
