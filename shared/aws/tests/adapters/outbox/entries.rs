//! Entries, and the index that finds what is due.

use aws::{Counted, Wakes};
use domain::queue::wake_shard;

use super::*;
use crate::support::{closed_port, n, number, s};

#[tokio::test]
async fn the_entry_has_the_attributes_that_are_documented() {
    let (store, waiting) = waiting().await;
    let size = i64::try_from(waiting.entry.content.size).unwrap();
    let expected = [
        ("id", s(&ID.to_string())),
        ("part", s("entry")),
        ("stream", s("transactional")),
        ("key_id", s("a1b2")),
        ("content_nonce", s(&CONTENT.to_string())),
        ("parts", n(1)),
        ("size", n(size)),
        ("encoding", s("json+deflate")),
        ("deadline", n(at(DEADLINE).as_millisecond())),
        ("wake_at", n(at(120_000).as_millisecond())),
        ("wake_shard", s("transactional#1")),
        ("crashes", n(0)),
        ("expires_at", n(at(0).as_second() + 45 * 86_400)),
    ];
    let expected: Item = expected.map(|(name, value)| (name.to_owned(), value)).into();
    assert_eq!(entry_item(&store).await.unwrap(), expected);
    assert_eq!(store.outbox().entry(ID).await.unwrap(), Some(waiting.entry));
    assert_eq!(store.outbox().entry(NONCE).await.unwrap(), None);
}

#[tokio::test]
async fn an_item_that_is_no_entry_is_an_error_and_hides_no_other() {
    let (store, waiting) = waiting().await;
    let shard = wake_shard(Stream::Transactional, ID);
    let broken = [
        ("id", s("other")),
        ("part", s("entry")),
        ("wake_shard", s(&shard)),
        ("wake_at", n(1)),
    ];
    store.put(OUTBOX, broken).await;
    let due = store.outbox().due(&shard, at(120_000), 10).await.unwrap();
    assert_eq!(due.len(), 1);
    store
        .put(OUTBOX, [("id", s(&ID.to_string())), ("part", s("entry"))])
        .await;
    assert_eq!(store.outbox().entry(ID).await.unwrap_err().code, "NotAnEntry");
    drop(waiting);
}

#[tokio::test]
async fn what_is_due_is_found_the_oldest_first() {
    let (store, waiting) = waiting().await;
    let outbox = store.outbox();
    let shard = wake_shard(Stream::Transactional, ID);
    assert_eq!(outbox.due(&shard, at(119_999), 10).await.unwrap(), []);
    let due = outbox.due(&shard, at(120_000), 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(
        (due[0].id, due[0].wake_at, due[0].key_id.as_str(), due[0].content_nonce),
        (ID, at(120_000), "a1b2", CONTENT)
    );
    assert_eq!(
        (due[0].size, due[0].deadline),
        (waiting.entry.content.size, at(DEADLINE))
    );
    // Ids of the same shard.
    for (nth, wake_at) in [(1, 50_000), (2, 70_000), (3, 60_000)] {
        let id = Uuid::from_u128(ID.as_u128() + 4 * nth);
        let mut item = entry_item(&store).await.unwrap();
        item.insert("id".to_owned(), s(&id.to_string()));
        item.insert("wake_at".to_owned(), n(at(wake_at).as_millisecond()));
        let put = store.client().put_item().table_name(store.table(OUTBOX));
        put.set_item(Some(item)).send().await.unwrap();
    }
    let wake_at = async |until, limit| {
        let due = outbox.due(&shard, at(until), limit).await.unwrap();
        due.into_iter().map(|due| due.wake_at).collect::<Vec<_>>()
    };
    assert_eq!(
        wake_at(120_000, 10).await,
        [at(50_000), at(60_000), at(70_000), at(120_000)]
    );
    assert_eq!(wake_at(65_000, 10).await, [at(50_000), at(60_000)]);
    assert_eq!(wake_at(120_000, 2).await, [at(50_000), at(60_000)]);
    assert_eq!(outbox.due("bulk#1", at(120_000), 10).await.unwrap(), []);
}

#[tokio::test]
async fn what_waits_is_counted_up_to_a_bound_and_what_is_due_later_is_found_too() {
    let (store, _) = waiting().await;
    let outbox = store.outbox();
    let shard = wake_shard(Stream::Transactional, ID);
    let put = async |nth: u128, wake_at: i64, size: usize| {
        let id = Uuid::from_u128(ID.as_u128() + 4 * nth);
        let mut item = entry_item(&store).await.unwrap();
        item.insert("id".to_owned(), s(&id.to_string()));
        item.insert("wake_at".to_owned(), n(at(wake_at).as_millisecond()));
        // The index holds the id of the key, so that a few entries fill a page of 1 MB.
        item.insert("key_id".to_owned(), s(&"k".repeat(size)));
        let put = store.client().put_item().table_name(store.table(OUTBOX));
        put.set_item(Some(item)).send().await.unwrap();
    };
    for (nth, wake_at) in [(1, 50_000), (2, 130_000)] {
        put(nth, wake_at, 4).await;
    }
    let count = async |wakes, enough| outbox.count(&shard, wakes, enough).await.unwrap();
    let counted = |count, has_more| Counted { count, has_more };
    assert_eq!(count(Wakes::Until(at(120_000)), 10).await, counted(2, false));
    assert_eq!(count(Wakes::After(at(120_000)), 10).await, counted(1, false));
    assert_eq!(count(Wakes::After(at(130_000)), 10).await, counted(0, false));
    let first = outbox.first(&shard, Wakes::After(at(50_000)), 10).await.unwrap();
    let wake_at: Vec<_> = first.into_iter().map(|entry| entry.wake_at).collect();
    assert_eq!(wake_at, [at(120_000), at(130_000)]);
    for nth in 10..16 {
        put(nth, 200_000 + i64::try_from(nth).unwrap(), 300_000).await;
    }
    let bounded = count(Wakes::After(at(199_999)), 1).await;
    assert!(bounded.has_more && (1..6).contains(&bounded.count), "{bounded:?}");
    assert_eq!(count(Wakes::After(at(199_999)), 100).await, counted(6, false));
}

#[tokio::test]
async fn the_next_time_is_set_only_on_the_one_that_was_seen() {
    let (store, _) = waiting().await;
    let outbox = store.outbox();
    // Another sweep, or a reschedule, was there before.
    assert!(!outbox.wake_again(ID, at(119_999), at(500_000)).await.unwrap());
    assert!(outbox.wake_again(ID, at(120_000), at(600_000)).await.unwrap());
    assert_eq!(
        number(&entry_item(&store).await.unwrap(), "wake_at"),
        at(600_000).as_millisecond()
    );
    assert!(!outbox.wake_again(ID, at(120_000), at(700_000)).await.unwrap());
    // No half an entry is made.
    assert!(!outbox.wake_again(NONCE, at(120_000), at(600_000)).await.unwrap());
    assert_eq!(store.count(OUTBOX).await, 2);
}

#[tokio::test]
async fn crashes_are_counted_until_an_orderly_end() {
    let (store, _) = waiting().await;
    let outbox = store.outbox();
    assert_eq!(outbox.count_crash(ID).await.unwrap(), Some(1));
    assert_eq!(outbox.count_crash(ID).await.unwrap(), Some(2));
    outbox.reset_crashes(ID).await.unwrap();
    assert_eq!(outbox.entry(ID).await.unwrap().unwrap().crashes, 0);
    assert_eq!(outbox.count_crash(NONCE).await.unwrap(), None);
    outbox.reset_crashes(NONCE).await.unwrap();
    assert_eq!(store.count(OUTBOX).await, 2);
}

#[tokio::test]
async fn an_entry_is_deleted_once_and_again() {
    let (store, waiting) = waiting().await;
    let outbox = store.outbox();
    outbox.delete_content(ID, &waiting.entry.content).await.unwrap();
    outbox.delete_entry(ID).await.unwrap();
    outbox.delete_entry(ID).await.unwrap();
    assert_eq!(store.count(OUTBOX).await, 0);
    let down = Store::at(&closed_port().await).outbox();
    assert!(down.delete_entry(ID).await.is_err());
    assert!(down.due("bulk#0", at(0), 1).await.is_err());
    assert!(down.entry(ID).await.is_err());
}
