//! What happens to an accepted mail, worked out once from its recipients' fates.
//!
//! Outcomes come one by one, a recipient each, as SES tells of what different mail servers answered.

use std::time::Duration;

use super::mailbox::Mailbox;
use super::mailbox_simulator::Fate;
use super::suppression_list::Reason;

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

/// Finds the API's spelling of an event type that is spelled like `DELIVERY_DELAY` or `deliveryDelay`.
pub(super) fn event_type(spelled: &str) -> Option<&'static str> {
    let letters = |text: &str| text.replace('_', "").to_ascii_uppercase();
    EVENT_TYPES.into_iter().find(|known| letters(known) == letters(spelled))
}

/// Something that happens to a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happening {
    pub(super) what: What,
    /// The recipient as sent; none for `Send`, which is about the whole mail.
    pub(super) recipient: Option<String>,
    /// Its place among the mail's happenings, from which its feedback id is made.
    pub(super) index: u128,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Send,
    Delivery,
    Bounce(Bounce),
    /// With whether it only echoes the account's suppression list.
    Complaint {
        on_account_list: bool,
    },
}

/// The kinds of bounces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounce {
    UnknownUser,
    AutoReply,
    GloballySuppressed,
    OnAccountList,
}

impl What {
    /// Names the event type as a configuration set lists it.
    pub(super) fn event_type(self) -> &'static str {
        match self {
            Self::Send => "SEND",
            Self::Delivery => "DELIVERY",
            Self::Bounce(_) => "BOUNCE",
            Self::Complaint { .. } => "COMPLAINT",
        }
    }

    /// Names the event as its JSON does.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Send => "Send",
            Self::Delivery => "Delivery",
            Self::Bounce(_) => "Bounce",
            Self::Complaint { .. } => "Complaint",
        }
    }

    /// Tells how long after acceptance it is published: quick, but in the order of real life.
    pub(super) fn after(self) -> Duration {
        Duration::from_millis(match self {
            Self::Send => 20,
            Self::Delivery => 100,
            Self::Bounce(_) => 150,
            Self::Complaint { .. } => 250,
        })
    }
}

/// Lists what happens to a mail, given each recipient's fate.
pub(super) fn happenings<'a>(fates: impl Iterator<Item = (&'a Mailbox, Fate)>) -> Vec<Happening> {
    let mut all = vec![(What::Send, None)];
    for (mailbox, fate) in fates {
        let whats: &[What] = match fate {
            Fate::Delivered => &[What::Delivery],
            Fate::HardBounce => &[What::Bounce(Bounce::UnknownUser)],
            Fate::Complaint => &[What::Delivery, What::Complaint { on_account_list: false }],
            Fate::AutoReply => &[What::Delivery, What::Bounce(Bounce::AutoReply)],
            Fate::GloballySuppressed => &[What::Bounce(Bounce::GloballySuppressed)],
            Fate::AccountSuppressed(Reason::Bounce) => &[What::Bounce(Bounce::OnAccountList)],
            Fate::AccountSuppressed(Reason::Complaint) => &[What::Complaint { on_account_list: true }],
        };
        all.extend(whats.iter().map(|&what| (what, Some(mailbox.given.clone()))));
    }
    (1..)
        .zip(all)
        .map(|(index, (what, recipient))| Happening { what, recipient, index })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_event_types_in_both_spellings() {
        assert_eq!(event_type("DELIVERY_DELAY"), Some("DELIVERY_DELAY"));
        assert_eq!(event_type("deliveryDelay"), Some("DELIVERY_DELAY"));
        assert_eq!(event_type("send"), Some("SEND"));
        assert_eq!(event_type("renderingFailure"), Some("RENDERING_FAILURE"));
        assert_eq!(event_type("DELIVERED"), None);
    }
}
