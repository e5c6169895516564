//! The registers of an address, and whether they suppress it.
//!
//! What is known about an address is a handful of registers, each "the latest time that this happened". Taking the
//! latest is idempotent and commutative, so that events may come twice and in any order and the item ends the same. What
//! the registers *mean* is decided here, when somebody is about to send: expiry and lifting compare times and delete
//! nothing.
//!
//! Soft bounces are more than one time, and a set of the newest of them commutes as well: [`SoftBounceTiers`] decides what
//! they mean.

mod entry;
mod reconciliation;
mod ses_list_entry;
mod storm;
mod tiers;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::address::EmailAddress;
use crate::stream::Stream;

pub use entry::{RegisterEvidence, SuppressionEntry};
pub use reconciliation::{FinishedPass, ListDrift, Reconciliation, ReconciliationPass, ReportedReconciliation};
pub use ses_list_entry::{ReconciliationStep, SesListEntry};
pub use storm::{STORM_BLOCKS, STORM_ENOUGH, STORM_WINDOW, is_storm};
pub use tiers::{InvalidTiers, SoftBounceTiers};

/// How many soft bounces of an address are kept: the newest. An address that takes no mail for months would fill its item
/// otherwise, and the usual tiers are judged by no more than 17: at most 4 in each of the three windows that fit into 30 days
/// without reaching a tier again, and 5 that reached it.
pub const SOFT_BOUNCES_KEPT: usize = 50;

/// How long an address is left alone after its provider blocked us: the block is the sender's fault and passes.
const BLOCKED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How long an address of Amazon's mailbox simulator stays suppressed, so that a rehearsal can be repeated.
const SIMULATOR_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Why an address is suppressed; each reason has a register, but for soft bounces, which have a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuppressionReason {
    /// The address does not take mail: a hard bounce.
    Bounce,
    /// The person complained.
    Complaint,
    /// The receiver refused the sender, not the address; for a day.
    Blocked,
    /// Its mail bounced softly again and again; for some days, and for bulk mail only.
    Soft,
    /// An operator or the application put it on the list.
    Manual,
}

impl SuppressionReason {
    /// Returns the name used in the API, in items and for the register's attributes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Blocked => "blocked",
            Self::Soft => "soft",
            Self::Manual => "manual",
        }
    }
}

/// What an event is written to: the register of a reason, or that of an echo.
///
/// An echo is an event by which SES says that a list of the account held an address back. It tells nothing new, and comes for as
/// long as the list holds the address: also after it was lifted here, and for an address that was merely blocked, for SES puts
/// that on its list as well. So it has a register of its own, which counts while nothing here says better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Register {
    /// That of a reason.
    Of(SuppressionReason),
    /// The list has it for a bounce.
    BounceEcho,
    /// The list has it for a complaint.
    ComplaintEcho,
}

impl Register {
    /// The registers that hold one time; soft bounces are a set.
    pub const WITH_ONE_TIME: [Self; 6] = [
        Self::Of(SuppressionReason::Bounce),
        Self::Of(SuppressionReason::Complaint),
        Self::Of(SuppressionReason::Blocked),
        Self::Of(SuppressionReason::Manual),
        Self::BounceEcho,
        Self::ComplaintEcho,
    ];

    /// Returns the name of its attributes in items.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Of(reason) => reason.as_str(),
            Self::BounceEcho => "bounce_echo",
            Self::ComplaintEcho => "complaint_echo",
        }
    }
}

impl From<SuppressionReason> for Register {
    fn from(reason: SuppressionReason) -> Self {
        Self::Of(reason)
    }
}

/// That an address must not be sent to, why, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The gravest reason in force.
    pub reason: SuppressionReason,
    /// When it happened.
    pub since: Timestamp,
}

/// The latest time of each thing that happened to an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// The latest hard bounce.
    pub bounce_at: Option<Timestamp>,
    /// The latest complaint.
    pub complaint_at: Option<Timestamp>,
    /// The latest block.
    pub blocked_at: Option<Timestamp>,
    /// The latest time that a list of the account held it back for a bounce.
    pub bounce_echo_at: Option<Timestamp>,
    /// The latest time that a list of the account held it back for a complaint.
    pub complaint_echo_at: Option<Timestamp>,
    /// The newest soft bounces, oldest first; see [`SOFT_BOUNCES_KEPT`].
    pub soft: Vec<Timestamp>,
    /// Those of them that are about messages of ours: our id, and when.
    pub soft_of: Vec<(Uuid, Timestamp)>,
    /// The latest time that it was put on the list by hand.
    pub manual_at: Option<Timestamp>,
    /// When the entry made by hand ends, if it does.
    pub manual_expires_at: Option<Timestamp>,
    /// The latest time that the address was taken off the list: everything up to then no longer counts.
    pub lifted_at: Option<Timestamp>,
}

impl Registers {
    /// When this last happened; of soft bounces, the newest.
    #[must_use]
    pub fn at(&self, register: impl Into<Register>) -> Option<Timestamp> {
        match register.into() {
            Register::Of(SuppressionReason::Bounce) => self.bounce_at,
            Register::Of(SuppressionReason::Complaint) => self.complaint_at,
            Register::Of(SuppressionReason::Blocked) => self.blocked_at,
            Register::Of(SuppressionReason::Soft) => self.soft.last().copied(),
            Register::Of(SuppressionReason::Manual) => self.manual_at,
            Register::BounceEcho => self.bounce_echo_at,
            Register::ComplaintEcho => self.complaint_echo_at,
        }
    }

    /// Joins what two items hold of one address: the latest of each.
    #[must_use]
    pub fn joined(mut self, other: Self) -> Self {
        self.bounce_at = self.bounce_at.max(other.bounce_at);
        self.complaint_at = self.complaint_at.max(other.complaint_at);
        self.blocked_at = self.blocked_at.max(other.blocked_at);
        self.bounce_echo_at = self.bounce_echo_at.max(other.bounce_echo_at);
        self.complaint_echo_at = self.complaint_echo_at.max(other.complaint_echo_at);
        self.lifted_at = self.lifted_at.max(other.lifted_at);
        // The end belongs to the entry; of two at the same time, the one that lasts longer counts.
        let end = |registers: &Self| registers.manual_expires_at.unwrap_or(Timestamp::MAX);
        if (other.manual_at, end(&other)) > (self.manual_at, end(&self)) {
            self.manual_at = other.manual_at;
            self.manual_expires_at = other.manual_expires_at;
        }
        // One that both hold is the same: a copy that was not finished.
        let held = std::mem::take(&mut self.soft);
        self.soft.extend(other.soft.into_iter().filter(|at| !held.contains(at)));
        self.soft.extend(held);
        self.soft.sort_unstable();
        self.soft_of.extend(other.soft_of);
        self.soft_of.sort_unstable();
        self.soft_of.dedup();
        self
    }

    /// Decides whether `address`, whose registers these are, is suppressed at `now` for mail of `stream`.
    ///
    /// Soft bounces suppress by `tiers` and for bulk mail only: a full mailbox must not stop a password reset.
    #[must_use]
    pub fn suppression(
        &self,
        address: &EmailAddress,
        now: Timestamp,
        stream: Stream,
        tiers: &SoftBounceTiers,
    ) -> Option<Suppression> {
        let since = |at: Option<Timestamp>, lasts: Option<SignedDuration>| {
            at.filter(|at| self.lifted_at.is_none_or(|lifted| *at > lifted))
                .filter(|at| lasts.is_none_or(|lasts| now.duration_since(*at) < lasts))
        };
        let lasts = address.is_simulator().then_some(SIMULATOR_FOR);
        let manual_at = self
            .manual_at
            .filter(|_| self.manual_expires_at.is_none_or(|end| now < end));
        let soft_since = || {
            let counts = |at: &Timestamp| since(Some(*at), lasts).is_some();
            let soft: Vec<_> = self.soft.iter().copied().filter(counts).collect();
            tiers.since(&soft, now)
        };
        // What was lifted here may be on SES's list still, and what was blocked is: neither is news of the address.
        let echo = |at| since(at, lasts).filter(|_| self.lifted_at.is_none());
        let (bounce_echo, block_echo) = match self.blocked_at {
            None => (echo(self.bounce_echo_at), None),
            Some(_) => (None, self.bounce_echo_at.filter(|_| self.lifted_at.is_none())),
        };
        let blocked_at = self.blocked_at.max(block_echo);
        // The gravest first: it is the one that an operator must know of before lifting anything.
        [
            (
                SuppressionReason::Complaint,
                since(self.complaint_at, lasts).or(echo(self.complaint_echo_at)),
            ),
            (SuppressionReason::Bounce, since(self.bounce_at, lasts).or(bounce_echo)),
            (SuppressionReason::Manual, since(manual_at, lasts)),
            (
                SuppressionReason::Blocked,
                since(blocked_at, Some(lasts.unwrap_or(BLOCKED_FOR))),
            ),
            (SuppressionReason::Soft, soft_since().filter(|_| stream == Stream::Bulk)),
        ]
        .into_iter()
        .find_map(|(reason, since)| since.map(|since| Suppression { reason, since }))
    }
}

impl Registers {
    /// Tells when the block was by which alone `address` is suppressed at `now`, if nothing weighs more.
    #[must_use]
    pub fn blocked_alone(&self, address: &EmailAddress, now: Timestamp) -> Option<Timestamp> {
        // Soft bounces weigh less, so neither stream nor tiers matter.
        let found = self.suppression(address, now, Stream::Transactional, &SoftBounceTiers::default())?;
        self.blocked_at.filter(|_| found.reason == SuppressionReason::Blocked)
    }

    /// Tells whether soft bounces alone suppress `address` at `now` for bulk mail.
    #[must_use]
    pub fn soft_alone(&self, address: &EmailAddress, now: Timestamp, tiers: &SoftBounceTiers) -> bool {
        let found = self.suppression(address, now, Stream::Bulk, tiers);
        found.is_some_and(|found| found.reason == SuppressionReason::Soft)
    }

    /// Forgets the soft bounces about messages that were delivered to the address: a bounce after the delivery is an automatic
    /// reply, whatever it says.
    #[must_use]
    pub fn without_replies(mut self, delivered: &BTreeSet<Uuid>) -> Self {
        let replies = self.soft_of.extract_if(.., |(message, _)| delivered.contains(message));
        for (_, at) in replies {
            if let Some(index) = self.soft.iter().position(|time| *time == at) {
                self.soft.remove(index);
            }
        }
        self
    }

    /// Forgets the block, which was part of a storm: see [`is_storm`].
    #[must_use]
    pub fn without_block(self) -> Self {
        Self {
            blocked_at: None,
            // While there was a block, it was what SES's list had the address for.
            bounce_echo_at: self.bounce_echo_at.filter(|_| self.blocked_at.is_none()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn tiers() -> SoftBounceTiers {
        SoftBounceTiers::EXAMPLE.parse().unwrap()
    }

    fn reason_for(stream: Stream, registers: &Registers, address: &str, now: i64) -> Option<SuppressionReason> {
        registers
            .suppression(&EmailAddress::parse(address).unwrap(), at(now), stream, &tiers())
            .map(|found| found.reason)
    }

    fn reason(registers: &Registers, address: &str, now: i64) -> Option<SuppressionReason> {
        let reason = reason_for(Stream::Transactional, registers, address, now);
        assert_eq!(reason_for(Stream::Bulk, registers, address, now), reason);
        reason
    }

    fn soft(times: &[i64]) -> Registers {
        Registers {
            soft: times.iter().map(|time| at(*time)).collect(),
            ..Registers::default()
        }
    }

    const ANNA: &str = "anna@example.org";
    const DAY: i64 = 24 * 60 * 60;

    #[test]
    fn an_address_without_registers_may_be_sent_to() {
        assert_eq!(reason(&Registers::default(), ANNA, 0), None);
    }

    #[test]
    fn a_bounce_or_complaint_suppresses_for_good() {
        let bounced = Registers {
            bounce_at: Some(at(0)),
            ..Registers::default()
        };
        assert_eq!(reason(&bounced, ANNA, 3650 * DAY), Some(SuppressionReason::Bounce));
        let complained = Registers {
            complaint_at: Some(at(0)),
            ..bounced.clone()
        };
        assert_eq!(
            reason(&complained, ANNA, 3650 * DAY),
            Some(SuppressionReason::Complaint)
        );
    }

    #[test]
    fn says_since_when() {
        let bounced = Registers {
            bounce_at: Some(at(7)),
            ..Registers::default()
        };
        let anna = EmailAddress::parse(ANNA).unwrap();
        let found = bounced.suppression(&anna, at(9), Stream::Bulk, &tiers()).unwrap();
        assert_eq!(
            found,
            Suppression {
                reason: SuppressionReason::Bounce,
                since: at(7)
            }
        );
    }

    #[test]
    fn a_block_lasts_a_day() {
        let blocked = Registers {
            blocked_at: Some(at(0)),
            ..Registers::default()
        };
        assert_eq!(reason(&blocked, ANNA, DAY - 1), Some(SuppressionReason::Blocked));
        assert_eq!(reason(&blocked, ANNA, DAY), None);
    }

    #[test]
    fn an_echo_suppresses_an_address_of_which_nothing_else_is_known() {
        let echoed = Registers {
            bounce_echo_at: Some(at(0)),
            ..Registers::default()
        };
        assert_eq!(reason(&echoed, ANNA, 3650 * DAY), Some(SuppressionReason::Bounce));
        let complained = Registers {
            complaint_echo_at: Some(at(0)),
            ..echoed
        };
        assert_eq!(
            reason(&complained, ANNA, 3650 * DAY),
            Some(SuppressionReason::Complaint)
        );
    }

    #[test]
    fn an_echo_never_brings_back_what_was_lifted_whenever_it_comes() {
        for echo in [0, 10, 20] {
            let lifted = Registers {
                bounce_at: Some(at(0)),
                bounce_echo_at: Some(at(echo)),
                complaint_echo_at: Some(at(echo)),
                lifted_at: Some(at(10)),
                ..Registers::default()
            };
            assert_eq!(reason(&lifted, ANNA, 20), None, "{echo}");
        }
    }

    #[test]
    fn an_echo_of_a_block_is_a_block() {
        let blocked = Registers {
            blocked_at: Some(at(0)),
            bounce_echo_at: Some(at(DAY)),
            ..Registers::default()
        };
        assert_eq!(reason(&blocked, ANNA, 2 * DAY - 1), Some(SuppressionReason::Blocked));
        assert_eq!(reason(&blocked, ANNA, 2 * DAY), None);
    }

    #[test]
    fn a_block_of_a_storm_does_not_count_and_neither_does_its_echo() {
        let blocked = Registers {
            blocked_at: Some(at(0)),
            bounce_echo_at: Some(at(1)),
            ..Registers::default()
        };
        let anna = EmailAddress::parse(ANNA).unwrap();
        assert_eq!(
            blocked.blocked_alone(&anna, at(2)),
            Some(at(0)),
            "the storm was around the block"
        );
        assert_eq!(reason(&blocked.clone().without_block(), ANNA, 2), None);
        let bounced = Registers {
            bounce_at: Some(at(0)),
            ..blocked
        };
        assert_eq!(
            reason(&bounced.without_block(), ANNA, 2),
            Some(SuppressionReason::Bounce)
        );
        let echoed = Registers {
            bounce_echo_at: Some(at(1)),
            ..Registers::default()
        };
        assert_eq!(
            reason(&echoed.without_block(), ANNA, 2),
            Some(SuppressionReason::Bounce)
        );
    }

    #[test]
    fn a_manual_entry_ends_when_it_says() {
        let manual = Registers {
            manual_at: Some(at(0)),
            manual_expires_at: Some(at(100)),
            ..Registers::default()
        };
        assert_eq!(reason(&manual, ANNA, 99), Some(SuppressionReason::Manual));
        assert_eq!(reason(&manual, ANNA, 100), None);
        assert_eq!(
            reason(
                &Registers {
                    manual_expires_at: None,
                    ..manual.clone()
                },
                ANNA,
                1000
            ),
            Some(SuppressionReason::Manual)
        );
    }

    #[test]
    fn lifting_ends_what_was_before_it_and_nothing_that_comes_later() {
        let lifted = Registers {
            bounce_at: Some(at(0)),
            lifted_at: Some(at(10)),
            ..Registers::default()
        };
        assert_eq!(reason(&lifted, ANNA, 20), None);
        assert_eq!(
            reason(
                &Registers {
                    bounce_at: Some(at(10)),
                    ..lifted.clone()
                },
                ANNA,
                20
            ),
            None
        );
        assert_eq!(
            reason(
                &Registers {
                    bounce_at: Some(at(11)),
                    ..lifted.clone()
                },
                ANNA,
                20
            ),
            Some(SuppressionReason::Bounce)
        );
        assert_eq!(
            reason(
                &Registers {
                    complaint_at: Some(at(11)),
                    ..lifted.clone()
                },
                ANNA,
                20
            ),
            Some(SuppressionReason::Complaint)
        );
    }

    #[test]
    fn repeated_soft_bounces_suppress_for_a_time_and_for_bulk_mail_only() {
        let soft = soft(&[0, DAY, 2 * DAY]);
        let bulk = |now| reason_for(Stream::Bulk, &soft, ANNA, now);
        assert_eq!(bulk(2 * DAY), Some(SuppressionReason::Soft));
        assert_eq!(bulk(5 * DAY - 1), Some(SuppressionReason::Soft));
        assert_eq!(bulk(5 * DAY), None);
        assert_eq!(reason_for(Stream::Transactional, &soft, ANNA, 2 * DAY), None);
    }

    #[test]
    fn soft_bounces_up_to_the_time_of_lifting_no_longer_count() {
        let lifted = |times: &[i64]| Registers {
            lifted_at: Some(at(2)),
            ..soft(times)
        };
        assert_eq!(reason_for(Stream::Bulk, &lifted(&[0, 1, 2, 3, 4]), ANNA, 5), None);
        let again = lifted(&[0, 1, 2, 3, 4, 5]);
        assert_eq!(reason_for(Stream::Bulk, &again, ANNA, 5), Some(SuppressionReason::Soft));
    }

    #[test]
    fn a_soft_bounce_after_the_delivery_is_a_reply_and_does_not_count() {
        let message = Uuid::from_u128;
        let registers = Registers {
            soft_of: vec![(message(1), at(1)), (message(2), at(1)), (message(3), at(2))],
            ..soft(&[0, 1, 1, 2])
        };
        let anna = EmailAddress::parse(ANNA).unwrap();
        assert!(registers.soft_alone(&anna, at(3), &tiers()));
        let one = registers
            .clone()
            .without_replies(&BTreeSet::from([message(2), message(9)]));
        assert_eq!(one.soft, [at(0), at(1), at(2)]);
        assert!(one.soft_alone(&anna, at(3), &tiers()));
        let both = registers.without_replies(&BTreeSet::from([message(1), message(2)]));
        assert_eq!(
            (both.soft.as_slice(), both.soft_of.len()),
            ([at(0), at(2)].as_slice(), 1)
        );
        assert!(!both.soft_alone(&anna, at(3), &tiers()));
    }

    #[test]
    fn what_weighs_more_than_soft_bounces_is_told_first() {
        let registers = Registers {
            blocked_at: Some(at(0)),
            ..soft(&[0, 1, 2])
        };
        assert_eq!(
            reason_for(Stream::Bulk, &registers, ANNA, 3),
            Some(SuppressionReason::Blocked)
        );
        assert_eq!(
            reason_for(Stream::Bulk, &registers, ANNA, DAY),
            Some(SuppressionReason::Soft)
        );
    }

    #[test]
    fn soft_bounces_of_a_rehearsal_lapse_after_an_hour_each() {
        const SIMULATOR: &str = "ooto@simulator.amazonses.com";
        let soft = soft(&[0, 10, 20]);
        assert_eq!(
            reason_for(Stream::Bulk, &soft, SIMULATOR, 3599),
            Some(SuppressionReason::Soft)
        );
        assert_eq!(reason_for(Stream::Bulk, &soft, SIMULATOR, 3600), None);
    }

    #[test]
    fn a_rehearsal_with_the_simulator_lapses_after_an_hour() {
        let all = Registers {
            bounce_at: Some(at(0)),
            complaint_at: Some(at(0)),
            blocked_at: Some(at(0)),
            bounce_echo_at: Some(at(0)),
            complaint_echo_at: Some(at(0)),
            manual_at: Some(at(0)),
            ..Registers::default()
        };
        assert_eq!(
            reason(&all, "bounce+x@simulator.amazonses.com", 3599),
            Some(SuppressionReason::Complaint)
        );
        assert_eq!(reason(&all, "bounce+x@simulator.amazonses.com", 3600), None);
        assert_eq!(reason(&all, ANNA, 3600), Some(SuppressionReason::Complaint));
    }

    #[test]
    fn a_register_from_a_clock_ahead_of_ours_counts_at_once() {
        let ahead = Registers {
            blocked_at: Some(at(5)),
            ..Registers::default()
        };
        assert_eq!(reason(&ahead, ANNA, 0), Some(SuppressionReason::Blocked));
    }

    #[test]
    fn two_items_of_one_address_join_to_the_latest_of_each() {
        let one = Registers {
            bounce_at: Some(at(1)),
            manual_at: Some(at(1)),
            manual_expires_at: None,
            lifted_at: Some(at(2)),
            bounce_echo_at: Some(at(4)),
            ..soft(&[1, 5])
        };
        let other = Registers {
            bounce_at: Some(at(3)),
            manual_at: Some(at(2)),
            manual_expires_at: Some(at(9)),
            complaint_echo_at: Some(at(5)),
            ..soft(&[3, 5])
        };
        let joined = Registers {
            bounce_at: Some(at(3)),
            manual_at: Some(at(2)),
            manual_expires_at: Some(at(9)),
            lifted_at: Some(at(2)),
            bounce_echo_at: Some(at(4)),
            complaint_echo_at: Some(at(5)),
            ..soft(&[1, 3, 5])
        };
        assert_eq!(one.clone().joined(other.clone()), joined);
        assert_eq!(other.joined(one), joined);
    }

    proptest! {
        #[test]
        fn lifting_now_always_frees_the_address(
            times in proptest::array::uniform4(proptest::option::of(-1_000_000i64..=0)),
            later in 0i64..1_000_000,
        ) {
            let [bounce, complaint, blocked, manual] = times.map(|time| time.map(at));
            let registers = Registers {
                bounce_at: bounce, complaint_at: complaint, blocked_at: blocked, manual_at: manual,
                bounce_echo_at: bounce, complaint_echo_at: complaint,
                soft: vec![at(0); 5], soft_of: Vec::new(),
                manual_expires_at: None, lifted_at: Some(at(0)),
            };
            prop_assert_eq!(reason(&registers, ANNA, later), None);
        }
    }
}
