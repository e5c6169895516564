//! Simulates two days of an account's quota: Okite's mail through the model of the gate, mail of others, a reporter,
//! and an SES that counts late.

use proptest::prelude::*;

use super::model::{HOUR, SECOND, Table, ask, at, micros, policy};
use crate::account::{Account, EnforcementStatus};
use crate::pacing::{GrantSample, gate_settings, grant_totals};

const DAY: i64 = 24 * HOUR;

/// One day of a model of SES and of all who send through it.
#[derive(Clone, Copy, Debug)]
struct Day {
    quota: i64,
    rate: f64,
    /// How long SES takes to count a recipient, and Okite's requests to reach it.
    lag: i64,
    delay: i64,
    /// The weight of every mail, and how often one comes.
    weight: i64,
    pause: i64,
    /// How many recipients others send to, and how often.
    others: i64,
    others_pause: i64,
    /// How often there is a report.
    report_every: i64,
}

/// The recipients in flight that are subtracted from the quota.
#[derive(Clone, Copy, Debug)]
enum TakenOff {
    /// All recipients in flight: the real arithmetic.
    All,
    /// All but 49 of the last mail's 50 recipients.
    OneOfTheLast,
    /// Nothing.
    Nothing,
}

/// Runs two days. Returns by how many recipients, at most, Okite overran the quota that others had left at the previous
/// report, and the recipients granted on the second day.
fn overrun(day: Day, taken_off: TakenOff) -> (i64, i64) {
    let policy = policy(SECOND, 2 * SECOND);
    let mut table = Table::default();
    let mut hourly: Vec<GrantSample> = Vec::new();
    let mut latest: Option<GrantSample> = None;
    // When the recipients reach SES, and how many: Okite's, and those of others.
    let mut ours: Vec<(i64, i64)> = Vec::new();
    let mut theirs: Vec<(i64, i64)> = Vec::new();
    let sum = |sent: &[(i64, i64)], from: i64, until: i64| -> i64 {
        let window = sent.iter().filter(|(at, _)| (from..until).contains(at));
        window.map(|(_, recipients)| recipients).sum()
    };
    let (mut report_at, mut ours_at, mut theirs_at) = (0, 0, 0);
    let (mut known_of_others, mut worst, mut second_day) = (0, i64::MIN, 0);
    while report_at.min(ours_at).min(theirs_at) < 2 * DAY {
        if report_at <= ours_at.min(theirs_at) {
            let now = report_at;
            let counted = |sent| sum(sent, now - DAY, now - day.lag);
            // Okite cannot know what others send after SES's count.
            known_of_others = now - day.lag;
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let account = Account {
                max_24_hour_send: day.quota as f64,
                sent_last_24_hours: (counted(&ours) + counted(&theirs)) as f64,
                max_send_rate: day.rate,
                production_access: true,
                sending_enabled: true,
                enforcement_status: EnforcementStatus::Healthy,
            };
            let samples: Vec<GrantSample> = hourly.iter().copied().chain(latest).collect();
            let granted = grant_totals(table.granted, &samples, &policy, at(now));
            let mut wanted = gate_settings(&account, &policy, granted, None);
            let slots = 73 * SECOND / wanted.slot_interval;
            wanted.ceiling_all += match taken_off {
                TakenOff::All => 0,
                TakenOff::OneOfTheLast => granted.lately.min(slots + 50) - granted.lately.min(slots + 1),
                TakenOff::Nothing => granted.lately.min(slots + 50),
            };
            table.set(wanted, at(now));
            let sample = GrantSample {
                at: at(now),
                total: table.granted,
            };
            hourly.extend(Some(sample).filter(|_| now % HOUR < day.report_every));
            latest = Some(sample);
            report_at += day.report_every;
        } else if theirs_at < ours_at {
            theirs.push((theirs_at, day.others));
            theirs_at += day.others_pause;
        } else {
            let asked = ask(day.weight, ours_at, &policy);
            let known = table.gate.map(|gate| gate.known());
            if let Ok(permit) = table.take(asked, &policy, known).0 {
                let reached = micros(asked.now + permit.wait) - micros(at(0)) + day.delay;
                ours.push((reached, day.weight));
                let day_before = reached - DAY;
                let used = sum(&ours, day_before, i64::MAX) + sum(&theirs, day_before, known_of_others);
                worst = worst.max(used - day.quota);
                second_day += if ours_at >= DAY { day.weight } else { 0 };
            }
            ours_at += day.pause;
        }
    }
    (worst, second_day)
}

/// A day on which others use much of the quota and Okite uses up the rest.
const BUSY_DAY: Day = Day {
    quota: 2_000,
    rate: 10.0,
    lag: 60 * SECOND,
    delay: 10 * SECOND,
    weight: 50,
    pause: 10 * SECOND,
    others: 700,
    others_pause: DAY,
    report_every: 300 * SECOND,
};

#[test]
fn without_recipients_in_flight_the_quota_is_overrun() {
    let (with, granted) = overrun(BUSY_DAY, TakenOff::All);
    let (without, _) = overrun(BUSY_DAY, TakenOff::Nothing);
    assert!(with <= 0 && without > 0, "{with} with it, {without} without");
    assert!(granted > 0, "the quota frees up again");
}

#[test]
fn without_all_recipients_of_the_last_mail_the_quota_is_overrun() {
    let slow = Day {
        quota: 625,
        rate: 1.0,
        pause: 17 * SECOND,
        others: 300,
        ..BUSY_DAY
    };
    let (with, _) = overrun(slow, TakenOff::All);
    let (without, _) = overrun(slow, TakenOff::OneOfTheLast);
    assert!(with <= 0 && without > 0, "{with} with them, {without} without");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_quota_is_never_overrun_by_what_okite_sends(
        quota in 500i64..5_000, rate in 1.0f64..20.0, lag in 0..=60 * SECOND, delay in 0..=10 * SECOND,
        weight in 1i64..=50, pause in SECOND..60 * SECOND, others in 0.0f64..0.6, others_pause in 300 * SECOND..DAY,
        report_every in 20 * SECOND..600 * SECOND,
    ) {
        // Faster requests would be refused anyway, and the model counts every mail.
        let pause = pause.max(weight * SECOND / 5);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small numbers")]
        let others = (quota as f64 * others) as i64;
        let (worst, _) = overrun(Day { quota, rate, lag, delay, weight, pause, others, others_pause, report_every }, TakenOff::All);
        prop_assert!(worst <= 0, "overrun by {}", worst);
    }
}
