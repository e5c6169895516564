//! What a bounce or a complaint means for one recipient.
//!
//! SES's own type is the last thing looked at, because it is about the mail and often too kind or too harsh for the
//! address: a domain that does not exist is filed as Transient, and a block of the *sender* as Permanent. The order of
//! precedence is: subtypes that speak of a list; subtypes that blame the message; the receiver's status codes that say
//! "no such mailbox"; signs of a block (but for a full mailbox); the type. A Transient bounce in which no server says
//! anything is an automatic reply: SES reports an out-of-office note like that.
//!
//! Types: <https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types>; status codes: RFC 3463.

use super::event::Recipient;
use crate::suppression::{Register, SuppressionReason};

/// What happened to a recipient, by what follows from it.
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

/// Beginnings of words in a receiver's answer that speak of the sender.
const BLOCK_WORDS: [&str; 6] = ["block", "policy", "spf", "dkim", "dmarc", "reputation"];

/// Classifies one recipient of a bounce.
pub(super) fn bounce(bounce_type: &str, sub_type: &str, recipient: &Recipient) -> FeedbackClass {
    match sub_type {
        "Suppressed" => return FeedbackClass::GloballySuppressed,
        "OnAccountSuppressionList" | "OnTenantSuppressionList" => return FeedbackClass::ListEcho,
        "UnsubscribedRecipient" => return FeedbackClass::Unsubscribed,
        "EmailValidationSuppressed" => return FeedbackClass::ValidationSuppressed,
        "MessageTooLarge" | "ContentRejected" | "AttachmentRejected" => return FeedbackClass::MessageFault,
        _ if bounce_type == "Undetermined" => return FeedbackClass::Undetermined,
        _ => {}
    }
    let diagnostic = recipient.diagnostic_code.as_deref().unwrap_or_default();
    let statuses = || statuses(recipient.status.as_deref().unwrap_or_default()).chain(statuses(diagnostic));
    if statuses().any(|status| matches!(status, [5, 1, _] | [5, 2, 1] | [5, 4, 4])) {
        return FeedbackClass::HardBounce;
    }
    // A mailbox that is full is about the address, whatever policy its server quotes.
    if sub_type != "MailboxFull"
        && (statuses().any(|status| matches!(status, [5, 7, _])) || speaks_of_a_block(diagnostic))
    {
        return FeedbackClass::Blocked;
    }
    match bounce_type {
        "Permanent" if is_delayed(recipient) => FeedbackClass::Soft,
        "Permanent" => FeedbackClass::HardBounce,
        "Transient" if says_something(recipient) => FeedbackClass::Soft,
        _ => FeedbackClass::Undetermined,
    }
}

/// Classifies a complaint, which is about all of its recipients.
pub(super) fn complaint(feedback_type: &str, sub_type: &str) -> FeedbackClass {
    match (sub_type, feedback_type) {
        ("OnAccountSuppressionList", _) => FeedbackClass::ComplaintEcho,
        (_, "not-spam") => FeedbackClass::NotSpam,
        (_, "auth-failure") => FeedbackClass::AuthFailure,
        _ => FeedbackClass::Complaint,
    }
}

/// Tells whether the receiver has not given up on this recipient, though the bounce as a whole is permanent.
fn is_delayed(recipient: &Recipient) -> bool {
    recipient
        .action
        .as_deref()
        .is_some_and(|action| action.eq_ignore_ascii_case("delayed"))
        || recipient
            .status
            .as_deref()
            .is_some_and(|status| status.trim_start().starts_with('4'))
}

/// Tells whether a server said anything about this recipient.
fn says_something(recipient: &Recipient) -> bool {
    let said = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    said(&recipient.status) || said(&recipient.diagnostic_code)
}

/// Tells whether an answer has a word for blocking in it. Addresses, host names and links are no words: somebody at
/// `policy.example.org` is not blocked by that.
fn speaks_of_a_block(diagnostic: &str) -> bool {
    let is_name =
        |text: &str| text.contains(['@', '/']) || text.trim_end_matches(['.', ',', ';', ':', ')', '>']).contains('.');
    diagnostic
        .split_ascii_whitespace()
        .filter(|text| !is_name(text))
        .flat_map(|text| text.split(|c: char| !c.is_ascii_alphabetic()))
        .any(|word| {
            let word = word.to_ascii_lowercase();
            BLOCK_WORDS.iter().any(|beginning| word.starts_with(beginning))
        })
}

/// Finds the enhanced status codes (RFC 3463: class.subject.detail) in a text.
fn statuses(text: &str) -> impl Iterator<Item = [u16; 3]> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .filter_map(|word| {
            let mut numbers = word.trim_end_matches('.').split('.').map(str::parse);
            let mut next = || numbers.next()?.ok();
            let status = [next()?, next()?, next()?];
            (matches!(status[0], 2 | 4 | 5) && numbers.next().is_none()).then_some(status)
        })
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
        bounce(bounce_type, sub_type, &recipient)
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
    fn a_transient_bounce_is_soft_where_a_server_says_something_and_else_an_automatic_reply() {
        for sub_type in ["General", "MailboxFull", "CustomTimeoutExceeded", "SomethingNew"] {
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
    fn a_soft_bounce_adds_to_a_register_and_suppresses_nobody_by_itself() {
        assert_eq!(
            (FeedbackClass::Soft.register(), FeedbackClass::Soft.suppresses()),
            (Some(SuppressionReason::Soft.into()), false)
        );
        assert!(FeedbackClass::Blocked.suppresses() && !FeedbackClass::Undetermined.suppresses());
    }

    #[test]
    fn a_dead_address_is_hard_whatever_ses_calls_it() {
        for status in ["5.1.1", "5.1.2", "5.1.10", "5.2.1", "5.4.4"] {
            assert_eq!(
                class("Transient", "General", status, ""),
                FeedbackClass::HardBounce,
                "{status}"
            );
            let diagnostic = format!("smtp; 550 {status} <a@example.org>: no such user here");
            assert_eq!(
                class("Transient", "General", "", &diagnostic),
                FeedbackClass::HardBounce,
                "{diagnostic}"
            );
        }
        assert_eq!(class("Transient", "General", "5.2.2", ""), FeedbackClass::Soft);
    }

    #[test]
    fn a_dead_address_is_hard_even_where_the_answer_speaks_of_policy() {
        assert_eq!(
            class("Permanent", "General", "5.1.1", "550 5.1.1 rejected by policy"),
            FeedbackClass::HardBounce
        );
    }

    #[test]
    fn a_block_blames_the_sender() {
        for (status, diagnostic) in [
            ("5.7.1", ""),
            ("5.7.26", ""),
            ("", "smtp; 550 5.7.1 Access denied"),
            ("5.0.0", "smtp; 554 Message BLOCKED, see our site"),
            ("", "550 SPF check failed"),
            ("", "550 rejected because of poor Reputation"),
        ] {
            assert_eq!(
                class("Permanent", "General", status, diagnostic),
                FeedbackClass::Blocked,
                "{status} {diagnostic}"
            );
        }
    }

    #[test]
    fn an_address_or_host_that_contains_such_a_word_is_no_block() {
        for diagnostic in [
            "smtp; 550 No such user u@blockchain.example.org",
            "smtp; 550 unknown user at policy.example.org.",
            "smtp; 550 unknown, see https://example.org/policy",
            "smtp; 550 unblocked by roadblocks",
        ] {
            assert_eq!(
                class("Permanent", "NoEmail", "5.0.0", diagnostic),
                FeedbackClass::HardBounce,
                "{diagnostic}"
            );
        }
    }

    #[test]
    fn a_full_mailbox_is_soft_whatever_policy_it_quotes() {
        assert_eq!(
            class(
                "Transient",
                "MailboxFull",
                "4.2.2",
                "452 4.2.2 over quota, storage policy"
            ),
            FeedbackClass::Soft
        );
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
            class("Undetermined", "Undetermined", "5.1.1", ""),
            FeedbackClass::Undetermined
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
        assert_eq!(bounce("Permanent", "General", &delayed), FeedbackClass::Soft);
        assert_eq!(class("Permanent", "General", "4.4.7", ""), FeedbackClass::Soft);
    }

    #[test]
    fn finds_status_codes_and_not_other_numbers() {
        let found: Vec<_> = statuses("smtp; 550-5.1.1. from 10.5.1.1 and 5.1 at 2.0.0 (5.7.26)").collect();
        assert_eq!(found, [[5, 1, 1], [2, 0, 0], [5, 7, 26]]);
    }
}
