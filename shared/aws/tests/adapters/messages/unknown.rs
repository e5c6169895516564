//! Messages without an outcome: found, settled by an operator, and kept.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::time::Duration;

use aws::{NewMessage, OpenMessages, Put};
use domain::address::EmailAddress;
use domain::recipient::{RecipientOutcome, RecipientStatus};
use domain::record::SenderState;
use domain::settlement::Settlement;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::rows::{ID, SES_ID, TABLE, any_mail, attempt, sending};
use crate::support::{Store, at, closed_port, n, number, s, text};

/// Finds the messages of a time that have no outcome, on however many pages.
async fn open(store: &Store, since: Timestamp, until: Timestamp) -> OpenMessages {
    let mut all = OpenMessages::default();
    loop {
        let page = store
            .messages()
            .open_page((since, until), all.next.as_ref())
            .await
            .unwrap();
        all.records.extend(page.records);
        all.read += page.read;
        all.unreadable += page.unreadable;
        all.next = page.next;
        if all.next.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn only_rows_without_an_outcome_are_found_and_only_those_of_the_time() {
    let store = Store::start().await;
    let mail = any_mail();
    let id = |n: u128| Uuid::from_u128(ID.as_u128() + n);
    for (n, will_be_sent, attempt_at) in [
        (0, true, at(0)),
        (1, true, at(0)),
        (2, true, at(0)),
        (3, false, at(0)),
        (4, true, at(-10_000)),
        (5, true, at(10_000)),
    ] {
        let message = NewMessage {
            id: id(n),
            will_be_sent,
            attempt_at,
            ..attempt(&mail)
        };
        assert_eq!(store.messages().put(&message).await.unwrap(), Put::Written);
        match n {
            1 => store.messages().accepted(id(n), SES_ID, at(0)).await.unwrap(),
            2 => store.messages().refused(&message).await.unwrap(),
            _ => {}
        }
    }
    let found = open(&store, at(-1_000), at(1_000)).await;
    let ids: Vec<Uuid> = found.records.iter().map(|record| record.id).collect();
    assert_eq!((ids, found.read, found.unreadable), (vec![id(0)], 6, 0));
    assert_eq!(open(&store, at(-10_000), at(10_000)).await.records.len(), 3);
}

#[tokio::test]
async fn a_table_of_several_pages_is_read_to_the_end() {
    let store = Store::start().await;
    // A page has a megabyte.
    let pad = "x".repeat(200_000);
    for n in 0..12 {
        let id = format!("claim#{n}");
        store
            .put(TABLE, [("pk", s(&id)), ("sk", s("claim")), ("pad", s(&pad))])
            .await;
    }
    let mail = any_mail();
    for n in 0..12 {
        let message = NewMessage {
            id: Uuid::from_u128(ID.as_u128() + n),
            ..attempt(&mail)
        };
        store.messages().put(&message).await.unwrap();
    }
    // A row that nobody can read is counted.
    store
        .put(
            TABLE,
            [
                ("pk", s("mail#0")),
                ("sk", s("odd")),
                ("state", s("sending")),
                ("attempt_at", n(at(0).as_millisecond())),
            ],
        )
        .await;
    let first = store.messages().open_page((at(0), at(0)), None).await.unwrap();
    assert!(first.next.is_some() && first.read < 25, "{}", first.read);
    let all = open(&store, at(0), at(0)).await;
    assert_eq!((all.records.len(), all.unreadable), (12, 1));
    assert!(all.read >= 25, "{}", all.read);
}

#[tokio::test]
async fn a_word_is_written_once_and_only_on_the_attempt_that_was_read() {
    for (word, state) in [(Settlement::Sent, "sent"), (Settlement::NotSent, "refused")] {
        let store = sending().await;
        let record = store.messages().get(ID).await.unwrap().unwrap();
        assert!(store.messages().settle(&record, word, at(9)).await.unwrap());
        let row = store.row(ID).await.unwrap();
        assert_eq!(
            (text(&row, "state"), number(&row, "settled_at")),
            (state, at(9).as_millisecond())
        );
        let settled = store.messages().get(ID).await.unwrap().unwrap();
        assert_eq!((settled.written, settled.settled_at), (word.state(), Some(at(9))));
        for word in [Settlement::Sent, Settlement::NotSent] {
            assert!(!store.messages().settle(&record, word, at(10)).await.unwrap());
            assert!(!store.messages().settle(&settled, word, at(10)).await.unwrap());
        }
        // A late word of the sender does not undo it.
        let mail = any_mail();
        store.messages().refused(&attempt(&mail)).await.unwrap();
        assert_eq!(store.messages().get(ID).await.unwrap().unwrap().written, word.state());
    }
}

#[tokio::test]
async fn what_became_of_a_message_meanwhile_wins_over_an_operators_word() {
    let store = sending().await;
    let seen = store.messages().get(ID).await.unwrap().unwrap();
    store.messages().accepted(ID, SES_ID, at(0)).await.unwrap();
    assert!(
        !store
            .messages()
            .settle(&seen, Settlement::NotSent, at(9))
            .await
            .unwrap()
    );
    let record = store.messages().get(ID).await.unwrap().unwrap();
    assert_eq!((record.written, record.settled_at), (SenderState::Sending, None));

    // The next attempt is not what the operator saw.
    let store = sending().await;
    let seen = store.messages().get(ID).await.unwrap().unwrap();
    let mail = any_mail();
    store.messages().refused(&attempt(&mail)).await.unwrap();
    let second = NewMessage {
        attempt: 2,
        nonce: Uuid::from_u128(8),
        ..attempt(&mail)
    };
    assert_eq!(store.messages().put(&second).await.unwrap(), Put::Written);
    assert!(
        !store
            .messages()
            .settle(&seen, Settlement::NotSent, at(9))
            .await
            .unwrap()
    );

    // Nor is there anything to write on a message that is gone.
    let store = Store::start().await;
    assert!(!store.messages().settle(&seen, Settlement::Sent, at(9)).await.unwrap());
    assert_eq!(store.count(TABLE).await, 0);
}

#[tokio::test]
async fn a_message_that_was_not_sent_may_be_attempted_again_and_one_that_was_may_not() {
    for (word, put) in [(Settlement::Sent, Put::Overtaken), (Settlement::NotSent, Put::Written)] {
        let store = sending().await;
        let record = store.messages().get(ID).await.unwrap().unwrap();
        store.messages().settle(&record, word, at(9)).await.unwrap();
        let mail = any_mail();
        let second = NewMessage {
            attempt: 2,
            nonce: Uuid::from_u128(8),
            ..attempt(&mail)
        };
        assert_eq!(store.messages().put(&second).await.unwrap(), put, "{word:?}");
        let is_settled = store.messages().get(ID).await.unwrap().unwrap().settled_at.is_some();
        assert_eq!(is_settled, put == Put::Overtaken, "{word:?}");
    }
}

fn outcome(address: &str) -> RecipientOutcome {
    RecipientOutcome {
        address: EmailAddress::parse(address).unwrap(),
        status: RecipientStatus::Accepted,
    }
}

#[tokio::test]
async fn a_message_and_its_entries_of_the_index_are_kept_longer_and_never_shorter() {
    let mail = any_mail();
    for outcomes in [
        vec![outcome("a@example.org")],
        vec![outcome("a@example.org"), outcome("b@example.org")],
    ] {
        let store = Store::start().await;
        let message = NewMessage {
            outcomes: &outcomes,
            ..attempt(&mail)
        };
        store.messages().put(&message).await.unwrap();
        let record = store.messages().get(ID).await.unwrap().unwrap();
        let items: usize = if outcomes.len() == 1 { 1 } else { 3 };
        let times = async || {
            let scan = store
                .client()
                .scan()
                .table_name(store.table(TABLE))
                .send()
                .await
                .unwrap();
            let times: Vec<i64> = scan.items().iter().map(|item| number(item, "expires_at")).collect();
            times
        };
        let later = message.expires_at + SignedDuration::from_hours(1);
        for (until, expected) in [(later, later), (message.expires_at, later)] {
            store.messages().keep([&record], until).await.unwrap();
            assert_eq!(times().await, vec![expected.as_second(); items]);
        }
        // What is gone is not made anew.
        let gone = domain::record::MessageRecord {
            id: Uuid::from_u128(9),
            ..record
        };
        store
            .messages()
            .keep([&gone], later + Duration::from_secs(1))
            .await
            .unwrap();
        assert_eq!(times().await.len(), items);
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error() {
    let record = sending().await.messages().get(ID).await.unwrap().unwrap();
    let messages = Store::at(&closed_port().await).messages();
    for (failed, operation) in [
        (messages.open_page((at(0), at(0)), None).await.map(drop), "Scan"),
        (
            messages.settle(&record, Settlement::Sent, at(0)).await.map(drop),
            "UpdateItem",
        ),
        (messages.keep([&record], at(0)).await, "UpdateItem"),
    ] {
        assert_eq!(failed.unwrap_err().operation, operation);
    }
}
