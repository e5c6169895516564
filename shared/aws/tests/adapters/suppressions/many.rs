//! A list of up to a million entries, loaded for ten minutes at most. It measures, so it is run by hand:
//!
//! ```sh
//! cargo test --workspace --locked --test adapters -- --ignored --nocapture a_list_of_a_million
//! ```
//!
//! The times depend on the machine and on the local engine, and fail nothing. The work for one answer is bounded, and
//! that fails.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]
#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use std::cell::Cell;
use std::time::Duration;

use aws::{LOOKED_AT_MAX, NewestFrom};
use domain::address::EmailAddress;
use tokio::time::Instant;
use uuid::Uuid;

use super::newest::put;
use crate::support::Store;

/// The entries that are wanted.
const ENTRIES: u128 = 1_000_000;
/// The longest time of loading.
const LOADING: Duration = Duration::from_mins(10);
/// The entries between two looks at the list.
const STEP: u128 = 50_000;
/// The most people of one mail.
const PEOPLE: u128 = 50;
/// The size of a page of an export.
const EXPORTED: i32 = 500;

/// The times of one look at the list, in milliseconds.
#[derive(Debug, Default)]
struct Times {
    lookup: f64,
    newest: f64,
    middle: f64,
    nothing_kept: f64,
    export_page: f64,
}

async fn timed<T>(time: &mut f64, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let result = work.await;
    *time = began.elapsed().as_secs_f64() * 1_000.0;
    result
}

/// Looks at a list of this many entries, and checks that no answer takes more work than at the start.
async fn look(store: &Store, entries: u128) -> Times {
    let list = store.suppressions();
    let mut times = Times::default();
    let address = |number: u128| EmailAddress::parse(&format!("user{number}@example.org")).unwrap();
    // Half of the people of a mail are suppressed.
    let people: Vec<_> = (0..PEOPLE).map(|place| address(entries - PEOPLE / 2 + place)).collect();
    let found = timed(&mut times.lookup, list.lookup(&people)).await.unwrap();
    assert_eq!(found.len() as u128, PEOPLE / 2);

    let newest = timed(&mut times.newest, list.newest(NewestFrom::Newest, 20, |_| true)).await;
    let newest = newest.unwrap().entries;
    assert_eq!((newest.len(), newest[0].id.as_u128()), (20, entries - 1));
    let middle = NewestFrom::After(Uuid::from_u128(entries / 2));
    let middle = timed(&mut times.middle, list.newest(middle, 20, |_| true))
        .await
        .unwrap();
    assert_eq!(middle.entries[0].id.as_u128(), entries / 2 - 1);

    let looked_at = Cell::new(0);
    let none = list.newest(NewestFrom::Newest, 20, |_| {
        looked_at.set(looked_at.get() + 1);
        false
    });
    let none = timed(&mut times.nothing_kept, none).await.unwrap();
    assert!(none.entries.is_empty() && none.next.is_some());
    assert_eq!(looked_at.get(), LOOKED_AT_MAX);

    let page = timed(&mut times.export_page, list.page(None, EXPORTED)).await.unwrap();
    assert!(page.entries.len() <= 500 && page.next.is_some());
    times
}

#[tokio::test]
#[ignore = "it measures, and takes ten minutes"]
async fn a_list_of_a_million_entries_costs_no_more_than_a_short_one() {
    let store = Store::start().await;
    let began = Instant::now();
    let mut entries = 0;
    while entries < ENTRIES && began.elapsed() < LOADING {
        put(&store, entries..entries + STEP).await;
        entries += STEP;
        let loaded = began.elapsed().as_secs();
        let times = look(&store, entries).await;
        println!("{entries} entries after {loaded} s: {times:.1?} (milliseconds)");
    }
    let (list, mut after, mut exported, mut pages) = (store.suppressions(), None::<String>, 0, 0_u32);
    let mut longest = 0.0_f64;
    let began = Instant::now();
    loop {
        let mut time = 0.0;
        let page = timed(&mut time, list.page(after.as_deref(), EXPORTED)).await.unwrap();
        assert!(page.entries.len() <= 500);
        (exported, pages, longest) = (exported + page.entries.len() as u128, pages + 1, longest.max(time));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(exported, entries);
    let seconds = began.elapsed().as_secs();
    println!("export of {exported} entries: {seconds} s, {pages} pages, the longest {longest:.1} ms");
}
