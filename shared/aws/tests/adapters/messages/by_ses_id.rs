//! Messages found by SES's id.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use aws::NewMessage;
use jiff::Timestamp;
use uuid::Uuid;

use super::rows::{any_mail, attempt};
use crate::support::{Store, at, closed_port, row_key, s};

/// An id that was made at `at`; `random` stands for its last bits.
fn id(at: Timestamp, random: u128) -> Uuid {
    let milliseconds = u128::try_from(at.as_millisecond()).unwrap();
    Uuid::from_u128(milliseconds << 80 | 0x7000_8000_0000_0000_0000 | random)
}

/// SES's id of a mail that it took at `at`; `number` stands for its random part.
fn ses_id(at: Timestamp, number: u32) -> String {
    let milliseconds = at.as_millisecond();
    format!("0100{milliseconds:012x}-{number:08x}-0000-0000-0000-000000000000-000000")
}

/// A table with mails that were asked for at the first time and that SES took at the second.
async fn sent(times: &[(Timestamp, Timestamp)]) -> (Store, Vec<(Uuid, String)>) {
    let store = Store::start().await;
    let (mail, messages) = (any_mail(), store.messages());
    let mut ids = Vec::new();
    for (number, &(asked_at, taken_at)) in times.iter().enumerate() {
        let number = u32::try_from(number).unwrap();
        let (id, ses_id) = (id(asked_at, number.into()), ses_id(taken_at, number));
        let message = NewMessage { id, ..attempt(&mail) };
        messages.put(&message).await.unwrap();
        messages.accepted(id, &ses_id, taken_at).await.unwrap();
        ids.push((id, ses_id));
    }
    (store, ids)
}

#[tokio::test]
async fn a_mail_that_was_sent_at_once_is_found_by_sess_id() {
    // SES's clock may be behind ours, and a request lasts up to 29 seconds.
    let offsets = [-150, 0, 30, 20_000, 29_000];
    let times: Vec<_> = (0..10)
        .flat_map(|round| offsets.map(|offset| (at(round), at(round + offset))))
        .collect();
    let (store, ids) = sent(&times).await;
    for (id, ses_id) in &ids {
        assert_eq!(store.messages().id_of(ses_id).await.unwrap(), Some(*id), "{ses_id}");
    }
    for other in [ses_id(at(5), 999), "m-1".to_owned(), String::new()] {
        assert_eq!(store.messages().id_of(&other).await.unwrap(), None, "{other}");
    }
}

#[tokio::test]
async fn few_mails_are_looked_at_and_a_search_of_the_table_finds_all() {
    // The first waited in the queue. The second has a megabyte of rows behind it that came before SES answered.
    let (store, ids) = sent(&[(at(0), at(3_600_000)), (at(10_000), at(12_000))]).await;
    let [(partition, of_partition), _] = row_key(ids[1].0);
    let pad = s(&"x".repeat(200_000));
    for number in 0..6 {
        let newer = s(&id(at(11_000), number).to_string());
        let row = [(partition, s(&of_partition)), ("sk", newer), ("pad", pad.clone())];
        store.put("MessagesTable", row).await;
    }
    let messages = store.messages();
    for (id, ses_id) in &ids {
        assert_eq!(messages.id_of(ses_id).await.unwrap(), None);
        assert_eq!(search(&store, ses_id).await, [*id]);
    }
    assert!(search(&store, &self::ses_id(at(0), 999)).await.is_empty());
}

/// Reads all segments to their ends.
async fn search(store: &Store, ses_id: &str) -> Vec<Uuid> {
    const SEGMENTS: u16 = 3;
    let messages = store.messages();
    let mut found = Vec::new();
    let mut units = 0.0;
    for segment in 0..SEGMENTS {
        let mut after = None;
        loop {
            let page = messages.search_page(ses_id, (segment, SEGMENTS), after.as_ref()).await;
            let page = page.unwrap();
            found.extend(page.found);
            units += page.units;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    assert!(units > 1.0);
    found
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error() {
    let down = Store::at(&closed_port().await).messages();
    assert_eq!(down.id_of(&ses_id(at(0), 1)).await.unwrap_err().operation, "Query");
    assert_eq!(down.search_page("x", (0, 1), None).await.unwrap_err().operation, "Scan");
}
