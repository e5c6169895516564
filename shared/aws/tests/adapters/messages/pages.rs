//! Pages of messages by age.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use aws::{MessagesPage, NewMessage, NewestFrom};
use domain::address::EmailAddress;
use domain::idempotency::nth_id;
use domain::recipient::{RecipientOutcome, RecipientStatus};
use uuid::Uuid;

use super::rows::{ID, any_mail, new};
use crate::support::{Store, closed_port};

/// Writes messages to a person, each newer than the one before, and returns their ids, the newest first.
async fn messages(store: &Store, count: usize) -> Vec<Uuid> {
    let mail = any_mail();
    let outcomes = [RecipientOutcome {
        address: EmailAddress::parse("anna@example.org").unwrap(),
        status: RecipientStatus::Accepted,
    }];
    let mut ids: Vec<Uuid> = (0..count).map(|number| nth_id(ID, number)).collect();
    for &id in &ids {
        let message = NewMessage {
            id,
            ..new(&mail, &outcomes)
        };
        store.messages().put(&message).await.unwrap();
    }
    ids.reverse();
    ids
}

#[tokio::test]
async fn messages_of_every_partition_are_listed_the_newest_first_in_both_directions() {
    let store = Store::start().await;
    let ids = messages(&store, 30).await;
    let anna = EmailAddress::parse("Anna@example.org").unwrap();
    let page = |ids: &[Uuid], has_more| MessagesPage {
        ids: ids.to_vec(),
        has_more,
    };
    for (from, limit, expected) in [
        (NewestFrom::Newest, 30, page(&ids, false)),
        (NewestFrom::Newest, 29, page(&ids[..29], true)),
        (NewestFrom::Newest, 1, page(&ids[..1], true)),
        (NewestFrom::After(ids[4]), 20, page(&ids[5..25], true)),
        (NewestFrom::After(ids[24]), 20, page(&ids[25..], false)),
        (NewestFrom::After(ids[29]), 20, page(&[], false)),
        (NewestFrom::Before(ids[25]), 5, page(&ids[20..25], true)),
        (NewestFrom::Before(ids[5]), 5, page(&ids[..5], false)),
        (NewestFrom::Before(ids[0]), 5, page(&[], false)),
    ] {
        assert_eq!(
            store.messages().newest(from, limit).await.unwrap(),
            expected,
            "{from:?} {limit}"
        );
        assert_eq!(
            store.messages().sent_to(&anna, from, limit).await.unwrap(),
            expected,
            "{from:?} {limit}"
        );
    }
}

#[tokio::test]
async fn a_message_is_listed_once_whatever_is_written_to_it_later() {
    let store = Store::start().await;
    let ids = messages(&store, 2).await;
    store
        .messages()
        .refused(&NewMessage {
            id: ids[0],
            ..new(&any_mail(), &[])
        })
        .await
        .unwrap();
    store
        .messages()
        .accepted(ids[1], "0100-1", crate::support::at(0))
        .await
        .unwrap();
    let listed = store.messages().newest(NewestFrom::Newest, 10).await.unwrap();
    assert_eq!(listed.ids, ids);
}

#[tokio::test]
async fn an_index_that_cannot_be_read_is_an_error() {
    let messages = Store::at(&closed_port().await).messages();
    let error = messages.newest(NewestFrom::Newest, 10).await.unwrap_err();
    assert_eq!((error.operation, error.code.as_str()), ("Query", "ConnectionFailed"));
}
