//! One event about one recipient of a mail, one suppression, or the account.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{EventId, EventKind};
use crate::record::Visit;
use crate::suppression::SuppressionReason;
use crate::unsubscribe::Topic;

/// An event, as an application hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEvent {
    /// The same for every copy of the event.
    pub id: EventId,
    /// When it happened. Every copy has the same time.
    pub created_at: Timestamp,
    /// The mail, the suppression or the account that it is about.
    pub subject: EventSubject,
}

/// The subject of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventSubject {
    /// One recipient of a mail.
    Email(Box<EmailEvent>),
    /// One suppressed address.
    Suppression(SuppressionEvent),
    /// The account.
    Account(AccountEvent),
}

/// An event about one recipient of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailEvent {
    /// Okite's id of the mail; SES's id of a mail that Okite did not send.
    pub email_id: String,
    /// SES's id of the mail, if SES accepted it and the id is known.
    pub ses_id: Option<String>,
    /// When the mail was accepted by Okite; by SES where only that is known.
    pub email_created_at: Timestamp,
    /// The sender, with its display name.
    pub from: String,
    /// The recipient. It is empty if nobody knows which of the recipients the event is about: SES does not report who
    /// of several opened a mail.
    pub to: String,
    /// Every recipient of the mail.
    pub recipients: Vec<String>,
    /// The subject, in Unicode.
    pub subject: String,
    /// The caller's own tags, by name.
    pub tags: BTreeMap<String, String>,
    /// The headers `X-Tags` and `X-Metadata`, if the mail has them.
    pub headers: Vec<(String, String)>,
    /// The outcome for the recipient.
    pub outcome: EmailOutcome,
}

/// The outcome of a mail for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailOutcome {
    /// SES accepted the mail.
    Sent,
    /// The recipient's server accepted it.
    Delivered,
    /// The recipient's server does not accept it yet.
    Delayed {
        /// SES's word for the cause, such as `MailboxFull`.
        delay_type: Option<String>,
        /// The words of the receiving server.
        diagnostic: Option<String>,
    },
    /// It bounced.
    Bounced(BounceFacts),
    /// The recipient reported it as spam.
    Complained {
        /// SES's word for the report, such as `abuse`.
        feedback_type: Option<String>,
    },
    /// The recipient opened it.
    Opened(Visit),
    /// The recipient followed a link.
    Clicked {
        /// The link, as it stood in the mail.
        link: String,
        /// The visitor.
        visit: Visit,
    },
    /// It will not be sent.
    Failed {
        /// The reason, as `okite_reason` has it.
        reason: String,
    },
    /// It is not sent to the recipient.
    Suppressed {
        /// The reason of the suppression: `bounce`.
        reason: String,
    },
    /// It waits for this time.
    Scheduled {
        /// When it is to be sent.
        at: Timestamp,
    },
    /// It waits until there is room.
    Queued,
    /// The caller canceled it.
    Canceled,
}

/// A bounce in SES's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BounceFacts {
    /// `Permanent`, `Transient` or `Undetermined`.
    pub bounce_type: String,
    /// SES's subtype, such as `General`.
    pub sub_type: String,
    /// The words of the receiving server.
    pub diagnostic: Option<String>,
}

/// A change of the suppression list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressionEvent {
    /// The id of the suppression, as the API has it.
    pub id: String,
    /// The normalised address.
    pub email: String,
    /// Whether it was suppressed or lifted.
    pub change: SuppressionChange,
    /// The reason of the suppression, in Okite's words: `soft`.
    pub reason: SuppressionReason,
    /// The topic that the person left or came back to. Without one, the change concerns all mail.
    pub topic: Option<Topic>,
    /// The time since which the address is, or was, suppressed.
    pub since: Timestamp,
    /// The id of the mail that led to the suppression.
    pub source_id: Option<String>,
}

/// The direction of a change of the suppression list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionChange {
    /// The address was suppressed.
    Added,
    /// Its suppression was lifted.
    Removed,
}

/// A change of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountEvent {
    /// Its health has another level.
    VerdictChanged {
        /// The level before; `None` for the first report.
        from: Option<String>,
        /// The level now.
        to: String,
    },
    /// The brake has another level.
    BrakeChanged {
        /// The level before.
        from: String,
        /// The level now.
        to: String,
        /// The person or program that changed it.
        by: String,
        /// The reason.
        why: String,
    },
}

impl WebhookEvent {
    /// Returns the kind of the event.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match &self.subject {
            EventSubject::Email(email) => email.outcome.kind(),
            EventSubject::Suppression(suppression) => match suppression.change {
                SuppressionChange::Added => EventKind::SuppressionAdded,
                SuppressionChange::Removed => EventKind::SuppressionRemoved,
            },
            EventSubject::Account(AccountEvent::VerdictChanged { .. }) => EventKind::AccountVerdictChanged,
            EventSubject::Account(AccountEvent::BrakeChanged { .. }) => EventKind::AccountBrakeChanged,
        }
    }
}

impl EmailOutcome {
    /// Returns the kind of an event with this outcome.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Sent => EventKind::EmailSent,
            Self::Delivered => EventKind::EmailDelivered,
            Self::Delayed { .. } => EventKind::EmailDeliveryDelayed,
            Self::Bounced(_) => EventKind::EmailBounced,
            Self::Complained { .. } => EventKind::EmailComplained,
            Self::Opened(_) => EventKind::EmailOpened,
            Self::Clicked { .. } => EventKind::EmailClicked,
            Self::Failed { .. } => EventKind::EmailFailed,
            Self::Suppressed { .. } => EventKind::EmailSuppressed,
            Self::Scheduled { .. } => EventKind::EmailScheduled,
            Self::Queued => EventKind::EmailQueued,
            Self::Canceled => EventKind::EmailCanceled,
        }
    }
}
