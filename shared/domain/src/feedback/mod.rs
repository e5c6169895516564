//! SES's event JSON into facts about recipients.
//!
//! SES tells what became of a mail in two formats: the *classic* notifications of an identity (`notificationType`) and
//! the *event publishing* of a configuration set (`eventType`). They differ in that word and in what is optional, so
//! one tolerant reader serves both. [`read`] decides everything in one pure step: which recipients are concerned, what
//! happened to each ([`FeedbackClass`]) and when. It acts on the recipients that the bounce or complaint *lists* and
//! never on `mail.destination`: one bad address among fifty must not suppress the other forty-nine.
//!
//! Formats: <https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html> and
//! <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>.

mod address;
mod choices;
mod classify;
mod engagement;
mod event;
mod explain;
mod mark;
mod message_event;
mod timestamp;
mod webhook_events;

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use crate::address::EmailAddress;
use crate::bounce::{Blame, BounceJudgement, BounceReason};

pub use choices::{ReportedChoice, TOPIC_TAG};
pub use classify::FeedbackClass;
pub use explain::{ExplainedEvent, ExplainedRecipient, explain};
pub use mark::{Mark, MarkKind, RecordedMark};
pub use message_event::{EventRecipient, MessageEvent};

use event::{Bounce, Complaint, Json, Mail, Recipient};
use mark::UnlistedFeedback;
use message_event::About;

/// The longest diagnostic text that is kept, in characters.
const DIAGNOSTIC_MAX: usize = 1_000;
/// The most recipients of one event that are handled; a mail of SES's has 50. An event that lists more is handled for
/// these, and kept for a person.
const RECIPIENTS_MAX: usize = 100;
/// The text of the message by which SES tries a topic for event publishing.
const SET_UP_TEXT: &str = "Successfully validated SNS topic";
/// The type of the message by which SES tries a topic for notifications.
const SET_UP_TYPE: &str = "AmazonSnsSubscriptionSucceeded";

/// A message from SES.
#[derive(Clone, Debug)]
pub enum Feedback {
    /// SES tried whether the topic works; there is nothing to do.
    SetUp,
    /// Something became of a mail.
    Event(Box<FeedbackEvent>),
}

/// One event of one mail.
#[derive(Clone, Debug)]
pub struct FeedbackEvent {
    /// The event's type, as SES names it.
    pub kind: String,
    /// SES's id of the mail, if the event has one.
    pub ses_message_id: Option<String>,
    /// The account that sent the mail, if the event says.
    pub sending_account: Option<String>,
    /// One fact for each recipient concerned; empty for types that concern none.
    pub facts: Vec<RecipientFact>,
    /// The choices about topics that SES took; see [`ReportedChoice`].
    pub choices: Vec<ReportedChoice>,
    /// The marks that count against the account.
    pub marks: Vec<Mark>,
    /// How many recipients ought to be suppressed and are not among the facts: their addresses cannot be read, or the
    /// event lists more than can be of one mail.
    pub unreadable_recipients: usize,
    /// Whether a bounce or a complaint names no recipient at all: nobody can be suppressed, and trying again mends
    /// nothing.
    pub lists_nobody: bool,
    /// The event for the record of the message, if the type belongs there.
    pub message: Option<MessageEvent>,
    /// The mail as SES describes it. The events of webhooks are made from it, if anybody wants them.
    mail: Mail,
    /// SES's type and subtype of a bounce or a complaint.
    words: [Option<String>; 2],
}

/// A bounce or complaint of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientFact {
    /// The recipient.
    pub address: EmailAddress,
    /// The class of the bounce or complaint.
    pub class: FeedbackClass,
    /// Why the mail bounced; nothing for a complaint.
    pub reason: Option<BounceReason>,
    /// Whether the evidence blames the sender, whatever follows for the address: it counts towards storms.
    pub blames_sender: bool,
    /// Whether AWS counts it in the account's bounce or complaint rate, whatever follows for the address.
    pub counts_for_rate: bool,
    /// When SES says it happened.
    pub at: Timestamp,
    /// SES's id of this feedback; of the mail if it has none.
    pub feedback_id: String,
    /// SES's own words for what happened: type and subtype.
    pub subtype: String,
    /// The words of the receiving server. They may contain addresses: it is for the table, not for a log.
    pub diagnostic: Option<String>,
}

/// A message that is not from SES, or that SES changed beyond recognition. It is for a person to look at.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableFeedback {
    /// Not JSON, or JSON in which a part that is needed has another type. serde's own text would repeat values, which
    /// may be addresses, and is not kept.
    #[error("the message is not the JSON of an Amazon SES event: line {line}, column {column}")]
    NotJson {
        /// Where reading ended.
        line: usize,
        /// Where reading ended.
        column: usize,
    },
    /// JSON of another shape.
    #[error("the message is not an Amazon SES event")]
    NotAnEvent,
    /// The event's type and its object do not agree.
    #[error("the {0} event has no {0} object")]
    Incomplete(&'static str),
}

/// Reads one message. `received` stands in for a time that SES did not give or that cannot be read, and bounds one that
/// lies in the future: a register in the future could never be lifted.
///
/// # Errors
/// [`UnreadableFeedback`] when the message is one for a person to look at.
pub fn read(message: &str, received: Timestamp) -> Result<Feedback, UnreadableFeedback> {
    let message = message.trim();
    if message.starts_with(SET_UP_TEXT) {
        return Ok(Feedback::SetUp);
    }
    let value: Value = serde_json::from_str(message).map_err(|error| UnreadableFeedback::NotJson {
        line: error.line(),
        column: error.column(),
    })?;
    let mut json = Json::read(value);
    let kind = json
        .event_type
        .take()
        .or(json.notification_type.take())
        .ok_or(UnreadableFeedback::NotAnEvent)?;
    if kind == SET_UP_TYPE {
        return Ok(Feedback::SetUp);
    }
    let mut mail = json.mail.take().unwrap_or_default();
    let sent = mail.timestamp.as_ref().and_then(timestamp::read);
    let at = |time: Option<&Value>| {
        time.and_then(timestamp::read)
            .or(sent)
            .unwrap_or(received)
            .min(received)
    };
    let message = about(&kind, &json, &mail).and_then(|about| message_event::of(&mail, about, sent, received));
    let mut event = FeedbackEvent {
        kind,
        ses_message_id: mail.message_id.take(),
        sending_account: mail.sending_account_id.take(),
        facts: Vec::new(),
        choices: Vec::new(),
        marks: Vec::new(),
        unreadable_recipients: 0,
        lists_nobody: false,
        message,
        mail: Mail::default(),
        words: [None, None],
    };
    let mut unlisted = None;
    match event.kind.as_str() {
        "Bounce" => {
            let bounce = json.bounce.ok_or(UnreadableFeedback::Incomplete("bounce"))?;
            let at = at(bounce.timestamp.as_ref());
            event.words = [bounce.bounce_type.clone(), bounce.bounce_sub_type.clone()];
            unlisted = event.add_bounce(bounce, at);
        }
        "Complaint" => {
            let complaint = json.complaint.ok_or(UnreadableFeedback::Incomplete("complaint"))?;
            let at = at(complaint.timestamp.as_ref());
            event.words = [
                complaint.complaint_feedback_type.clone(),
                complaint.complaint_sub_type.clone(),
            ];
            unlisted = event.add_complaint(complaint, at);
        }
        "Subscription" => {
            let subscription = json.subscription.as_ref();
            let at = at(subscription.and_then(|subscription| subscription.get("timestamp")));
            let source = event.feedback_id(None);
            event.choices = choices::of_subscription(&mail, subscription, at, &source);
        }
        _ => {}
    }
    event.choices.extend(choices::of_facts(&mail, &event.facts));
    let is_about_recipients = matches!(event.kind.as_str(), "Bounce" | "Complaint");
    event.lists_nobody = is_about_recipients && event.facts.is_empty() && event.unreadable_recipients == 0;
    event.marks = match unlisted.filter(|_| event.lists_nobody) {
        Some(unlisted) => mark::of_unlisted(&mail, &unlisted),
        None => mark::of(&mail, &event.facts),
    };
    if let Some(message) = &mut event.message {
        for fact in &event.facts {
            if let Some(recipient) = message.recipients.get_mut(fact.address.normalised()) {
                recipient.bounce_reason = fact.reason;
            }
        }
    }
    event.mail = mail;
    Ok(Feedback::Event(Box::new(event)))
}

/// Returns the event for the record of the message, if its type reports an outcome.
fn about<'a>(kind: &'a str, json: &'a Json, mail: &'a Mail) -> Option<About<'a>> {
    let at = |time: Option<&Value>| time.and_then(timestamp::read);
    let mut about = About {
        kind,
        feedback_id: None,
        at: None,
        recipients: Vec::new(),
        may_be_forwarded: matches!(kind, "Bounce" | "Complaint"),
        subtype: None,
        engagement: None,
    };
    match kind {
        "Bounce" => {
            let bounce = json.bounce.as_ref()?;
            about.feedback_id = bounce.feedback_id.as_deref().map(Cow::Borrowed);
            about.at = at(bounce.timestamp.as_ref());
            about.recipients = listed(bounce.bounced_recipients.as_deref());
            about.subtype = Some(bounce.words()).filter(|words| !words.is_empty());
        }
        "Complaint" => {
            let complaint = json.complaint.as_ref()?;
            about.feedback_id = complaint.feedback_id.as_deref().map(Cow::Borrowed);
            about.at = at(complaint.timestamp.as_ref());
            about.recipients = listed(complaint.complained_recipients.as_deref());
            about.subtype = Some(complaint.words().to_owned()).filter(|words| !words.is_empty());
        }
        "Delivery" => {
            let delivery = json.delivery.as_ref();
            about.at = at(delivery.and_then(|delivery| delivery.get("timestamp")));
            about.recipients = message_event::addresses(delivery, "recipients");
        }
        "DeliveryDelay" => {
            let delay = json.delivery_delay.as_ref();
            about.at = at(delay.and_then(|delay| delay.get("timestamp")));
            about.recipients = message_event::addresses(delay, "delayedRecipients");
            about.subtype = message_event::text_of(delay, "delayType").map(str::to_owned);
        }
        "Reject" => about.subtype = message_event::text_of(json.reject.as_ref(), "reason").map(str::to_owned),
        "Rendering Failure" => {
            about.subtype = message_event::text_of(json.failure.as_ref(), "errorMessage").map(str::to_owned);
        }
        "Open" | "Click" => {
            let object = if kind == "Open" { &json.open } else { &json.click }.as_ref();
            about.feedback_id = Some(Cow::Owned(engagement::id(object)));
            about.at = at(object.and_then(|object| object.get("timestamp")));
            about.recipients = message_event::only_recipient(mail);
            let mut engagement = engagement::read(object);
            if kind == "Open" {
                engagement.link = None;
                engagement.link_tags.clear();
            }
            about.engagement = Some(engagement);
        }
        "Send" => {}
        _ => return None,
    }
    Some(about)
}

fn listed(recipients: Option<&[Recipient]>) -> Vec<(&str, Option<&str>)> {
    let recipients = recipients.unwrap_or_default().iter();
    recipients
        .filter_map(|recipient| {
            Some((
                recipient.email_address.as_deref()?,
                recipient.diagnostic_code.as_deref(),
            ))
        })
        .collect()
}

impl FeedbackEvent {
    /// Adds the recipients of a bounce. Returns what counts if it lists none, and AWS counts it.
    fn add_bounce(&mut self, bounce: Bounce, at: Timestamp) -> Option<UnlistedFeedback> {
        let subtype = message_event::short(&bounce.words());
        let bounce_type = bounce.bounce_type.unwrap_or_default();
        let bounce_sub_type = bounce.bounce_sub_type.unwrap_or_default();
        let feedback_id = self.feedback_id(bounce.feedback_id);
        let recipients = bounce.bounced_recipients.unwrap_or_default();
        for recipient in recipients {
            let (class, judgement) = classify::bounce(&bounce_type, &bounce_sub_type, &recipient);
            let happened = Happened {
                class,
                judgement: Some(judgement),
                at,
                feedback_id: &feedback_id,
                subtype: &subtype,
            };
            self.add(&recipient, &happened);
        }
        if !self.facts.is_empty() {
            return None;
        }
        let (class, judgement) = classify::bounce(&bounce_type, &bounce_sub_type, &Recipient::default());
        judgement.counts_for_rate.then_some(UnlistedFeedback {
            kind: MarkKind::Bounce,
            class,
            at,
            feedback_id,
        })
    }

    /// Adds the recipients of a complaint. Returns what counts if it lists none, and AWS counts it.
    fn add_complaint(&mut self, complaint: Complaint, at: Timestamp) -> Option<UnlistedFeedback> {
        let words = message_event::short(complaint.words());
        let feedback_type = complaint.complaint_feedback_type.unwrap_or_default();
        let sub_type = complaint.complaint_sub_type.unwrap_or_default();
        let feedback_id = self.feedback_id(complaint.feedback_id);
        let happened = Happened {
            class: classify::complaint(&feedback_type, &sub_type),
            judgement: None,
            at,
            feedback_id: &feedback_id,
            subtype: &words,
        };
        for recipient in complaint.complained_recipients.unwrap_or_default() {
            self.add(&recipient, &happened);
        }
        let class = happened.class;
        (self.facts.is_empty() && class == FeedbackClass::Complaint).then_some(UnlistedFeedback {
            kind: MarkKind::Complaint,
            class,
            at,
            feedback_id,
        })
    }

    fn feedback_id(&self, id: Option<String>) -> String {
        let id = id.or_else(|| self.ses_message_id.clone()).unwrap_or_default();
        message_event::key_part(&id)
    }

    /// Adds a fact for each address of an entry, which is one address as a rule.
    fn add(&mut self, recipient: &Recipient, happened: &Happened<'_>) {
        let addresses = recipient
            .email_address
            .as_deref()
            .map(address::read_all)
            .unwrap_or_default();
        if addresses.is_empty() {
            self.unreadable_recipients += usize::from(happened.class.suppresses());
            return;
        }
        let room = RECIPIENTS_MAX.saturating_sub(self.facts.len());
        if happened.class.suppresses() {
            self.unreadable_recipients += addresses.len().saturating_sub(room);
        }
        let diagnostic = recipient.diagnostic_code.as_deref().map(message_event::short);
        let judgement = happened.judgement.as_ref();
        self.facts
            .extend(addresses.into_iter().take(room).map(|address| RecipientFact {
                address,
                class: happened.class,
                reason: judgement.map(|judgement| judgement.reason),
                blames_sender: judgement.is_some_and(|judgement| judgement.blame == Blame::Sender),
                counts_for_rate: judgement.map_or(happened.class == FeedbackClass::Complaint, |judgement| {
                    judgement.counts_for_rate
                }),
                at: happened.at,
                feedback_id: happened.feedback_id.to_owned(),
                subtype: happened.subtype.to_owned(),
                diagnostic: diagnostic.clone(),
            }));
    }
}

/// A fact without the recipient's address.
struct Happened<'a> {
    class: FeedbackClass,
    judgement: Option<BounceJudgement>,
    at: Timestamp,
    feedback_id: &'a str,
    subtype: &'a str,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::stream::Stream;

    fn received() -> Timestamp {
        "2026-01-02T00:00:00Z".parse().unwrap()
    }

    fn event(message: &Value) -> FeedbackEvent {
        match read(&message.to_string(), received()).unwrap() {
            Feedback::Event(event) => *event,
            Feedback::SetUp => panic!("a set-up message"),
        }
    }

    fn bounce(recipients: &Value) -> Value {
        json!({
            "eventType": "Bounce",
            "mail": {"messageId": "m-1", "timestamp": "2026-01-01T00:00:00.000Z", "destination": ["bystander@example.org"],
                     "sendingAccountId": "123456789012"},
            "bounce": {"bounceType": "Permanent", "bounceSubType": "General", "feedbackId": "f-1",
                       "timestamp": "2026-01-01T00:00:01.000Z", "bouncedRecipients": recipients},
        })
    }

    #[test]
    fn acts_on_listed_recipients_only() {
        let event = event(&bounce(&json!([
            {"emailAddress": "Gone@Example.org", "status": "5.1.1", "action": "failed", "diagnosticCode": "smtp; 550 5.1.1"},
        ])));
        assert_eq!(event.facts.len(), 1);
        let fact = &event.facts[0];
        assert_eq!(fact.address.normalised(), "gone@example.org");
        assert_eq!(
            (fact.class, fact.feedback_id.as_str(), fact.subtype.as_str()),
            (FeedbackClass::HardBounce, "f-1", "Permanent/General")
        );
        assert_eq!(fact.at.to_string(), "2026-01-01T00:00:01Z");
        assert_eq!(event.sending_account.as_deref(), Some("123456789012"));
    }

    #[test]
    fn reads_the_classic_format_the_same() {
        let mut classic = bounce(&json!([{"emailAddress": "gone@example.org"}]));
        let kind = classic["eventType"].take();
        classic["notificationType"] = kind;
        assert_eq!(
            event(&classic).facts,
            event(&bounce(&json!([{"emailAddress": "gone@example.org"}]))).facts
        );
    }

    #[test]
    fn decides_each_recipient_of_one_bounce_by_itself() {
        let event = event(&bounce(&json!([
            {"emailAddress": "gone@example.org", "status": "5.1.1", "action": "failed"},
            {"emailAddress": "slow@example.org", "status": "4.4.7", "action": "delayed"},
            {"emailAddress": "wall@example.org", "status": "5.7.1", "action": "failed"},
            {"emailAddress": "not an address"},
            {},
        ])));
        let classes: Vec<_> = event.facts.iter().map(|fact| fact.class).collect();
        assert_eq!(
            classes,
            [FeedbackClass::HardBounce, FeedbackClass::Soft, FeedbackClass::Blocked]
        );
        assert_eq!(event.unreadable_recipients, 2);
    }

    #[test]
    fn reads_complaints_of_every_kind() {
        let complaint = |kind: Value, sub: Value| {
            let event = event(&json!({"notificationType": "Complaint", "mail": {"messageId": "m-1"},
                "complaint": {"complainedRecipients": [{"emailAddress": "\"Anna B\" <anna@example.org>"}],
                              "complaintFeedbackType": kind, "complaintSubType": sub}}));
            (event.facts[0].address.normalised().to_owned(), event.facts[0].class)
        };
        let anna = |class| ("anna@example.org".to_owned(), class);
        assert_eq!(complaint(json!("abuse"), Value::Null), anna(FeedbackClass::Complaint));
        assert_eq!(complaint(Value::Null, Value::Null), anna(FeedbackClass::Complaint));
        assert_eq!(complaint(json!("not-spam"), Value::Null), anna(FeedbackClass::NotSpam));
        assert_eq!(
            complaint(json!("auth-failure"), Value::Null),
            anna(FeedbackClass::AuthFailure)
        );
        assert_eq!(
            complaint(Value::Null, json!("OnAccountSuppressionList")),
            anna(FeedbackClass::ComplaintEcho)
        );
    }

    #[test]
    fn the_bounce_of_the_documents_suppresses_and_counts() {
        let documents = include_str!("../../../../docs/LOCAL.md");
        let (_, json) = documents.split_once("_local/sns -d '").unwrap();
        let (json, _) = json.split_once("'\n").unwrap();
        let event = event(&serde_json::from_str(json).unwrap());
        assert_eq!(event.facts[0].class, FeedbackClass::HardBounce);
        assert_eq!(event.facts[0].subtype, "Permanent/General");
        assert_eq!(event.marks.len(), 1);
    }

    #[test]
    fn a_complaint_without_recipients_is_accepted() {
        let event =
            event(&json!({"eventType": "Complaint", "complaint": {"complaintSubType": "OnAccountSuppressionList"}}));
        assert!(event.facts.is_empty() && event.lists_nobody);
        assert_eq!(event.marks, [], "an echo of a list of the account does not count");
    }

    #[test]
    fn a_bounce_or_complaint_that_lists_nobody_counts_once_if_aws_counts_it() {
        let marks = |kind: &str, contents: Value, destination: Value| {
            let mut contents = contents;
            contents["feedbackId"] = json!("f-1");
            let mail = json!({"messageId": "m-1", "destination": destination, "tags": {"okite_stream": ["bulk"]}});
            event(&json!({"eventType": kind, "mail": mail, kind.to_lowercase(): contents})).marks
        };
        let hard = |recipients: Value| json!({"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": recipients});
        let abuse = json!({"complaintFeedbackType": "abuse", "complainedRecipients": []});
        for recipients in [json!([]), Value::Null] {
            let found = marks("Bounce", hard(recipients), json!(["Anna@Example.org"]));
            assert_eq!(
                (found.len(), found[0].kind, found[0].stream),
                (1, MarkKind::Bounce, Stream::Bulk)
            );
            assert_eq!(
                (found[0].domain.as_str(), found[0].class),
                ("example.org", FeedbackClass::HardBounce)
            );
        }
        let complaint = marks("Complaint", abuse.clone(), json!(["a@example.org", "b@example.net"]));
        assert_eq!(
            (complaint.len(), complaint[0].kind, complaint[0].domain.as_str()),
            (1, MarkKind::Complaint, "unknown")
        );
        for (kind, contents, destination) in [
            (
                "Bounce",
                json!({"bounceType": "Transient", "bounceSubType": "General"}),
                json!(["a@example.org"]),
            ),
            (
                "Bounce",
                json!({"bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList"}),
                json!(["a@example.org"]),
            ),
            ("Bounce", hard(json!([])), json!(["bounce@simulator.amazonses.com"])),
            (
                "Complaint",
                json!({"complaintFeedbackType": "not-spam"}),
                json!(["a@example.org"]),
            ),
        ] {
            assert_eq!(marks(kind, contents.clone(), destination), [], "{contents}");
        }
    }

    #[test]
    fn never_loses_an_event_over_a_timestamp() {
        let at = |event_time: Value, mail_time: Value| {
            let mut message = bounce(&json!([{"emailAddress": "a@example.org"}]));
            message["bounce"]["timestamp"] = event_time;
            message["mail"]["timestamp"] = mail_time;
            event(&message).facts[0].at.to_string()
        };
        assert_eq!(
            at(json!("nonsense"), json!("2026-01-01T00:00:00Z")),
            "2026-01-01T00:00:00Z"
        );
        assert_eq!(at(Value::Null, Value::Null), received().to_string());
        assert_eq!(at(json!(17), json!([])), received().to_string());
        assert_eq!(at(json!("2999-01-01T00:00:00Z"), Value::Null), received().to_string());
    }

    #[test]
    fn acknowledges_set_up_messages_in_both_forms() {
        for message in [
            "Successfully validated SNS topic for Amazon SES event publishing.\n",
            r#"{"notificationType":"AmazonSnsSubscriptionSucceeded","message":"You have successfully subscribed"}"#,
        ] {
            assert!(matches!(read(message, received()), Ok(Feedback::SetUp)), "{message}");
        }
    }

    #[test]
    fn lets_other_and_unknown_types_pass() {
        for kind in [
            "Send",
            "Delivery",
            "Open",
            "Click",
            "Reject",
            "Rendering Failure",
            "DeliveryDelay",
            "Subscription",
            "New",
        ] {
            let event = event(&json!({"eventType": kind, "mail": {"messageId": "m-1"}, "extra": {"a": 1}}));
            assert!(event.facts.is_empty() && event.kind == kind);
        }
    }

    #[test]
    fn refuses_foreign_input_without_repeating_it() {
        for message in [
            "",
            "hello anna@example.org",
            "{}",
            "[]",
            "null",
            r#"{"eventType":"Bounce"}"#,
            r#"{"eventType":5}"#,
        ] {
            let error = read(message, received()).unwrap_err();
            assert!(!error.to_string().contains("anna"), "{error}");
        }
    }

    #[test]
    fn a_field_of_another_type_loses_that_field_alone() {
        let facts = |message: &Value| event(message).facts;
        let mut message = bounce(&json!([{"emailAddress": "a@example.org", "status": 5.1, "action": ["failed"]}]));
        message["bounce"]["feedbackId"] = json!(7);
        message["mail"]["tags"] = json!("none");
        assert_eq!(facts(&message)[0].class, FeedbackClass::HardBounce);
        let complaint = json!({"eventType": "Complaint", "mail": "lost",
            "complaint": {"feedbackId": "f-2", "complainedRecipients": [{"emailAddress": "a@example.org"}]}});
        assert_eq!(facts(&complaint)[0].class, FeedbackClass::Complaint);
        let twice = r#"{"eventType":"Bounce","bounce":{"bounceType":"Transient","bounceType":"Permanent",
            "bouncedRecipients":[{"emailAddress":"a@example.org"}]}}"#;
        let Feedback::Event(twice) = read(twice, received()).unwrap() else {
            panic!("a set-up message")
        };
        assert_eq!(twice.facts[0].class, FeedbackClass::HardBounce);
    }

    #[test]
    fn an_entry_that_cannot_be_read_does_not_hold_up_the_others() {
        let event = event(&bounce(
            &json!([null, {"emailAddress": "a@example.org"}, 7, "b@example.org"]),
        ));
        let addresses: Vec<_> = event.facts.iter().map(|fact| fact.address.normalised()).collect();
        assert_eq!(
            (addresses, event.unreadable_recipients),
            (vec!["a@example.org", "b@example.org"], 2)
        );
    }

    #[test]
    fn a_list_in_one_entry_is_several_recipients() {
        let event = event(&bounce(&json!([{"emailAddress": "a@example.org, a..b@example.org"}])));
        let addresses: Vec<_> = event.facts.iter().map(|fact| fact.address.normalised()).collect();
        assert_eq!(addresses, ["a@example.org", "\"a..b\"@example.org"]);
    }

    #[test]
    fn counts_like_aws_and_counts_refusals_of_the_sender_separately() {
        let kinds = |bounce_type: &str, diagnostic: &str| {
            let mut message = bounce(&json!([{"emailAddress": "a@example.org", "diagnosticCode": diagnostic}]));
            message["bounce"]["bounceType"] = json!(bounce_type);
            let event = event(&message);
            let kinds: Vec<_> = event.marks.iter().map(|mark| mark.kind.as_str()).collect();
            (
                event.facts[0].class,
                event.facts[0].reason.unwrap().as_str(),
                kinds.join(" "),
            )
        };
        for (bounce_type, diagnostic, expected) in [
            (
                "Permanent",
                "550 5.1.1 unknown user",
                (FeedbackClass::HardBounce, "user_unknown", "bounce"),
            ),
            (
                "Permanent",
                "554 5.7.1 listed at some RBL",
                (FeedbackClass::Blocked, "sender_blocked", "bounce block"),
            ),
            (
                "Transient",
                "554 5.7.1 listed at some RBL",
                (FeedbackClass::Soft, "sender_blocked", "block"),
            ),
            (
                "Permanent",
                "552 5.2.2 mailbox full",
                (FeedbackClass::Soft, "mailbox_full", "bounce"),
            ),
            (
                "Permanent",
                "552 5.3.4 too large",
                (FeedbackClass::MessageFault, "size", "bounce"),
            ),
            (
                "Transient",
                "550 5.4.4 no such domain",
                (FeedbackClass::HardBounce, "host_unknown", ""),
            ),
        ] {
            let expected = (expected.0, expected.1, expected.2.to_owned());
            assert_eq!(kinds(bounce_type, diagnostic), expected, "{bounce_type} {diagnostic}");
        }
    }

    #[test]
    fn a_list_of_recipients_of_another_type_is_kept_for_a_person() {
        for list in [json!("not a list"), json!(7), json!(true)] {
            let bounce = json!({"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": list});
            let message = json!({"eventType": "Bounce", "mail": {"messageId": "m-1"}, "bounce": bounce}).to_string();
            let Ok(Feedback::Event(event)) = read(&message, Timestamp::UNIX_EPOCH) else {
                panic!("{message}");
            };
            assert!(event.facts.is_empty() && !event.lists_nobody, "{message}");
            assert_eq!(event.unreadable_recipients, 1, "{message}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_on_any_text(message in "\\PC{0,80}") {
            let _ = read(&message, received());
        }

        #[test]
        fn never_panics_on_any_event(
            kind in "Bounce|Complaint|Delivery", bounce_type in "\\PC{0,12}|Permanent|Transient|Undetermined",
            sub in "\\PC{0,12}|General|Suppressed", address in "\\PC{0,24}|=\\?utf-8\\?[qb]\\?\\PC{0,12}\\?=",
            status in "[0-9.]{0,8}", diagnostic in "\\PC{0,40}", time in "\\PC{0,30}",
        ) {
            let recipients = json!([{"emailAddress": address, "status": status, "diagnosticCode": diagnostic}]);
            let message = json!({"eventType": kind, "mail": {"timestamp": time},
                "bounce": {"bounceType": bounce_type, "bounceSubType": sub, "bouncedRecipients": recipients, "timestamp": time},
                "complaint": {"complainedRecipients": recipients, "complaintFeedbackType": sub}});
            let event = event(&message);
            prop_assert!(event.facts.iter().all(|fact| fact.at <= received()));
        }
    }
}
