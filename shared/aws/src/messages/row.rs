//! The row of a message as DynamoDB holds it; [`super`] lists its attributes.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use uuid::Uuid;

use super::partition::row_key;
use super::{NewMessage, by_recipient};
use crate::dynamodb::item::{Item, list, n, number_of, s, text_of, texts_of, time, time_of, ttl, uuid_of};
use domain::recipient::RecipientOutcome;
use domain::record::{FailedReason, MessageRecord, QueuedMail, RecordedMail, RecordedRecipient, SenderState, WaitsFor};
use domain::time::EARLIEST;

/// Makes the row of an attempt, or of a message that no recipient is left for.
pub(super) fn of(message: &NewMessage<'_>) -> Item {
    let mail = RecordedMail::from(message.mail);
    let mut row = HashMap::from([
        ("id", s(message.id.to_string())),
        ("nonce", s(message.nonce.to_string())),
        ("created_at", time(message.created_at)),
        ("expires_at", ttl(message.expires_at)),
        ("stream", s(message.stream.as_str())),
        ("key_id", s(message.key_id)),
        ("from", s(mail.from)),
        ("to", list(mail.to)),
        ("cc", list(mail.cc)),
        ("bcc", list(mail.bcc)),
        ("reply_to", list(mail.reply_to)),
        ("subject", s(mail.subject)),
        ("recipients", outcomes(message.outcomes)),
        ("tags", texts(mail.tags)),
    ]);
    if !mail.event_headers.is_empty() {
        row.insert("event_headers", texts(mail.event_headers));
    }
    let written = if message.will_be_sent {
        row.extend([
            ("attempt", n(message.attempt.into())),
            ("attempt_at", time(message.attempt_at)),
        ]);
        SenderState::Sending
    } else {
        SenderState::Suppressed
    };
    row.insert("state", s(written.as_str()));
    if let [only] = message.outcomes {
        row.insert(by_recipient::HASH, s(by_recipient::hash(&only.address)));
    }
    let row = row.into_iter().map(|(name, value)| (name.to_owned(), value));
    row.chain(row_key(message.id)).collect()
}

/// Makes the row of a message that waits in the queue. Its attempt is the one that the request would have made.
pub(super) fn queued(message: &NewMessage<'_>, queued: &QueuedMail) -> Item {
    let mut row = of(message);
    row.remove("attempt_at");
    let mut set = |name: &str, value| row.insert(name.to_owned(), value);
    set("state", s(SenderState::Queued.as_str()));
    set("attempt", n(message.attempt.into()));
    set("queued_at", time(queued.queued_at));
    set("content_nonce", s(queued.content_nonce.to_string()));
    set("deadline", time(queued.deadline));
    if let Some(at) = queued.scheduled_at {
        set("scheduled_at", time(at));
    }
    if let Some(claim_id) = &queued.claim_id {
        set("claim_id", s(claim_id));
    }
    row
}

/// The outcomes on the recipients, as the row holds them.
pub(super) fn outcomes(outcomes: &[RecipientOutcome]) -> AttributeValue {
    AttributeValue::L(outcomes.iter().map(outcome).collect())
}

fn texts(texts: BTreeMap<String, String>) -> AttributeValue {
    AttributeValue::M(texts.into_iter().map(|(name, text)| (name, s(text))).collect())
}

fn outcome(outcome: &RecipientOutcome) -> AttributeValue {
    let mut entry = Item::from([
        ("email".to_owned(), s(outcome.address.as_given())),
        ("status".to_owned(), s(outcome.status.as_str())),
    ]);
    if let Some(suppression) = outcome.status.suppression() {
        entry.insert("reason".to_owned(), s(suppression.reason.as_str()));
        entry.insert("since".to_owned(), time(suppression.since));
    }
    AttributeValue::M(entry)
}

/// Reads the row of a message, whose events are items of their own.
pub(super) fn record(row: &Item) -> Option<MessageRecord> {
    let recipients = row.get("recipients")?.as_l().ok()?.iter();
    let written = SenderState::parse(text_of(row, "state")?)?;
    let queued = match row.contains_key("queued_at") {
        true => Some(queued_mail(row)?),
        // A row that waits for a content that it does not name.
        false if written == SenderState::Queued => return None,
        false => None,
    };
    Some(MessageRecord {
        id: uuid_of(row, "id")?,
        written,
        lease_until: time_of(row, "lease_until"),
        queued,
        failed: text_of(row, "failed").and_then(FailedReason::parse),
        attempt: number_of(row, "attempt").map_or(Some(0), |attempt| u32::try_from(attempt).ok())?,
        attempt_at: time_of(row, "attempt_at"),
        nonce: uuid_of(row, "nonce"),
        ses_id: text_of(row, "ses_id").map(str::to_owned),
        sent_at: time_of(row, "sent_at"),
        settled_at: time_of(row, "settled_at"),
        created_at: time_of(row, "created_at")?,
        recipients: recipients
            .map(|entry| recorded_recipient(entry.as_m().ok()?))
            .collect::<Option<_>>()?,
        mail: recorded_mail(row),
        events: Vec::new(),
    })
}

/// Returns what is known of a message whose row cannot be read: an attempt whose end nobody knows.
pub(super) fn unreadable(id: Uuid) -> MessageRecord {
    MessageRecord::new(id, SenderState::Sending, EARLIEST)
}

fn queued_mail(row: &Item) -> Option<QueuedMail> {
    Some(QueuedMail {
        queued_at: time_of(row, "queued_at")?,
        content_nonce: uuid_of(row, "content_nonce")?,
        scheduled_at: time_of(row, "scheduled_at"),
        deadline: time_of(row, "deadline")?,
        waits_for: text_of(row, "waits_for").and_then(WaitsFor::parse),
        rescheduled_at: time_of(row, "rescheduled_at"),
        ended_at: time_of(row, "ended_at"),
        claim_id: text_of(row, "claim_id").map(str::to_owned),
    })
}

fn recorded_mail(row: &Item) -> RecordedMail {
    let text = |name| text_of(row, name).unwrap_or_default().to_owned();
    RecordedMail {
        from: text("from"),
        to: texts_of(row, "to"),
        cc: texts_of(row, "cc"),
        bcc: texts_of(row, "bcc"),
        reply_to: texts_of(row, "reply_to"),
        subject: text("subject"),
        tags: text_map(row.get("tags")),
        event_headers: text_map(row.get("event_headers")),
    }
}

fn recorded_recipient(entry: &Item) -> Option<RecordedRecipient> {
    Some(RecordedRecipient {
        email: text_of(entry, "email")?.to_owned(),
        status: text_of(entry, "status")?.to_owned(),
        reason: text_of(entry, "reason").map(str::to_owned),
        since: time_of(entry, "since"),
    })
}

/// Reads a map of strings. Values of other types are left out.
fn text_map(value: Option<&AttributeValue>) -> BTreeMap<String, String> {
    let map = value.and_then(|value| value.as_m().ok()).into_iter().flatten();
    map.filter_map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())))
        .collect()
}
