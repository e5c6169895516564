//! An entry of SES's own account-level suppression list, compared with Okite's list.
//!
//! SES adds addresses to its list by itself, and Okite may miss it: an event may be lost, or another application may
//! send. So Okite adds the missing entries to its own list. SES also never lifts an entry, and would drop mail that
//! Okite sends. So Okite removes from SES's list the addresses that an operator or the application has lifted, and no
//! others: that a bounce was a block is Okite's judgement of a text, and no reason to overrule SES.

use jiff::{SignedDuration, Timestamp};

use super::registers::BLOCKED_FOR;
use super::{Registers, SuppressionReason};
use crate::address::EmailAddress;

/// The longest time between a block and SES's entry about the same bounce.
const SAME_BOUNCE: SignedDuration = SignedDuration::from_hours(1);

/// An address on SES's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SesListEntry {
    /// The address in SES's spelling, which is the key for removing it.
    pub address: String,
    /// SES's reason: [`SuppressionReason::Bounce`] or [`SuppressionReason::Complaint`].
    pub reason: SuppressionReason,
    /// The time at which SES last added the address.
    pub updated_at: Timestamp,
}

/// The step that reconciles an address on SES's list with Okite's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReconciliationStep {
    /// The two lists agree, and nothing needs to change.
    Agree,
    /// The address belongs to the mailbox simulator. An operator added it as a test.
    LeaveAlone,
    /// Okite's entry of the address cannot be read. It suppresses the address, and both lists stay as they are.
    Unreadable,
    /// The entry is missing on Okite's list. The register of its reason must be set to this time.
    Add(Timestamp),
    /// Okite lifted the address, and must remove it from SES's list.
    Lift,
}

impl SesListEntry {
    /// Decides the step for this entry, from its parsed `address` and Okite's `registers` of it.
    ///
    /// In case of doubt, the address stays on both lists.
    #[must_use]
    pub fn step(&self, address: &EmailAddress, registers: &Registers, now: Timestamp) -> ReconciliationStep {
        if address.is_simulator() {
            return ReconciliationStep::LeaveAlone;
        }
        if registers.unreadable {
            return ReconciliationStep::Unreadable;
        }
        let in_force =
            |at: &Option<Timestamp>| at.is_some_and(|at| registers.lifted_at.is_none_or(|lifted| at > lifted));
        let same = match self.reason {
            SuppressionReason::Complaint => &registers.complaint_at,
            _ => &registers.bounce_at,
        };
        if in_force(same) {
            return ReconciliationStep::Agree;
        }
        let kept_for_another_reason = [&registers.bounce_at, &registers.complaint_at, &registers.manual_at]
            .into_iter()
            .any(in_force);
        if registers.lifted_at.is_some_and(|lifted| lifted >= self.updated_at) {
            return if kept_for_another_reason {
                ReconciliationStep::Agree
            } else {
                ReconciliationStep::Lift
            };
        }
        // A register with a time in the future could not be lifted.
        let at = self.updated_at.min(now);
        match registers.blocked_at {
            // If a provider blocked the sender, SES lists the recipient for good. While the block lasts, it says more
            // than SES's entry. Afterwards SES still drops the mail, and Okite must not report it as accepted.
            Some(blocked)
                if self.reason == SuppressionReason::Bounce
                    && self.is_about(blocked)
                    && !kept_for_another_reason
                    && in_force(&registers.blocked_at)
                    && now.duration_since(blocked) < BLOCKED_FOR =>
            {
                ReconciliationStep::Agree
            }
            _ => ReconciliationStep::Add(at),
        }
    }

    fn is_about(&self, blocked: Timestamp) -> bool {
        self.updated_at.duration_since(blocked).abs() <= SAME_BOUNCE
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stream::Stream;
    use crate::suppression::SoftBounceTiers;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn step(reason: SuppressionReason, updated: i64, registers: &Registers, now: i64) -> ReconciliationStep {
        let listed = SesListEntry {
            address: "anna@example.org".to_owned(),
            reason,
            updated_at: at(updated),
        };
        listed.step(&address(&listed.address), registers, at(now))
    }

    fn bounced(time: i64) -> Registers {
        Registers {
            bounce_at: Some(at(time)),
            ..Registers::default()
        }
    }

    #[test]
    fn a_missing_entry_is_added_with_the_time_of_ses() {
        for reason in [SuppressionReason::Bounce, SuppressionReason::Complaint] {
            assert_eq!(
                step(reason, 5, &Registers::default(), DAY),
                ReconciliationStep::Add(at(5))
            );
        }
        assert_eq!(
            step(SuppressionReason::Complaint, 5, &bounced(0), DAY),
            ReconciliationStep::Add(at(5))
        );
    }

    #[test]
    fn a_time_in_the_future_is_cut_to_now() {
        assert_eq!(
            step(SuppressionReason::Bounce, DAY, &Registers::default(), 0),
            ReconciliationStep::Add(at(0))
        );
    }

    #[test]
    fn an_entry_on_both_lists_needs_no_step() {
        assert_eq!(
            step(SuppressionReason::Bounce, 5, &bounced(0), DAY),
            ReconciliationStep::Agree
        );
        assert_eq!(
            step(SuppressionReason::Bounce, 0, &bounced(5), DAY),
            ReconciliationStep::Agree
        );
    }

    #[test]
    fn a_lifted_entry_is_removed_from_ses_and_not_added_again() {
        let lifted = Registers {
            lifted_at: Some(at(10)),
            ..bounced(0)
        };
        for updated in [0, 9, 10] {
            assert_eq!(
                step(SuppressionReason::Bounce, updated, &lifted, DAY),
                ReconciliationStep::Lift
            );
            assert_eq!(
                step(SuppressionReason::Complaint, updated, &lifted, DAY),
                ReconciliationStep::Lift
            );
        }
        assert_eq!(
            step(SuppressionReason::Bounce, 11, &lifted, DAY),
            ReconciliationStep::Add(at(11))
        );
    }

    #[test]
    fn a_lifted_entry_with_a_later_complaint_or_manual_entry_stays() {
        let complained = Registers {
            lifted_at: Some(at(10)),
            complaint_at: Some(at(11)),
            ..bounced(0)
        };
        assert_eq!(
            step(SuppressionReason::Bounce, 9, &complained, DAY),
            ReconciliationStep::Agree
        );
        let manual = Registers {
            lifted_at: Some(at(10)),
            manual_at: Some(at(11)),
            ..bounced(0)
        };
        assert_eq!(
            step(SuppressionReason::Bounce, 9, &manual, DAY),
            ReconciliationStep::Agree
        );
    }

    #[test]
    fn an_entry_about_a_block_stays_on_the_list_of_ses_and_is_added_when_the_block_ends() {
        let blocked = Registers {
            blocked_at: Some(at(0)),
            ..Registers::default()
        };
        assert_eq!(
            step(SuppressionReason::Bounce, 60, &blocked, DAY - 1),
            ReconciliationStep::Agree
        );
        assert_eq!(
            step(SuppressionReason::Bounce, 60, &blocked, DAY),
            ReconciliationStep::Add(at(60))
        );
        assert_eq!(
            step(SuppressionReason::Bounce, -60, &blocked, DAY),
            ReconciliationStep::Add(at(-60))
        );
        let lifted = Registers {
            lifted_at: Some(at(60)),
            ..blocked.clone()
        };
        assert_eq!(
            step(SuppressionReason::Bounce, 60, &lifted, DAY),
            ReconciliationStep::Lift
        );
        assert_eq!(
            step(SuppressionReason::Bounce, 2 * HOUR, &blocked, DAY),
            ReconciliationStep::Add(at(2 * HOUR))
        );
        assert_eq!(
            step(SuppressionReason::Complaint, 60, &blocked, DAY),
            ReconciliationStep::Add(at(60))
        );
        let by_hand = Registers {
            manual_at: Some(at(0)),
            ..blocked
        };
        assert_eq!(
            step(SuppressionReason::Bounce, 60, &by_hand, DAY),
            ReconciliationStep::Add(at(60))
        );
    }

    #[test]
    fn a_simulator_address_is_left_alone() {
        let listed = SesListEntry {
            address: "bounce@simulator.amazonses.com".to_owned(),
            reason: SuppressionReason::Bounce,
            updated_at: at(0),
        };
        let step = listed.step(&address(&listed.address), &Registers::default(), at(DAY));
        assert_eq!(step, ReconciliationStep::LeaveAlone);
    }

    proptest! {
        #[test]
        fn permanent_suppressions_are_never_lifted_and_added_entries_suppress(
            times in proptest::array::uniform5(proptest::option::of(-100_000i64..=0)),
            updated in -100_000i64..=100,
            complaint in any::<bool>(),
        ) {
            let [bounce_at, complaint_at, blocked_at, manual_at, lifted_at] = times.map(|time| time.map(at));
            let mut registers = Registers {
                bounce_at, complaint_at, blocked_at, manual_at, lifted_at, ..Registers::default()
            };
            let anna = address("anna@example.org");
            let tiers = SoftBounceTiers::EXAMPLE.parse().unwrap();
            let suppressed = |registers: &Registers| registers.suppression(&anna, at(0), Stream::Transactional, &tiers);
            let reason = if complaint { SuppressionReason::Complaint } else { SuppressionReason::Bounce };
            match step(reason, updated, &registers, 0) {
                ReconciliationStep::Lift => {
                    let reason = suppressed(&registers).map(|suppression| suppression.reason);
                    prop_assert!(matches!(reason, None | Some(SuppressionReason::Blocked)));
                    prop_assert!(lifted_at.is_some_and(|lifted| lifted >= at(updated)), "nobody lifted it");
                }
                ReconciliationStep::Add(at) => {
                    match reason {
                        SuppressionReason::Complaint => registers.complaint_at = registers.complaint_at.max(Some(at)),
                        _ => registers.bounce_at = registers.bounce_at.max(Some(at)),
                    }
                    prop_assert!(suppressed(&registers).is_some());
                    prop_assert_eq!(step(reason, updated, &registers, 0), ReconciliationStep::Agree);
                }
                ReconciliationStep::Agree => prop_assert!(suppressed(&registers).is_some()),
                ReconciliationStep::LeaveAlone | ReconciliationStep::Unreadable => prop_assert!(false),
            }
        }
    }
}
