//! The events of Okite's own doing, made from the record of a mail alone.
//!
//! Each has a time that every later emission finds again in the row. So an event that is emitted again, after a crash
//! or for a repeated request, has the same id.
//!
//! | event | proved by | its time |
//! |---|---|---|
//! | `email.queued`, `email.scheduled` | the mail was ever queued | when it was queued, or got another time |
//! | `email.suppressed` | the mail was sent, may have been, or had no recipient left | see below |
//! | `email.failed` | `failed`; of a queued mail `refused`, which an operator wrote | when it failed |
//! | `email.canceled` | `canceled` | when it was called back |
//!
//! There is one of each for every recipient, and of `email.suppressed` for every suppressed one. Its time is that of
//! the mail if it was sent at once, and that of the last attempt if it was queued: the outcome that acceptance finds is
//! preliminary, and recipients are judged again when the mail is sent. A mail that failed has no `email.suppressed`.
//!
//! `email.sent` is none of them: SES's event alone proves it.

use jiff::Timestamp;

use super::{EmailEvent, EmailOutcome, EventId, EventSubject, WebhookEvent};
use crate::address::EmailAddress;
use crate::record::{DeliveryState, MessageRecord, RecordedRecipient, SenderState};
use crate::time::in_milliseconds;

/// The reason of `email.failed` where an operator found out that SES did not accept the mail.
const NOT_SENT: &str = "not_sent";

impl MessageRecord {
    /// Makes the events about a mail that was queued: that it waits. Every recipient has one.
    #[must_use]
    pub fn waiting_events(&self) -> Vec<WebhookEvent> {
        let Some(queued) = &self.queued else {
            return Vec::new();
        };
        let since = queued.rescheduled_at.unwrap_or(queued.queued_at);
        let outcome = match queued.scheduled_at {
            Some(at) if at > since => EmailOutcome::Scheduled {
                at: in_milliseconds(at),
            },
            _ => EmailOutcome::Queued,
        };
        self.of_all(since, &outcome)
    }

    /// Makes the events about what became of a mail at `now`, as far as Okite decided it. A mail that waits or that is
    /// being sent has none.
    #[must_use]
    pub fn end_events(&self, now: Timestamp) -> Vec<WebhookEvent> {
        let queued = self.queued.as_ref();
        let ended_at = queued.map(|queued| queued.ended_at.or(self.settled_at).unwrap_or(queued.queued_at));
        let attempted_at = match queued {
            Some(queued) => self.attempt_at.unwrap_or(queued.queued_at),
            None => self.created_at,
        };
        match (self.state(now), ended_at) {
            (DeliveryState::Failed | DeliveryState::Refused, Some(ended_at)) => {
                let reason = self.failed.map_or(NOT_SENT, |reason| reason.as_str());
                let reason = reason.to_owned();
                self.of_all(ended_at, &EmailOutcome::Failed { reason })
            }
            (DeliveryState::Canceled, Some(ended_at)) => self.of_all(ended_at, &EmailOutcome::Canceled),
            (DeliveryState::Suppressed, ended_at) => self.of_suppressed(ended_at.unwrap_or(self.created_at)),
            // A worker may still take an attempt over that certainly sent nothing, and judge its recipients again.
            (DeliveryState::Unknown, Some(_)) if self.written != SenderState::Unknown => Vec::new(),
            (DeliveryState::Sent | DeliveryState::Unknown, _) => self.of_suppressed(attempted_at),
            // A mail that was refused at once has told its caller so, and may be sent by a repeated request.
            (
                DeliveryState::Failed
                | DeliveryState::Refused
                | DeliveryState::Canceled
                | DeliveryState::Queued
                | DeliveryState::Scheduled(_)
                | DeliveryState::Sending(_),
                _,
            ) => Vec::new(),
        }
    }

    fn of_all(&self, at: Timestamp, outcome: &EmailOutcome) -> Vec<WebhookEvent> {
        self.events_of(at, |_| Some(outcome.clone()))
    }

    fn of_suppressed(&self, at: Timestamp) -> Vec<WebhookEvent> {
        self.events_of(at, |recipient| {
            let reason = recipient.reason.clone()?;
            Some(EmailOutcome::Suppressed { reason })
        })
    }

    /// Makes an event for each recipient that has an outcome. A recipient that was forgotten has none.
    fn events_of(
        &self,
        at: Timestamp,
        outcome: impl Fn(&RecordedRecipient) -> Option<EmailOutcome>,
    ) -> Vec<WebhookEvent> {
        let mut events: Vec<WebhookEvent> = Vec::new();
        for recipient in &self.recipients {
            let Some(outcome) = outcome(recipient) else { continue };
            let Ok(address) = EmailAddress::parse(&recipient.email) else {
                continue;
            };
            if address.is_pseudonym() {
                continue;
            }
            let event = self.event(at, &address, recipient, outcome);
            if events.iter().all(|other| other.id != event.id) {
                events.push(event);
            }
        }
        events
    }

    fn event(
        &self,
        at: Timestamp,
        address: &EmailAddress,
        recipient: &RecordedRecipient,
        outcome: EmailOutcome,
    ) -> WebhookEvent {
        let email_id = self.id.to_string();
        let identity = [&email_id, outcome.kind().as_str(), address.normalised(), ""];
        let mail = &self.mail;
        WebhookEvent {
            id: EventId::of(at, &identity),
            created_at: in_milliseconds(at),
            subject: EventSubject::Email(Box::new(EmailEvent {
                // The first emission may not know it, and every copy of an event is the same.
                ses_id: None,
                email_created_at: in_milliseconds(self.created_at),
                from: mail.from.clone(),
                to: recipient.email.clone(),
                recipients: self.recipients.iter().map(|other| other.email.clone()).collect(),
                subject: mail.subject.clone(),
                tags: mail.tags.clone(),
                headers: mail.event_headers.clone().into_iter().collect(),
                outcome,
                email_id,
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::*;
    use crate::address::FORGOTTEN;
    use crate::idempotency::LEASE;
    use crate::record::{FailedReason, QueuedMail, RecordedMail};
    use crate::webhook::EventKind;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn recipient(email: &str, reason: Option<&str>) -> RecordedRecipient {
        RecordedRecipient {
            email: email.to_owned(),
            status: if reason.is_some() { "suppressed" } else { "accepted" }.to_owned(),
            reason: reason.map(str::to_owned),
            since: None,
        }
    }

    /// A mail that is sent at once.
    fn direct(written: SenderState) -> MessageRecord {
        MessageRecord {
            attempt: 1,
            attempt_at: Some(at(2)),
            mail: RecordedMail {
                from: "Acme <acme@example.com>".to_owned(),
                subject: "Hello".to_owned(),
                tags: [("campaign".to_owned(), "spring".to_owned())].into(),
                event_headers: [("X-Tags".to_owned(), "[\"a\"]".to_owned())].into(),
                ..RecordedMail::default()
            },
            recipients: vec![
                recipient("Anna@Example.net", None),
                recipient("gone@example.net", Some("bounce")),
            ],
            ..MessageRecord::new(Uuid::from_u128(7), written, at(1))
        }
    }

    fn queued(written: SenderState) -> MessageRecord {
        MessageRecord {
            queued: Some(QueuedMail {
                queued_at: at(3),
                content_nonce: Uuid::nil(),
                scheduled_at: None,
                deadline: at(100),
                waits_for: None,
                rescheduled_at: None,
                ended_at: Some(at(50)),
                claim_id: None,
            }),
            ..direct(written)
        }
    }

    fn sent(record: MessageRecord) -> MessageRecord {
        MessageRecord {
            ses_id: Some("s".to_owned()),
            ..record
        }
    }

    fn email(event: &WebhookEvent) -> &EmailEvent {
        match &event.subject {
            EventSubject::Email(email) => email,
            other => panic!("{other:?}"),
        }
    }

    /// The kinds, the recipients and the seconds of events.
    fn told(events: &[WebhookEvent]) -> Vec<(EventKind, &str, i64)> {
        let told = events.iter().map(|event| {
            let seconds = event.created_at.duration_since(at(0)).as_secs();
            (event.kind(), email(event).to.as_str(), seconds)
        });
        told.collect()
    }

    #[test]
    fn an_event_is_the_same_before_and_after_ses_took_the_mail() {
        let record = queued(SenderState::Queued);
        let events = record.waiting_events();
        assert_eq!(events.len(), 2);
        assert_eq!(sent(record).waiting_events(), events);
        let record = direct(SenderState::Unknown);
        let events = record.end_events(at(9_000));
        assert_eq!(events.len(), 1);
        assert_eq!(sent(record).end_events(at(9_000)), events);
    }

    #[test]
    fn each_state_has_its_events() {
        use EventKind::{EmailCanceled, EmailFailed, EmailSuppressed};
        let (late, anna, gone) = (at(2) + LEASE, "Anna@Example.net", "gone@example.net");
        for (record, now, expected) in [
            (direct(SenderState::Sending), at(2), vec![]),
            (direct(SenderState::Refused), at(2), vec![]),
            (
                sent(direct(SenderState::Sending)),
                at(2),
                vec![(EmailSuppressed, gone, 1)],
            ),
            (direct(SenderState::Sending), late, vec![(EmailSuppressed, gone, 1)]),
            (direct(SenderState::Suppressed), at(2), vec![(EmailSuppressed, gone, 1)]),
            (queued(SenderState::Queued), late, vec![]),
            (queued(SenderState::Sending), late, vec![]),
            (queued(SenderState::Unknown), late, vec![(EmailSuppressed, gone, 2)]),
            (
                sent(queued(SenderState::Sending)),
                late,
                vec![(EmailSuppressed, gone, 2)],
            ),
            (queued(SenderState::Suppressed), late, vec![(EmailSuppressed, gone, 50)]),
            (
                queued(SenderState::Failed),
                late,
                vec![(EmailFailed, anna, 50), (EmailFailed, gone, 50)],
            ),
            (
                queued(SenderState::Refused),
                late,
                vec![(EmailFailed, anna, 50), (EmailFailed, gone, 50)],
            ),
            (
                queued(SenderState::Canceled),
                late,
                vec![(EmailCanceled, anna, 50), (EmailCanceled, gone, 50)],
            ),
        ] {
            let events = record.end_events(now);
            assert_eq!(told(&events), expected, "{record:?}");
        }
    }

    #[test]
    fn an_event_says_what_the_row_says() {
        let failed = MessageRecord {
            failed: Some(FailedReason::Expired),
            ..queued(SenderState::Failed)
        };
        let event = &failed.end_events(at(60))[0];
        let email = email(event);
        assert_eq!(
            email.outcome,
            EmailOutcome::Failed {
                reason: "expired".to_owned()
            }
        );
        assert_eq!(email.email_id, "00000000-0000-0000-0000-000000000007");
        assert_eq!(email.recipients, ["Anna@Example.net", "gone@example.net"]);
        assert_eq!(
            (email.from.as_str(), email.subject.as_str()),
            ("Acme <acme@example.com>", "Hello")
        );
        assert_eq!(email.headers, [("X-Tags".to_owned(), "[\"a\"]".to_owned())]);
        assert_eq!(
            (email.tags["campaign"].as_str(), email.email_created_at),
            ("spring", at(1))
        );
        let reason = |record: &MessageRecord| match &self::email(&record.end_events(at(60))[0]).outcome {
            EmailOutcome::Failed { reason } | EmailOutcome::Suppressed { reason } => reason.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(&queued(SenderState::Refused)), "not_sent");
        assert_eq!(reason(&direct(SenderState::Suppressed)), "bounce");
    }

    #[test]
    fn a_mail_is_queued_or_scheduled_and_anew_when_it_gets_another_time() {
        let with = |scheduled_at: Option<i64>, rescheduled_at: Option<i64>| {
            let mut record = queued(SenderState::Queued);
            if let Some(queued) = &mut record.queued {
                (queued.scheduled_at, queued.rescheduled_at) = (scheduled_at.map(at), rescheduled_at.map(at));
            }
            record.waiting_events()
        };
        let mut ids = BTreeSet::new();
        for (scheduled_at, rescheduled_at, kind, seconds) in [
            (None, None, EventKind::EmailQueued, 3),
            (Some(20), None, EventKind::EmailScheduled, 3),
            (Some(20), Some(10), EventKind::EmailScheduled, 10),
            (Some(20), Some(20), EventKind::EmailQueued, 20),
        ] {
            let events = with(scheduled_at, rescheduled_at);
            let each = ["Anna@Example.net", "gone@example.net"].map(|to| (kind, to, seconds));
            assert_eq!(told(&events), each);
            ids.extend(events.into_iter().map(|event| event.id));
        }
        assert_eq!(ids.len(), 8);
        assert_eq!(direct(SenderState::Sending).waiting_events(), []);
        // A time that was past when the mail was queued is now.
        assert_eq!(with(Some(2), None)[0].kind(), EventKind::EmailQueued);
    }

    #[test]
    fn an_address_in_two_spellings_has_one_event_and_a_forgotten_one_has_none() {
        let record = MessageRecord {
            recipients: vec![
                recipient("anna@example.net", None),
                recipient("Anna@Example.net", None),
                recipient(FORGOTTEN, None),
                recipient("no address", None),
            ],
            ..queued(SenderState::Canceled)
        };
        assert_eq!(told(&record.end_events(at(60))).len(), 1);
    }

    #[test]
    fn a_copy_from_the_row_is_the_same_event() {
        let mut accepted = queued(SenderState::Queued);
        let fine = SignedDuration::from_micros(1_234_567);
        accepted.created_at += fine;
        if let Some(queued) = &mut accepted.queued {
            queued.queued_at += fine;
            queued.scheduled_at = Some(at(20) + fine);
        }
        let mut row = accepted.clone();
        row.created_at = in_milliseconds(accepted.created_at);
        if let Some(queued) = &mut row.queued {
            queued.queued_at = in_milliseconds(queued.queued_at);
            queued.scheduled_at = Some(in_milliseconds(at(20) + fine));
        }
        assert_eq!(accepted.waiting_events(), row.waiting_events());
    }
}
