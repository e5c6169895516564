//! Every row of the table of steps, and what holds for all of them.

use proptest::prelude::*;

use super::*;
use crate::queue::{ContentEncoding, ContentRef};
use crate::stream::Stream;

const ID: Uuid = Uuid::from_u128(1);
const CONTENT: Uuid = Uuid::from_u128(2);
const OTHER_CONTENT: Uuid = Uuid::from_u128(3);
const NONCE: Uuid = Uuid::from_u128(4);
const FOREIGN: Uuid = Uuid::from_u128(5);
/// When the lease of a row that is being sent ends, and when the mail's time is over.
const LEASE_UNTIL: i64 = 65;
const DEADLINE: i64 = 10_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn row(written: SenderState) -> MessageRecord {
    MessageRecord {
        attempt: 7,
        attempt_at: Some(at(0)),
        nonce: Some(NONCE),
        lease_until: Some(at(LEASE_UNTIL)),
        queued: Some(QueuedMail {
            queued_at: at(0),
            content_nonce: CONTENT,
            scheduled_at: None,
            deadline: at(DEADLINE),
            waits_for: None,
            rescheduled_at: None,
            ended_at: None,
            claim_id: None,
        }),
        ..MessageRecord::new(ID, written, at(0))
    }
}

fn scheduled(written: SenderState, seconds: i64) -> MessageRecord {
    let mut row = row(written);
    if let Some(queued) = &mut row.queued {
        queued.scheduled_at = Some(at(seconds));
        queued.deadline = at(seconds + DEADLINE);
    }
    row
}

fn entry() -> OutboxEntry {
    OutboxEntry {
        id: ID,
        stream: Stream::Transactional,
        key_id: "a1b2".to_owned(),
        content: ContentRef {
            nonce: CONTENT,
            parts: 1,
            size: 100,
            encoding: ContentEncoding::DeflatedJson,
        },
        deadline: at(DEADLINE),
        wake_at: at(0),
        crashes: 0,
        expires_at: at(45 * 86_400),
    }
}

fn hint() -> Hint {
    Hint::new(ID, CONTENT)
}

fn releasing(nonce: Uuid) -> Hint {
    hint().releasing(nonce)
}

fn step(row: &MessageRecord, hint: &Hint, now: i64) -> NextStep {
    next_step(Some(row), Some(&entry()), hint, at(now))
}

const QUEUED: Leaving = Leaving::Queued {
    attempt: 7,
    content_nonce: CONTENT,
};
const RELEASED: Leaving = Leaving::Released {
    attempt: 7,
    content_nonce: CONTENT,
    nonce: NONCE,
};

fn by_hint(seconds: u64) -> NextStep {
    NextStep::Wait(Wait::Hint(Duration::from_secs(seconds)))
}

const STANDING: NextStep = NextStep::Wait(Wait::Standing);

#[test]
fn a_queued_mail_is_sent_before_its_deadline_and_expires_at_it() {
    let row = row(SenderState::Queued);
    assert_eq!(step(&row, &hint(), 0), NextStep::Send(QUEUED));
    assert_eq!(step(&row, &hint(), DEADLINE - 1), NextStep::Send(QUEUED));
    assert_eq!(step(&row, &hint(), DEADLINE), NextStep::Settle(Settle::Expired(QUEUED)));
    // What the hint releases is of no account for a row that is queued.
    assert_eq!(step(&row, &releasing(FOREIGN), 0), NextStep::Send(QUEUED));
}

#[test]
fn a_mail_that_is_not_due_waits_by_a_hint_if_one_can_be_delayed_that_long() {
    for (due, wait) in [(1, by_hint(1)), (900, by_hint(900)), (901, STANDING)] {
        assert_eq!(step(&scheduled(SenderState::Queued, due), &hint(), 0), wait, "{due}");
    }
    let row = scheduled(SenderState::Queued, 1_000);
    assert_eq!(step(&row, &releasing(FOREIGN), 0), by_hint(900));
    assert_eq!(step(&row, &hint(), 1_000), NextStep::Send(QUEUED));
}

#[test]
fn a_mail_without_an_entry_is_acknowledged_whatever_its_row_says() {
    for written in [SenderState::Queued, SenderState::Sending, SenderState::Refused] {
        let hint = releasing(NONCE);
        assert_eq!(next_step(Some(&row(written)), None, &hint, at(0)), ACKNOWLEDGE);
    }
    assert_eq!(next_step(None, None, &hint(), at(0)), ACKNOWLEDGE);
}

#[test]
fn an_entry_whose_row_has_expired_is_deleted() {
    let step = next_step(None, Some(&entry()), &hint(), at(0));
    assert_eq!(
        step,
        NextStep::Drop {
            emit: None,
            delete: true
        }
    );
}

#[test]
fn a_mail_that_has_ended_is_reported_again_and_deleted() {
    for (written, state) in [
        (SenderState::Suppressed, OkiteState::Suppressed),
        (SenderState::Sent, OkiteState::Sent),
        (SenderState::Failed, OkiteState::Failed),
        (SenderState::Canceled, OkiteState::Canceled),
        (SenderState::Unknown, OkiteState::Unknown),
        (SenderState::Refused, OkiteState::Failed),
    ] {
        for now in [0, DEADLINE] {
            let step = step(&row(written), &releasing(NONCE), now);
            assert_eq!(step, ended(state), "{written:?}");
        }
    }
}

#[test]
fn an_id_of_ses_ends_a_mail_in_any_state() {
    for written in [
        SenderState::Queued,
        SenderState::Sending,
        SenderState::Unknown,
        SenderState::Canceled,
    ] {
        let row = MessageRecord {
            ses_id: Some("0100".to_owned()),
            ..row(written)
        };
        assert_eq!(step(&row, &releasing(NONCE), 0), ended(OkiteState::Sent));
    }
}

#[test]
fn a_released_mail_is_taken_over_at_once_and_expires_at_its_deadline() {
    let row = row(SenderState::Sending);
    assert_eq!(step(&row, &releasing(NONCE), 0), NextStep::Send(RELEASED));
    assert_eq!(
        step(&row, &releasing(FOREIGN).releasing(NONCE), 0),
        NextStep::Send(RELEASED)
    );
    let expired = NextStep::Settle(Settle::Expired(RELEASED));
    assert_eq!(step(&row, &releasing(NONCE), DEADLINE), expired);
    // A clock that is behind: it is not due yet.
    assert_eq!(
        step(&scheduled(SenderState::Sending, 5), &releasing(NONCE), 0),
        by_hint(5)
    );
}

#[test]
fn the_mail_of_another_worker_waits_and_becomes_unknown_an_hour_after_its_lease() {
    let row = row(SenderState::Sending);
    let unknown = NextStep::Settle(Settle::Unknown { nonce: NONCE });
    let long_after = LEASE_UNTIL + 3_600;
    assert_eq!(step(&row, &hint(), 0), STANDING);
    assert_eq!(step(&row, &hint(), LEASE_UNTIL), STANDING);
    assert_eq!(step(&row, &hint(), long_after - 1), STANDING);
    assert_eq!(step(&row, &hint(), long_after), unknown);
    // Its deadline does not end it: SES may have taken it.
    assert_eq!(step(&row, &hint(), DEADLINE), unknown);
    // A hint that releases other attempts stays.
    assert_eq!(step(&row, &releasing(FOREIGN), 0), by_hint(900));
    assert_eq!(step(&row, &releasing(FOREIGN), long_after - 10), by_hint(10));
    assert_eq!(step(&row, &releasing(FOREIGN), long_after), unknown);
}

#[test]
fn a_hint_of_a_content_that_was_replaced_is_acknowledged() {
    let row = row(SenderState::Queued);
    let old = Hint::new(ID, OTHER_CONTENT);
    assert_eq!(step(&row, &old, 0), ACKNOWLEDGE);
    assert_eq!(step(&row, &old, DEADLINE), ACKNOWLEDGE);
    // The entry was read before the content was replaced, and the row after.
    let mut before = entry();
    before.content.nonce = OTHER_CONTENT;
    assert_eq!(next_step(Some(&row), Some(&before), &hint(), at(0)), ACKNOWLEDGE);
}

#[test]
fn a_row_that_was_never_queued_is_left_alone() {
    for written in [SenderState::Queued, SenderState::Sending] {
        let row = MessageRecord {
            queued: None,
            ..row(written)
        };
        let step = step(&row, &releasing(NONCE), 0);
        assert!(matches!(step, ACKNOWLEDGE | NextStep::Wait(_)), "{step:?}");
    }
}

const STATES: [SenderState; 8] = [
    SenderState::Sent,
    SenderState::Sending,
    SenderState::Refused,
    SenderState::Suppressed,
    SenderState::Queued,
    SenderState::Failed,
    SenderState::Canceled,
    SenderState::Unknown,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    /// Whatever was read, only what may be sent is sent, nothing that releases is left to the index, and no content is
    /// deleted that may still be needed.
    #[test]
    fn only_what_may_be_sent_is_sent(
        written in prop::sample::select(STATES.as_slice()), has_row: bool, has_entry: bool, has_ses_id in prop::bool::weighted(0.2),
        nonce in prop::option::of(0u128..3), content in 0u128..2, of_entry in 0u128..2, of_hint in 0u128..2,
        released in prop::collection::vec(0u128..3, 0..3), scheduled_at in prop::option::of(-2_000i64..2_000), deadline in -2_000i64..8_000,
        lease_until in prop::option::of(-8_000i64..8_000),
    ) {
        let mut row = row(written);
        row.nonce = nonce.map(Uuid::from_u128);
        row.lease_until = lease_until.map(at);
        row.ses_id = has_ses_id.then(|| "0100".to_owned());
        row.queued = row.queued.map(|queued| QueuedMail {
            content_nonce: Uuid::from_u128(content),
            scheduled_at: scheduled_at.map(at),
            deadline: at(deadline),
            ..queued
        });
        let mut entry = entry();
        entry.content.nonce = Uuid::from_u128(of_entry);
        let hint = released
            .iter()
            .fold(Hint::new(ID, Uuid::from_u128(of_hint)), |hint, nonce| hint.releasing(Uuid::from_u128(*nonce)));
        let step = next_step(has_row.then_some(&row), has_entry.then_some(&entry), &hint, at(0));

        let takes = written == SenderState::Queued || written == SenderState::Sending && hint.releases(row.nonce);
        let is_open = has_row && has_entry && !has_ses_id && content == of_entry && content == of_hint && takes;
        let is_due = scheduled_at.is_none_or(|scheduled_at| scheduled_at <= 0);
        let sends = is_open && is_due && deadline > 0;
        prop_assert_eq!(matches!(step, NextStep::Send(_)), sends, "{:?}", step);
        prop_assert_eq!(matches!(step, NextStep::Settle(Settle::Expired(_))), is_open && deadline <= 0, "{:?}", step);
        match step {
            NextStep::Wait(Wait::Hint(delay)) => {
                prop_assert!(delay >= Duration::from_secs(1) && delay <= HINT_DELAY_MAX);
            }
            NextStep::Wait(Wait::Standing) => prop_assert!(hint.released.is_empty()),
            NextStep::Wait(Wait::Index(_)) => prop_assert!(false, "the next step writes no wake_at"),
            NextStep::Drop { delete: true, .. } => {
                let ended = !matches!(written, SenderState::Queued | SenderState::Sending);
                prop_assert!(!has_row || has_ses_id || ended);
            }
            _ => {}
        }
        // Two hints that read the same decide the same.
        prop_assert_eq!(step, next_step(has_row.then_some(&row), has_entry.then_some(&entry), &hint, at(0)));
    }
}
