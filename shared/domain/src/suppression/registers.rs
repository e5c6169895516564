//! The registers of one address, and the decision whether they suppress it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Register, SoftBounceTiers, SuppressionReason, TopicChoices, repeated_blocks};
use crate::address::EmailAddress;
use crate::stream::Stream;
use crate::time::EARLIEST;

/// The duration of a block. It is short, because a block is the sender's fault and temporary.
pub(super) const BLOCKED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// The duration of every suppression of a mailbox simulator address, so that tests can be repeated.
const SIMULATOR_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A suppression in force: Okite sends no mail to the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The gravest reason in force.
    pub reason: SuppressionReason,
    /// The time of the event that suppresses the address. Nothing says it of an unreadable entry: it is then
    /// [`EARLIEST`].
    pub since: Timestamp,
}

/// The latest time of each kind of event of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// The time of the latest hard bounce.
    pub bounce_at: Option<Timestamp>,
    /// The time of the latest complaint.
    pub complaint_at: Option<Timestamp>,
    /// The time of the latest block.
    pub blocked_at: Option<Timestamp>,
    /// The first block of each of the newest days with a block, oldest first. See
    /// [`first_blocks_of_days`](super::first_blocks_of_days).
    pub blocked_on: Vec<Timestamp>,
    /// The time of the latest echo of a bounce. See [`Register`].
    pub bounce_echo_at: Option<Timestamp>,
    /// The time of the latest echo of a complaint. See [`Register`].
    pub complaint_echo_at: Option<Timestamp>,
    /// The times of the newest soft bounces, oldest first. See [`SOFT_BOUNCES_KEPT`](super::SOFT_BOUNCES_KEPT).
    pub soft: Vec<Timestamp>,
    /// The soft bounces of messages that Okite sent: Okite's id of the message, and the time.
    pub soft_of: Vec<(Uuid, Timestamp)>,
    /// The latest time that an operator or the application added the address.
    pub manual_at: Option<Timestamp>,
    /// The time at which the manual entry expires, if it does.
    pub manual_expires_at: Option<Timestamp>,
    /// The latest time that the address was lifted. No earlier event counts.
    pub lifted_at: Option<Timestamp>,
    /// The choices about topics. Lifting the address does not end them: the person has made them.
    pub topics: TopicChoices,
    /// Whether a part of the entry cannot be read. Lifting the address removes that part.
    pub unreadable: bool,
}

impl Registers {
    /// Returns the time in the register. For soft bounces, returns the newest time.
    #[must_use]
    pub fn at(&self, register: impl Into<Register>) -> Option<Timestamp> {
        match register.into() {
            Register::Of(SuppressionReason::Bounce) => self.bounce_at,
            Register::Of(SuppressionReason::Complaint) => self.complaint_at,
            Register::Of(SuppressionReason::Blocked) => self.blocked_at,
            Register::Of(SuppressionReason::Soft) => self.soft.last().copied(),
            Register::Of(SuppressionReason::Manual) => self.manual_at,
            Register::Of(SuppressionReason::Unreadable) => self.unreadable.then_some(EARLIEST),
            // The choices about topics have no one time.
            Register::Of(SuppressionReason::Unsubscribed) => None,
            Register::BounceEcho => self.bounce_echo_at,
            Register::ComplaintEcho => self.complaint_echo_at,
        }
    }

    /// Decides whether these registers of `address` suppress it at `now` for mail of `stream`.
    ///
    /// Blocks on three days of the last fourteen suppress for bulk mail. Soft bounces suppress according to `tiers`,
    /// and for bulk mail only. A full mailbox must not stop a password reset.
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
        let repeated_since = || {
            let counts = |at: &Timestamp| since(Some(*at), lasts).is_some();
            repeated_blocks::suppressed_since(self.blocked_on.iter().copied().filter(counts), now)
        };
        // An echo proves nothing here: SES may still list an address that was lifted, and it lists blocked addresses
        // too.
        let echo = |at| since(at, lasts).filter(|_| self.lifted_at.is_none());
        let (bounce_echo, block_echo) = match self.blocked_at {
            None => (echo(self.bounce_echo_at), None),
            Some(_) => (None, self.bounce_echo_at.filter(|_| self.lifted_at.is_none())),
        };
        let blocked_at = self.blocked_at.max(block_echo);
        // The gravest comes first, because an operator must see it before lifting the address.
        [
            (
                SuppressionReason::Complaint,
                since(self.complaint_at, lasts).or(echo(self.complaint_echo_at)),
            ),
            (SuppressionReason::Bounce, since(self.bounce_at, lasts).or(bounce_echo)),
            (SuppressionReason::Manual, since(manual_at, lasts)),
            (SuppressionReason::Unreadable, self.unreadable.then_some(EARLIEST)),
            (
                SuppressionReason::Blocked,
                since(blocked_at, Some(lasts.unwrap_or(BLOCKED_FOR))),
            ),
            (
                SuppressionReason::Blocked,
                repeated_since().filter(|_| stream == Stream::Bulk),
            ),
            (SuppressionReason::Soft, soft_since().filter(|_| stream == Stream::Bulk)),
        ]
        .into_iter()
        .find_map(|(reason, since)| since.map(|since| Suppression { reason, since }))
    }
}

impl Registers {
    /// Returns the time of the block if it is the gravest reason that suppresses `address` at `now`.
    #[must_use]
    pub fn blocked_alone(&self, address: &EmailAddress, now: Timestamp) -> Option<Timestamp> {
        // A block is graver than soft bounces, so neither stream nor tiers matter.
        let found = self.suppression(address, now, Stream::Transactional, &SoftBounceTiers::default())?;
        self.blocked_at.filter(|_| found.reason == SuppressionReason::Blocked)
    }

    /// Returns the blocks that count, oldest first, if repeated blocks alone keep `address` from bulk mail at `now`:
    /// [`BLOCK_DAYS_ENOUGH`](super::BLOCK_DAYS_ENOUGH) to [`BLOCK_DAYS_KEPT`](super::BLOCK_DAYS_KEPT).
    #[must_use]
    pub fn repeatedly_blocked_alone(
        &self,
        address: &EmailAddress,
        now: Timestamp,
        tiers: &SoftBounceTiers,
    ) -> Option<Vec<Timestamp>> {
        let found = |stream| self.suppression(address, now, stream, tiers);
        let is_repeated = found(Stream::Transactional).is_none()
            && found(Stream::Bulk).is_some_and(|found| found.reason == SuppressionReason::Blocked);
        let counts =
            |at: &Timestamp| repeated_blocks::is_recent(*at, now) && self.lifted_at.is_none_or(|lifted| *at > lifted);
        is_repeated.then(|| self.blocked_on.iter().copied().filter(counts).collect())
    }

    /// Removes days whose block was part of a storm. See [`is_storm`](super::is_storm).
    #[must_use]
    pub fn without_block_days(mut self, in_storms: &[Timestamp]) -> Self {
        self.blocked_on.retain(|at| !in_storms.contains(at));
        self
    }

    /// Returns whether only soft bounces suppress `address` at `now` for bulk mail.
    #[must_use]
    pub fn soft_alone(&self, address: &EmailAddress, now: Timestamp, tiers: &SoftBounceTiers) -> bool {
        let found = self.suppression(address, now, Stream::Bulk, tiers);
        found.is_some_and(|found| found.reason == SuppressionReason::Soft)
    }

    /// Removes the soft bounces of messages that were delivered to the address. A bounce after the delivery is an
    /// automatic reply.
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

    /// Removes a block that was part of a storm. See [`is_storm`](super::is_storm).
    #[must_use]
    pub fn without_block(self) -> Self {
        Self {
            blocked_at: None,
            // If there is a block, it is the reason that SES's list has the address.
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
    fn an_entry_that_cannot_be_read_suppresses_for_good_and_every_stream() {
        let unreadable = Registers {
            unreadable: true,
            blocked_at: Some(at(0)),
            lifted_at: Some(at(9)),
            ..Registers::default()
        };
        assert_eq!(
            reason(&unreadable, ANNA, 3650 * DAY),
            Some(SuppressionReason::Unreadable)
        );
        let address = EmailAddress::parse(ANNA).unwrap();
        assert_eq!(unreadable.blocked_alone(&address, at(10)), None);
    }

    #[test]
    fn an_address_without_registers_is_not_suppressed() {
        assert_eq!(reason(&Registers::default(), ANNA, 0), None);
    }

    #[test]
    fn a_bounce_or_complaint_suppresses_permanently() {
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
    fn a_suppression_has_the_time_of_its_event() {
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
    fn blocks_on_three_days_suppress_for_bulk_mail_until_they_are_old_or_lifted() {
        let blocked = Registers {
            blocked_at: Some(at(2 * DAY)),
            blocked_on: vec![at(0), at(DAY), at(2 * DAY)],
            ..Registers::default()
        };
        let address = EmailAddress::parse(ANNA).unwrap();
        let alone = |registers: &Registers, now| {
            registers
                .repeatedly_blocked_alone(&address, at(now), &tiers())
                .is_some()
        };
        let counting = |registers: &Registers, now| registers.repeatedly_blocked_alone(&address, at(now), &tiers());
        let four = Registers {
            blocked_on: [0, DAY, 2 * DAY, 3 * DAY].map(at).to_vec(),
            ..Registers::default()
        };
        assert_eq!(counting(&four, 4 * DAY), Some(four.blocked_on.clone()));
        assert_eq!(
            counting(&four, 14 * DAY),
            Some(four.blocked_on[1..].to_vec()),
            "too old"
        );
        let lifted = Registers {
            lifted_at: Some(at(0)),
            ..four.clone()
        };
        assert_eq!(
            counting(&lifted, 4 * DAY),
            Some(four.blocked_on[1..].to_vec()),
            "lifted"
        );
        assert_eq!(reason(&blocked, ANNA, 3 * DAY - 1), Some(SuppressionReason::Blocked));
        assert!(!alone(&blocked, 3 * DAY - 1));
        for (now, bulk) in [(3 * DAY, true), (14 * DAY - 1, true), (14 * DAY, false)] {
            let expected = bulk.then_some(SuppressionReason::Blocked);
            assert_eq!(reason_for(Stream::Bulk, &blocked, ANNA, now), expected, "{now}");
            assert_eq!(reason_for(Stream::Transactional, &blocked, ANNA, now), None, "{now}");
            assert_eq!(alone(&blocked, now), bulk, "{now}");
        }
        let lifted = Registers {
            lifted_at: Some(at(0)),
            ..blocked.clone()
        };
        assert_eq!(reason_for(Stream::Bulk, &lifted, ANNA, 3 * DAY), None);
        let without = blocked.without_block_days(&[at(DAY)]);
        assert_eq!(reason_for(Stream::Bulk, &without, ANNA, 3 * DAY), None);
    }

    #[test]
    fn an_echo_suppresses_an_address_without_other_registers() {
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
    fn an_echo_never_suppresses_a_lifted_address_again() {
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
    fn neither_a_block_of_a_storm_nor_its_echo_counts() {
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
    fn a_manual_entry_ends_when_it_expires() {
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
    fn lifting_ends_earlier_events_but_not_later_ones() {
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
    fn repeated_soft_bounces_suppress_temporarily_and_for_bulk_mail_only() {
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
    fn a_graver_reason_goes_before_soft_bounces() {
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
    fn each_soft_bounce_of_a_simulator_address_expires_after_an_hour() {
        const SIMULATOR: &str = "ooto@simulator.amazonses.com";
        let soft = soft(&[0, 10, 20]);
        assert_eq!(
            reason_for(Stream::Bulk, &soft, SIMULATOR, 3599),
            Some(SuppressionReason::Soft)
        );
        assert_eq!(reason_for(Stream::Bulk, &soft, SIMULATOR, 3600), None);
    }

    #[test]
    fn a_suppression_of_a_simulator_address_expires_after_an_hour() {
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
    fn a_register_with_a_time_in_the_future_counts_at_once() {
        let ahead = Registers {
            blocked_at: Some(at(5)),
            ..Registers::default()
        };
        assert_eq!(reason(&ahead, ANNA, 0), Some(SuppressionReason::Blocked));
    }

    proptest! {
        #[test]
        fn lifting_now_ends_every_suppression(
            times in proptest::array::uniform4(proptest::option::of(-1_000_000i64..=0)),
            later in 0i64..1_000_000,
        ) {
            let [bounce, complaint, blocked, manual] = times.map(|time| time.map(at));
            let registers = Registers {
                bounce_at: bounce, complaint_at: complaint, blocked_at: blocked, manual_at: manual,
                blocked_on: vec![at(-3 * DAY), at(-2 * DAY), at(-DAY)],
                bounce_echo_at: bounce, complaint_echo_at: complaint,
                soft: vec![at(0); 5], soft_of: Vec::new(),
                manual_expires_at: None, lifted_at: Some(at(0)), unreadable: false,
                topics: TopicChoices::default(),
            };
            prop_assert_eq!(reason(&registers, ANNA, later), None);
        }
    }
}
