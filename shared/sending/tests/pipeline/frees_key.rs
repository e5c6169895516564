//! Every answer that frees a key is one after which SES does not take the mail, neither then nor later. After every
//! other answer the key holds.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::brake::Brake;
use domain::idempotency::{LEASE, nth_id};
use domain::pacing::UNLIMITED;
use domain::record::SenderState;
use sending::{Busy, Invalid, NotSent, Unavailable};

use crate::network::{Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::world::{Ended, World};

/// The name of an answer; a new variant has to be named and provoked here.
fn name(answer: &NotSent) -> &'static str {
    match answer {
        NotSent::Invalid(Invalid::Suppressed(_)) => "suppressed",
        NotSent::Invalid(Invalid::TooManyRecipients { .. }) => "too many recipients",
        NotSent::Invalid(Invalid::TooLate) => "too late",
        NotSent::KeyReused => "key reused",
        NotSent::Busy(Busy::Gate(_)) => "busy gate",
        NotSent::Busy(Busy::Ses(_)) => "busy SES",
        NotSent::Rejected(_) => "rejected",
        NotSent::Misconfigured(_) => "misconfigured",
        NotSent::Unavailable(Unavailable::Store) => "unavailable store",
        NotSent::Unavailable(Unavailable::StoreRefused) => "refused by the store",
        NotSent::Unavailable(Unavailable::Ses(_)) => "unavailable SES",
        NotSent::Unknown { .. } => "unknown",
        NotSent::StillUnknown { .. } => "still unknown",
        NotSent::InFlight { .. } => "in flight",
    }
}

/// A gate that refuses, or not.
#[derive(Clone, Copy, Debug)]
enum Gate {
    Open,
    /// One recipient in ten seconds.
    Slow,
    Full,
    NoQuota,
    Brake,
}

impl World {
    async fn set(&self, gate: Gate) {
        self.new_gate().await;
        match gate {
            Gate::Open => {}
            Gate::Slow => self.set_gate(10_000_000, UNLIMITED, Brake::None).await,
            Gate::Full => self.fill_gate(Duration::from_mins(1)).await,
            Gate::NoQuota => self.set_gate(1, 0, Brake::None).await,
            Gate::Brake => self.set_gate(1, UNLIMITED, Brake::All).await,
        }
    }

    /// Checks that a request that ended with `error` has sent nothing, left no row that says otherwise, and freed its
    /// key.
    async fn is_free(&self, request: &Request, ended: &Ended, is_late: bool) {
        let error = ended.only().as_ref().unwrap_err();
        let context = format!("{error:?}: {:?}", request.faults);
        assert!(error.frees_key(), "{context}");
        let called = ended.count("SendEmail") > 0;
        let is_of_ses = matches!(
            error,
            NotSent::Busy(Busy::Ses(_))
                | NotSent::Unavailable(Unavailable::Ses(_))
                | NotSent::Rejected(_)
                | NotSent::Misconfigured(_)
        );
        assert_eq!(called, is_of_ses, "{context}");
        for place in 0..request.mails.len() {
            let row = self.shared.messages.get(nth_id(ended.message, place)).await.unwrap();
            let is_refused = row.as_ref().map(|row| row.written == SenderState::Refused);
            match error {
                NotSent::Invalid(_) | NotSent::Busy(Busy::Gate(_)) => assert_eq!(is_refused, None, "{context}"),
                NotSent::Unavailable(Unavailable::Store | Unavailable::StoreRefused) => {
                    assert_ne!(is_refused, Some(false), "{context}");
                }
                _ => assert_eq!(is_refused, Some(true), "{context}"),
            }
        }
        self.set(Gate::Open).await;
        let body = format!("{}, corrected", request.body);
        let other = Request::new(request.key.as_deref(), &body, &[Mail::Plain]);
        let sent = self.submit(&other).await;
        assert!(sent.only().is_ok(), "{context}: {:?}", sent.only());
        if is_late {
            self.shared.carry_out_late().await;
        }
        for place in 0..request.mails.len() {
            assert_eq!(self.mails(&request.subject(place)), [], "{context}");
        }
        assert_eq!(self.mails(&other.subject(0)).len(), 1, "{context}");
        assert_eq!(self.submit(&other).await.only(), sent.only(), "{context}");
    }

    fn request(&self, mails: &[Mail]) -> Request {
        let name = format!("free {}", self.new_id());
        Request::new(Some(&name), &name, mails)
    }
}

#[tokio::test]
async fn an_answer_that_frees_the_key_is_one_after_which_nothing_is_sent() {
    let world = Box::pin(World::start()).await;
    let mut names = BTreeSet::new();
    let refused = |status, code, text| Some(Fate::Refused(status, code, text));
    let throttled = refused(429, "TooManyRequestsException", "Maximum sending rate exceeded.");
    let quota = refused(429, "TooManyRequestsException", "Daily message quota exceeded.");
    let one: &[Mail] = &[Mail::Plain];
    for (gate, mails, fate, expected) in [
        (Gate::Open, &[Mail::Reject][..], None, "suppressed"),
        (Gate::Open, &[Mail::Late], None, "too late"),
        (Gate::Slow, &[Mail::Plain; 6], None, "too many recipients"),
        (Gate::Full, one, None, "busy gate"),
        (Gate::NoQuota, one, None, "busy gate"),
        (Gate::NoQuota, &[Mail::Plain; 3], None, "busy gate"),
        (Gate::Brake, one, None, "busy gate"),
        (Gate::Brake, &[Mail::Plain; 3], None, "busy gate"),
        (Gate::Open, one, throttled, "busy SES"),
        (Gate::Open, one, quota, "busy SES"),
        (Gate::Open, &[Mail::Plain; 2], quota, "busy SES"),
        (Gate::Open, one, refused(400, "MessageRejected", "No"), "rejected"),
        (
            Gate::Open,
            one,
            refused(403, "AccessDeniedException", "No"),
            "misconfigured",
        ),
        (
            Gate::Open,
            one,
            refused(503, "ServiceUnavailable", "No"),
            "unavailable SES",
        ),
    ] {
        for is_warm in [false, true] {
            // Only a process that has seen the gate knows how much it lets through.
            if !is_warm && expected == "too many recipients" {
                continue;
            }
            world.set(gate).await;
            let mut request = world.request(mails);
            request.is_warm = is_warm;
            request.faults.extend(fate.map(|fate| Fault::always(On::Ses, fate)));
            let ended = Box::pin(world.submit(&request)).await;
            for outcome in ended.each() {
                assert_eq!(name(outcome.as_ref().unwrap_err()), expected, "{gate:?} {mails:?}");
            }
            names.insert(expected);
            Box::pin(world.is_free(&request, &ended, false)).await;
        }
    }
    let expected = [
        "suppressed",
        "too late",
        "too many recipients",
        "busy gate",
        "busy SES",
        "rejected",
        "misconfigured",
        "unavailable SES",
    ];
    assert_eq!(names, BTreeSet::from(expected));
}

/// Each call of DynamoDB fails in turn, before or after it was carried out.
#[tokio::test]
async fn a_table_that_fails_at_any_call_lets_nothing_go_out_under_a_free_key() {
    let world = Box::pin(World::start()).await;
    for (fate, expected) in [
        (Fate::CutBefore, "unavailable store"),
        (Fate::CutAfter, "unavailable store"),
        (Fate::Late, "unavailable store"),
        (Fate::Refused(500, "InternalServerError", "x"), "unavailable store"),
        (Fate::Refused(400, "AccessDeniedException", "x"), "refused by the store"),
        (
            Fate::Refused(400, "ResourceNotFoundException", "x"),
            "refused by the store",
        ),
    ] {
        let mut failed = 0;
        for call in 0.. {
            let request = world.request(&[Mail::Plain]);
            let faulty = request.clone().with(Fault::at(On::Store, call, 1, fate));
            let ended = Box::pin(world.submit(&faulty)).await;
            let calls = ended.calls.iter().filter(|call| call.operation != "SendEmail").count();
            match ended.only() {
                Ok(_) => {
                    world.shared.carry_out_late().await;
                    assert_eq!(world.mails(&request.subject(0)).len(), 1, "{fate:?} {call}");
                }
                Err(error) => {
                    failed += 1;
                    assert_eq!(name(error), expected, "{fate:?} {call}");
                    Box::pin(world.is_free(&faulty, &ended, fate == Fate::Late)).await;
                }
            }
            if u32::try_from(calls).unwrap() <= call {
                break;
            }
        }
        // The claim, the list, the gate and the row; what comes after SES fails no request.
        assert_eq!(failed, 4, "{fate:?}");
    }
}

#[tokio::test]
async fn every_other_answer_leaves_the_key_held() {
    let world = Box::pin(World::start()).await;
    let mut names = BTreeSet::new();
    for fate in [
        Fate::CutBefore,
        Fate::CutAfter,
        Fate::Refused(500, "InternalServiceErrorException", "x"),
    ] {
        let request = world.request(&[Mail::Plain]);
        let mut other = request.clone();
        other.body = format!("{}, another", request.body);
        let first = world.submit(&request.clone().with(Fault::always(On::Ses, fate))).await;
        let reused = world.submit(&other).await;
        let in_flight = world.submit(&request).await;
        world.advance(LEASE + Duration::from_secs(1));
        let unknown = world.submit(&request).await;
        let reused_later = world.submit(&other).await;
        let answers = [&first, &reused, &in_flight, &unknown, &reused_later];
        let answers = answers.map(|ended| ended.only().as_ref().unwrap_err());
        assert!(answers.iter().all(|answer| !answer.frees_key()), "{fate:?}");
        let answers = answers.map(name);
        let expected = ["unknown", "key reused", "in flight", "still unknown", "key reused"];
        assert_eq!(answers, expected, "{fate:?}");
        names.extend(answers);
        let was_taken = fate == Fate::CutAfter;
        assert_eq!(
            world.mails(&request.subject(0)).len(),
            usize::from(was_taken),
            "{fate:?}"
        );
        assert_eq!(world.mails(&other.subject(0)), [], "{fate:?}");
        world.deliver(2).await;
        let last = world.submit(&request).await;
        assert_eq!(last.only().is_ok(), was_taken, "{fate:?} {:?}", last.only());
    }
    assert_eq!(
        names,
        BTreeSet::from(["unknown", "key reused", "in flight", "still unknown"])
    );
}
