//! Acceptance: row and entry, or neither.

use aws::Put;

use super::*;
use crate::support::{closed_port, n, s};

#[tokio::test]
async fn a_queued_row_holds_what_the_queue_needs_and_no_attempt() {
    let (store, waiting) = waiting().await;
    let row = row_item(&store).await.unwrap();
    for (name, value) in [
        ("state", s("queued")),
        ("attempt", n(1)),
        ("nonce", s(&NONCE.to_string())),
        ("queued_at", n(at(0).as_millisecond())),
        ("content_nonce", s(&CONTENT.to_string())),
        ("deadline", n(at(DEADLINE).as_millisecond())),
        ("claim_id", s(CLAIM)),
    ] {
        assert_eq!(row.get(name), Some(&value), "{name}");
    }
    for name in ["attempt_at", "scheduled_at", "waits_for", "lease_until", "failed"] {
        assert!(!row.contains_key(name), "{name}");
    }
    let record = record(&store).await;
    assert_eq!((record.written, record.attempt), (SenderState::Queued, 1));
    assert_eq!(record.queued, Some(waiting.queued));
}

#[tokio::test]
async fn a_scheduled_row_holds_its_time() {
    let store = Store::start().await;
    let mut waiting = Waiting::stored(&store).await;
    waiting.queued.scheduled_at = Some(at(60_000));
    assert_eq!(waiting.accept(&store).await, Accepted::Queued);
    assert_eq!(record(&store).await.queued, Some(waiting.queued));
}

#[tokio::test]
async fn a_repeated_acceptance_changes_nothing_whatever_became_of_the_mail() {
    let (store, waiting) = waiting().await;
    assert_eq!(waiting.accept(&store).await, Accepted::Queued);
    // A worker has the mail.
    let begun = aws::NewAttempt {
        id: ID,
        leaving: QUEUED,
        nonce: OURS,
        now: at(1_000),
        lease_until: at(60_000),
        outcomes: &[],
    };
    store.messages().begin_attempt(&begun).await.unwrap();
    assert_eq!(waiting.accept(&store).await, Accepted::Queued);
    assert_eq!(state(&store).await, SenderState::Sending);
    // A database that never saw the token, as DynamoDB forgets it after 10 minutes.
    let forgetful = Store::start().await;
    let row = row_item(&store).await;
    let put = forgetful.client().put_item().table_name(store.table(ROWS));
    put.set_item(row).send().await.unwrap();
    assert_eq!(waiting.accept(&forgetful).await, Accepted::Queued);
    assert!(entry_item(&forgetful).await.is_none());
}

#[tokio::test]
async fn a_row_that_is_there_is_returned_and_no_entry_is_written() {
    let store = Store::start().await;
    let waiting = Waiting::stored(&store).await;
    // A direct attempt.
    assert_eq!(store.messages().put(&waiting.message()).await.unwrap(), Put::Written);
    let Accepted::Overtaken(Some(found)) = waiting.accept(&store).await else {
        panic!("not overtaken")
    };
    assert_eq!((found.written, found.nonce), (SenderState::Sending, Some(NONCE)));
    assert!(entry_item(&store).await.is_none());
    assert_eq!(state(&store).await, SenderState::Sending);
}

#[tokio::test]
async fn a_mail_whose_attempt_was_refused_may_be_queued_and_the_refusal_that_comes_late_changes_nothing() {
    let store = Store::start().await;
    let waiting = Waiting::stored(&store).await;
    let (messages, outbox, first) = (store.messages(), store.outbox(), waiting.message());
    messages.put(&first).await.unwrap();
    let mut second = waiting.mail();
    second.message.attempt = 2;
    second.message.nonce = THEIRS;
    // The attempt is not refused yet.
    assert!(matches!(
        messages.accept(&outbox, &second).await.unwrap(),
        Accepted::Overtaken(Some(_))
    ));
    messages.refused(&first).await.unwrap();
    // Nor is it the attempt before the one that this acceptance follows.
    let mut third = second;
    third.message.attempt = 3;
    assert!(matches!(
        messages.accept(&outbox, &third).await.unwrap(),
        Accepted::Overtaken(Some(_))
    ));
    assert_eq!(messages.accept(&outbox, &second).await.unwrap(), Accepted::Queued);
    messages.refused(&first).await.unwrap();
    assert_eq!(messages.put(&first).await.unwrap(), Put::Overtaken);
    assert_eq!(state(&store).await, SenderState::Queued);
}

#[tokio::test]
async fn a_refused_row_that_ses_has_named_since_is_not_queued() {
    let store = Store::start().await;
    let waiting = Waiting::stored(&store).await;
    let messages = store.messages();
    messages.put(&waiting.message()).await.unwrap();
    messages.refused(&waiting.message()).await.unwrap();
    messages.accepted(ID, "0100", at(0)).await.unwrap();
    let mut second = waiting.mail();
    second.message.attempt = 2;
    let accepted = messages.accept(&store.outbox(), &second).await.unwrap();
    assert!(matches!(accepted, Accepted::Overtaken(Some(found)) if found.ses_id.is_some()));
}

#[tokio::test]
async fn an_acceptance_whose_answer_is_lost_is_recognised() {
    let store = Store::start().await;
    let waiting = Waiting::stored(&store).await;
    let lossy = store.losing_an_answer().await;
    let accepted = lossy.messages().accept(&lossy.outbox(), &waiting.mail()).await.unwrap();
    assert_eq!(accepted, Accepted::Queued);
    assert!(entry_item(&store).await.is_some());
}

#[tokio::test]
async fn an_acceptance_without_an_answer_is_an_error() {
    let store = Store::start().await;
    let waiting = Waiting::stored(&store).await;
    let down = Store::at(&closed_port().await);
    let error = down
        .messages()
        .accept(&down.outbox(), &waiting.mail())
        .await
        .unwrap_err();
    assert_eq!(
        (error.operation, error.code.as_str()),
        ("TransactWriteItems", "ConnectionFailed")
    );
}

#[tokio::test]
async fn an_attempt_without_an_answer_is_refused_whether_its_row_came_or_comes_late() {
    for comes_first in [true, false] {
        let store = Store::start().await;
        let waiting = Waiting::stored(&store).await;
        let (messages, attempt) = (store.messages(), waiting.message());
        if comes_first {
            messages.put(&attempt).await.unwrap();
        }
        assert_eq!(messages.refused_without_row(&attempt).await.unwrap(), Put::Written);
        assert_eq!(state(&store).await, SenderState::Refused);
        // The SDK may repeat it, and the row of the attempt may come late.
        assert_eq!(messages.refused_without_row(&attempt).await.unwrap(), Put::Written);
        if !comes_first {
            assert_eq!(messages.put(&attempt).await.unwrap(), Put::Overtaken);
            assert_eq!(state(&store).await, SenderState::Refused);
        }
    }
}

#[tokio::test]
async fn only_the_own_attempt_is_refused() {
    let store = Store::start().await;
    let waiting = Waiting::stored(&store).await;
    let messages = store.messages();
    messages.put(&waiting.message()).await.unwrap();
    let rival = NewMessage {
        nonce: THEIRS,
        ..waiting.message()
    };
    assert_eq!(messages.refused_without_row(&rival).await.unwrap(), Put::Overtaken);
    assert_eq!(state(&store).await, SenderState::Sending);
    // Nor is one that is queued.
    let (store, waiting) = super::waiting().await;
    let messages = store.messages();
    assert_eq!(
        messages.refused_without_row(&waiting.message()).await.unwrap(),
        Put::Overtaken
    );
    assert_eq!(state(&store).await, SenderState::Queued);
}
