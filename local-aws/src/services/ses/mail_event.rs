//! The events of an accepted mail, worked out once from its recipients' outcomes.
//!
//! Each event but `Send` is about one recipient, because SES publishes one for each mail server that answered.

use std::time::Duration;

use super::mailbox::Mailbox;
use super::mailbox_simulator::RecipientOutcome;
use super::suppression_list::SuppressionReason;

/// The types of events that a configuration set can publish, as its API spells them.
const EVENT_TYPES: [&str; 10] = [
    "SEND",
    "REJECT",
    "BOUNCE",
    "COMPLAINT",
    "DELIVERY",
    "OPEN",
    "CLICK",
    "RENDERING_FAILURE",
    "DELIVERY_DELAY",
    "SUBSCRIPTION",
];

/// Returns the API's spelling of an event type that is written as `DELIVERY_DELAY` or `deliveryDelay`.
pub(super) fn event_type(spelled: &str) -> Option<&'static str> {
    let letters = |text: &str| text.replace('_', "").to_ascii_uppercase();
    EVENT_TYPES.into_iter().find(|known| letters(known) == letters(spelled))
}

/// An event of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MailEvent {
    pub(super) kind: MailEventKind,
    /// The recipient as it was sent. `Send` has none, because it is about the whole mail.
    pub(super) recipient: Option<String>,
    /// The position among the mail's events, from which the feedback id is made.
    pub(super) index: u128,
}

/// The type of an event, with what distinguishes its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MailEventKind {
    Send,
    Delivery,
    Bounce(Bounce),
    Complaint {
        /// Whether it only repeats an entry of the account's suppression list.
        on_account_list: bool,
    },
    /// The recipient unsubscribed from every topic of the contact list.
    Subscription,
}

/// The kinds of bounces that the simulator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounce {
    UnknownUser,
    AutoReply,
    GloballySuppressed,
    OnAccountList,
    Unsubscribed,
}

impl MailEventKind {
    /// Returns the event type as a configuration set lists it.
    pub(super) fn event_type(self) -> &'static str {
        match self {
            Self::Send => "SEND",
            Self::Delivery => "DELIVERY",
            Self::Bounce(_) => "BOUNCE",
            Self::Complaint { .. } => "COMPLAINT",
            Self::Subscription => "SUBSCRIPTION",
        }
    }

    /// Returns the event type as its JSON writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Send => "Send",
            Self::Delivery => "Delivery",
            Self::Bounce(_) => "Bounce",
            Self::Complaint { .. } => "Complaint",
            Self::Subscription => "Subscription",
        }
    }

    /// Returns the time from acceptance to the event: short, but in the order that is usual in SES.
    pub(super) fn after(self) -> Duration {
        Duration::from_millis(match self {
            Self::Send => 20,
            Self::Delivery => 100,
            Self::Bounce(_) => 150,
            Self::Complaint { .. } | Self::Subscription => 250,
        })
    }
}

/// Lists the events of a mail, given each recipient's outcome.
pub(super) fn events_of<'a>(outcomes: impl Iterator<Item = (&'a Mailbox, RecipientOutcome)>) -> Vec<MailEvent> {
    let mut all = vec![(MailEventKind::Send, None)];
    for (mailbox, outcome) in outcomes {
        let kinds: &[MailEventKind] = match outcome {
            RecipientOutcome::Delivered => &[MailEventKind::Delivery],
            RecipientOutcome::HardBounce => &[MailEventKind::Bounce(Bounce::UnknownUser)],
            RecipientOutcome::Complaint => &[
                MailEventKind::Delivery,
                MailEventKind::Complaint { on_account_list: false },
            ],
            RecipientOutcome::AutoReply => &[MailEventKind::Delivery, MailEventKind::Bounce(Bounce::AutoReply)],
            RecipientOutcome::Unsubscribe => &[MailEventKind::Delivery, MailEventKind::Subscription],
            RecipientOutcome::Unsubscribed => &[MailEventKind::Bounce(Bounce::Unsubscribed)],
            RecipientOutcome::GloballySuppressed => &[MailEventKind::Bounce(Bounce::GloballySuppressed)],
            RecipientOutcome::AccountSuppressed(SuppressionReason::Bounce) => {
                &[MailEventKind::Bounce(Bounce::OnAccountList)]
            }
            RecipientOutcome::AccountSuppressed(SuppressionReason::Complaint) => {
                &[MailEventKind::Complaint { on_account_list: true }]
            }
        };
        all.extend(kinds.iter().map(|&kind| (kind, Some(mailbox.given.clone()))));
    }
    (1..)
        .zip(all)
        .map(|(index, (kind, recipient))| MailEvent { kind, recipient, index })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_event_types_in_both_spellings() {
        assert_eq!(event_type("DELIVERY_DELAY"), Some("DELIVERY_DELAY"));
        assert_eq!(event_type("deliveryDelay"), Some("DELIVERY_DELAY"));
        assert_eq!(event_type("send"), Some("SEND"));
        assert_eq!(event_type("renderingFailure"), Some("RENDERING_FAILURE"));
        assert_eq!(event_type("DELIVERED"), None);
    }
}
