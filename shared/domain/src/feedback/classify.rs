//! What a bounce or a complaint means for one recipient.
//!
//! A bounce is judged by [`crate::bounce`]; here its decision becomes a class. Complaint types are compared without case, as
//! RFC 6650 has it.

use super::event::Recipient;
use crate::bounce::{self, Blame, BounceInput, BounceJudgement, BounceReason, Decision};
use crate::suppression::{Reason, Register};

/// What happened to a recipient, by what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The address does not take mail.
    HardBounce,
    /// SES's global suppression list held it; SES counts that as a bounce.
    GloballySuppressed,
    /// A suppression list of the account held it: an echo of an earlier bounce or complaint.
    ListEcho,
    /// SES's email validation thought it bad.
    ValidationSuppressed,
    /// The person unsubscribed from a topic.
    Unsubscribed,
    /// The receiver refused the sender, not the address.
    Blocked,
    /// It may work another time.
    Soft,
    /// The message was at fault: its size or its content.
    MessageFault,
    /// Nobody knows; automatic replies arrive like this.
    Undetermined,
    /// The person complained.
    Complaint,
    /// An earlier complaint, repeated by the account's list.
    ComplaintEcho,
    /// The person says that it was no spam.
    NotSpam,
    /// A report about authentication: nobody complained.
    AuthFailure,
}

impl Class {
    /// Returns the name used in items.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HardBounce => "hard_bounce",
            Self::GloballySuppressed => "globally_suppressed",
            Self::ListEcho => "list_echo",
            Self::ValidationSuppressed => "validation_suppressed",
            Self::Unsubscribed => "unsubscribed",
            Self::Blocked => "blocked",
            Self::Soft => "soft",
            Self::MessageFault => "message_fault",
            Self::Undetermined => "undetermined",
            Self::Complaint => "complaint",
            Self::ComplaintEcho => "complaint_echo",
            Self::NotSpam => "not_spam",
            Self::AuthFailure => "auth_failure",
        }
    }

    /// Tells whether one of these suppresses its recipient by itself.
    #[must_use]
    pub fn suppresses(self) -> bool {
        self.register().is_some_and(|register| register != Reason::Soft.into())
    }

    /// Returns the register of the address that this sets or, if it is soft, adds to.
    #[must_use]
    pub fn register(self) -> Option<Register> {
        match self {
            Self::HardBounce | Self::GloballySuppressed | Self::ValidationSuppressed => Some(Reason::Bounce.into()),
            Self::ListEcho => Some(Register::BounceEcho),
            Self::Complaint => Some(Reason::Complaint.into()),
            Self::ComplaintEcho => Some(Register::ComplaintEcho),
            Self::Blocked => Some(Reason::Blocked.into()),
            Self::Soft => Some(Reason::Soft.into()),
            Self::Unsubscribed | Self::MessageFault | Self::Undetermined | Self::NotSpam | Self::AuthFailure => None,
        }
    }
}

/// Judges one recipient of a bounce.
pub(super) fn bounce(bounce_type: &str, sub_type: &str, recipient: &Recipient) -> (Class, BounceJudgement) {
    let judgement = bounce::judge(&BounceInput {
        bounce_type,
        sub_type,
        status: recipient.status.as_deref(),
        action: recipient.action.as_deref(),
        diagnostic: recipient.diagnostic_code.as_deref(),
    });
    (Class::of(&judgement), judgement)
}

impl Class {
    /// Returns the class that follows from the judgement of a bounce.
    #[must_use]
    pub fn of(judgement: &BounceJudgement) -> Self {
        match (judgement.decision, judgement.reason) {
            (Decision::Suppress, BounceReason::GlobalSuppressionList) => Self::GloballySuppressed,
            (Decision::Suppress, BounceReason::AddressValidation) => Self::ValidationSuppressed,
            (Decision::Suppress, _) => Self::HardBounce,
            (Decision::Block, _) => Self::Blocked,
            (Decision::Soft, _) => Self::Soft,
            (Decision::Echo, _) => Self::ListEcho,
            (Decision::Record, BounceReason::Unsubscribed) => Self::Unsubscribed,
            (Decision::Record, _) if judgement.blame == Blame::Message => Self::MessageFault,
            (Decision::Record | Decision::AutomaticReply, _) => Self::Undetermined,
        }
    }
}

/// Classifies a complaint, which is about all of its recipients. A type that is not known counts as a complaint.
pub(super) fn complaint(feedback_type: &str, sub_type: &str) -> Class {
    let is = |text: &str, name: &str| text.trim().eq_ignore_ascii_case(name);
    if is(sub_type, "OnAccountSuppressionList") || is(sub_type, "OnTenantSuppressionList") {
        Class::ComplaintEcho
    } else if is(feedback_type, "not-spam") {
        Class::NotSpam
    } else if is(feedback_type, "auth-failure") {
        Class::AuthFailure
    } else {
        Class::Complaint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(bounce_type: &str, sub_type: &str, status: &str, diagnostic: &str) -> Class {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let recipient = Recipient {
            status: text(status),
            diagnostic_code: text(diagnostic),
            ..Recipient::default()
        };
        bounce(bounce_type, sub_type, &recipient).0
    }

    #[test]
    fn follows_the_table_of_types_and_subtypes() {
        use Class::*;
        for (bounce_type, sub_type, expected) in [
            ("Permanent", "General", HardBounce),
            ("Permanent", "NoEmail", HardBounce),
            ("Permanent", "Suppressed", GloballySuppressed),
            ("Permanent", "OnAccountSuppressionList", ListEcho),
            ("Permanent", "OnTenantSuppressionList", ListEcho),
            ("Permanent", "UnsubscribedRecipient", Unsubscribed),
            ("Permanent", "EmailValidationSuppressed", ValidationSuppressed),
            ("Permanent", "SomethingNew", HardBounce),
            ("Transient", "MessageTooLarge", MessageFault),
            ("Transient", "ContentRejected", MessageFault),
            ("Transient", "AttachmentRejected", MessageFault),
            ("Undetermined", "Undetermined", Undetermined),
            ("SomethingNew", "SomethingNew", Undetermined),
            ("", "", Undetermined),
        ] {
            assert_eq!(
                class(bounce_type, sub_type, "", ""),
                expected,
                "{bounce_type}/{sub_type}"
            );
        }
    }

    #[test]
    fn a_transient_bounce_is_soft_where_a_server_says_something_and_else_an_automatic_reply() {
        for sub_type in ["General", "SomethingNew"] {
            for (status, diagnostic) in [("4.4.7", ""), ("", "smtp; 421 try again"), ("4.2.2", "smtp; 452 full")] {
                assert_eq!(
                    class("Transient", sub_type, status, diagnostic),
                    Class::Soft,
                    "{sub_type}"
                );
            }
            for (status, diagnostic) in [("", ""), (" ", "")] {
                assert_eq!(
                    class("Transient", sub_type, status, diagnostic),
                    Class::Undetermined,
                    "{sub_type}"
                );
            }
        }
    }

    #[test]
    fn a_soft_bounce_adds_to_a_register_and_suppresses_nobody_by_itself() {
        assert_eq!(
            (Class::Soft.register(), Class::Soft.suppresses()),
            (Some(Reason::Soft.into()), false)
        );
        assert!(Class::Blocked.suppresses() && !Class::Undetermined.suppresses());
    }

    #[test]
    fn a_full_mailbox_and_a_timeout_are_soft_without_any_words() {
        for sub_type in ["MailboxFull", "mailboxfull", "CustomTimeoutExceeded"] {
            assert_eq!(class("Transient", sub_type, "", ""), Class::Soft, "{sub_type}");
        }
    }

    #[test]
    fn a_dead_address_is_hard_though_ses_says_transient() {
        for status in ["5.1.1", "5.1.2", "5.1.10", "5.4.4"] {
            assert_eq!(class("Transient", "General", status, ""), Class::HardBounce, "{status}");
        }
        for status in ["5.1.3", "5.2.1", "5.2.2"] {
            assert_eq!(class("Transient", "General", status, ""), Class::Soft, "{status}");
        }
    }

    #[test]
    fn blame_on_the_message_or_a_list_comes_before_any_status() {
        assert_eq!(class("Transient", "MessageTooLarge", "5.1.1", ""), Class::MessageFault);
        assert_eq!(
            class("Permanent", "UnsubscribedRecipient", "5.1.1", ""),
            Class::Unsubscribed
        );
        assert_eq!(
            class("Permanent", "OnAccountSuppressionList", "5.7.1", ""),
            Class::ListEcho
        );
    }

    #[test]
    fn a_delayed_recipient_of_a_permanent_bounce_is_soft() {
        let delayed = Recipient {
            action: Some("Delayed".into()),
            ..Recipient::default()
        };
        assert_eq!(bounce("Permanent", "General", &delayed).0, Class::Soft);
        assert_eq!(class("Permanent", "General", "4.4.7", ""), Class::Soft);
    }

    #[test]
    fn complaint_types_are_compared_without_case() {
        for (feedback_type, sub_type, expected) in [
            ("abuse", "", Class::Complaint),
            ("Fraud", "", Class::Complaint),
            ("virus", "", Class::Complaint),
            ("other", "", Class::Complaint),
            ("opt-out", "", Class::Complaint),
            ("", "", Class::Complaint),
            ("something-new", "", Class::Complaint),
            ("Not-Spam", "", Class::NotSpam),
            ("AUTH-FAILURE", "", Class::AuthFailure),
            ("abuse", "onaccountsuppressionlist", Class::ComplaintEcho),
            ("", "OnTenantSuppressionList", Class::ComplaintEcho),
        ] {
            assert_eq!(
                complaint(feedback_type, sub_type),
                expected,
                "{feedback_type}/{sub_type}"
            );
        }
    }
}
