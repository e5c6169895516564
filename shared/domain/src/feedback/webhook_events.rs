//! An event of SES as the application hears of it: one event a recipient.
//!
//! Everything in these events is computed from SES's event alone. So every copy of SES's event, at whatever time it is
//! received, makes the same events with the same ids. The id is made of SES's id of the mail and not of Okite's, which
//! classic notifications do not have: a bounce that comes in both formats is one event.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::message_event::{EventRecipient, MessageEvent, short};
use super::{FeedbackClass, FeedbackEvent, RECIPIENTS_MAX, RecipientFact, address, mark, timestamp};
use crate::address::Mailbox;
use crate::encoded_words;
use crate::record::FailedReason;
use crate::suppression::{Register, SuppressionReason};
use crate::webhook::{
    BounceFacts, EmailEvent, EmailOutcome, EventId, EventKind, EventSubject, SuppressionChange, SuppressionEvent,
    WebhookEvent,
};

/// The headers that an event repeats. Mail libraries keep their own tags and data in them.
const HEADERS: [&str; 2] = ["X-Tags", "X-Metadata"];
/// The longest value of such a header, in bytes. A longer one is left out, because a part of JSON is not JSON.
const HEADER_MAX: usize = 2_000;

impl FeedbackEvent {
    /// Makes the events of the mail: one for each recipient that SES's event names, and one for each recipient of the
    /// mail if it is about the mail as a whole. Types that an application does not hear of make none.
    ///
    /// An event whose recipient is not known has an empty [`EmailEvent::to`].
    #[must_use]
    pub fn webhook_events(&self) -> Vec<WebhookEvent> {
        let Some(message) = &self.message else {
            return Vec::new();
        };
        let unknown = EventRecipient::default();
        let Some(kind) = self.outcome(&unknown).map(|outcome| outcome.kind()) else {
            return Vec::new();
        };
        let sent_to = self.sent_to();
        let spelled = |normalised: &str| sent_to.get(normalised).map_or(normalised, String::as_str).to_owned();
        let mut about: Vec<(&str, String, &EventRecipient)> = Vec::new();
        if !message.recipients.is_empty() {
            let named = message.recipients.iter();
            about.extend(named.map(|(address, facts)| (address.as_str(), spelled(address), facts)));
        } else if matches!(kind, EventKind::EmailSent | EventKind::EmailFailed) {
            about.extend(
                sent_to
                    .iter()
                    .map(|(address, spelled)| (address.as_str(), spelled.clone(), &unknown)),
            );
        }
        if about.is_empty() {
            about.push(("", String::new(), &unknown));
        }
        let common = self.email(message, sent_to.values().cloned().collect());
        let events = about.into_iter().filter_map(|(address, to, facts)| {
            let identity = [&message.ses_id, kind.as_str(), address, &message.id];
            Some(WebhookEvent {
                id: EventId::of(message.at, &identity),
                created_at: message.at,
                subject: EventSubject::Email(Box::new(EmailEvent {
                    to,
                    outcome: self.outcome(facts)?,
                    ..common.clone()
                })),
            })
        });
        events.collect()
    }

    /// Makes the event that a recipient was suppressed. `id` is that of the entry of the list. Returns `None` if the
    /// fact does not suppress for good: the end of a block, which lasts a day, is no event.
    #[must_use]
    pub fn suppression_added(&self, fact: &RecipientFact, id: String) -> Option<WebhookEvent> {
        let reason = suppresses_for_good(fact.class)?;
        let message = self.message.as_ref();
        let since = message.map_or(fact.at, |message| message.at);
        let address = fact.address.normalised();
        let ses_id = message.map_or("", |message| &message.ses_id);
        let identity = [ses_id, EventKind::SuppressionAdded.as_str(), address, &fact.feedback_id];
        Some(WebhookEvent {
            id: EventId::of(since, &identity),
            created_at: since,
            subject: EventSubject::Suppression(SuppressionEvent {
                id,
                email: address.to_owned(),
                change: SuppressionChange::Added,
                reason,
                topic: None,
                since,
                source_id: message.map(email_id),
            }),
        })
    }

    /// Returns the outcome for one recipient.
    fn outcome(&self, recipient: &EventRecipient) -> Option<EmailOutcome> {
        let [kind, sub_kind] = self.words.each_ref().map(|word| word.as_deref().map(short));
        let subtype = self.message.as_ref()?.subtype.clone();
        let engagement = self.message.as_ref()?.engagement.as_ref();
        let visit = || {
            engagement
                .map(|engagement| engagement.visit.clone())
                .unwrap_or_default()
        };
        Some(match self.kind.as_str() {
            "Send" => EmailOutcome::Sent,
            "Delivery" => EmailOutcome::Delivered,
            "DeliveryDelay" => EmailOutcome::Delayed {
                delay_type: subtype,
                diagnostic: recipient.diagnostic.clone(),
            },
            "Bounce" => EmailOutcome::Bounced(BounceFacts {
                bounce_type: kind.unwrap_or_default(),
                sub_type: sub_kind.unwrap_or_default(),
                diagnostic: recipient.diagnostic.clone(),
            }),
            "Complaint" => EmailOutcome::Complained { feedback_type: kind },
            "Open" => EmailOutcome::Opened(visit()),
            "Click" => EmailOutcome::Clicked {
                link: engagement
                    .and_then(|engagement| engagement.link.clone())
                    .unwrap_or_default(),
                visit: visit(),
            },
            "Reject" | "Rendering Failure" => EmailOutcome::Failed {
                reason: FailedReason::Rejected.as_str().to_owned(),
            },
            _ => return None,
        })
    }

    /// Returns the parts of an event that all recipients have in common.
    fn email(&self, message: &MessageEvent, recipients: Vec<String>) -> EmailEvent {
        let mail = &self.mail;
        let common = |name: &str| mail.common_headers.as_ref().and_then(|headers| headers.get(name));
        let from = common("from").and_then(|from| from.get(0)).and_then(Value::as_str);
        let subject = common("subject")
            .and_then(Value::as_str)
            .or_else(|| self.header("Subject"));
        let from = from.or_else(|| self.header("From")).or(mail.source.as_deref());
        let sent = mail.timestamp.as_ref().and_then(timestamp::read);
        EmailEvent {
            email_id: email_id(message),
            ses_id: Some(message.ses_id.clone()),
            email_created_at: accepted_at(message).or(sent).unwrap_or(Timestamp::UNIX_EPOCH),
            from: short(&readable_mailbox(from.unwrap_or_default())),
            to: String::new(),
            recipients,
            subject: short(&readable(subject.unwrap_or_default())),
            tags: mark::own_tags_by_name(mail),
            headers: HEADERS.into_iter().filter_map(|name| self.repeated(name)).collect(),
            outcome: EmailOutcome::Sent,
        }
    }

    /// Returns one of the headers that are repeated, if the mail has it.
    fn repeated(&self, name: &str) -> Option<(String, String)> {
        let value = readable(self.header(name)?);
        (value.len() <= HEADER_MAX).then(|| (name.to_owned(), value))
    }

    /// Returns the value of a header of the mail as it stands there.
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.mail.headers.as_ref()?.as_array()?.iter();
        let header = headers.find(|header| {
            let found = header.get("name").and_then(Value::as_str);
            found.is_some_and(|found| found.eq_ignore_ascii_case(name))
        })?;
        header.get("value")?.as_str()
    }

    /// Returns the recipients of the mail, by normalised address.
    fn sent_to(&self) -> BTreeMap<String, String> {
        let texts = self
            .mail
            .destination
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let addresses = texts.filter_map(Value::as_str).flat_map(address::read_all);
        addresses
            .take(RECIPIENTS_MAX)
            .map(|address| (address.normalised().to_owned(), address.as_given().to_owned()))
            .collect()
    }
}

/// Returns Okite's id of the mail, or SES's of a mail without it.
fn email_id(message: &MessageEvent) -> String {
    message
        .message_id
        .map_or_else(|| message.ses_id.clone(), |id| id.to_string())
}

/// Returns the time at which Okite accepted the mail. Its id begins with that time.
fn accepted_at(message: &MessageEvent) -> Option<Timestamp> {
    let (seconds, nanoseconds) = message.message_id?.get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}

/// Returns the reason for which a fact suppresses its recipient until somebody lifts the address.
fn suppresses_for_good(class: FeedbackClass) -> Option<SuppressionReason> {
    match class.register()? {
        Register::Of(SuppressionReason::Bounce) | Register::BounceEcho => Some(SuppressionReason::Bounce),
        Register::Of(SuppressionReason::Complaint) | Register::ComplaintEcho => Some(SuppressionReason::Complaint),
        Register::Of(_) => None,
    }
}

/// Decodes the value of a header.
fn readable(value: &str) -> String {
    encoded_words::decode(value).unwrap_or_else(|| value.to_owned())
}

/// Decodes a mailbox, whose name may be encoded in a way that a whole header may not.
fn readable_mailbox(text: &str) -> String {
    Mailbox::parse(text).map_or_else(|_| readable(text), |mailbox| mailbox.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use uuid::Uuid;

    use super::super::{Feedback, read};
    use super::*;

    /// The time of this id is 2026-01-01T00:00:00.123Z.
    const ID: &str = "019b76da-a87b-7a91-9d0b-51f0a3c4e6d7";

    fn event_at(message: &Value, received: &str) -> FeedbackEvent {
        match read(&message.to_string(), received.parse().unwrap()).unwrap() {
            Feedback::Event(event) => *event,
            Feedback::SetUp => panic!("a set-up message"),
        }
    }

    fn events(message: &Value) -> Vec<WebhookEvent> {
        event_at(message, "2026-01-02T00:00:00Z").webhook_events()
    }

    fn emails(message: &Value) -> Vec<EmailEvent> {
        let email = |event: WebhookEvent| match event.subject {
            EventSubject::Email(email) => *email,
            other => panic!("{other:?}"),
        };
        events(message).into_iter().map(email).collect()
    }

    /// An event of a mail to Anna and Bob.
    fn message(kind: &str, member: &str, object: Value) -> Value {
        let mut message = json!({
            "eventType": kind,
            "mail": {
                "messageId": "m-1", "timestamp": "2026-01-01T00:00:01.000Z", "source": "bounces@example.com",
                "destination": ["Anna <Anna@Example.org>", "bob@example.org"],
                "headers": [{"name": "x-tags", "value": "[\"autumn\"]"}, {"name": "Subject", "value": "Hi"},
                            {"name": "X-Metadata", "value": "x".repeat(HEADER_MAX + 1)}],
                "commonHeaders": {"from": ["=?UTF-8?Q?J=C3=B6rg?= <joerg@example.com>"],
                                  "subject": "=?UTF-8?Q?Gr=C3=BC=C3=9Fe?="},
                "tags": {"okite_id": [ID], "okite_stream": ["bulk"], "ses:from-domain": ["example.com"],
                         "campaign": ["autumn", "again"]},
            },
        });
        message[member] = object;
        message
    }

    fn bounce() -> Value {
        let recipients = json!([{"emailAddress": "anna@example.org", "diagnosticCode": "550 5.1.1"},
                                {"emailAddress": "Carol@example.net"}]);
        json!({"bounceType": "Permanent", "bounceSubType": "General", "feedbackId": "f-1",
               "timestamp": "2026-01-01T00:00:05.000Z", "bouncedRecipients": recipients})
    }

    fn every_kind() -> Vec<Value> {
        let at = "2026-01-01T00:00:05.000Z";
        let anna = json!([{"emailAddress": "anna@example.org", "diagnosticCode": "452 full"}]);
        vec![
            message("Send", "send", json!({})),
            message("Reject", "reject", json!({"reason": "Bad content"})),
            message("Rendering Failure", "failure", json!({"errorMessage": "no such part"})),
            message(
                "Delivery",
                "delivery",
                json!({"timestamp": at, "recipients": ["anna@example.org"]}),
            ),
            message(
                "DeliveryDelay",
                "deliveryDelay",
                json!({"timestamp": at, "delayType": "MailboxFull", "delayedRecipients": anna}),
            ),
            message("Bounce", "bounce", bounce()),
            message(
                "Complaint",
                "complaint",
                json!({"timestamp": at, "feedbackId": "f-2", "complaintFeedbackType": "abuse",
                       "complainedRecipients": anna}),
            ),
            message(
                "Open",
                "open",
                json!({"timestamp": at, "ipAddress": "192.0.2.1", "userAgent": "Mozilla/5.0"}),
            ),
            message(
                "Click",
                "click",
                json!({"timestamp": at, "ipAddress": "192.0.2.1", "link": "https://example.com/"}),
            ),
        ]
    }

    #[test]
    fn an_event_about_the_mail_is_one_event_for_each_of_its_recipients() {
        for kind in [0, 1, 2] {
            let emails = emails(&every_kind()[kind]);
            let to: Vec<_> = emails.iter().map(|email| email.to.as_str()).collect();
            assert_eq!(to, ["Anna@Example.org", "bob@example.org"]);
        }
        let failed = emails(&every_kind()[1]).remove(0).outcome;
        let reason = "rejected".to_owned();
        assert_eq!(failed, EmailOutcome::Failed { reason });
    }

    #[test]
    fn an_event_about_recipients_is_one_event_for_each_that_it_names() {
        let emails = emails(&message("Bounce", "bounce", bounce()));
        let told: Vec<_> = emails.iter().map(|email| (email.to.as_str(), &email.outcome)).collect();
        let bounced = |diagnostic: Option<&str>| {
            EmailOutcome::Bounced(BounceFacts {
                bounce_type: "Permanent".to_owned(),
                sub_type: "General".to_owned(),
                diagnostic: diagnostic.map(str::to_owned),
            })
        };
        // Somebody forwarded the mail to Carol.
        assert_eq!(
            told,
            [
                ("Anna@Example.org", &bounced(Some("550 5.1.1"))),
                ("carol@example.net", &bounced(None))
            ]
        );
    }

    #[test]
    fn an_event_has_the_facts_of_the_mail() {
        let email = emails(&message("Bounce", "bounce", bounce())).remove(0);
        assert_eq!((email.email_id.as_str(), email.ses_id.as_deref()), (ID, Some("m-1")));
        assert_eq!(email.email_created_at.to_string(), "2026-01-01T00:00:00.123Z");
        assert_eq!(email.from, "Jörg <joerg@example.com>");
        assert_eq!(email.subject, "Grüße");
        assert_eq!(email.recipients, ["Anna@Example.org", "bob@example.org"]);
        assert_eq!(
            Vec::from_iter(email.tags),
            [("campaign".to_owned(), "autumn".to_owned())]
        );
        assert_eq!(email.headers, [("X-Tags".to_owned(), "[\"autumn\"]".to_owned())]);
    }

    #[test]
    fn a_mail_without_our_tag_and_without_headers_has_what_is_left() {
        let mut message = message("Bounce", "bounce", bounce());
        for member in ["tags", "headers", "commonHeaders"] {
            message["mail"][member] = Value::Null;
        }
        let email = emails(&message).remove(0);
        assert_eq!((email.email_id.as_str(), email.subject.as_str()), ("m-1", ""));
        assert_eq!(email.email_created_at.to_string(), "2026-01-01T00:00:01Z");
        assert_eq!(email.from, "bounces@example.com");
        assert!(email.tags.is_empty() && email.headers.is_empty());
    }

    #[test]
    fn nobody_knows_who_of_several_recipients_opened_a_mail() {
        let opened = every_kind().remove(7);
        let [email] = emails(&opened).try_into().unwrap();
        assert_eq!((email.to.as_str(), email.recipients.len()), ("", 2));
        let mut to_anna = opened;
        to_anna["mail"]["destination"] = json!(["anna@example.org"]);
        let [email] = emails(&to_anna).try_into().unwrap();
        assert_eq!(email.to, "anna@example.org");
        let EmailOutcome::Opened(visit) = email.outcome else {
            panic!("{email:?}");
        };
        assert_eq!(visit.ip_address.as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn each_type_of_ses_has_its_kind_and_other_types_have_none() {
        let kinds: Vec<_> = every_kind()
            .iter()
            .map(|message| events(message)[0].kind().as_str())
            .collect();
        assert_eq!(
            kinds,
            [
                "email.sent",
                "email.failed",
                "email.failed",
                "email.delivered",
                "email.delivery_delayed",
                "email.bounced",
                "email.complained",
                "email.opened",
                "email.clicked"
            ]
        );
        assert_eq!(events(&message("Subscription", "subscription", json!({}))), []);
        let mut nameless = message("Bounce", "bounce", bounce());
        nameless["mail"]["messageId"] = Value::Null;
        assert_eq!(events(&nameless), []);
    }

    #[test]
    fn a_bounce_that_names_nobody_is_one_event_without_a_recipient() {
        let mut bounce = bounce();
        bounce["bouncedRecipients"] = json!([]);
        let [email] = emails(&message("Bounce", "bounce", bounce)).try_into().unwrap();
        assert_eq!(email.to, "");
    }

    #[test]
    fn a_classic_notification_has_the_id_of_the_event_about_the_same() {
        for mut message in every_kind() {
            let ids = |message: &Value| events(message).into_iter().map(|event| event.id).collect::<Vec<_>>();
            let published = ids(&message);
            let kind = message["eventType"].take();
            message["notificationType"] = kind;
            message["mail"]["tags"] = Value::Null;
            assert_eq!(ids(&message), published);
        }
    }

    #[test]
    fn ids_of_different_events_differ() {
        let mut ids: Vec<_> = every_kind().iter().flat_map(events).map(|event| event.id).collect();
        // The two types that mean `failed` never happen to one mail.
        ids.drain(2..4);
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }

    #[test]
    fn a_suppression_names_the_mail_and_a_block_makes_no_event() {
        let event = event_at(&message("Bounce", "bounce", bounce()), "2026-01-02T00:00:00Z");
        let added = event.suppression_added(&event.facts[0], "s-1".to_owned()).unwrap();
        assert_eq!(added.kind(), EventKind::SuppressionAdded);
        let EventSubject::Suppression(suppression) = added.subject else {
            panic!("a suppression");
        };
        assert_eq!(
            (suppression.email.as_str(), suppression.id.as_str()),
            ("anna@example.org", "s-1")
        );
        assert_eq!(
            (suppression.reason, suppression.source_id.as_deref()),
            (SuppressionReason::Bounce, Some(ID))
        );
        assert_eq!(suppression.since.to_string(), "2026-01-01T00:00:05Z");
        for class in [FeedbackClass::Blocked, FeedbackClass::Soft, FeedbackClass::Undetermined] {
            let fact = RecipientFact {
                class,
                ..event.facts[0].clone()
            };
            assert_eq!(event.suppression_added(&fact, String::new()), None, "{class:?}");
        }
    }

    #[test]
    fn its_size_is_limited() {
        let long = "x".repeat(50_000);
        let recipients: Vec<_> = (0..500)
            .map(|n| json!({"emailAddress": format!("a{n}@example.org")}))
            .collect();
        let to: Vec<_> = (0..500).map(|n| format!("b{n}@example.org")).collect();
        let mut message = message("Bounce", "bounce", bounce());
        message["bounce"]["bouncedRecipients"] = json!(recipients);
        message["bounce"]["bounceType"] = json!(long);
        message["mail"]["destination"] = json!(to);
        message["mail"]["commonHeaders"] = json!({"subject": long, "from": [long]});
        message["mail"]["tags"] = (0..500).map(|n| (format!("t{n}{long}"), json!([long]))).collect();
        let emails = emails(&message);
        assert_eq!(
            (emails.len(), emails[0].recipients.len()),
            (RECIPIENTS_MAX, RECIPIENTS_MAX)
        );
        assert!(emails[0].tags.len() <= 50);
        assert!(format!("{:?}", emails[0]).len() < 130_000);
    }

    proptest! {
        #[test]
        fn every_copy_makes_the_same_events_whenever_it_is_received(
            kind in 0_usize..9, later in 0_i64..20_000_000, spaces in 0_usize..3,
            times in prop::option::of("nonsense|2026-01-01T00:00:0[0-9]Z|2030-01-01T00:00:00.5Z"),
        ) {
            let mut message = every_kind().remove(kind);
            if let Some(time) = times {
                message["mail"]["timestamp"] = json!(time);
                for member in ["delivery", "deliveryDelay", "bounce", "complaint", "open", "click"] {
                    if message[member].is_object() {
                        message[member]["timestamp"] = json!(time);
                    }
                }
            }
            let received: Timestamp = "2026-01-01T00:00:05Z".parse().unwrap();
            let copy = format!("{message:#}{}", "\n".repeat(spaces));
            let late = received + jiff::SignedDuration::from_secs(later);
            let (first, second) = (read(&message.to_string(), received), read(&copy, late));
            let (Ok(Feedback::Event(first)), Ok(Feedback::Event(second))) = (first, second) else {
                panic!("two events");
            };
            prop_assert!(!first.webhook_events().is_empty());
            prop_assert_eq!(first.webhook_events(), second.webhook_events());
            let added = |event: &FeedbackEvent| -> Vec<_> {
                event.facts.iter().map(|fact| event.suppression_added(fact, String::new())).collect()
            };
            prop_assert_eq!(added(&first), added(&second));
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn no_mail_panics(text in "\\PC{0,40}", tag in "\\PC{0,20}", number in any::<i32>()) {
            let tags = json!({tag: [text, number], "x": text});
            let headers = json!([{"name": "X-Tags", "value": text}, {"name": number}, text]);
            let common = json!({"from": [text], "subject": text});
            for odd in [json!(text), json!([text]), json!(number), json!([[]]), tags, headers, common] {
                for member in ["destination", "headers", "commonHeaders", "tags", "source", "timestamp"] {
                    let mut message = message("Bounce", "bounce", bounce());
                    message["mail"][member] = odd.clone();
                    prop_assert_eq!(events(&message).len(), 2);
                }
            }
        }
    }

    #[test]
    fn the_id_of_the_tests_has_the_time_that_they_expect() {
        let id: Uuid = ID.parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
    }
}
