//! The kinds of events, by the names of the contract.

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// SES accepted the mail.
    EmailSent,
    /// The recipient's server accepted the mail.
    EmailDelivered,
    /// The recipient's server does not accept the mail yet, and SES tries again.
    EmailDeliveryDelayed,
    /// The mail bounced.
    EmailBounced,
    /// The recipient reported the mail as spam.
    EmailComplained,
    /// The recipient opened the mail.
    EmailOpened,
    /// The recipient followed a link of the mail.
    EmailClicked,
    /// The mail will not be sent.
    EmailFailed,
    /// The mail is not sent to the recipient, who is suppressed.
    EmailSuppressed,
    /// The mail waits until a time that its caller chose.
    EmailScheduled,
    /// The mail waits until there is room.
    EmailQueued,
    /// The caller canceled the mail.
    EmailCanceled,
    /// An address was suppressed.
    SuppressionAdded,
    /// The suppression of an address was lifted.
    SuppressionRemoved,
    /// The health of the account has another level.
    AccountVerdictChanged,
    /// The brake has another level.
    AccountBrakeChanged,
}

impl EventKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 16] = [
        Self::EmailSent,
        Self::EmailDelivered,
        Self::EmailDeliveryDelayed,
        Self::EmailBounced,
        Self::EmailComplained,
        Self::EmailOpened,
        Self::EmailClicked,
        Self::EmailFailed,
        Self::EmailSuppressed,
        Self::EmailScheduled,
        Self::EmailQueued,
        Self::EmailCanceled,
        Self::SuppressionAdded,
        Self::SuppressionRemoved,
        Self::AccountVerdictChanged,
        Self::AccountBrakeChanged,
    ];

    /// Returns the name in the contract: `email.bounced`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmailSent => "email.sent",
            Self::EmailDelivered => "email.delivered",
            Self::EmailDeliveryDelayed => "email.delivery_delayed",
            Self::EmailBounced => "email.bounced",
            Self::EmailComplained => "email.complained",
            Self::EmailOpened => "email.opened",
            Self::EmailClicked => "email.clicked",
            Self::EmailFailed => "email.failed",
            Self::EmailSuppressed => "email.suppressed",
            Self::EmailScheduled => "email.scheduled",
            Self::EmailQueued => "email.queued",
            Self::EmailCanceled => "email.canceled",
            Self::SuppressionAdded => "suppression.added",
            Self::SuppressionRemoved => "suppression.removed",
            Self::AccountVerdictChanged => "account.verdict_changed",
            Self::AccountBrakeChanged => "account.brake_changed",
        }
    }

    /// Reads the name in the contract. Returns `None` for any other text.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_by_its_own_name() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(EventKind::parse("email.Bounced"), None);
    }
}
