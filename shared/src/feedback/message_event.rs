//! An event of SES as the record of a message keeps it.

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::address;
use super::event::Mail;
use crate::hex::hex;

/// The tag that carries our id of a message.
const ID_TAG: &str = "okite_id";

/// What became of one message, by an event that names it with our tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageEvent {
    /// Our id of the message.
    pub message_id: Uuid,
    /// SES's id of the message.
    pub ses_id: String,
    /// The event's type, as SES names it.
    pub kind: String,
    /// What tells it from other events of this type about this message; the same for every copy of it.
    pub id: String,
    /// When SES says it happened.
    pub at: Timestamp,
    /// Whom it is about, normalised; nobody where it is about the mail as a whole. Addresses that cannot be read are left
    /// out.
    pub recipients: Vec<String>,
}

/// What an event says of its message, whatever its type.
#[derive(Debug)]
pub(super) struct About<'a> {
    pub(super) kind: &'a str,
    /// SES's id of the feedback, where the type has one.
    pub(super) feedback_id: Option<&'a str>,
    pub(super) at: Timestamp,
    /// The addresses as SES writes them.
    pub(super) recipients: Vec<&'a str>,
}

/// Reads our id of a mail, by our tag.
pub(super) fn id(mail: &Mail) -> Option<Uuid> {
    mail.tag(ID_TAG)?.as_str()?.parse().ok()
}

/// Makes the event of a mail that carries our tag.
pub(super) fn of(mail: &Mail, about: &About<'_>) -> Option<MessageEvent> {
    let message_id = id(mail)?;
    let mut recipients: Vec<String> = about
        .recipients
        .iter()
        .filter_map(|text| Some(address::read(text)?.normalised().to_owned()))
        .collect();
    recipients.sort_unstable();
    recipients.dedup();
    Some(MessageEvent {
        message_id,
        // It becomes the key of an index, and DynamoDB has no empty keys.
        ses_id: mail.message_id.clone().filter(|id| !id.is_empty())?,
        kind: about.kind.to_owned(),
        id: about.feedback_id.map_or_else(|| id_of(&recipients), str::to_owned),
        at: about.at,
        recipients,
    })
}

/// An id for types to which SES gives none: one such event a recipient is told, and one for the mail as a whole.
fn id_of(recipients: &[String]) -> String {
    if recipients.is_empty() {
        return String::new();
    }
    hex(&Sha256::digest(recipients.join("\n"))[..8])
}

/// The addresses of a list of texts, or of objects with an `emailAddress`.
pub(super) fn addresses<'a>(object: Option<&'a Value>, list: &str) -> Vec<&'a str> {
    let entries = object.and_then(|object| object.get(list)?.as_array());
    let address = |entry: &'a Value| entry.as_str().or_else(|| entry.get("emailAddress")?.as_str());
    entries.into_iter().flatten().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Feedback, read};
    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    fn received() -> Timestamp {
        "2026-01-02T00:00:00Z".parse().unwrap()
    }

    fn message(json: &Value) -> Option<MessageEvent> {
        match read(&json.to_string(), received()).unwrap() {
            Feedback::Event(event) => event.message,
            Feedback::SetUp => None,
        }
    }

    fn event(kind: &str, member: &str, object: Value) -> Value {
        let mut event = json!({
            "eventType": kind,
            "mail": {"messageId": "m-1", "timestamp": "2026-01-01T00:00:00Z", "tags": {"okite_id": [ID.to_string()]}},
        });
        event[member] = object;
        event
    }

    #[test]
    fn names_our_message_and_those_it_is_about() {
        let at = json!("2026-01-01T00:00:05Z");
        let delivery = json!({"timestamp": at, "recipients": ["Anna <Anna@Example.org>", "not an address"]});
        let delay = json!({"timestamp": at, "delayedRecipients": [{"emailAddress": "anna@example.org"}]});
        let bounce =
            json!({"timestamp": at, "feedbackId": "f-1", "bouncedRecipients": [{"emailAddress": "anna@example.org"}]});
        for (kind, member, object) in [
            ("Delivery", "delivery", delivery),
            ("DeliveryDelay", "deliveryDelay", delay),
            ("Bounce", "bounce", bounce),
        ] {
            let told = message(&event(kind, member, object)).unwrap();
            assert_eq!(
                (told.message_id, told.ses_id.as_str(), told.kind.as_str()),
                (ID, "m-1", kind)
            );
            assert_eq!(told.recipients, ["anna@example.org"], "{kind}");
            assert_eq!(told.at.to_string(), "2026-01-01T00:00:05Z", "{kind}");
            assert!(
                !told.id.contains('@') && (kind != "Bounce" || told.id == "f-1"),
                "{kind}"
            );
        }
    }

    #[test]
    fn is_about_the_mail_as_a_whole_where_nobody_is_named() {
        for (kind, member) in [("Send", "send"), ("Reject", "reject"), ("Rendering Failure", "failure")] {
            let told = message(&event(kind, member, json!({}))).unwrap();
            assert_eq!((told.id.as_str(), told.recipients.as_slice()), ("", &[][..]), "{kind}");
        }
    }

    #[test]
    fn other_recipients_are_another_event_and_their_order_is_not() {
        let id = |recipients: Value| {
            let delivery = json!({ "recipients": recipients });
            message(&event("Delivery", "delivery", delivery)).unwrap().id
        };
        assert_eq!(
            id(json!(["a@example.org", "b@example.org"])),
            id(json!(["b@example.org", "A@example.org"]))
        );
        assert_ne!(id(json!(["a@example.org"])), id(json!(["b@example.org"])));
    }

    #[test]
    fn says_nothing_of_a_message_that_it_does_not_name() {
        let with = |pointer: &str, value: Value| {
            let mut event = event("Send", "send", json!({}));
            *event.pointer_mut(pointer).unwrap() = value;
            message(&event)
        };
        for tags in [
            Value::Null,
            json!([]),
            json!({}),
            json!({"okite_id": []}),
            json!({"okite_id": ["no id"]}),
            json!(7),
        ] {
            assert_eq!(with("/mail/tags", tags.clone()), None, "{tags}");
        }
        for ses_id in [Value::Null, json!("")] {
            assert_eq!(with("/mail/messageId", ses_id), None);
        }
        assert_eq!(message(&event("Open", "open", json!({}))), None);
    }
}
