//! The transitions of a queued mail's row. Each condition has a case in which it alone fails.

use aws::{Moved, NewAttempt};
use domain::address::EmailAddress;
use domain::recipient::{RecipientOutcome, RecipientStatus};
use domain::record::{FailedReason, WaitsFor};
use domain::settlement::Settlement;

use super::*;
use crate::support::{closed_port, n, row_key, s};

fn attempt(leaving: Leaving) -> NewAttempt<'static> {
    NewAttempt {
        id: ID,
        leaving,
        nonce: OURS,
        now: at(1_000),
        lease_until: at(66_000),
        outcomes: &[],
    }
}

/// The state that an attempt with [`OURS`] left behind.
const RELEASED: Leaving = Leaving::Released {
    attempt: 2,
    content_nonce: CONTENT,
    nonce: OURS,
};

/// A database with a mail that a worker is sending.
async fn sending() -> Store {
    let (store, _) = waiting().await;
    assert_eq!(
        store.messages().begin_attempt(&attempt(QUEUED)).await.unwrap(),
        Moved::Done
    );
    store
}

fn is_otherwise(moved: &Moved) -> bool {
    matches!(moved, Moved::Otherwise(Some(_)))
}

#[tokio::test]
async fn an_attempt_begins_with_a_new_number_nonce_lease_and_judgement() {
    let (store, _) = waiting().await;
    set_in_row(&store, "waits_for", s("rate")).await;
    let outcomes = [RecipientOutcome {
        address: EmailAddress::parse("anna@example.org").unwrap(),
        status: RecipientStatus::Accepted,
    }];
    let attempt = NewAttempt {
        outcomes: &outcomes,
        ..attempt(QUEUED)
    };
    assert_eq!(store.messages().begin_attempt(&attempt).await.unwrap(), Moved::Done);
    let record = record(&store).await;
    assert_eq!(
        (record.written, record.attempt, record.nonce),
        (SenderState::Sending, 2, Some(OURS))
    );
    assert_eq!(
        (record.attempt_at, record.lease_until),
        (Some(at(1_000)), Some(at(66_000)))
    );
    assert_eq!(record.recipients[0].email, "anna@example.org");
    assert_eq!(record.queued.unwrap().waits_for, None);
}

#[tokio::test]
async fn an_attempt_begins_only_on_the_row_that_was_read() {
    let leaving = |attempt, content_nonce| Leaving::Queued { attempt, content_nonce };
    for (name, value, leaving, now) in [
        ("state", s("canceled"), QUEUED, 1_000),
        ("state", s("sending"), QUEUED, 1_000),
        ("ses_id", s("0100"), QUEUED, 1_000),
        ("attempt", n(2), QUEUED, 1_000),
        ("state", s("queued"), leaving(2, CONTENT), 1_000),
        ("state", s("queued"), leaving(1, NONCE), 1_000),
        ("state", s("queued"), QUEUED, DEADLINE),
    ] {
        let (store, _) = waiting().await;
        set_in_row(&store, name, value.clone()).await;
        let before = row_item(&store).await;
        let attempt = NewAttempt {
            now: at(now),
            ..attempt(leaving)
        };
        let moved = store.messages().begin_attempt(&attempt).await.unwrap();
        assert!(is_otherwise(&moved), "{name} {value:?} {leaving:?} {now}");
        assert_eq!(row_item(&store).await, before);
    }
}

#[tokio::test]
async fn a_released_attempt_is_taken_over_by_its_nonce_alone() {
    let theirs = |nonce, attempt, content_nonce| Leaving::Released {
        attempt,
        content_nonce,
        nonce,
    };
    let take = |leaving, now| NewAttempt {
        nonce: THEIRS,
        now: at(now),
        ..attempt(leaving)
    };
    for (leaving, now) in [
        (theirs(NONCE, 2, CONTENT), 2_000),
        (theirs(OURS, 1, CONTENT), 2_000),
        (theirs(OURS, 2, NONCE), 2_000),
        (RELEASED, DEADLINE),
        (QUEUED, 2_000),
    ] {
        let store = sending().await;
        let moved = store.messages().begin_attempt(&take(leaving, now)).await.unwrap();
        assert!(is_otherwise(&moved), "{leaving:?} {now}");
    }
    for (name, value) in [("ses_id", s("0100")), ("state", s("queued")), ("state", s("unknown"))] {
        let store = sending().await;
        set_in_row(&store, name, value).await;
        let moved = store.messages().begin_attempt(&take(RELEASED, 2_000)).await.unwrap();
        assert!(is_otherwise(&moved), "{name}");
    }
    let store = sending().await;
    assert_eq!(
        store.messages().begin_attempt(&take(RELEASED, 2_000)).await.unwrap(),
        Moved::Done
    );
    let record = record(&store).await;
    assert_eq!((record.attempt, record.nonce), (3, Some(THEIRS)));
    // The one before is late: with the state it left, and with its return to the queue.
    let messages = store.messages();
    assert!(is_otherwise(&messages.begin_attempt(&attempt(QUEUED)).await.unwrap()));
    assert!(is_otherwise(&messages.requeue(ID, OURS, WaitsFor::Rate).await.unwrap()));
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_recognised() {
    let (store, _) = waiting().await;
    let lossy = store.losing_an_answer().await;
    assert_eq!(
        lossy.messages().begin_attempt(&attempt(QUEUED)).await.unwrap(),
        Moved::Done
    );
    let lossy = store.losing_an_answer().await;
    assert_eq!(
        lossy.messages().requeue(ID, OURS, WaitsFor::Rate).await.unwrap(),
        Moved::Done
    );
    let lossy = store.losing_an_answer().await;
    let expired = lossy.messages().expire_queued(ID, at(DEADLINE)).await.unwrap();
    assert_eq!((expired, state(&store).await), (Moved::Done, SenderState::Failed));
}

#[tokio::test]
async fn an_attempt_that_came_to_nothing_waits_again_and_says_for_what() {
    let store = sending().await;
    let messages = store.messages();
    assert!(is_otherwise(
        &messages.requeue(ID, THEIRS, WaitsFor::Account).await.unwrap()
    ));
    assert_eq!(
        messages.requeue(ID, OURS, WaitsFor::Account).await.unwrap(),
        Moved::Done
    );
    let queued = record(&store).await;
    assert_eq!(
        (queued.written, queued.attempt, queued.lease_until),
        (SenderState::Queued, 2, None)
    );
    assert_eq!(queued.queued.unwrap().waits_for, Some(WaitsFor::Account));
    // Once it is cancelled, the late copy of the write changes nothing.
    set_in_row(&store, "state", s("canceled")).await;
    assert!(is_otherwise(
        &messages.requeue(ID, OURS, WaitsFor::Account).await.unwrap()
    ));
    assert_eq!(state(&store).await, SenderState::Canceled);
}

#[tokio::test]
async fn a_queued_mail_expires_at_its_deadline_and_no_other_does() {
    let (store, _) = waiting().await;
    let messages = store.messages();
    assert!(is_otherwise(
        &messages.expire(ID, QUEUED, at(DEADLINE - 1)).await.unwrap()
    ));
    set_in_row(&store, "state", s("sending")).await;
    assert!(is_otherwise(&messages.expire(ID, QUEUED, at(DEADLINE)).await.unwrap()));
    set_in_row(&store, "state", s("queued")).await;
    assert_eq!(messages.expire(ID, QUEUED, at(DEADLINE)).await.unwrap(), Moved::Done);
    let record = record(&store).await;
    assert_eq!(
        (record.written, record.failed),
        (SenderState::Failed, Some(FailedReason::Expired))
    );
    // Nobody else ends it in another way.
    assert!(is_otherwise(
        &messages
            .fail(ID, QUEUED, FailedReason::Crashed, at(1_000))
            .await
            .unwrap()
    ));
}

#[tokio::test]
async fn a_released_mail_expires_by_its_nonce() {
    let store = sending().await;
    let messages = store.messages();
    let other = Leaving::Released {
        attempt: 2,
        content_nonce: CONTENT,
        nonce: THEIRS,
    };
    assert!(is_otherwise(&messages.expire(ID, other, at(DEADLINE)).await.unwrap()));
    assert_eq!(messages.expire(ID, RELEASED, at(DEADLINE)).await.unwrap(), Moved::Done);
    assert_eq!(record(&store).await.failed, Some(FailedReason::Expired));
    // A row that says `queued` is not ended by the nonce of an attempt.
    let store = sending().await;
    store.messages().requeue(ID, OURS, WaitsFor::Rate).await.unwrap();
    assert!(is_otherwise(
        &store.messages().expire(ID, RELEASED, at(DEADLINE)).await.unwrap()
    ));
}

#[tokio::test]
async fn a_mail_fails_before_its_attempt_only_as_it_was_read() {
    let reason = FailedReason::KeyRevoked;
    for leaving in [
        Leaving::Queued {
            attempt: 2,
            content_nonce: CONTENT,
        },
        Leaving::Queued {
            attempt: 1,
            content_nonce: NONCE,
        },
        RELEASED,
    ] {
        let (store, _) = waiting().await;
        let moved = store.messages().fail(ID, leaving, reason, at(1_000)).await.unwrap();
        assert!(is_otherwise(&moved), "{leaving:?}");
    }
    let (store, _) = waiting().await;
    assert_eq!(
        store.messages().fail(ID, QUEUED, reason, at(1_000)).await.unwrap(),
        Moved::Done
    );
    assert_eq!(record(&store).await.okite_state(at(0)).1, Some("key_revoked"));
}

#[tokio::test]
async fn a_mail_at_fault_fails_by_the_nonce_of_its_attempt() {
    let store = sending().await;
    let messages = store.messages();
    let reason = FailedReason::Rejected;
    assert!(is_otherwise(
        &messages.fail_attempt(ID, THEIRS, reason, at(1_000)).await.unwrap()
    ));
    assert_eq!(
        messages.fail_attempt(ID, OURS, reason, at(1_000)).await.unwrap(),
        Moved::Done
    );
    assert_eq!(record(&store).await.failed, Some(reason));
    // It is not the nonce alone: the mail has returned to the queue.
    let store = sending().await;
    store.messages().requeue(ID, OURS, WaitsFor::Rate).await.unwrap();
    assert!(is_otherwise(
        &store
            .messages()
            .fail_attempt(ID, OURS, reason, at(1_000))
            .await
            .unwrap()
    ));
    assert_eq!(state(&store).await, SenderState::Queued);
}

#[tokio::test]
async fn an_attempt_without_an_answer_is_given_up_by_its_nonce_and_an_id_still_makes_it_sent() {
    let store = sending().await;
    let messages = store.messages();
    assert!(is_otherwise(&messages.give_up(ID, THEIRS).await.unwrap()));
    assert_eq!(messages.give_up(ID, OURS).await.unwrap(), Moved::Done);
    assert_eq!(state(&store).await, SenderState::Unknown);
    let given_up = record(&store).await;
    let open = messages.open_page((at(0), at(DEADLINE)), None).await.unwrap();
    assert_eq!(open.records.len(), 1, "an operator finds it");
    assert!(
        messages
            .settle(&given_up, Settlement::NotSent, at(DEADLINE))
            .await
            .unwrap()
    );
    assert_eq!(state(&store).await, SenderState::Refused);
    set_in_row(&store, "state", s("unknown")).await;
    messages.accepted(ID, "0100", at(0)).await.unwrap();
    assert_eq!(record(&store).await.okite_state(at(0)).0.as_str(), "sent");
    let store = sending().await;
    store.messages().requeue(ID, OURS, WaitsFor::Rate).await.unwrap();
    assert!(is_otherwise(&store.messages().give_up(ID, OURS).await.unwrap()));
}

#[tokio::test]
async fn a_mail_that_nobody_is_left_for_is_suppressed_on_the_conditions_of_an_attempt() {
    for (name, value, now) in [
        ("state", s("canceled"), 1_000),
        ("ses_id", s("0100"), 1_000),
        ("attempt", n(2), 1_000),
        ("state", s("queued"), DEADLINE),
    ] {
        let (store, _) = waiting().await;
        set_in_row(&store, name, value).await;
        let moved = store.messages().suppress(ID, QUEUED, &[], at(now)).await.unwrap();
        assert!(is_otherwise(&moved), "{name} {now}");
    }
    let (store, _) = waiting().await;
    let moved = store.messages().suppress(ID, QUEUED, &[], at(1_000)).await.unwrap();
    assert_eq!((moved, state(&store).await), (Moved::Done, SenderState::Suppressed));
}

#[tokio::test]
async fn a_row_that_is_gone_stays_gone_and_a_table_that_is_down_is_an_error() {
    let (store, _) = waiting().await;
    let [(pk, partition), (sk, id)] = row_key(ID);
    store.delete(ROWS, &[(pk, &partition), (sk, &id)]).await;
    let gone = Moved::Otherwise(None);
    let messages = store.messages();
    assert_eq!(messages.begin_attempt(&attempt(QUEUED)).await.unwrap(), gone);
    assert_eq!(messages.requeue(ID, OURS, WaitsFor::Rate).await.unwrap(), gone);
    assert_eq!(messages.expire(ID, QUEUED, at(DEADLINE)).await.unwrap(), gone);
    assert_eq!(messages.give_up(ID, OURS).await.unwrap(), gone);
    assert!(row_item(&store).await.is_none());
    let down = Store::at(&closed_port().await).messages();
    assert!(down.begin_attempt(&attempt(QUEUED)).await.is_err());
}
