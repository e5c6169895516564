//! What is on record of a message, and what became of it.
//!
//! Nothing writes a final state. The sender writes what it knows, events add to it in any order, and the state is computed
//! when it is read: so an event that comes before SES's answer to the sender needs no condition and loses nothing.
//!
//! | state | evidence | leaves it by |
//! |---|---|---|
//! | (none) | no row | the row is put → sending, or suppressed |
//! | sending | an attempt within its lease | SES's answer or any event → sent; a certain refusal → refused; the lease ends → unknown |
//! | refused | it was certainly not accepted | a retry → sending, one attempt on |
//! | suppressed | nobody was left to send to | |
//! | unknown | an attempt past its lease | an event of SES → sent |
//! | sent | SES's id, or any event | |

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use crate::idempotency::LEASE;
use crate::recipient::RecipientOutcome;

/// What the sender wrote last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderState {
    /// It was about to send.
    Sending,
    /// It was certainly not accepted.
    Refused,
    /// There was nobody to send to.
    Suppressed,
}

impl SenderState {
    /// The name in items.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Refused => "refused",
            Self::Suppressed => "suppressed",
        }
    }

    /// Reads the name in items.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sending, Self::Refused, Self::Suppressed]
            .into_iter()
            .find(|written| written.as_str() == text)
    }
}

/// What happened to one recipient when the mail was accepted or not, as the caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRecipient {
    /// The address as the caller gave it.
    pub email: String,
    /// `accepted`, `suppressed` or `not_sent`.
    pub status: String,
    /// Why it is suppressed.
    pub reason: Option<String>,
    /// Since when it is suppressed.
    pub since: Option<Timestamp>,
}

impl From<&RecipientOutcome> for RecordedRecipient {
    fn from(verdict: &RecipientOutcome) -> Self {
        let suppression = verdict.status.suppression();
        Self {
            email: verdict.address.as_given().to_owned(),
            status: verdict.status.as_str().to_owned(),
            reason: suppression.map(|suppression| suppression.reason.as_str().to_owned()),
            since: suppression.map(|suppression| suppression.since),
        }
    }
}

/// An event of SES about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// The event's type, as SES names it: `Send`, `Bounce` …
    pub kind: String,
    /// When SES says it happened.
    pub at: Timestamp,
    /// Whom it is about, normalised; nobody where it is about the mail as a whole.
    pub recipients: Vec<String>,
    /// SES's words for what happened, such as `Permanent/General`.
    pub subtype: Option<String>,
    /// What the receiving server said, by recipient.
    pub diagnostics: BTreeMap<String, String>,
}

/// A mail as its sender gave it, without its bodies and files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedMail {
    /// The sender.
    pub from: String,
    /// Recipients, with their names.
    pub to: Vec<String>,
    /// Recipients of a copy.
    pub cc: Vec<String>,
    /// Recipients that the others do not see.
    pub bcc: Vec<String>,
    /// Where answers go.
    pub reply_to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The caller's own tags, by name.
    pub tags: BTreeMap<String, String>,
}

/// The row of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// Our id of it.
    pub id: Uuid,
    /// What the sender wrote last.
    pub written: SenderState,
    /// The last attempt, from 1; 0 for a message that was never attempted.
    pub attempt: u32,
    /// When that attempt began.
    pub attempt_at: Option<Timestamp>,
    /// By whom: a random value.
    pub nonce: Option<Uuid>,
    /// SES's id, once it is known.
    pub ses_id: Option<String>,
    /// When the message came.
    pub created_at: Timestamp,
    /// The mail.
    pub mail: RecordedMail,
    /// What the caller was told of each recipient.
    pub recipients: Vec<RecordedRecipient>,
    /// What SES told since, in no order.
    pub events: Vec<RecordedEvent>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// An attempt is being made; it is over at this time, whatever happens.
    Sending(Timestamp),
    /// SES certainly did not accept it.
    Refused,
    /// There was nobody to send to.
    Suppressed,
    /// An attempt was made, and it is not known whether SES accepted it.
    Unknown,
    /// SES accepted it.
    Sent,
}

/// The word for the latest that is known, of the words that SDKs of the Resend API know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LastEvent {
    /// It is being sent, or it is not known whether it was.
    Queued,
    /// SES accepted it.
    Sent,
    /// The receiving server accepted it.
    Delivered,
    /// The receiving server does not accept it for now.
    DeliveryDelayed,
    /// It was not sent, or SES could not send it.
    Failed,
    /// The receiving server turned it down.
    Bounced,
    /// The recipient reported it as spam.
    Complained,
}

impl LastEvent {
    /// The word in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::DeliveryDelayed => "delivery_delayed",
            Self::Failed => "failed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }

    /// What a type of event means; types that say nothing of delivery (an open, a click) mean nothing here.
    #[must_use]
    pub fn of(kind: &str) -> Option<Self> {
        match kind {
            "Send" => Some(Self::Sent),
            "Delivery" => Some(Self::Delivered),
            "DeliveryDelay" => Some(Self::DeliveryDelayed),
            "Reject" | "Rendering Failure" => Some(Self::Failed),
            "Bounce" => Some(Self::Bounced),
            "Complaint" => Some(Self::Complained),
            _ => None,
        }
    }
}

impl MessageRecord {
    /// Computes what became of the message.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> DeliveryState {
        if self.ses_id.is_some() || !self.events.is_empty() {
            return DeliveryState::Sent;
        }
        match self.written {
            SenderState::Refused => DeliveryState::Refused,
            SenderState::Suppressed => DeliveryState::Suppressed,
            SenderState::Sending => {
                let lease_until = self.attempt_at.unwrap_or(self.created_at) + LEASE;
                if now < lease_until {
                    DeliveryState::Sending(lease_until)
                } else {
                    DeliveryState::Unknown
                }
            }
        }
    }

    /// Tells whether SES told that it was delivered to an address, normalised.
    #[must_use]
    pub fn was_delivered_to(&self, address: &str) -> bool {
        let delivery =
            |event: &RecordedEvent| event.kind == "Delivery" && event.recipients.iter().any(|to| to == address);
        self.events.iter().any(delivery)
    }

    /// Computes the word for the latest that is known: for each recipient the final event beats a delay, and of all
    /// recipients the worst counts.
    #[must_use]
    pub fn last_event(&self, now: Timestamp) -> LastEvent {
        match self.state(now) {
            DeliveryState::Sending(_) | DeliveryState::Unknown => return LastEvent::Queued,
            DeliveryState::Refused | DeliveryState::Suppressed => return LastEvent::Failed,
            DeliveryState::Sent => {}
        }
        let told = |about: &dyn Fn(&RecordedEvent) -> bool| {
            let told = self.events.iter().filter(|event| about(event));
            let told: BTreeSet<LastEvent> = told.filter_map(|event| LastEvent::of(&event.kind)).collect();
            let is_final = |event: &&LastEvent| **event != LastEvent::DeliveryDelayed && **event > LastEvent::Sent;
            // The worst of the final ones, for a complaint follows a delivery; without one, the latest of the others.
            told.iter().rev().find(is_final).or(told.last()).copied()
        };
        let recipients: BTreeSet<&String> = self.events.iter().flat_map(|event| &event.recipients).collect();
        let each = recipients
            .into_iter()
            .filter_map(|recipient| told(&|event| event.recipients.contains(recipient)));
        let whole = told(&|event| event.recipients.is_empty());
        each.chain(whole).max().unwrap_or(LastEvent::Sent)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn record(written: SenderState, ses_id: Option<&str>, events: &[(&str, &[&str])]) -> MessageRecord {
        MessageRecord {
            id: Uuid::nil(),
            written,
            attempt: 1,
            attempt_at: Some(NOW),
            nonce: None,
            ses_id: ses_id.map(str::to_owned),
            created_at: NOW,
            mail: RecordedMail::default(),
            recipients: Vec::new(),
            events: events
                .iter()
                .map(|(kind, recipients)| RecordedEvent {
                    kind: (*kind).to_owned(),
                    at: NOW,
                    subtype: None,
                    diagnostics: BTreeMap::new(),
                    recipients: recipients.iter().map(|recipient| (*recipient).to_owned()).collect(),
                })
                .collect(),
        }
    }

    #[test]
    fn the_state_follows_from_what_is_there() {
        let later = NOW + LEASE;
        let sent: &[(&str, &[&str])] = &[("Send", &[])];
        for (written, ses_id, events, at, state) in [
            (SenderState::Sending, None, &[][..], NOW, DeliveryState::Sending(later)),
            (SenderState::Sending, None, &[], later, DeliveryState::Unknown),
            (SenderState::Sending, Some("s"), &[], later, DeliveryState::Sent),
            (SenderState::Sending, None, sent, NOW, DeliveryState::Sent),
            (SenderState::Refused, None, &[], later, DeliveryState::Refused),
            (SenderState::Refused, None, sent, later, DeliveryState::Sent),
            (SenderState::Refused, Some("s"), &[], NOW, DeliveryState::Sent),
            (SenderState::Suppressed, None, &[], later, DeliveryState::Suppressed),
        ] {
            assert_eq!(
                record(written, ses_id, events).state(at),
                state,
                "{written:?} {ses_id:?} {at}"
            );
        }
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
    fn the_worst_recipient_counts_and_a_final_event_beats_a_delay() {
        for (events, expected) in [
            (vec![], LastEvent::Sent),
            (vec![("Send", [].as_slice())], LastEvent::Sent),
            (vec![("Delivery", &["a"])], LastEvent::Delivered),
            (vec![("DeliveryDelay", &["a"])], LastEvent::DeliveryDelayed),
            (
                vec![("DeliveryDelay", &["a"]), ("Delivery", &["a"])],
                LastEvent::Delivered,
            ),
            (
                vec![("DeliveryDelay", &["a"]), ("Delivery", &["b"])],
                LastEvent::DeliveryDelayed,
            ),
            (vec![("Delivery", &["a"]), ("Bounce", &["b"])], LastEvent::Bounced),
            (vec![("Delivery", &["a"]), ("Complaint", &["a"])], LastEvent::Complained),
            (vec![("Bounce", &["a"]), ("Complaint", &["b"])], LastEvent::Complained),
            (vec![("Send", &[]), ("Reject", &[])], LastEvent::Failed),
            (vec![("Open", &["a"])], LastEvent::Sent),
        ] {
            assert_eq!(
                record(SenderState::Sending, Some("s"), &events).last_event(NOW),
                expected,
                "{events:?}"
            );
        }
    }

    #[test]
    fn what_is_not_sent_has_no_events_word() {
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
            events in prop::collection::vec((0usize..7, 0usize..3), 0..8).prop_shuffle(), seed in any::<usize>(),
        ) {
            const KINDS: [&str; 7] = ["Send", "Delivery", "DeliveryDelay", "Bounce", "Complaint", "Reject", "Open"];
            const WHO: [&[&str]; 3] = [&["a"], &["b"], &[]];
            let events: Vec<(&str, &[&str])> = events.into_iter().map(|(kind, who)| (KINDS[kind], WHO[who])).collect();
            let mut turned = events.clone();
            turned.rotate_left(seed % events.len().max(1));
            let last = |events: &[_]| record(SenderState::Sending, Some("s"), events).last_event(NOW);
            prop_assert_eq!(last(&events), last(&turned));
        }
    }
}
