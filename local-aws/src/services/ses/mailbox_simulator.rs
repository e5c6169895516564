//! What becomes of a mail, by its recipient.
//!
//! SES's own mailbox simulator answers for addresses at `simulator.amazonses.com`, whatever their
//! case and with any `+label`. A mail to anybody else arrives: no bounce or complaint happens here
//! unless somebody asked for it.
//! <https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html>

use super::mailbox::Mailbox;
use super::suppression_list::Reason;

/// The domain of SES's mailbox simulator.
pub const SIMULATOR_DOMAIN: &str = "simulator.amazonses.com";

/// What happens to a mail at one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives.
    Delivered,
    /// The address does not exist: a hard bounce.
    HardBounce,
    /// It arrives and is reported as spam.
    Complaint,
    /// It arrives, and an out-of-office reply comes back to the return path.
    AutoReply,
    /// SES does not try, for the address is on its global suppression list.
    GloballySuppressed,
    /// SES does not try, for the address is on the account's suppression list.
    AccountSuppressed(Reason),
}

/// Tells whether a recipient belongs to the mailbox simulator, which is free of the 24 h quota and
/// of the sandbox's checks.
pub(super) fn is_simulated(mailbox: &Mailbox) -> bool {
    mailbox.domain == SIMULATOR_DOMAIN
}

/// Tells what happens at a recipient that is on no suppression list of the account.
pub(super) fn fate(mailbox: &Mailbox) -> Fate {
    if !is_simulated(mailbox) {
        return Fate::Delivered;
    }
    let local = mailbox.local.to_ascii_lowercase();
    let name = local.split('+').next().unwrap_or_default();
    match name {
        "bounce" => Fate::HardBounce,
        "complaint" => Fate::Complaint,
        "ooto" => Fate::AutoReply,
        // `blacklist` is the name it had at first.
        "suppressionlist" | "blacklist" => Fate::GloballySuppressed,
        _ => Fate::Delivered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate_of(address: &str) -> Fate {
        fate(&Mailbox::parse(address).unwrap())
    }

    #[test]
    fn knows_each_simulator_address_with_a_label_and_in_any_case() {
        for (name, expected) in [
            ("success", Fate::Delivered),
            ("bounce", Fate::HardBounce),
            ("complaint", Fate::Complaint),
            ("ooto", Fate::AutoReply),
            ("suppressionlist", Fate::GloballySuppressed),
            ("blacklist", Fate::GloballySuppressed),
        ] {
            for address in [
                format!("{name}@simulator.amazonses.com"),
                format!("{name}+label-1@simulator.amazonses.com"),
                format!("{}+X@Simulator.AmazonSES.com", name.to_uppercase()),
                format!("Some Body <{name}+a+b@simulator.amazonses.com>"),
            ] {
                assert_eq!(fate_of(&address), expected, "{address}");
            }
        }
    }

    #[test]
    fn delivers_to_everybody_else() {
        assert_eq!(fate_of("bounce@example.com"), Fate::Delivered);
        assert_eq!(fate_of("bounce@x.simulator.amazonses.com"), Fate::Delivered);
        assert_eq!(fate_of("bouncer@simulator.amazonses.com"), Fate::Delivered);
    }
}
