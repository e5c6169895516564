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
use crate::recipient::Verdict;

/// What the sender wrote last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was about to send.
    Sending,
    /// It was certainly not accepted.
    Refused,
    /// There was nobody to send to.
    Suppressed,
}

impl Written {
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
pub struct RecordedVerdict {
    /// The address as the caller gave it.
    pub email: String,
    /// `accepted`, `suppressed` or `not_sent`.
    pub status: String,
    /// Why it is suppressed.
    pub reason: Option<String>,
    /// Since when it is suppressed.
    pub since: Option<Timestamp>,
}

impl From<&Verdict> for RecordedVerdict {
    fn from(verdict: &Verdict) -> Self {
        let suppression = verdict.outcome.suppression();
        Self {
            email: verdict.address.as_given().to_owned(),
            status: verdict.outcome.status().to_owned(),
            reason: suppression.map(|suppression| suppression.reason.as_str().to_owned()),
            since: suppression.map(|suppression| suppression.since),
        }
    }
}

/// What an event of SES says of one recipient of a message, or of the message as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// The event's type, as SES names it: `Send`, `Bounce` …
    pub kind: String,
    /// When SES says it happened.
    pub at: Timestamp,
    /// The recipient, normalised; `None` where the event is about the mail as a whole.
    pub recipient: Option<String>,
    /// SES's words for what happened, such as `Permanent/General`.
    pub subtype: Option<String>,
    /// What the receiving server said.
    pub diagnostic: Option<String>,
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
pub struct Record {
    /// Our id of it.
    pub id: Uuid,
    /// What the sender wrote last.
    pub written: Written,
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
    pub recipients: Vec<RecordedVerdict>,
    /// What SES told since, in no order.
    pub events: Vec<RecordedEvent>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
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

impl Record {
    /// Computes what became of the message.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        if self.ses_id.is_some() || !self.events.is_empty() {
            return State::Sent;
        }
        match self.written {
            Written::Refused => State::Refused,
            Written::Suppressed => State::Suppressed,
            Written::Sending => {
                let lease_until = self.attempt_at.unwrap_or(self.created_at) + LEASE;
                if now < lease_until {
                    State::Sending(lease_until)
                } else {
                    State::Unknown
                }
            }
        }
    }

    /// Computes the word for the latest that is known: for each recipient the final event beats a delay, and of all
    /// recipients the worst counts.
    #[must_use]
    pub fn last_event(&self, now: Timestamp) -> LastEvent {
        match self.state(now) {
            State::Sending(_) | State::Unknown => return LastEvent::Queued,
            State::Refused | State::Suppressed => return LastEvent::Failed,
            State::Sent => {}
        }
        let told = |about: &dyn Fn(&RecordedEvent) -> bool| {
            let told = self.events.iter().filter(|event| about(event));
            let told: BTreeSet<LastEvent> = told.filter_map(|event| LastEvent::of(&event.kind)).collect();
            let is_final = |event: &&LastEvent| **event != LastEvent::DeliveryDelayed && **event > LastEvent::Sent;
            // The worst of the final ones, for a complaint follows a delivery; without one, the latest of the others.
            told.iter().rev().find(is_final).or(told.last()).copied()
        };
        let about: BTreeSet<Option<&String>> = self.events.iter().map(|event| event.recipient.as_ref()).collect();
        let each = about
            .into_iter()
            .filter_map(|recipient| told(&|event| event.recipient.as_ref() == recipient));
        each.max().unwrap_or(LastEvent::Sent)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn record(written: Written, ses_id: Option<&str>, events: &[(&str, Option<&str>)]) -> Record {
        Record {
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
                .map(|(kind, recipient)| RecordedEvent {
                    kind: (*kind).to_owned(),
                    at: NOW,
                    recipient: recipient.map(str::to_owned),
                    subtype: None,
                    diagnostic: None,
                })
                .collect(),
        }
    }

    #[test]
    fn the_state_follows_from_what_is_there() {
        let later = NOW + LEASE;
        let sent: &[(&str, Option<&str>)] = &[("Send", None)];
        for (written, ses_id, events, at, state) in [
            (Written::Sending, None, &[][..], NOW, State::Sending(later)),
            (Written::Sending, None, &[], later, State::Unknown),
            (Written::Sending, Some("s"), &[], later, State::Sent),
            (Written::Sending, None, sent, NOW, State::Sent),
            (Written::Refused, None, &[], later, State::Refused),
            (Written::Refused, None, sent, later, State::Sent),
            (Written::Refused, Some("s"), &[], NOW, State::Sent),
            (Written::Suppressed, None, &[], later, State::Suppressed),
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
        let mut record = record(Written::Sending, None, &[]);
        record.attempt_at = Some(NOW + Duration::from_mins(1));
        assert_eq!(
            record.state(NOW + LEASE),
            State::Sending(NOW + Duration::from_mins(1) + LEASE)
        );
    }

    #[test]
    fn the_worst_recipient_counts_and_a_final_event_beats_a_delay() {
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
            (vec![("Open", anna)], LastEvent::Sent),
        ] {
            assert_eq!(
                record(Written::Sending, Some("s"), &events).last_event(NOW),
                expected,
                "{events:?}"
            );
        }
    }

    #[test]
    fn what_is_not_sent_has_no_events_word() {
        for (written, at, expected) in [
            (Written::Sending, NOW, LastEvent::Queued),
            (Written::Sending, NOW + LEASE, LastEvent::Queued),
            (Written::Refused, NOW, LastEvent::Failed),
            (Written::Suppressed, NOW, LastEvent::Failed),
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
            const WHO: [Option<&str>; 3] = [Some("a"), Some("b"), None];
            let events: Vec<(&str, Option<&str>)> = events.into_iter().map(|(kind, who)| (KINDS[kind], WHO[who])).collect();
            let mut turned = events.clone();
            turned.rotate_left(seed % events.len().max(1));
            let last = |events: &[_]| record(Written::Sending, Some("s"), events).last_event(NOW);
            prop_assert_eq!(last(&events), last(&turned));
        }
    }
}
