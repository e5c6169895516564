//! The load of the queue: many mails at once, behind bulk mail that waits already, beside callers that do not wait.
//!
//! A run posts bulk mail that is due later, then transactional mail in batches, as fast as the API takes it. While the
//! queue empties, one caller sends a mail of its own each half second and refuses to wait in the queue. Every mail has
//! its number in its subject, so a mail that is lost, doubled or sent too early is found by its number.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::ledger::{Gate, Policy, Sent, busiest_second, count};
use crate::report::Latency;
use crate::stack::{BULK_API_KEY, Stack};
use crate::{Arguments, Done};
use okite::LOCAL_API_KEY;

/// The emails of a batch.
const BATCH: u32 = 100;
/// How many batches are posted at a time.
const BATCHES_AT_ONCE: usize = 8;
/// The pause between two mails of the caller that does not wait.
const DIRECT_EVERY: Duration = Duration::from_millis(500);
/// How long the bulk mail is scheduled ahead.
const BULK_AHEAD: Duration = Duration::from_secs(5);
/// How long a run waits for the queue beyond the time that the rate needs.
const PATIENCE: Duration = Duration::from_mins(5);

/// A finished run.
pub(crate) struct QueuedReport {
    rate: u32,
    queued: Range<u32>,
    bulk: Range<u32>,
    direct: Range<u32>,
    policy: Policy,
    before: Gate,
    after: Gate,
    began: i64,
    /// How long the API took to answer for all queued mail.
    answered: Duration,
    outbox: Vec<Sent>,
    /// The times of the answers to mails that went at once.
    direct_sent: Vec<Duration>,
    direct_refused: u32,
    unclear: Vec<String>,
}

/// Runs once, and returns what became of every mail.
pub(crate) async fn measure(stack: &Stack, rate: u32, arguments: &Arguments) -> Done<QueuedReport> {
    let (queued, bulk) = (0..arguments.queued, arguments.queued..arguments.queued + arguments.bulk);
    stack.put_bulk_key().await?;
    stack.warm_up(arguments.clients).await?;
    let before = stack.gate().await?;
    let began = crate::stack::now();
    let scheduled = format!("in {} seconds", BULK_AHEAD.as_secs());
    let mut unclear = post_all(stack, BULK_API_KEY, bulk.clone(), Some(&scheduled)).await;
    let asked = Instant::now();
    unclear.extend(post_all(stack, LOCAL_API_KEY, queued.clone(), None).await);
    let answered = asked.elapsed();
    let (direct, mut direct_sent, mut direct_refused) = (bulk.end..bulk.end, Vec::new(), 0);
    let mut direct = direct;
    let all = i64::from(bulk.end);
    let end = asked + Duration::from_secs((u64::from(bulk.end)) / u64::from(rate)) + PATIENCE;
    loop {
        let next = Instant::now() + DIRECT_EVERY;
        let number = direct.end;
        direct.end += 1;
        let posted = Instant::now();
        let email = email(number, None, "refuse");
        match stack.post_with(LOCAL_API_KEY, "/emails", &email).await {
            Ok((200, _)) => direct_sent.push(posted.elapsed()),
            Ok((429, _)) => direct_refused += 1,
            Ok((status, body)) => unclear.push(format!("mail {number}: {status} {body}")),
            Err(error) => unclear.push(format!("mail {number}: {error}")),
        }
        let granted = stack.gate().await?.granted - before.granted;
        let so_far = all + i64::try_from(direct_sent.len()).unwrap_or(i64::MAX);
        if granted >= so_far || Instant::now() > end {
            break;
        }
        sleep_until(next).await;
    }
    // The last slots are at most a wait ahead.
    sleep(Duration::from_secs(4)).await;
    Ok(QueuedReport {
        rate,
        queued,
        bulk,
        direct,
        policy: stack.policy(rate)?,
        before,
        after: stack.gate().await?,
        began: began.as_microsecond(),
        answered,
        outbox: stack.outbox().await?,
        direct_sent,
        direct_refused,
        unclear,
    })
}

/// Posts mails in batches, and returns what was not answered with 200.
async fn post_all(stack: &Stack, key: &str, numbers: Range<u32>, scheduled_at: Option<&str>) -> Vec<String> {
    let firsts: Vec<u32> = numbers.clone().step_by(usize::try_from(BATCH).unwrap_or(1)).collect();
    let posted = stream::iter(firsts)
        .map(async |first_of| {
            let emails: Vec<Value> = (first_of..numbers.end.min(first_of + BATCH))
                .map(|number| email(number, scheduled_at, "queue"))
                .collect();
            match stack.post_with(key, "/emails/batch", &json!(emails)).await {
                Ok((200, body)) => body["errors"].as_array().and_then(|errors| {
                    let first = errors.first()?;
                    Some(format!("batch from {first_of}: {} errors; {first}", errors.len()))
                }),
                Ok((status, body)) => Some(format!("batch from {first_of}: {status} {body}")),
                Err(error) => Some(format!("batch from {first_of}: {error}")),
            }
        })
        .buffer_unordered(BATCHES_AT_ONCE);
    posted.filter_map(async |problem| problem).collect().await
}

fn email(number: u32, scheduled_at: Option<&str>, when_busy: &str) -> Value {
    let mut email = json!({
        "from": "Load <load@example.com>",
        "to": [format!("success+{number}@simulator.amazonses.com")],
        "subject": number.to_string(),
        "text": "When there is room.",
        "okite_when_busy": when_busy,
    });
    if let Some(at) = scheduled_at {
        email["scheduled_at"] = json!(at);
    }
    email
}

impl QueuedReport {
    /// Returns whether every mail that was accepted went out once, and nothing was granted in excess.
    pub(crate) fn is_right(&self) -> bool {
        self.wrong().is_empty()
    }

    fn wrong(&self) -> Vec<String> {
        let mut wrong = self.unclear.clone();
        let mut copies = BTreeMap::<u32, u32>::new();
        for mail in &self.outbox {
            *copies.entry(mail.number).or_default() += 1;
        }
        let expected = self.queued.clone().chain(self.bulk.clone());
        let lost: Vec<u32> = expected.filter(|number| !copies.contains_key(number)).collect();
        if !lost.is_empty() {
            wrong.push(format!("{} mails were not sent; the first is {}", lost.len(), lost[0]));
        }
        let doubled = copies.iter().filter(|(_, copies)| **copies > 1);
        wrong.extend(doubled.map(|(number, copies)| format!("mail {number} was sent {copies} times")));
        let early = self.outbox.iter().filter(|mail| self.bulk.contains(&mail.number));
        let due = self.began + i64::try_from(BULK_AHEAD.as_micros()).unwrap_or(i64::MAX);
        let early = early.filter(|mail| mail.at < due).count();
        if early > 0 {
            wrong.push(format!("{early} mails were sent before their time"));
        }
        let accepted: i64 = self.outbox.iter().map(|mail| i64::from(mail.recipients)).sum();
        let granted = self.after.granted - self.before.granted;
        if accepted > granted {
            wrong.push(format!(
                "SES accepted {accepted} recipients, and the gate granted {granted}"
            ));
        }
        let burst = u128::from(self.policy.rate) * self.policy.burst.as_micros() / 1_000_000;
        let most = self
            .policy
            .rate
            .saturating_add(u32::try_from(burst).unwrap_or(u32::MAX));
        let busiest = busiest_second(&self.outbox);
        if busiest > most {
            wrong.push(format!(
                "SES accepted {busiest} recipients in one second, of {most} at most"
            ));
        }
        wrong
    }

    /// Returns how long the mails with these numbers took from the first to the last, and how many there are.
    fn span(&self, numbers: &Range<u32>) -> (Duration, u32) {
        let at: Vec<i64> = self
            .outbox
            .iter()
            .filter(|mail| numbers.contains(&mail.number))
            .map(|mail| mail.at)
            .collect();
        let span = at.iter().max().copied().unwrap_or_default() - at.iter().min().copied().unwrap_or_default();
        (
            Duration::from_micros(u64::try_from(span).unwrap_or_default()),
            count(&at),
        )
    }
}

impl fmt::Display for QueuedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = 1e6 / f64::from(u32::try_from(self.after.interval).unwrap_or(u32::MAX));
        writeln!(
            f,
            "\n{} recipients a second: {} mails at once, {} bulk mails that wait already",
            self.rate,
            self.queued.len(),
            self.bulk.len()
        )?;
        writeln!(f, "  answered          in {:.1} s", self.answered.as_secs_f64())?;
        for (name, numbers) in [("transactional", &self.queued), ("bulk", &self.bulk)] {
            let (span, mails) = self.span(numbers);
            writeln!(f, "  {name:<16}  {mails} mails in {:.1} s", span.as_secs_f64())?;
        }
        let (span, mails) = self.span(&(self.queued.start..self.direct.end));
        let speed = f64::from(mails) / span.as_secs_f64().max(0.001);
        writeln!(
            f,
            "  all               {mails} mails in {:.1} s: {speed:.1}/s, {:.0} % of {limit:.1}/s",
            span.as_secs_f64(),
            speed / limit * 100.0
        )?;
        writeln!(
            f,
            "  sent at once      {} of {}, {}; {} refused",
            self.direct_sent.len(),
            self.direct.len(),
            Latency::new(self.direct_sent.clone()),
            self.direct_refused
        )?;
        for wrong in self.wrong() {
            writeln!(f, "  WRONG             {wrong}")?;
        }
        Ok(())
    }
}
