//! Tests the arithmetic of the program `load`, which has no test harness of its own: an error in it would hide
//! failures.

use std::time::Duration;

#[path = "ledger.rs"]
mod file;

use file::{Gate, Ledger, Outcome, Policy, Sent, Told};

/// The beginning of the runs in these tests, in microseconds.
const BEGAN: i64 = 1_800_000_000_000_000;
const SECOND: i64 = 1_000_000;
/// The gate's interval at 14 a second.
const INTERVAL: i64 = 75_188;

/// A run of 10 s at 14 a second: an idle gate granted 20 mails to 5 recipients each, and SES accepted them all.
fn run() -> Ledger {
    let told = (0..20).map(|number| Told {
        number,
        recipients: 5,
        outcome: Outcome::Accepted,
    });
    let sent = (0..20).map(|number| Sent {
        number,
        recipients: 5,
        at: BEGAN + i64::from(number) * SECOND / 2,
    });
    Ledger {
        policy: Policy {
            rate: 14,
            burst: Duration::from_secs(1),
            wait: Duration::from_secs(2),
        },
        largest: 5,
        began: BEGAN,
        ended: BEGAN + 10 * SECOND,
        before: gate(0, 7),
        after: gate(BEGAN - (SECOND - INTERVAL) + 100 * INTERVAL, 107),
        sends: 20,
        told: told.collect(),
        outbox: sent.collect(),
    }
}

fn gate(next_free_slot: i64, granted: i64) -> Gate {
    Gate {
        next_free_slot,
        interval: INTERVAL,
        granted,
    }
}

#[track_caller]
fn contradicts(ledger: &Ledger, what: &str) {
    let found = ledger.contradictions();
    assert!(found.iter().any(|found| found.contains(what)), "{found:?}");
}

#[test]
fn adds_up_when_all_that_was_granted_was_sent() {
    let ledger = run();
    assert_eq!(ledger.contradictions(), [""; 0]);
    assert_eq!(ledger.over_grants(), 0);
    assert_eq!((ledger.granted(), ledger.accepted()), (100, 100));
    assert_eq!(ledger.slots(ledger.after.next_free_slot), 100);
}

#[test]
fn finds_recipients_that_were_granted_without_a_slot() {
    let mut ledger = run();
    ledger.after.next_free_slot -= 3 * INTERVAL;
    assert_eq!(ledger.over_grants(), 3);
    // A gate that was busy before has no burst left.
    let mut ledger = run();
    ledger.before.next_free_slot = BEGAN;
    assert_eq!(ledger.over_grants(), 13);
}

#[test]
fn finds_recipients_that_were_sent_without_a_grant() {
    let mut ledger = run();
    ledger.after.granted -= 5;
    assert_eq!(ledger.over_grants(), 5);
    contradicts(&ledger, "granted 95 recipients, SES accepted 100");
}

#[test]
fn finds_a_second_with_too_many() {
    let mut ledger = run();
    for mail in &mut ledger.outbox[..7] {
        mail.at = BEGAN + SECOND - 1;
    }
    // A mail that comes a second later is not in the same second.
    ledger.outbox[7].at = BEGAN + 2 * SECOND - 1;
    assert_eq!(ledger.busiest_second(), (35, 14 + 14 + 4));
    assert_eq!(ledger.over_grants(), 3);
}

#[test]
fn finds_lost_doubled_and_unknown_mails() {
    let mut ledger = run();
    ledger.outbox[3].number = 4;
    contradicts(&ledger, "mail 3 was accepted, and SES does not have it");
    contradicts(&ledger, "SES accepted mail 4 2 times");
    ledger.outbox[3].number = 77;
    contradicts(&ledger, "no client sent mail 77");
    let mut ledger = run();
    ledger.outbox[3].recipients = 4;
    contradicts(&ledger, "mail 3 has 4 recipients in SES");
    let mut ledger = run();
    ledger.outbox.clear();
    contradicts(&ledger, "SES accepted no mail");
}

#[test]
fn finds_mails_that_were_sent_though_refused() {
    for outcome in [Outcome::HeldBack, Outcome::Throttled] {
        let mut ledger = run();
        ledger.told[3].outcome = outcome;
        contradicts(&ledger, "mail 3 was refused, and SES accepted it");
    }
}

#[test]
fn counts_refusals_of_ses_as_granted_and_as_calls() {
    let mut ledger = run();
    ledger.told[3].outcome = Outcome::Throttled;
    ledger.outbox.remove(3);
    assert_eq!(ledger.contradictions(), [""; 0]);
    ledger.told[3].outcome = Outcome::HeldBack;
    contradicts(&ledger, "granted 100 recipients, SES accepted 95 and refused 0");
}

#[test]
fn a_call_that_ses_throttled_may_have_been_repeated_and_none_be_missing() {
    let mut ledger = run();
    ledger.sends = 23;
    assert_eq!(ledger.contradictions(), [""; 0]);
    ledger.sends = 19;
    contradicts(&ledger, "called 19 times, accepted 20 mails and refused 0");
}

#[test]
fn leaves_only_unclear_mails_open() {
    let mut ledger = run();
    ledger.told[3].outcome = Outcome::Unclear("no answer".to_owned());
    assert_eq!(ledger.contradictions(), [""; 0]);
    ledger.outbox.remove(3);
    assert_eq!(ledger.contradictions(), [""; 0]);
    (ledger.after.granted, ledger.sends) = (102, 19);
    assert_eq!(ledger.contradictions(), [""; 0]);
    ledger.outbox.remove(3);
    contradicts(&ledger, "mail 4 was accepted, and SES does not have it");
    ledger.outbox.remove(3);
    contradicts(&ledger, "granted 95 recipients, SES accepted 85");
}

#[test]
fn finds_a_gate_that_runs_ahead_or_too_fast() {
    let mut ledger = run();
    ledger.after.next_free_slot = BEGAN + 12 * SECOND + 5 * INTERVAL;
    assert_eq!(ledger.contradictions(), [""; 0]);
    ledger.after.next_free_slot += 1;
    contradicts(&ledger, "further ahead than a mail waits");
    let mut ledger = run();
    ledger.after.interval = INTERVAL - 1;
    contradicts(&ledger, "changed during the run");
    contradicts(&ledger, "more than 95 % of the account's rate");
}
