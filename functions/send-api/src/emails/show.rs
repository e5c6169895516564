//! `GET /emails/{id}`: a mail, and what became of it for each recipient.
//!
//! The id in the path is Okite's, or SES's message id in the form of SES's events or of the `Message-ID` header.

use std::collections::BTreeMap;

use aws::{Messages, StoreError};
use domain::address::EmailAddress;
use domain::bounce::BounceReason;
use domain::record::{DeliveryState, LastEvent, MessageRecord};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::expired::settle_expired;
use super::waiting::WaitingBody;
use crate::error::{ApiError, Problem};
use crate::recipient::RecipientBody;
use crate::request::Request;
use crate::response::{Response, with_offset};
use crate::state::SendApiState;
use sending::Deadlines;

/// The longest id of SES that is looked for; they have 60 characters.
const SES_ID_MAX: usize = 128;

/// The body of the answer. SDKs rely on every key, so none is left out.
#[derive(Serialize)]
pub(super) struct EmailBody<'a> {
    object: &'static str,
    id: Uuid,
    message_id: Option<String>,
    from: &'a str,
    to: &'a [String],
    cc: &'a [String],
    bcc: &'a [String],
    reply_to: &'a [String],
    #[serde(serialize_with = "with_offset")]
    created_at: Timestamp,
    subject: &'a str,
    /// Bodies are not stored.
    html: Option<&'a str>,
    text: Option<&'a str>,
    last_event: &'static str,
    #[serde(flatten)]
    waiting: WaitingBody,
    tags: Vec<TagBody<'a>>,
    recipients: Vec<RecipientBody<'a>>,
    events: Vec<EventBody<'a>>,
}

#[derive(Serialize)]
struct TagBody<'a> {
    name: &'a str,
    value: &'a str,
}

/// An event of one recipient, or of the mail as a whole.
#[derive(Serialize)]
struct EventBody<'a> {
    r#type: &'static str,
    at: Timestamp,
    /// The address as the mail has it; null for what is about the mail as a whole.
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtype: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostic: Option<&'a str>,
    /// Why the mail bounced, by Okite's judgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce_reason: Option<&'static str>,
    /// Whether the mail was not sent to this address: one of its recipients forwarded it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    forwarded: bool,
    /// The link that was followed, as it stood in the mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    /// The tags that the mail gave the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    link_tags: Option<&'a BTreeMap<String, String>>,
    /// The IP address of the visitor, or of a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
}

/// An id by which an email is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailId<'a> {
    /// Okite's id.
    Ours(Uuid),
    /// SES's id, without its domain.
    Ses(&'a str),
}

impl<'a> EmailId<'a> {
    /// Reads Okite's id, or SES's in the form of its events or of the `Message-ID` header.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        if let Ok(id) = text.parse() {
            return Some(Self::Ours(id));
        }
        let text = text.trim_start_matches('<');
        let ses_id = text.split_once('@').map_or(text, |(id, _)| id);
        let fits = !ses_id.is_empty() && ses_id.len() <= SES_ID_MAX;
        let is_one = fits && ses_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_one.then_some(Self::Ses(ses_id))
    }
}

pub(crate) async fn show(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    id: &str,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let id = EmailId::read(id).ok_or(Problem::EmailNotFound)?;
    let found = deadlines.before_answering(find_email(&state.messages, id)).await??;
    let mut record = found.ok_or(Problem::EmailNotFound)?;
    settle_expired(&state.messages, std::slice::from_mut(&mut record), deadlines).await;
    log_unknown(&record, deadlines.arrived);
    Ok(Response::ok(&body(&record, &state.region, deadlines.arrived)))
}

/// Finds an email with its newest events. One that waited in the queue, or that a repeated
/// request sent, is found by Okite's id only.
///
/// # Errors
/// [`StoreError`] if the table could not be read.
pub async fn find_email(messages: &Messages, id: EmailId<'_>) -> Result<Option<MessageRecord>, StoreError> {
    let id = match id {
        EmailId::Ours(id) => Some(id),
        EmailId::Ses(ses_id) => messages.id_of(ses_id).await?,
    };
    match id {
        Some(id) => messages.read(id).await,
        None => Ok(None),
    }
}

/// Returns an email as `GET /emails/{id}` does. `region` is the region of SES.
#[must_use]
pub fn email_json(record: &MessageRecord, region: &str, now: Timestamp) -> Value {
    serde_json::to_value(body(record, region, now)).unwrap_or_default()
}

/// Logs that an email is unknown, so that an alarm can count such lines.
pub(super) fn log_unknown(record: &MessageRecord, now: Timestamp) {
    if record.state(now) == DeliveryState::Unknown {
        tracing::warn!(
            message.id = %record.id,
            cause = "unknown_message",
            "a caller read a message of which it is not known whether SES accepted it"
        );
    }
}

pub(super) fn body<'a>(record: &'a MessageRecord, region: &str, now: Timestamp) -> EmailBody<'a> {
    let mail = &record.mail;
    EmailBody {
        object: "email",
        id: record.id,
        message_id: record.ses_id.as_ref().map(|ses_id| message_id(ses_id, region)),
        from: &mail.from,
        to: &mail.to,
        cc: &mail.cc,
        bcc: &mail.bcc,
        reply_to: &mail.reply_to,
        created_at: record.created_at,
        subject: &mail.subject,
        html: None,
        text: None,
        last_event: record.last_event(now).as_str(),
        waiting: WaitingBody::of(record, now),
        tags: mail.tags.iter().map(|(name, value)| TagBody { name, value }).collect(),
        recipients: {
            let recipients = record.recipients.iter();
            recipients
                .map(|recipient| RecipientBody::of(record, recipient, now))
                .collect()
        },
        events: events(record),
    }
}

/// The header `Message-ID` of a mail as SES writes it. That other regions name themselves is an assumption: AWS
/// documents the form for us-east-1 alone.
fn message_id(ses_id: &str, region: &str) -> String {
    match region {
        "us-east-1" => format!("<{ses_id}@email.amazonses.com>"),
        region => format!("<{ses_id}@{region}.amazonses.com>"),
    }
}

/// The events that say what became of the mail, in the order of time.
fn events(record: &MessageRecord) -> Vec<EventBody<'_>> {
    // Events name addresses normalised, the caller knows them as given.
    let given: BTreeMap<String, &str> = record
        .recipients
        .iter()
        .filter_map(|recipient| {
            let address = EmailAddress::parse(&recipient.email).ok()?;
            Some((address.normalised().to_owned(), recipient.email.as_str()))
        })
        .collect();
    let mut shown: Vec<(LastEvent, EventBody<'_>)> = Vec::new();
    for event in &record.events {
        let Some(kind) = LastEvent::of(&event.kind) else {
            continue;
        };
        let recipient = event.recipient.as_deref();
        let engagement = event.engagement.as_ref();
        let entry = EventBody {
            r#type: kind.as_str(),
            at: event.at,
            email: recipient.map(|recipient| given.get(recipient).copied().unwrap_or(recipient)),
            subtype: event.subtype.as_deref(),
            diagnostic: event.diagnostic.as_deref(),
            bounce_reason: event.bounce_reason.map(BounceReason::as_str),
            forwarded: event.forwarded,
            link: engagement.and_then(|engagement| engagement.link.as_deref()),
            link_tags: engagement
                .map(|engagement| &engagement.link_tags)
                .filter(|tags| !tags.is_empty()),
            ip_address: engagement.and_then(|engagement| engagement.visit.ip_address.as_deref()),
            user_agent: engagement.and_then(|engagement| engagement.visit.user_agent.as_deref()),
        };
        shown.push((kind, entry));
    }
    shown.sort_by_key(|(kind, entry)| (entry.at, *kind, entry.email));
    shown.into_iter().map(|(_, entry)| entry).collect()
}

#[cfg(test)]
mod tests {
    use domain::record::{Engagement, Visit};
    use domain::record::{RecordedEvent, RecordedMail, RecordedRecipient, SenderState};
    use serde_json::json;

    use super::*;

    const SES_ID: &str = "0100019b0a1b2c3d-00000000-0000-0000-0000-000000000000-000000";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn event(kind: &str, seconds: i64, recipient: Option<&str>) -> RecordedEvent {
        RecordedEvent {
            kind: kind.to_owned(),
            at: at(seconds),
            recipient: recipient.map(str::to_owned),
            subtype: None,
            diagnostic: None,
            bounce_reason: None,
            forwarded: false,
            engagement: None,
        }
    }

    fn record(events: Vec<RecordedEvent>) -> MessageRecord {
        MessageRecord {
            attempt: 1,
            attempt_at: Some(at(0)),
            ses_id: Some(SES_ID.to_owned()),
            mail: RecordedMail {
                from: "Acme <news@example.com>".to_owned(),
                to: vec!["Anna <Anna@Example.org>".to_owned()],
                tags: BTreeMap::from([("campaign".to_owned(), "spring".to_owned())]),
                ..RecordedMail::default()
            },
            recipients: vec![RecordedRecipient {
                email: "Anna@Example.org".to_owned(),
                status: "accepted".to_owned(),
                reason: None,
                since: None,
            }],
            events,
            ..MessageRecord::new(Uuid::from_u128(7), SenderState::Sending, at(0))
        }
    }

    fn shown(record: &MessageRecord) -> Value {
        serde_json::to_value(body(record, "us-east-1", at(60))).unwrap()
    }

    #[test]
    fn shows_every_key_whatever_is_known() {
        let shown = shown(&record(vec![]));
        assert_eq!(
            shown,
            json!({
                "object": "email", "id": "00000000-0000-0000-0000-000000000007",
                "message_id": format!("<{SES_ID}@email.amazonses.com>"),
                "from": "Acme <news@example.com>", "to": ["Anna <Anna@Example.org>"], "cc": [], "bcc": [], "reply_to": [],
                "created_at": "2027-01-15 08:00:00.000000+00", "subject": "", "html": null, "text": null,
                "last_event": "sent", "scheduled_at": null, "okite_deadline": null, "okite_state": "sent",
                "okite_reason": null, "tags": [{"name": "campaign", "value": "spring"}],
                "recipients": [{"email": "Anna@Example.org", "status": "accepted"}], "events": [],
            })
        );
    }

    #[test]
    fn shows_events_in_the_order_of_time_and_addresses_as_given() {
        let mut annas = event("Bounce", 5, Some("anna@example.org"));
        annas.subtype = Some("Permanent/General".to_owned());
        let mut bobs = event("Bounce", 5, Some("bob@example.org"));
        bobs.subtype = annas.subtype.clone();
        annas.diagnostic = Some("550 unknown".to_owned());
        annas.bounce_reason = Some(BounceReason::UserUnknown);
        bobs.forwarded = true;
        let others = [event("Send", 1, None), event("Subscription", 9, None)];
        let shown = shown(&record([vec![bobs, annas], others.to_vec()].concat()));
        assert_eq!(
            shown["events"],
            json!([
                {"type": "sent", "at": "2027-01-15T08:00:01Z", "email": null},
                {"type": "bounced", "at": "2027-01-15T08:00:05Z", "email": "Anna@Example.org",
                 "subtype": "Permanent/General", "diagnostic": "550 unknown", "bounce_reason": "user_unknown"},
                {"type": "bounced", "at": "2027-01-15T08:00:05Z", "email": "bob@example.org", "subtype": "Permanent/General",
                 "forwarded": true},
            ])
        );
        assert_eq!(shown["last_event"], "bounced");
    }

    #[test]
    fn shows_the_visitor_and_the_link() {
        let mut click = event("Click", 5, Some("anna@example.org"));
        click.engagement = Some(Engagement {
            visit: Visit {
                ip_address: Some("192.0.2.1".to_owned()),
                user_agent: Some("Mozilla/5.0".to_owned()),
            },
            link: Some("https://example.com/".to_owned()),
            link_tags: BTreeMap::from([("place".to_owned(), "footer".to_owned())]),
        });
        let mut opened = event("Open", 4, None);
        opened.engagement = Some(Engagement::default());
        let shown = shown(&record(vec![click, opened]));
        assert_eq!(
            shown["events"],
            json!([
                {"type": "opened", "at": "2027-01-15T08:00:04Z", "email": null},
                {"type": "clicked", "at": "2027-01-15T08:00:05Z", "email": "Anna@Example.org", "link": "https://example.com/",
                 "link_tags": {"place": "footer"}, "ip_address": "192.0.2.1", "user_agent": "Mozilla/5.0"},
            ])
        );
        assert_eq!(shown["last_event"], "clicked");
    }

    #[test]
    fn names_the_region_in_a_message_id() {
        assert_eq!(message_id("x", "eu-west-1"), "<x@eu-west-1.amazonses.com>");
    }

    #[test]
    fn takes_our_ids_and_those_of_ses_and_nothing_else() {
        let ours = Uuid::from_u128(7);
        assert_eq!(EmailId::read(&ours.to_string()), Some(EmailId::Ours(ours)));
        for text in [
            SES_ID,
            &format!("<{SES_ID}@email.amazonses.com>"),
            &format!("{SES_ID}@x"),
        ] {
            assert_eq!(EmailId::read(text), Some(EmailId::Ses(SES_ID)), "{text}");
        }
        for text in ["", "<>", "@", "a b", "claim#1", "ü", &"a".repeat(129)] {
            assert_eq!(EmailId::read(text), None, "{text}");
        }
    }
}
