//! The record of a message, and the state that follows from it.
//!
//! No writer stores a final state. The sender writes its own state, and events are added in any order. The final state
//! is computed on reading. So an event that arrives before SES's answer needs no condition and is not lost.
//!
//! | state | evidence | next state |
//! |---|---|---|
//! | (none) | no row | the row is put → sending, suppressed, or queued |
//! | queued | it waits for room | a worker → sending, suppressed or failed; the caller → canceled |
//! | scheduled | it waits for its time | the time → queued; the caller → canceled |
//! | sending | an attempt within its lease | SES's answer, an event → sent; a refusal → refused, queued; then unknown |
//! | refused | SES certainly did not accept it | a retry → sending or queued, with the next attempt |
//! | suppressed | no recipient was left to send to | |
//! | failed | it was queued and will not be sent | |
//! | canceled | it was queued and the caller called it back | |
//! | unknown | an attempt after its lease | an event, an operator → sent; an operator → refused |
//! | sent | SES's id, any event, or an operator's decision | |
//!
//! | module | concept |
//! |---|---|
//! | `engagement` | an opening or a click |
//! | `queued` | what a row holds of a mail that was queued |
//! | `okite_state` | the state in Okite's own terms, with its reason |
//! | `recipient_status` | the status of each recipient |
//! | `recorded_mail` | a mail as its row holds it |
//! | `sent_event` | SES's event `Send`, made from the row |

mod engagement;
mod okite_state;
mod queued;
mod recipient_status;
mod recorded_mail;
mod sent_event;

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use crate::bounce::BounceReason;
use crate::idempotency::LEASE;
use crate::recipient::RecipientOutcome;
use crate::time;

pub use engagement::{Engagement, Visit};
pub use okite_state::OkiteState;
pub use queued::{FailedReason, QueuedMail, WaitsFor};
pub use recorded_mail::RecordedMail;
pub use sent_event::SEND;

/// The state that the sender wrote last, or an operator after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderState {
    /// The sender was about to send.
    Sending,
    /// SES certainly did not accept the attempt.
    Refused,
    /// No recipient was left to send to.
    Suppressed,
    /// An operator found out that SES accepted the attempt. The sender writes SES's id instead.
    Sent,
    /// The mail waits in the queue.
    Queued,
    /// The mail was queued and will not be sent.
    Failed,
    /// The mail was queued, and its caller called it back.
    Canceled,
    /// Long after its lease nobody knows whether SES accepted the attempt. Its content is deleted.
    Unknown,
}

impl SenderState {
    const ALL: [Self; 8] = [
        Self::Sent,
        Self::Sending,
        Self::Refused,
        Self::Suppressed,
        Self::Queued,
        Self::Failed,
        Self::Canceled,
        Self::Unknown,
    ];

    /// Returns the name in items.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Refused => "refused",
            Self::Suppressed => "suppressed",
            Self::Sent => "sent",
            Self::Queued => "queued",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the name in items.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|written| written.as_str() == text)
    }
}

/// The outcome for one recipient, as it was decided before SES was asked.
/// [`MessageRecord::recipient_status`] says what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRecipient {
    /// The address as the caller gave it.
    pub email: String,
    /// `accepted`, `suppressed` or `not_sent`.
    pub status: String,
    /// The reason of the suppression, if the recipient is suppressed.
    pub reason: Option<String>,
    /// The time since which the recipient is suppressed.
    pub since: Option<Timestamp>,
}

impl From<&RecipientOutcome> for RecordedRecipient {
    fn from(outcome: &RecipientOutcome) -> Self {
        let suppression = outcome.status.suppression();
        Self {
            email: outcome.address.as_given().to_owned(),
            status: outcome.status.as_str().to_owned(),
            reason: suppression.map(|suppression| suppression.reason.as_str().to_owned()),
            since: suppression.map(|suppression| suppression.since),
        }
    }
}

/// An event of SES about one recipient of a message, or about the whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// SES's type of the event, such as `Send` or `Bounce`.
    pub kind: String,
    /// The time of the event according to SES.
    pub at: Timestamp,
    /// The normalised address of the recipient. It is `None` if the event is about the whole message.
    pub recipient: Option<String>,
    /// SES's subtype of the event, such as `Permanent/General`.
    pub subtype: Option<String>,
    /// The diagnostic of the receiving server.
    pub diagnostic: Option<String>,
    /// Why the mail bounced, if it did.
    pub bounce_reason: Option<BounceReason>,
    /// Whether the mail was not sent to the recipient: an address that it was sent to forwarded it.
    pub forwarded: bool,
    /// The visitor and the link, if the event is an opening or a click.
    pub engagement: Option<Engagement>,
}

/// The record of a message: its row, and its events if they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// Okite's id of the message.
    pub id: Uuid,
    /// The state that the sender wrote last.
    pub written: SenderState,
    /// The number of the last attempt, from 1; 0 if the message was never attempted.
    pub attempt: u32,
    /// The time at which that attempt began.
    pub attempt_at: Option<Timestamp>,
    /// A random value that marks the writes of that attempt.
    pub nonce: Option<Uuid>,
    /// The time until which a worker may be at that attempt. A request that sends at once has none: its lease is
    /// [`LEASE`].
    pub lease_until: Option<Timestamp>,
    /// The attributes that concern the queue, if the mail was ever queued.
    pub queued: Option<QueuedMail>,
    /// Why a queued mail will not be sent, if it failed.
    pub failed: Option<FailedReason>,
    /// SES's id of the message, once it is known.
    pub ses_id: Option<String>,
    /// The time at which SES answered the sender that it took the message; `None` if the sender did not write it.
    pub sent_at: Option<Timestamp>,
    /// The time at which an operator wrote the state; `None` if the sender wrote it.
    pub settled_at: Option<Timestamp>,
    /// The time at which the first request for the message arrived.
    pub created_at: Timestamp,
    /// The mail as the caller gave it.
    pub mail: RecordedMail,
    /// The outcome for each recipient.
    pub recipients: Vec<RecordedRecipient>,
    /// The events of SES, in no particular order. Empty if only the row was read.
    pub events: Vec<RecordedEvent>,
}

/// The state of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// The mail waits for room.
    Queued,
    /// The mail waits for this time.
    Scheduled(Timestamp),
    /// An attempt is under way. It ends at this time at the latest.
    Sending(Timestamp),
    /// SES certainly did not accept the message.
    Refused,
    /// No recipient was left to send to.
    Suppressed,
    /// The mail was queued and will not be sent.
    Failed,
    /// The mail was queued, and its caller called it back.
    Canceled,
    /// An attempt was made, and it is not known whether SES accepted it.
    Unknown,
    /// SES accepted the message.
    Sent,
}

/// The latest known event of a message, in the terms of the Resend API, so that Resend's SDKs understand it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LastEvent {
    /// The message waits for the time that its caller named.
    Scheduled,
    /// The message waits for room, is being sent, or it is not known whether it was sent.
    Queued,
    /// The caller called the message back before it was sent.
    Canceled,
    /// SES accepted the message.
    Sent,
    /// The receiving server accepted the message.
    Delivered,
    /// A recipient opened the message.
    Opened,
    /// A recipient followed a link of the message.
    Clicked,
    /// The receiving server temporarily does not accept the message.
    DeliveryDelayed,
    /// The message was not sent, or SES could not send it.
    Failed,
    /// The receiving server rejected the message.
    Bounced,
    /// The recipient reported the message as spam.
    Complained,
}

impl LastEvent {
    /// Returns the name that the API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Canceled => "canceled",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Opened => "opened",
            Self::Clicked => "clicked",
            Self::DeliveryDelayed => "delivery_delayed",
            Self::Failed => "failed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }

    /// Returns the meaning of SES's event type `kind`. Returns `None` for a type that says nothing about the message,
    /// such as `Subscription`.
    #[must_use]
    pub fn of(kind: &str) -> Option<Self> {
        match kind {
            "Send" => Some(Self::Sent),
            "Delivery" => Some(Self::Delivered),
            "Open" => Some(Self::Opened),
            "Click" => Some(Self::Clicked),
            "DeliveryDelay" => Some(Self::DeliveryDelayed),
            "Reject" | "Rendering Failure" => Some(Self::Failed),
            "Bounce" => Some(Self::Bounced),
            "Complaint" => Some(Self::Complained),
            _ => None,
        }
    }
}

impl MessageRecord {
    /// Makes the record of a message about which nothing else is known.
    #[must_use]
    pub fn new(id: Uuid, written: SenderState, created_at: Timestamp) -> Self {
        Self {
            id,
            written,
            created_at,
            attempt: 0,
            attempt_at: None,
            nonce: None,
            lease_until: None,
            queued: None,
            failed: None,
            ses_id: None,
            sent_at: None,
            settled_at: None,
            mail: RecordedMail::default(),
            recipients: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Computes the state of the message at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> DeliveryState {
        if self.ses_id.is_some() || !self.events.is_empty() {
            return DeliveryState::Sent;
        }
        match self.written {
            SenderState::Refused => DeliveryState::Refused,
            SenderState::Suppressed => DeliveryState::Suppressed,
            SenderState::Sent => DeliveryState::Sent,
            SenderState::Failed => DeliveryState::Failed,
            SenderState::Canceled => DeliveryState::Canceled,
            SenderState::Unknown => DeliveryState::Unknown,
            // A mail past its deadline is queued until somebody has settled it: until then it may still be sent.
            SenderState::Queued => match self.queued.as_ref().and_then(|queued| queued.scheduled_at) {
                Some(at) if at > now => DeliveryState::Scheduled(at),
                _ => DeliveryState::Queued,
            },
            SenderState::Sending => {
                let lease_until = self.lease_until();
                if now < lease_until {
                    DeliveryState::Sending(lease_until)
                } else {
                    DeliveryState::Unknown
                }
            }
        }
    }

    /// Returns whether the outcome is certain and stays so, unless the message is attempted again.
    #[must_use]
    pub fn is_settled(&self, now: Timestamp) -> bool {
        match self.state(now) {
            DeliveryState::Sent
            | DeliveryState::Refused
            | DeliveryState::Suppressed
            | DeliveryState::Failed
            | DeliveryState::Canceled => true,
            DeliveryState::Queued
            | DeliveryState::Scheduled(_)
            | DeliveryState::Sending(_)
            | DeliveryState::Unknown => false,
        }
    }

    /// Returns the time until which somebody may be at work on the last attempt.
    #[must_use]
    pub fn lease_until(&self) -> Timestamp {
        let begun = self.attempt_at.unwrap_or(self.created_at);
        self.lease_until.unwrap_or_else(|| time::plus(begun, LEASE))
    }

    /// Computes the latest event. For each recipient, a final event goes before a delay. Of all recipients, the worst
    /// event counts.
    #[must_use]
    pub fn last_event(&self, now: Timestamp) -> LastEvent {
        match self.state(now) {
            DeliveryState::Scheduled(_) => return LastEvent::Scheduled,
            DeliveryState::Queued | DeliveryState::Sending(_) | DeliveryState::Unknown => return LastEvent::Queued,
            DeliveryState::Canceled => return LastEvent::Canceled,
            DeliveryState::Refused | DeliveryState::Suppressed | DeliveryState::Failed => return LastEvent::Failed,
            DeliveryState::Sent => {}
        }
        let latest = |about: &dyn Fn(&RecordedEvent) -> bool| {
            let events = self.events.iter().filter(|event| about(event));
            let known: BTreeSet<LastEvent> = events.filter_map(|event| LastEvent::of(&event.kind)).collect();
            let is_final = |event: &&LastEvent| **event != LastEvent::DeliveryDelayed && **event > LastEvent::Sent;
            // The worst final event counts, because a complaint follows a delivery. Without a final event, the latest
            // other event counts.
            known.iter().rev().find(is_final).or(known.last()).copied()
        };
        let about: BTreeSet<Option<&String>> = self.events.iter().map(|event| event.recipient.as_ref()).collect();
        let each = about
            .into_iter()
            .filter_map(|recipient| latest(&|event| event.recipient.as_ref() == recipient));
        each.max().unwrap_or(LastEvent::Sent)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn record(written: SenderState, ses_id: Option<&str>, events: &[(&str, Option<&str>)]) -> MessageRecord {
        MessageRecord {
            attempt: 1,
            attempt_at: Some(NOW),
            ses_id: ses_id.map(str::to_owned),
            events: events
                .iter()
                .map(|(kind, recipient)| RecordedEvent {
                    kind: (*kind).to_owned(),
                    at: NOW,
                    recipient: recipient.map(str::to_owned),
                    subtype: None,
                    diagnostic: None,
                    bounce_reason: None,
                    forwarded: false,
                    engagement: None,
                })
                .collect(),
            ..MessageRecord::new(Uuid::nil(), written, NOW)
        }
    }

    #[test]
    fn the_state_follows_from_the_record() {
        let later = NOW + LEASE;
        let sent: &[(&str, Option<&str>)] = &[("Send", None)];
        for (written, ses_id, events, at, state) in [
            (SenderState::Sending, None, &[][..], NOW, DeliveryState::Sending(later)),
            (SenderState::Sending, None, &[], later, DeliveryState::Unknown),
            (SenderState::Sending, Some("s"), &[], later, DeliveryState::Sent),
            (SenderState::Sending, None, sent, NOW, DeliveryState::Sent),
            (SenderState::Refused, None, &[], later, DeliveryState::Refused),
            (SenderState::Refused, None, sent, later, DeliveryState::Sent),
            (SenderState::Refused, Some("s"), &[], NOW, DeliveryState::Sent),
            (SenderState::Suppressed, None, &[], later, DeliveryState::Suppressed),
            (SenderState::Sent, None, &[], NOW, DeliveryState::Sent),
        ] {
            assert_eq!(
                record(written, ses_id, events).state(at),
                state,
                "{written:?} {ses_id:?} {at}"
            );
        }
    }

    #[test]
    fn a_name_reads_back_as_its_state() {
        for state in SenderState::ALL {
            assert_eq!(SenderState::parse(state.as_str()), Some(state));
        }
        assert_eq!(SenderState::parse("scheduled"), None);
    }

    #[test]
    fn a_later_attempt_has_a_lease_of_its_own() {
        let mut record = record(SenderState::Sending, None, &[]);
        record.attempt_at = Some(NOW + Duration::from_mins(1));
        assert_eq!(
            record.state(NOW + LEASE),
            DeliveryState::Sending(NOW + Duration::from_mins(1) + LEASE)
        );
    }

    #[test]
    fn the_worst_recipient_counts_and_a_final_event_goes_before_a_delay() {
        let (anna, bob) = (Some("a"), Some("b"));
        for (events, expected) in [
            (vec![], LastEvent::Sent),
            (vec![("Send", None)], LastEvent::Sent),
            (vec![("Delivery", anna)], LastEvent::Delivered),
            (vec![("DeliveryDelay", anna)], LastEvent::DeliveryDelayed),
            (vec![("DeliveryDelay", anna), ("Delivery", anna)], LastEvent::Delivered),
            (
                vec![("DeliveryDelay", anna), ("Delivery", bob)],
                LastEvent::DeliveryDelayed,
            ),
            (vec![("Delivery", anna), ("Bounce", bob)], LastEvent::Bounced),
            (vec![("Delivery", anna), ("Complaint", anna)], LastEvent::Complained),
            (vec![("Bounce", anna), ("Complaint", bob)], LastEvent::Complained),
            (vec![("Send", None), ("Reject", None)], LastEvent::Failed),
            (vec![("Open", anna)], LastEvent::Opened),
            (vec![("Open", anna), ("Delivery", anna)], LastEvent::Opened),
            (
                vec![("Click", anna), ("Open", anna), ("DeliveryDelay", anna)],
                LastEvent::Clicked,
            ),
            (
                vec![("Send", None), ("Open", None), ("Delivery", anna)],
                LastEvent::Opened,
            ),
            (vec![("Click", anna), ("Complaint", anna)], LastEvent::Complained),
            (vec![("Click", None), ("Bounce", bob)], LastEvent::Bounced),
            (
                vec![("Click", anna), ("DeliveryDelay", bob)],
                LastEvent::DeliveryDelayed,
            ),
            (vec![("Subscription", anna)], LastEvent::Sent),
        ] {
            assert_eq!(
                record(SenderState::Sending, Some("s"), &events).last_event(NOW),
                expected,
                "{events:?}"
            );
        }
    }

    #[test]
    fn a_message_that_is_not_sent_is_queued_or_failed() {
        for (written, at, expected) in [
            (SenderState::Sending, NOW, LastEvent::Queued),
            (SenderState::Sending, NOW + LEASE, LastEvent::Queued),
            (SenderState::Refused, NOW, LastEvent::Failed),
            (SenderState::Suppressed, NOW, LastEvent::Failed),
        ] {
            assert_eq!(record(written, None, &[]).last_event(at), expected, "{written:?}");
        }
    }

    proptest! {
        #[test]
        fn the_order_of_events_makes_no_difference(
            events in prop::collection::vec((0usize..8, 0usize..3), 0..8).prop_shuffle(), seed in any::<usize>(),
        ) {
            const KINDS: [&str; 8] =
                ["Send", "Delivery", "DeliveryDelay", "Bounce", "Complaint", "Reject", "Open", "Click"];
            const WHO: [Option<&str>; 3] = [Some("a"), Some("b"), None];
            let events: Vec<(&str, Option<&str>)> = events.into_iter().map(|(kind, who)| (KINDS[kind], WHO[who])).collect();
            let mut turned = events.clone();
            turned.rotate_left(seed % events.len().max(1));
            let last = |events: &[_]| record(SenderState::Sending, Some("s"), events).last_event(NOW);
            prop_assert_eq!(last(&events), last(&turned));
        }
    }
}
