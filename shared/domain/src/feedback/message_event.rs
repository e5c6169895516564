//! An event of SES as the record of a message keeps it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::event::Mail;
use super::{DIAGNOSTIC_MAX, address};
use crate::hex::hex;

/// The tag that carries our id of a message.
const ID_TAG: &str = "okite_id";

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageEvent {
    /// Our id of the message, by our tag; classic notifications carry no tags.
    pub message_id: Option<Uuid>,
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
    /// SES's words for what happened, such as `Permanent/General`, where the type has more than its name.
    pub subtype: Option<String>,
    /// What the receiving server said, by recipient. It may contain addresses: it is for the table, not for a log.
    pub diagnostics: BTreeMap<String, String>,
}

/// What an event says of its message, whatever its type.
#[derive(Debug)]
pub(super) struct About<'a> {
    pub(super) kind: &'a str,
    /// SES's id of the feedback, where the type has one.
    pub(super) feedback_id: Option<&'a str>,
    pub(super) at: Timestamp,
    /// The addresses as SES writes them, each with what its server said.
    pub(super) recipients: Vec<(&'a str, Option<&'a str>)>,
    pub(super) subtype: Option<String>,
}

/// Reads our id of a mail, by our tag.
pub(super) fn id(mail: &Mail) -> Option<Uuid> {
    mail.tag(ID_TAG)?.as_str()?.parse().ok()
}

/// Makes the event of a mail.
pub(super) fn of(mail: &Mail, about: About<'_>) -> Option<MessageEvent> {
    let mut recipients = Vec::new();
    let mut diagnostics = BTreeMap::new();
    for (text, diagnostic) in &about.recipients {
        for address in address::read_all(text) {
            let address = address.normalised().to_owned();
            if let Some(diagnostic) = diagnostic {
                diagnostics.insert(address.clone(), short(diagnostic));
            }
            recipients.push(address);
        }
    }
    recipients.sort_unstable();
    recipients.dedup();
    Some(MessageEvent {
        message_id: id(mail),
        // It becomes a key, and DynamoDB has no empty keys.
        ses_id: mail.message_id.clone().filter(|id| !id.is_empty())?,
        kind: about.kind.to_owned(),
        id: about.feedback_id.map_or_else(|| id_of(&recipients), str::to_owned),
        at: about.at,
        recipients,
        subtype: about.subtype.map(|text| short(&text)),
        diagnostics,
    })
}

fn short(text: &str) -> String {
    text.chars().take(DIAGNOSTIC_MAX).collect()
}

/// An id for types to which SES gives none: one such event a recipient is told, and one for the mail as a whole.
fn id_of(recipients: &[String]) -> String {
    if recipients.is_empty() {
        return String::new();
    }
    hex(&Sha256::digest(recipients.join("\n"))[..8])
}

/// The addresses of a list of texts, or of objects with an `emailAddress` and perhaps a `diagnosticCode`.
pub(super) fn addresses<'a>(object: Option<&'a Value>, list: &str) -> Vec<(&'a str, Option<&'a str>)> {
    let entries = object.and_then(|object| object.get(list)?.as_array());
    let address = |entry: &'a Value| match entry.as_str() {
        Some(address) => Some((address, None)),
        None => Some((
            entry.get("emailAddress")?.as_str()?,
            text_of(Some(entry), "diagnosticCode"),
        )),
    };
    entries.into_iter().flatten().filter_map(address).collect()
}

/// A text of an object.
pub(super) fn text_of<'a>(object: Option<&'a Value>, name: &str) -> Option<&'a str> {
    object?.get(name)?.as_str()
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
                (Some(ID), "m-1", kind)
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
    fn keeps_what_servers_said_of_each_recipient_and_the_words_of_ses() {
        let bounce = json!({"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [
            {"emailAddress": "Anna@example.org", "diagnosticCode": "x".repeat(2_000)}, {"emailAddress": "bob@example.org"}]});
        let told = message(&event("Bounce", "bounce", bounce)).unwrap();
        assert_eq!(told.subtype.as_deref(), Some("Permanent/General"));
        assert_eq!(
            told.diagnostics,
            BTreeMap::from([("anna@example.org".to_owned(), "x".repeat(DIAGNOSTIC_MAX))])
        );
        let delay = json!({"delayType": "MailboxFull", "delayedRecipients": [
            {"emailAddress": "anna@example.org", "diagnosticCode": "452 full"}]});
        let told = message(&event("DeliveryDelay", "deliveryDelay", delay)).unwrap();
        assert_eq!(told.subtype.as_deref(), Some("MailboxFull"));
        assert_eq!(told.diagnostics["anna@example.org"], "452 full");
        let complaint = json!({"complaintFeedbackType": "abuse", "complainedRecipients": []});
        let told = message(&event("Complaint", "complaint", complaint)).unwrap();
        assert_eq!(told.subtype.as_deref(), Some("abuse"));
        let reject = json!({"reason": "Bad content"});
        assert_eq!(
            message(&event("Reject", "reject", reject)).unwrap().subtype.as_deref(),
            Some("Bad content")
        );
        let failure = json!({"errorMessage": "no such part", "templateName": "t"});
        let told = message(&event("Rendering Failure", "failure", failure)).unwrap();
        assert_eq!(told.subtype.as_deref(), Some("no such part"));
    }

    #[test]
    fn has_no_id_of_ours_without_our_tag_and_is_nothing_without_an_id_of_ses() {
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
            let told = with("/mail/tags", tags.clone()).unwrap();
            assert_eq!((told.message_id, told.ses_id.as_str()), (None, "m-1"), "{tags}");
        }
        for ses_id in [Value::Null, json!("")] {
            assert_eq!(with("/mail/messageId", ses_id), None);
        }
        assert_eq!(message(&event("Open", "open", json!({}))), None);
    }
}
