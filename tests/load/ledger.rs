//! Compares the grants of the gate with the account's rate and with the mails that SES accepted.
//!
//! The time at which SES accepts a mail also depends on the machine, which may deliver late. The gate's own count does
//! not. Every recipient has a slot: `granted` recipients take `granted` intervals of the gate's time. The slots begin
//! no earlier than the burst allows and end no later than a mail may wait. The ledger therefore compares the grants
//! with that time, and the mails that SES accepted with the grants.

use std::collections::BTreeMap;
use std::time::Duration;

/// A second in microseconds, the unit of all times here.
const SECOND: i64 = 1_000_000;
/// The part of the account's rate that the gate may grant.
const RATE_USED_PERCENT: i64 = 95;

/// The limits that a run must keep.
pub(crate) struct Policy {
    /// Recipients a second that SES allows.
    pub(crate) rate: u32,
    /// The burst: seconds of the rate that may go out at once after a pause.
    pub(crate) burst: Duration,
    /// The longest time that a mail waits for its slot.
    pub(crate) wait: Duration,
}

/// The state of the gate at a moment.
#[derive(Clone, Copy)]
pub(crate) struct Gate {
    /// The next free slot, in microseconds.
    pub(crate) next_free_slot: i64,
    /// The interval between two recipients, in microseconds.
    pub(crate) interval: i64,
    /// The running total of granted recipients.
    pub(crate) granted: i64,
}

/// A mail, and the answer to its sender.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) number: u32,
    pub(crate) recipients: u32,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// SES accepted it.
    Accepted,
    /// The gate refused it.
    HeldBack,
    /// The gate let it through, and SES refused it for the rate.
    Throttled,
    /// Another answer, or none: the mail may have a permit, and SES may have accepted it.
    Unclear(String),
}

/// A mail that SES accepted.
pub(crate) struct Sent {
    pub(crate) number: u32,
    pub(crate) recipients: u32,
    pub(crate) at: i64,
}

/// The record of a run.
pub(crate) struct Ledger {
    pub(crate) policy: Policy,
    /// The largest number of recipients of a mail.
    pub(crate) largest: u32,
    pub(crate) began: i64,
    pub(crate) ended: i64,
    pub(crate) before: Gate,
    pub(crate) after: Gate,
    /// The number of calls of `SendEmail`.
    pub(crate) sends: u32,
    pub(crate) told: Vec<Told>,
    pub(crate) outbox: Vec<Sent>,
}

impl Ledger {
    /// Returns the recipients that the gate granted.
    pub(crate) fn granted(&self) -> i64 {
        self.after.granted - self.before.granted
    }

    /// Returns the recipients that SES accepted.
    pub(crate) fn accepted(&self) -> u32 {
        self.outbox.iter().map(|mail| mail.recipients).sum()
    }

    /// Returns the number of the gate's slots from the beginning to `until`.
    pub(crate) fn slots(&self, until: i64) -> i64 {
        (until - self.first_slot()).max(0) / self.after.interval
    }

    /// Returns the earliest slot of this run. The recipient whose slot is now passes besides the burst, so
    /// that is an interval shorter.
    fn first_slot(&self) -> i64 {
        let burst = micros(self.policy.burst) - self.after.interval;
        self.before.next_free_slot.max(self.began - burst.max(0))
    }

    /// The most recipients that SES accepted in any second, and the limit: the rate, the burst, and the largest
    /// mail less one.
    pub(crate) fn busiest_second(&self) -> (u32, u32) {
        let burst = u128::from(self.policy.rate) * self.policy.burst.as_micros() / 1_000_000;
        let burst = u32::try_from(burst).unwrap_or(u32::MAX);
        let most = self.policy.rate.saturating_add(burst).saturating_add(self.largest - 1);
        (busiest_second(&self.outbox), most)
    }

    /// The excess recipients: granted without a slot, accepted by SES without a grant, or too many in a second.
    pub(crate) fn over_grants(&self) -> i64 {
        let without_slot = self.granted() - self.slots(self.after.next_free_slot);
        let without_grant = i64::from(self.accepted()) - self.granted();
        let (busiest, most) = self.busiest_second();
        without_slot.max(0) + without_grant.max(0) + i64::from(busiest.saturating_sub(most))
    }

    /// The contradictions in the record.
    pub(crate) fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |holds: bool, what: String| {
            if !holds {
                found.push(what);
            }
        };
        let told: BTreeMap<u32, &Told> = self.told.iter().map(|told| (told.number, told)).collect();
        let mut copies = BTreeMap::<u32, u32>::new();
        for mail in &self.outbox {
            *copies.entry(mail.number).or_default() += 1;
            match told.get(&mail.number) {
                Some(told) => {
                    check(
                        matches!(told.outcome, Outcome::Accepted | Outcome::Unclear(_)),
                        format!("mail {} was refused, and SES accepted it", mail.number),
                    );
                    check(
                        told.recipients == mail.recipients,
                        format!("mail {} has {} recipients in SES", mail.number, mail.recipients),
                    );
                }
                None => check(false, format!("no client sent mail {}", mail.number)),
            }
        }
        for (number, copies) in &copies {
            check(*copies == 1, format!("SES accepted mail {number} {copies} times"));
        }
        for told in self.told.iter().filter(|told| told.outcome == Outcome::Accepted) {
            check(
                copies.contains_key(&told.number),
                format!("mail {} was accepted, and SES does not have it", told.number),
            );
        }
        check(!self.outbox.is_empty(), "SES accepted no mail".to_owned());

        // The gate's count exceeds the mails by those with an unclear end, and by no others.
        let unclear = |told: &&Told| matches!(told.outcome, Outcome::Unclear(_)) && !copies.contains_key(&told.number);
        let unclear: Vec<&Told> = self.told.iter().filter(unclear).collect();
        let throttled = self.told.iter().filter(|told| told.outcome == Outcome::Throttled);
        let (refusals, refused) = throttled.fold((0, 0), |(mails, recipients), told| {
            (mails + 1, recipients + i64::from(told.recipients))
        });
        let used = i64::from(self.accepted()) + refused;
        let most_used = used + unclear.iter().map(|told| i64::from(told.recipients)).sum::<i64>();
        check(
            (used..=most_used).contains(&self.granted()),
            format!(
                "the gate granted {} recipients, SES accepted {} and refused {refused}",
                self.granted(),
                self.accepted()
            ),
        );
        // SES gets more calls than that only for throttled mails, because Okite repeats these by itself.
        check(
            self.sends >= count(&self.outbox) + refusals,
            format!(
                "SES was called {} times, accepted {} mails and refused {refusals}",
                self.sends,
                self.outbox.len()
            ),
        );
        // The last mail has its first slot within the wait of the last client.
        let latest = self.ended + micros(self.policy.wait) + i64::from(self.largest) * self.after.interval;
        check(
            self.after.next_free_slot <= self.before.next_free_slot.max(latest),
            "the gate granted slots further ahead than a mail waits".to_owned(),
        );
        check(
            self.before.interval == self.after.interval,
            "the gate's rate changed during the run".to_owned(),
        );
        let fastest = i64::from(self.policy.rate) * RATE_USED_PERCENT * self.after.interval;
        check(
            fastest >= 100 * SECOND,
            format!("the gate is set to more than {RATE_USED_PERCENT} % of the account's rate"),
        );
        found
    }
}

/// Returns the most recipients that SES accepted within any second.
pub(crate) fn busiest_second(outbox: &[Sent]) -> u32 {
    let mut mails: Vec<(i64, u32)> = outbox.iter().map(|mail| (mail.at, mail.recipients)).collect();
    mails.sort_unstable();
    let (mut first, mut recipients, mut most) = (0, 0, 0);
    for &(at, more) in &mails {
        recipients += more;
        while mails[first].0 + SECOND <= at {
            recipients -= mails[first].1;
            first += 1;
        }
        most = most.max(recipients);
    }
    most
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Counts them. The number is far below the limit of the type.
pub(crate) fn count<T>(things: &[T]) -> u32 {
    u32::try_from(things.len()).unwrap_or(u32::MAX)
}
