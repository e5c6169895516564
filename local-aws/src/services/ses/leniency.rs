//! The senders and recipients that the simulator treats otherwise than SES does, so that the examples of frameworks and
//! of other services work unchanged. By default there are none.

use std::collections::BTreeMap;

use super::mailbox::Mailbox;
use super::mailbox_simulator::{RecipientOutcome, is_simulated, outcome_at, outcome_of};

/// What the simulator accepts although SES would not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SesLeniency {
    /// Whether a sender need not be verified.
    pub any_sender: bool,
    /// Addresses in lower case that behave as one of the mailbox simulator, with the name of that one: `bounce` for
    /// `bounced@other.example`. A `+label` does not change that.
    pub test_addresses: BTreeMap<String, String>,
}

impl SesLeniency {
    /// Returns whether a recipient is a test address: of SES, or one of this list.
    pub(super) fn is_test_address(&self, mailbox: &Mailbox) -> bool {
        is_simulated(mailbox) || self.name_of(mailbox).is_some()
    }

    /// Returns the outcome at a recipient that is not on the account's suppression list.
    pub(super) fn outcome_at(&self, mailbox: &Mailbox) -> RecipientOutcome {
        self.name_of(mailbox).map_or_else(|| outcome_at(mailbox), outcome_of)
    }

    fn name_of(&self, mailbox: &Mailbox) -> Option<&str> {
        if self.test_addresses.is_empty() {
            return None;
        }
        let local = mailbox.local.to_ascii_lowercase();
        let unlabelled = local.split('+').next().unwrap_or_default();
        let name = self.test_addresses.get(&format!("{unlabelled}@{}", mailbox.domain));
        name.map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(leniency: &SesLeniency, address: &str) -> (bool, RecipientOutcome) {
        let mailbox = Mailbox::parse(address).unwrap();
        (leniency.is_test_address(&mailbox), leniency.outcome_at(&mailbox))
    }

    #[test]
    fn a_test_address_behaves_as_the_one_that_it_stands_for() {
        let leniency = SesLeniency {
            test_addresses: [("bounced@other.example".to_owned(), "bounce".to_owned())].into(),
            ..SesLeniency::default()
        };
        for address in ["bounced@other.example", "Bob <Bounced+Label-1+2@OTHER.example>"] {
            assert_eq!(outcome(&leniency, address), (true, RecipientOutcome::HardBounce));
            let strict = outcome(&SesLeniency::default(), address);
            assert_eq!(strict, (false, RecipientOutcome::Delivered));
        }
        for other in [
            "bounced@a.other.example",
            "bounced2@other.example",
            "\"bounced\"@other.example",
        ] {
            assert_eq!(
                outcome(&leniency, other),
                (false, RecipientOutcome::Delivered),
                "{other}"
            );
        }
        let simulator = outcome(&leniency, "complaint+x@simulator.amazonses.com");
        assert_eq!(simulator, (true, RecipientOutcome::Complaint));
    }
}
