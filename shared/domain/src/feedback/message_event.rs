//! An event of SES as the record of a message keeps it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::event::Mail;
use super::{DIAGNOSTIC_MAX, RECIPIENTS_MAX, address};
use crate::address::EmailAddress;
use crate::bounce::BounceReason;
use crate::hex::hex;
use crate::record::Engagement;

/// The tag that carries our id of a message.
const ID_TAG: &str = "okite_id";

/// The longest id of SES's that becomes part of a key as it is; SES's ids have 60 characters.
const FEEDBACK_ID_MAX: usize = 200;

/// One event of SES about one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageEvent {
    /// Our id of the message, from our tag; classic notifications carry no tags.
    pub message_id: Option<Uuid>,
    /// SES's id of the message.
    pub ses_id: String,
    /// The event's type, as SES names it.
    pub kind: String,
    /// SES's id of the bounce or complaint, or the identity of an opening or a click; empty for types that have none.
    /// It is the same for every copy of an event.
    pub id: String,
    /// When SES says it happened; the time of the mail where the event has none. Without either it is
    /// [`Timestamp::UNIX_EPOCH`]: every copy of the event must have the same time, and the time of receipt differs.
    pub at: Timestamp,
    /// The time from which its retention counts: that of the mail, so that every copy lapses at the same time.
    pub kept_from: Timestamp,
    /// The recipients that it is about, by normalised address. Empty where the event is about the mail as a whole.
    /// Addresses that cannot be read are left out.
    pub recipients: BTreeMap<String, EventRecipient>,
    /// SES's words for what happened, such as `Permanent/General`, where the type has more than its name.
    pub subtype: Option<String>,
    /// The visitor and the link, if the event is an opening or a click.
    pub engagement: Option<Engagement>,
}

/// What an event says of one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRecipient {
    /// The words of the receiving server. They may contain addresses: they are for the table, not for a log.
    pub diagnostic: Option<String>,
    /// Why the mail bounced, if it did.
    pub bounce_reason: Option<BounceReason>,
    /// Whether the mail was not sent to this address: an address that it was sent to forwarded it.
    pub forwarded: bool,
}

/// The contents of an event about its message, for every type.
#[derive(Debug)]
pub(super) struct About<'a> {
    pub(super) kind: &'a str,
    /// SES's id of the feedback, or the identity of an opening or a click, where the type has one.
    pub(super) feedback_id: Option<Cow<'a, str>>,
    /// The event's own time, where it has one.
    pub(super) at: Option<Timestamp>,
    /// The addresses as SES writes them, each with what its server said.
    pub(super) recipients: Vec<(&'a str, Option<&'a str>)>,
    /// Whether the recipients may be others than those that the mail was sent to. Only the servers of the final
    /// recipient make a bounce or a complaint; SES itself reports everything else.
    pub(super) may_be_forwarded: bool,
    pub(super) subtype: Option<String>,
    pub(super) engagement: Option<Engagement>,
}

/// Reads our id of a mail from our tag.
pub(super) fn id(mail: &Mail) -> Option<Uuid> {
    mail.tag(ID_TAG)?.as_str()?.parse().ok()
}

/// Makes the event of a mail that SES took at `sent`, as far as that is known.
pub(super) fn of(mail: &Mail, about: About<'_>, sent: Option<Timestamp>, received: Timestamp) -> Option<MessageEvent> {
    let sent_to = SentTo::of(mail);
    let recipient = |(text, diagnostic): (&str, Option<&str>)| {
        let forwarded = about.may_be_forwarded && !sent_to.has_text(text);
        let diagnostic = diagnostic.map(short);
        let addresses = address::read_all(text).into_iter();
        addresses.map(move |address| {
            let recipient = EventRecipient {
                diagnostic: diagnostic.clone(),
                bounce_reason: None,
                forwarded: forwarded && !sent_to.may_have(&address),
            };
            (address.normalised().to_owned(), recipient)
        })
    };
    Some(MessageEvent {
        message_id: id(mail),
        // It becomes a key, and DynamoDB has no empty keys.
        ses_id: mail.message_id.as_deref().filter(|id| !id.is_empty()).map(key_part)?,
        kind: about.kind.to_owned(),
        id: about.feedback_id.as_deref().map(key_part).unwrap_or_default(),
        at: about.at.or(sent).unwrap_or(Timestamp::UNIX_EPOCH),
        // A time in the future would keep the event for good.
        kept_from: sent.or(about.at).unwrap_or(received).min(received),
        recipients: about
            .recipients
            .into_iter()
            .flat_map(recipient)
            .take(RECIPIENTS_MAX)
            .collect(),
        subtype: about.subtype.map(|text| short(&text)),
        engagement: about.engagement,
    })
}

/// Returns the recipient of a mail with one recipient, as SES's event names it. Nobody knows who of several recipients
/// opened a mail.
pub(super) fn only_recipient(mail: &Mail) -> Vec<(&str, Option<&str>)> {
    match SentTo::of(mail).0 {
        [recipient] => recipient.as_str().map(|text| (text, None)).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The addresses that a mail was sent to, as SES's event names them.
#[derive(Clone, Copy)]
struct SentTo<'a>(&'a [Value]);

impl<'a> SentTo<'a> {
    fn of(mail: &'a Mail) -> Self {
        Self(
            mail.destination
                .as_ref()
                .and_then(Value::as_array)
                .map_or(&[], Vec::as_slice),
        )
    }

    fn texts(self) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(Value::as_str)
    }

    /// Returns whether an address stands there in the same spelling. That is the rule, and costs no parsing.
    fn has_text(self, text: &str) -> bool {
        self.texts().any(|sent| sent.eq_ignore_ascii_case(text))
    }

    /// Returns whether an address is there, or may be: without a list, or with an entry that cannot be read, nobody
    /// knows.
    fn may_have(self, address: &EmailAddress) -> bool {
        let is_it = |sent| {
            let addresses = address::read_all(sent);
            addresses.is_empty() || addresses.iter().any(|sent| sent.normalised() == address.normalised())
        };
        self.0.is_empty() || self.0.iter().any(|sent| sent.as_str().is_none_or(is_it))
    }
}

/// A text of SES's or of a server, cut to what is kept of it.
pub(super) fn short(text: &str) -> String {
    text.chars().take(DIAGNOSTIC_MAX).collect()
}

/// An id as it stands in a key, whose length DynamoDB limits.
pub(super) fn key_part(id: &str) -> String {
    if id.len() > FEEDBACK_ID_MAX {
        return hex(&Sha256::digest(id)[..16]);
    }
    id.to_owned()
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
            let recipients: Vec<_> = told.recipients.keys().collect();
            assert_eq!(recipients, ["anna@example.org"], "{kind}");
            assert_eq!(told.at.to_string(), "2026-01-01T00:00:05Z", "{kind}");
            assert_eq!(told.kept_from.to_string(), "2026-01-01T00:00:00Z", "{kind}");
            assert_eq!(told.id, if kind == "Bounce" { "f-1" } else { "" }, "{kind}");
        }
    }

    #[test]
    fn an_event_without_recipients_is_about_the_whole_mail() {
        for (kind, member) in [("Send", "send"), ("Reject", "reject"), ("Rendering Failure", "failure")] {
            let told = message(&event(kind, member, json!({}))).unwrap();
            assert!(told.id.is_empty() && told.recipients.is_empty(), "{kind}");
        }
    }

    #[test]
    fn every_copy_has_the_same_times_whenever_it_is_received() {
        let read =
            |event: &Value, received: &str| match super::super::read(&event.to_string(), received.parse().unwrap()) {
                Ok(Feedback::Event(event)) => event.message.unwrap(),
                other => panic!("{other:?}"),
            };
        let (early, late) = ("2026-01-01T00:00:10Z", "2026-01-03T00:00:00Z");
        let at = |time: &str| json!({ "timestamp": time, "recipients": ["anna@example.org"] });
        // The clock of SES may be ahead of ours.
        for time in ["2026-01-01T00:00:05Z", "2026-01-01T00:00:11Z", "nonsense"] {
            let event = event("Delivery", "delivery", at(time));
            assert_eq!(read(&event, early), read(&event, late), "{time}");
        }
        let mut without = event("Delivery", "delivery", at(""));
        without["mail"]["timestamp"] = Value::Null;
        for received in [early, late] {
            let told = read(&without, received);
            assert_eq!(
                (told.at, told.kept_from),
                (Timestamp::UNIX_EPOCH, received.parse().unwrap())
            );
        }
    }

    #[test]
    fn an_id_that_is_too_long_for_a_key_is_shortened_to_the_same_for_every_copy() {
        let id = |id: &str| {
            let bounce = json!({"feedbackId": id, "bouncedRecipients": []});
            message(&event("Bounce", "bounce", bounce)).unwrap().id
        };
        let long = "f".repeat(5_000);
        assert_eq!((id(&long).len(), id(&long)), (32, id(&long)));
        assert_ne!(id(&long), id(&format!("{long}f")));
        assert_eq!(id(&"f".repeat(FEEDBACK_ID_MAX)).len(), FEEDBACK_ID_MAX);
    }

    #[test]
    fn keeps_the_diagnostic_of_each_recipient_and_the_subtype() {
        let bounce = json!({"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [
            {"emailAddress": "Anna@example.org", "diagnosticCode": "x".repeat(2_000)}, {"emailAddress": "bob@example.org"}]});
        let told = message(&event("Bounce", "bounce", bounce)).unwrap();
        assert_eq!(told.subtype.as_deref(), Some("Permanent/General"));
        for (bounce, words) in [
            (
                json!({"bounceType": "Permanent", "bouncedRecipients": []}),
                Some("Permanent"),
            ),
            (
                json!({"bounceType": "Permanent", "bounceSubType": "", "bouncedRecipients": []}),
                Some("Permanent"),
            ),
            (
                json!({"bounceSubType": "General", "bouncedRecipients": []}),
                Some("General"),
            ),
            (json!({"bouncedRecipients": []}), None),
        ] {
            let told = message(&event("Bounce", "bounce", bounce)).unwrap();
            assert_eq!(told.subtype.as_deref(), words);
        }
        let said = |address: &str| told.recipients[address].diagnostic.clone();
        assert_eq!(said("anna@example.org"), Some("x".repeat(DIAGNOSTIC_MAX)));
        assert_eq!((said("bob@example.org"), told.recipients.len()), (None, 2));
        let delay = json!({"delayType": "MailboxFull", "delayedRecipients": [
            {"emailAddress": "anna@example.org", "diagnosticCode": "452 full"}]});
        let told = message(&event("DeliveryDelay", "deliveryDelay", delay)).unwrap();
        assert_eq!(told.subtype.as_deref(), Some("MailboxFull"));
        assert_eq!(
            told.recipients["anna@example.org"].diagnostic.as_deref(),
            Some("452 full")
        );
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
    fn names_why_each_recipient_bounced() {
        let bounce = json!({"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [
            {"emailAddress": "Anna@example.org", "diagnosticCode": "smtp; 550 5.1.1 no such user"},
            {"emailAddress": "bob@example.org", "diagnosticCode": "smtp; 552 5.2.2 mailbox full"}]});
        let told = message(&event("Bounce", "bounce", bounce)).unwrap();
        let reasons: Vec<_> = told
            .recipients
            .values()
            .map(|recipient| recipient.bounce_reason)
            .collect();
        assert_eq!(
            reasons,
            [Some(BounceReason::UserUnknown), Some(BounceReason::MailboxFull)]
        );
        let complaint = json!({"complainedRecipients": [{"emailAddress": "anna@example.org"}]});
        let told = message(&event("Complaint", "complaint", complaint)).unwrap();
        assert_eq!(told.recipients["anna@example.org"].bounce_reason, None);
    }

    #[test]
    fn a_recipient_that_the_mail_was_not_sent_to_got_it_by_forwarding() {
        let forwarded = |kind: &str, destination: Value, recipient: &str| {
            let recipients = json!([{ "emailAddress": recipient }]);
            let (member, list) = match kind {
                "Bounce" => ("bounce", "bouncedRecipients"),
                _ => ("complaint", "complainedRecipients"),
            };
            let mut event = event(kind, member, json!({ list: recipients }));
            event["mail"]["destination"] = destination;
            let recipients = message(&event).unwrap().recipients;
            recipients.into_values().next().unwrap().forwarded
        };
        for kind in ["Bounce", "Complaint"] {
            assert!(
                forwarded(kind, json!(["team@example.org"]), "anna@example.net"),
                "{kind}"
            );
            assert!(
                forwarded(kind, json!(["a@example.org", "b@example.org"]), "c@example.org"),
                "{kind}"
            );
        }
        // The same person in another spelling, or nobody knows.
        for (destination, recipient) in [
            (json!(["anna@example.net"]), "Anna@Example.net"),
            (json!(["Anna B <Anna@example.net>"]), "<anna@example.net>"),
            (json!(["b@example.org", "\"a..b\"@example.net"]), "a..b@example.net"),
            (json!(["anna@example.net"]), "rfc822; anna@example.net"),
            (json!([]), "anna@example.net"),
            (json!(null), "anna@example.net"),
            (json!("team@example.org"), "anna@example.net"),
            (json!(["nobody knows"]), "anna@example.net"),
            (json!([7]), "anna@example.net"),
        ] {
            assert!(
                !forwarded("Bounce", destination.clone(), recipient),
                "{destination} {recipient}"
            );
        }
        let delivery = json!({"recipients": ["anna@example.net"]});
        let mut delivery = event("Delivery", "delivery", delivery);
        delivery["mail"]["destination"] = json!(["team@example.org"]);
        assert!(!message(&delivery).unwrap().recipients["anna@example.net"].forwarded);
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
        assert_eq!(message(&event("Subscription", "subscription", json!({}))), None);
    }

    #[test]
    fn an_opening_is_about_the_only_recipient_and_names_the_visitor() {
        let click = json!({"timestamp": "2026-01-01T00:00:05Z", "ipAddress": "192.0.2.1", "userAgent": "Mozilla/5.0",
            "link": "https://example.com/", "linkTags": {"place": ["footer"]}});
        for (kind, member) in [("Open", "open"), ("Click", "click")] {
            let mut event = event(kind, member, click.clone());
            event["mail"]["destination"] = json!(["Anna <Anna@example.org>"]);
            let told = message(&event).unwrap();
            assert_eq!(
                told.recipients.keys().collect::<Vec<_>>(),
                ["anna@example.org"],
                "{kind}"
            );
            assert_eq!(told.at.to_string(), "2026-01-01T00:00:05Z", "{kind}");
            assert_eq!(told.id.len(), 32, "{kind}");
            let engagement = told.engagement.unwrap();
            assert_eq!(engagement.visit.ip_address.as_deref(), Some("192.0.2.1"), "{kind}");
            assert_eq!(engagement.link.is_some(), kind == "Click", "{kind}");
            for nobody in [
                json!(["a@example.org", "b@example.org"]),
                json!([]),
                json!([7]),
                json!("x"),
            ] {
                event["mail"]["destination"] = nobody;
                assert!(message(&event).unwrap().recipients.is_empty(), "{event}");
            }
        }
    }
}
