//! The list by age: pages of bounded work, whatever is kept of it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;

use aws::{LOOKED_AT_MAX, NewestFrom};
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use uuid::Uuid;

use super::registers::{KEY, TABLE, key};
use crate::support::{Item, Store, n, s};

/// Several pages of work.
const ENTRIES: u128 = 2 * LOOKED_AT_MAX as u128 + 1_000;
/// Every so many entries one was made by hand.
const RARE: u128 = 1_500;

async fn fill(store: &Store) {
    put(store, 0..ENTRIES).await;
}

/// Puts entries whose ids are these numbers.
pub(super) async fn put(store: &Store, numbers: Range<u128>) {
    let entry = |number: u128| {
        let register = if number.is_multiple_of(RARE) {
            "manual_at"
        } else {
            "bounce_at"
        };
        let address = format!("user{number}@example.org");
        let item = Item::from([
            (KEY.to_owned(), s(&key(&address))),
            ("address".to_owned(), s(&address)),
            ("id".to_owned(), s(&Uuid::from_u128(number).to_string())),
            ("shard".to_owned(), s(&format!("newest#{}", number % 8))),
            (register.to_owned(), n(1)),
        ]);
        let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let numbers: Vec<u128> = numbers.collect();
    for numbers in numbers.chunks(25) {
        let entries = numbers.iter().copied().map(entry).collect();
        let write = store
            .client()
            .batch_write_item()
            .request_items(store.table(TABLE), entries);
        assert!(
            write
                .send()
                .await
                .unwrap()
                .unprocessed_items
                .is_none_or(|left| left.is_empty())
        );
    }
}

#[tokio::test]
async fn a_rare_kind_of_entry_is_found_in_pages_of_bounded_work_in_both_directions() {
    let store = Store::start().await;
    fill(&store).await;
    let list = store.suppressions();
    let wanted: BTreeSet<u128> = (0..ENTRIES).filter(|number| number.is_multiple_of(RARE)).collect();
    let oldest = Uuid::nil();
    for (first, next) in [
        (NewestFrom::Newest, NewestFrom::After as fn(Uuid) -> NewestFrom),
        (NewestFrom::Before(oldest), NewestFrom::Before),
    ] {
        let (mut from, mut found, mut pages) = (first, BTreeSet::new(), 0);
        loop {
            let looked_at = Cell::new(0);
            let page = list.newest(from, 2, |entry| {
                looked_at.set(looked_at.get() + 1);
                entry.registers.manual_at.is_some()
            });
            let page = page.await.unwrap();
            assert!(
                looked_at.get() <= LOOKED_AT_MAX,
                "{} entries were looked at",
                looked_at.get()
            );
            assert!(page.entries.len() <= 2);
            found.extend(page.entries.iter().map(|entry| entry.id.as_u128()));
            pages += 1;
            match page.next {
                Some(id) => from = next(id),
                None => break,
            }
        }
        assert!((3..20).contains(&pages), "{pages} pages");
        // The page before the oldest leaves out the oldest itself.
        let left_out = u128::from(first != NewestFrom::Newest);
        let wanted: BTreeSet<u128> = wanted.iter().copied().filter(|number| *number >= left_out).collect();
        assert_eq!(found, wanted);
    }
}

#[tokio::test]
async fn a_page_of_a_list_on_which_nothing_is_kept_is_empty_and_goes_on() {
    let store = Store::start().await;
    fill(&store).await;
    let list = store.suppressions();
    let (mut from, mut pages) = (NewestFrom::Newest, 0);
    loop {
        let page = list.newest(from, 20, |_| false).await.unwrap();
        assert!(page.entries.is_empty());
        pages += 1;
        match page.next {
            Some(id) => from = NewestFrom::After(id),
            None => break,
        }
    }
    assert_eq!(pages, ENTRIES.div_ceil(LOOKED_AT_MAX as u128));
}
