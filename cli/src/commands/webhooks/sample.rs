//! A sample event of each kind, for `okite webhooks test`.

use std::collections::BTreeMap;

use domain::record::Visit;
use domain::suppression::SuppressionReason;
use domain::time::in_milliseconds;
use domain::webhook::{
    AccountEvent, BounceFacts, EmailEvent, EmailOutcome, EventId, EventKind, EventSubject, SuppressionChange,
    SuppressionEvent, WebhookEvent,
};
use jiff::Timestamp;
use uuid::Uuid;

/// A recipient of the mailbox simulator, who is nobody.
const RECIPIENT: &str = "okite-sample@simulator.amazonses.com";
/// The documentation's address of a visitor (RFC 5737).
const VISITOR: &str = "203.0.113.7";
const SES_ID: &str = "0100000000000000-00000000-0000-0000-0000-000000000000-000000";

/// Makes a sample event of a kind. `id` distinguishes it from other samples.
pub(super) fn sample(kind: EventKind, id: Uuid, now: Timestamp) -> WebhookEvent {
    // As events are: to the millisecond.
    let created_at = in_milliseconds(now);
    let id = id.to_string();
    WebhookEvent {
        id: EventId::of(created_at, &[&id, kind.as_str(), "sample"]),
        created_at,
        subject: subject(kind, &id, created_at),
    }
}

fn subject(kind: EventKind, id: &str, now: Timestamp) -> EventSubject {
    let visit = || Visit {
        ip_address: Some(VISITOR.to_owned()),
        user_agent: Some("Okite sample".to_owned()),
    };
    let email = |outcome| EventSubject::Email(Box::new(email(id, outcome, now)));
    let suppression = |change| {
        EventSubject::Suppression(SuppressionEvent {
            id: id.to_owned(),
            email: RECIPIENT.to_owned(),
            change,
            reason: SuppressionReason::Bounce,
            topic: None,
            since: now,
            source_id: None,
        })
    };
    match kind {
        EventKind::EmailSent => email(EmailOutcome::Sent),
        EventKind::EmailDelivered => email(EmailOutcome::Delivered),
        EventKind::EmailDeliveryDelayed => email(EmailOutcome::Delayed {
            delay_type: Some("MailboxFull".to_owned()),
            diagnostic: Some("452 4.2.2 mailbox full".to_owned()),
        }),
        EventKind::EmailBounced => email(EmailOutcome::Bounced(BounceFacts {
            bounce_type: "Permanent".to_owned(),
            sub_type: "General".to_owned(),
            diagnostic: Some("550 5.1.1 user unknown".to_owned()),
        })),
        EventKind::EmailComplained => email(EmailOutcome::Complained {
            feedback_type: Some("abuse".to_owned()),
        }),
        EventKind::EmailOpened => email(EmailOutcome::Opened(visit())),
        EventKind::EmailClicked => email(EmailOutcome::Clicked {
            link: "https://example.com/".to_owned(),
            visit: visit(),
        }),
        EventKind::EmailFailed => email(EmailOutcome::Failed {
            reason: "expired".to_owned(),
        }),
        EventKind::EmailSuppressed => email(EmailOutcome::Suppressed {
            reason: "bounce".to_owned(),
        }),
        EventKind::EmailScheduled => email(EmailOutcome::Scheduled { at: now }),
        EventKind::EmailQueued => email(EmailOutcome::Queued),
        EventKind::EmailCanceled => email(EmailOutcome::Canceled),
        EventKind::SuppressionAdded => suppression(SuppressionChange::Added),
        EventKind::SuppressionRemoved => suppression(SuppressionChange::Removed),
        EventKind::AccountVerdictChanged => EventSubject::Account(AccountEvent::VerdictChanged {
            from: Some("healthy".to_owned()),
            to: "warn".to_owned(),
        }),
        EventKind::AccountBrakeChanged => EventSubject::Account(AccountEvent::BrakeChanged {
            from: "none".to_owned(),
            to: "bulk".to_owned(),
            by: "okite webhooks test".to_owned(),
            why: "a sample".to_owned(),
        }),
    }
}

fn email(id: &str, outcome: EmailOutcome, now: Timestamp) -> EmailEvent {
    EmailEvent {
        email_id: id.to_owned(),
        ses_id: Some(SES_ID.to_owned()),
        email_created_at: now,
        from: "Okite <sample@example.com>".to_owned(),
        to: RECIPIENT.to_owned(),
        recipients: vec![RECIPIENT.to_owned()],
        subject: "A sample of okite webhooks test".to_owned(),
        tags: BTreeMap::from([("sample".to_owned(), "true".to_owned())]),
        headers: Vec::new(),
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn there_is_a_sample_of_each_kind_and_no_two_have_one_id() {
        let now = Timestamp::from_nanosecond(1_800_000_000_123_456_789).unwrap();
        for kind in EventKind::ALL {
            let event = sample(kind, Uuid::from_u128(1), now);
            assert_eq!(event.kind(), kind);
            assert_ne!(event.id, sample(kind, Uuid::from_u128(2), now).id);
            let payload: Value = serde_json::from_str(&emitter::payload(&event, "us-east-1")).unwrap();
            assert_eq!(payload["type"], kind.as_str());
        }
    }
}
