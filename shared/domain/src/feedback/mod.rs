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
mod facts;
mod mark;
mod message_event;
mod timestamp;
mod webhook_events;

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

pub use choices::{ReportedChoice, TOPIC_TAG};
pub use classify::FeedbackClass;
pub use explain::{ExplainedEvent, ExplainedRecipient, explain};
pub use facts::RecipientFact;
pub use mark::{Mark, MarkKind, RecordedMark};
pub use message_event::{EventRecipient, MessageEvent};

use event::{Json, Mail, Recipient};
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

#[cfg(test)]
mod tests;
