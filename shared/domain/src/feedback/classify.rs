//! The meaning of a bounce or a complaint for one recipient.
//!
//! A bounce is judged by [`crate::bounce`]; here its decision becomes a class. Complaint types are compared without
//! case, as RFC 6650 has it.

use super::event::Recipient;
use crate::bounce::{self, Blame, BounceInput, BounceJudgement, BounceReason, Decision};
use crate::suppression::{Register, SuppressionReason};

/// A bounce or complaint of a recipient, by its consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeedbackClass {
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

impl FeedbackClass {
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
        self.register()
            .is_some_and(|register| register != SuppressionReason::Soft.into())
    }

    /// Returns the register of the address that this sets or, if it is soft, adds to.
    #[must_use]
    pub fn register(self) -> Option<Register> {
        match self {
            Self::HardBounce | Self::GloballySuppressed | Self::ValidationSuppressed => {
                Some(SuppressionReason::Bounce.into())
            }
            Self::ListEcho => Some(Register::BounceEcho),
            Self::Complaint => Some(SuppressionReason::Complaint.into()),
            Self::ComplaintEcho => Some(Register::ComplaintEcho),
            Self::Blocked => Some(SuppressionReason::Blocked.into()),
            Self::Soft => Some(SuppressionReason::Soft.into()),
            Self::Unsubscribed | Self::MessageFault | Self::Undetermined | Self::NotSpam | Self::AuthFailure => None,
        }
    }
}

/// Judges one recipient of a bounce.
pub(super) fn bounce(bounce_type: &str, sub_type: &str, recipient: &Recipient) -> (FeedbackClass, BounceJudgement) {
    let judgement = bounce::judge(&BounceInput {
        bounce_type,
        sub_type,
        status: recipient.status.as_deref(),
        action: recipient.action.as_deref(),
        diagnostic: recipient.diagnostic_code.as_deref(),
    });
    (FeedbackClass::of(&judgement), judgement)
}

impl FeedbackClass {
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
pub(super) fn complaint(feedback_type: &str, sub_type: &str) -> FeedbackClass {
    let is = |text: &str, name: &str| text.trim().eq_ignore_ascii_case(name);
    if is(sub_type, "OnAccountSuppressionList") || is(sub_type, "OnTenantSuppressionList") {
        FeedbackClass::ComplaintEcho
    } else if is(feedback_type, "not-spam") {
        FeedbackClass::NotSpam
    } else if is(feedback_type, "auth-failure") {
        FeedbackClass::AuthFailure
    } else {
        FeedbackClass::Complaint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(bounce_type: &str, sub_type: &str, status: &str, diagnostic: &str) -> FeedbackClass {
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
        use FeedbackClass::*;
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
    fn a_transient_bounce_is_soft_with_a_diagnostic_and_a_reply_without_one() {
        for sub_type in ["General", "SomethingNew"] {
            for (status, diagnostic) in [("4.4.7", ""), ("", "smtp; 421 try again"), ("4.2.2", "smtp; 452 full")] {
                assert_eq!(
                    class("Transient", sub_type, status, diagnostic),
                    FeedbackClass::Soft,
                    "{sub_type}"
                );
            }
            for (status, diagnostic) in [("", ""), (" ", "")] {
                assert_eq!(
                    class("Transient", sub_type, status, diagnostic),
                    FeedbackClass::Undetermined,
                    "{sub_type}"
                );
            }
        }
    }

    #[test]
    fn one_soft_bounce_is_recorded_and_does_not_suppress() {
        assert_eq!(
            (FeedbackClass::Soft.register(), FeedbackClass::Soft.suppresses()),
            (Some(SuppressionReason::Soft.into()), false)
        );
        assert!(FeedbackClass::Blocked.suppresses() && !FeedbackClass::Undetermined.suppresses());
    }

    #[test]
    fn a_full_mailbox_and_a_timeout_are_soft_without_any_words() {
        for sub_type in ["MailboxFull", "mailboxfull", "CustomTimeoutExceeded"] {
            assert_eq!(class("Transient", sub_type, "", ""), FeedbackClass::Soft, "{sub_type}");
        }
    }

    #[test]
    fn a_dead_address_is_hard_though_ses_says_transient() {
        for status in ["5.1.1", "5.1.2", "5.1.10", "5.4.4"] {
            assert_eq!(
                class("Transient", "General", status, ""),
                FeedbackClass::HardBounce,
                "{status}"
            );
        }
        for status in ["5.1.3", "5.2.1", "5.2.2"] {
            assert_eq!(
                class("Transient", "General", status, ""),
                FeedbackClass::Soft,
                "{status}"
            );
        }
    }

    #[test]
    fn blame_on_the_message_or_a_list_comes_before_any_status() {
        assert_eq!(
            class("Transient", "MessageTooLarge", "5.1.1", ""),
            FeedbackClass::MessageFault
        );
        assert_eq!(
            class("Permanent", "UnsubscribedRecipient", "5.1.1", ""),
            FeedbackClass::Unsubscribed
        );
        assert_eq!(
            class("Permanent", "OnAccountSuppressionList", "5.7.1", ""),
            FeedbackClass::ListEcho
        );
    }

    #[test]
    fn a_delayed_recipient_of_a_permanent_bounce_is_soft() {
        let delayed = Recipient {
            action: Some("Delayed".into()),
            ..Recipient::default()
        };
        assert_eq!(bounce("Permanent", "General", &delayed).0, FeedbackClass::Soft);
        assert_eq!(class("Permanent", "General", "4.4.7", ""), FeedbackClass::Soft);
    }

    #[test]
    fn complaint_types_are_compared_without_case() {
        for (feedback_type, sub_type, expected) in [
            ("abuse", "", FeedbackClass::Complaint),
            ("Fraud", "", FeedbackClass::Complaint),
            ("virus", "", FeedbackClass::Complaint),
            ("other", "", FeedbackClass::Complaint),
            ("opt-out", "", FeedbackClass::Complaint),
            ("", "", FeedbackClass::Complaint),
            ("something-new", "", FeedbackClass::Complaint),
            ("Not-Spam", "", FeedbackClass::NotSpam),
            ("AUTH-FAILURE", "", FeedbackClass::AuthFailure),
            ("abuse", "onaccountsuppressionlist", FeedbackClass::ComplaintEcho),
            ("", "OnTenantSuppressionList", FeedbackClass::ComplaintEcho),
        ] {
            assert_eq!(
                complaint(feedback_type, sub_type),
                expected,
                "{feedback_type}/{sub_type}"
            );
        }
    }
}
