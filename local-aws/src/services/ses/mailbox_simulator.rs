//! The outcome of a mail at each recipient.
//!
//! SES's own mailbox simulator answers for addresses at `simulator.amazonses.com`, in any case and with any `+label`. A
//! mail to any other address is delivered: there is no bounce and no complaint unless the recipient asks for one.
//! `unsubscribe` and `unsubscribed` are of this simulator alone: they behave as people of a contact list of SES.
//! <https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html>

use super::mailbox::Mailbox;
use super::suppression_list::SuppressionReason;

/// The domain of SES's mailbox simulator.
pub const SIMULATOR_DOMAIN: &str = "simulator.amazonses.com";

/// The outcome of a mail at one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecipientOutcome {
    /// The mail is delivered.
    Delivered,
    /// The address does not exist: the mail bounces.
    HardBounce,
    /// The mail is delivered, and the recipient reports it as spam.
    Complaint,
    /// The mail is delivered, and an out-of-office reply comes back to the return path.
    AutoReply,
    /// The mail is delivered, and the recipient unsubscribes by the link of SES's list management.
    Unsubscribe,
    /// SES does not send the mail: the recipient unsubscribed from the contact list before.
    Unsubscribed,
    /// SES does not send the mail: the address is on its global suppression list.
    GloballySuppressed,
    /// SES does not send the mail: the address is on the account's suppression list.
    AccountSuppressed(SuppressionReason),
}

/// Returns whether a recipient belongs to the mailbox simulator, which counts for neither the 24-hour quota nor the
/// sandbox's checks.
pub(super) fn is_simulated(mailbox: &Mailbox) -> bool {
    mailbox.domain == SIMULATOR_DOMAIN
}

/// Returns the outcome at a recipient that is not on the account's suppression list.
pub(super) fn outcome_at(mailbox: &Mailbox) -> RecipientOutcome {
    if !is_simulated(mailbox) {
        return RecipientOutcome::Delivered;
    }
    let local = mailbox.local.to_ascii_lowercase();
    outcome_of(local.split('+').next().unwrap_or_default())
}

/// Returns the outcome at the address of the mailbox simulator with this local part.
pub(super) fn outcome_of(name: &str) -> RecipientOutcome {
    match name {
        "bounce" => RecipientOutcome::HardBounce,
        "complaint" => RecipientOutcome::Complaint,
        "ooto" => RecipientOutcome::AutoReply,
        "unsubscribe" => RecipientOutcome::Unsubscribe,
        "unsubscribed" => RecipientOutcome::Unsubscribed,
        // `blacklist` is the name it had at first.
        "suppressionlist" | "blacklist" => RecipientOutcome::GloballySuppressed,
        _ => RecipientOutcome::Delivered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome_of(address: &str) -> RecipientOutcome {
        outcome_at(&Mailbox::parse(address).unwrap())
    }

    #[test]
    fn recognizes_each_simulator_address_with_a_label_and_in_any_case() {
        for (name, expected) in [
            ("success", RecipientOutcome::Delivered),
            ("bounce", RecipientOutcome::HardBounce),
            ("complaint", RecipientOutcome::Complaint),
            ("ooto", RecipientOutcome::AutoReply),
            ("unsubscribe", RecipientOutcome::Unsubscribe),
            ("unsubscribed", RecipientOutcome::Unsubscribed),
            ("suppressionlist", RecipientOutcome::GloballySuppressed),
            ("blacklist", RecipientOutcome::GloballySuppressed),
        ] {
            for address in [
                format!("{name}@simulator.amazonses.com"),
                format!("{name}+label-1@simulator.amazonses.com"),
                format!("{}+X@Simulator.AmazonSES.com", name.to_uppercase()),
                format!("Some Body <{name}+a+b@simulator.amazonses.com>"),
            ] {
                assert_eq!(outcome_of(&address), expected, "{address}");
            }
        }
    }

    #[test]
    fn delivers_to_everybody_else() {
        assert_eq!(outcome_of("bounce@example.com"), RecipientOutcome::Delivered);
        assert_eq!(
            outcome_of("bounce@x.simulator.amazonses.com"),
            RecipientOutcome::Delivered
        );
        assert_eq!(
            outcome_of("bouncer@simulator.amazonses.com"),
            RecipientOutcome::Delivered
        );
    }
}
