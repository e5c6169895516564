//! The printed report of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::Arguments;
use crate::clients::Answer;
use crate::ledger::{Ledger, Outcome, count};

/// Below this percentage of the gate's slots, something else limited the speed.
const REACHED: i64 = 90;

pub(crate) struct Report {
    pub(crate) arguments: Arguments,
    pub(crate) ledger: Ledger,
    pub(crate) answers: Vec<Answer>,
    /// Writes to the gate, including refused ones.
    pub(crate) gate_writes: u32,
}

impl Report {
    /// Returns whether nothing was granted in excess and all counts agree.
    pub(crate) fn is_right(&self) -> bool {
        self.ledger.over_grants() == 0 && self.ledger.contradictions().is_empty()
    }

    /// The answers of one kind.
    fn answers(&self, is: impl Fn(&Outcome) -> bool) -> Vec<&Answer> {
        self.answers.iter().filter(|answer| is(&answer.told.outcome)).collect()
    }

    /// Returns the recipients that SES accepted in each second, and the refused mails.
    fn seconds(&self) -> BTreeMap<u128, (u32, u32)> {
        let whole: u128 = self.arguments.time().as_secs().into();
        let mut seconds: BTreeMap<u128, (u32, u32)> = (0..whole).map(|second| (second, (0, 0))).collect();
        for mail in &self.ledger.outbox {
            let at = u128::try_from(mail.at - self.ledger.began).unwrap_or_default();
            seconds.entry(at / 1_000_000).or_default().0 += mail.recipients;
        }
        for answer in self.answers(|outcome| matches!(outcome, Outcome::HeldBack | Outcome::Throttled)) {
            seconds.entry(answer.at.as_micros() / 1_000_000).or_default().1 += 1;
        }
        seconds
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            arguments,
            ledger,
            gate_writes,
            ..
        } = self;
        let rate = ledger.policy.rate;
        let limit = 1e6 / f64::from(u32::try_from(ledger.after.interval).unwrap_or(u32::MAX));
        writeln!(
            f,
            "\n{rate} recipients a second: {} clients for {} s, recipients of a mail: {}, {}",
            arguments.clients,
            arguments.seconds,
            arguments.recipients,
            if arguments.impatient {
                "again at once after a refusal"
            } else {
                "again after `retry-after`"
            }
        )?;

        writeln!(f, "\n  second  recipients  of {limit:5.1}  mails refused")?;
        for (second, (recipients, refused)) in self.seconds() {
            let share = f64::from(recipients) / limit * 100.0;
            writeln!(f, "  {second:6}  {recipients:10}  {share:6.0} %  {refused:13}")?;
        }

        let held_back = count(&self.answers(|outcome| *outcome == Outcome::HeldBack));
        let accepted = ledger.accepted();
        let last = ledger.outbox.iter().map(|mail| mail.at).max().unwrap_or(ledger.began);
        let took = Duration::from_micros(u64::try_from(last - ledger.began).unwrap_or_default());
        // A mail is admitted by its first slot, so the last mail may exceed the limit.
        let slots = ledger.slots(last) + i64::from(ledger.largest);
        writeln!(
            f,
            "\n  granted           {} recipients for {slots} slots in {:.1} s ({limit:.1}/s after the burst)",
            ledger.granted(),
            took.as_secs_f64()
        )?;
        if ledger.granted() * 100 < slots * REACHED {
            let cause = if held_back == 0 {
                "no mail was refused, so this machine could not send faster"
            } else {
                "this machine and the pauses after refusals limited the speed"
            };
            writeln!(f, "                    THE LIMIT WAS NOT REACHED: {cause}")?;
        }
        let mails = count(&ledger.outbox);
        writeln!(f, "  accepted by SES   {accepted} recipients in {mails} mails")?;
        let (busiest, most) = ledger.busiest_second();
        writeln!(f, "  busiest second    {busiest} recipients, of {most} at most")?;
        writeln!(f, "  over-grants       {}", ledger.over_grants())?;

        let throttled = self.answers(|outcome| *outcome == Outcome::Throttled);
        let unclear = self.answers(|outcome| matches!(outcome, Outcome::Unclear(_)));
        writeln!(
            f,
            "  refused           {held_back} by the gate, {} by SES; other answers: {}",
            throttled.len(),
            unclear.len()
        )?;
        let first = throttled.iter().map(|answer| answer.at).min();
        // Slots keep SES's bucket. With one recipient a mail, SES refuses only because of the machine's delays.
        if let Some(first) = first.filter(|_| self.is_right()) {
            writeln!(
                f,
                "                    SES refused mails that arrived late after their slots, too close to others; the first after {:.1} s",
                first.as_secs_f64()
            )?;
        }
        for answer in unclear.iter().take(3) {
            if let Outcome::Unclear(what) = &answer.told.outcome {
                writeln!(f, "                    {what}")?;
            }
        }
        let accepted = Latency::of(self.answers(|outcome| *outcome == Outcome::Accepted));
        let refused = Latency::of(self.answers(|outcome| *outcome == Outcome::HeldBack));
        writeln!(f, "  latency           accepted {accepted}, refused {refused}")?;
        let permits = mails + count(&throttled) + count(&unclear);
        let repeated = ledger.sends.saturating_sub(permits);
        writeln!(f, "  repeated          {repeated} calls that SES throttled")?;
        let trips = f64::from(*gate_writes) / f64::from(permits.max(1));
        writeln!(
            f,
            "  trips per permit  {trips:.2}: {gate_writes} writes to the gate, refusals included, for {permits} permits"
        )?;
        for contradiction in ledger.contradictions() {
            writeln!(f, "  WRONG             {contradiction}")?;
        }
        Ok(())
    }
}

/// The durations of answers.
pub(crate) struct Latency {
    /// The durations in ascending order.
    took: Vec<Duration>,
}

impl Latency {
    fn of(answers: Vec<&Answer>) -> Self {
        Self::new(answers.into_iter().map(|answer| answer.took).collect())
    }

    pub(crate) fn new(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        Self { took }
    }

    /// Returns the duration at this percentile (nearest rank).
    fn percentile(&self, percent: usize) -> Option<u128> {
        let rank = (self.took.len() * percent).div_ceil(100);
        Some(self.took.get(rank.checked_sub(1)?)?.as_millis())
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.percentile(50), self.percentile(99)) {
            (Some(p50), Some(p99)) => write!(f, "p50 {p50} ms, p99 {p99} ms"),
            _ => write!(f, "none"),
        }
    }
}
