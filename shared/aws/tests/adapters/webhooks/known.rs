//! The cache of endpoints.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws::KnownEndpoints;
use domain::webhook::ENDPOINTS_REMEMBERED;
use serde_json::json;

use super::{endpoint, secret, with_endpoint};
use crate::support::{Answer, Fake, Store, at};

#[tokio::test]
async fn a_list_is_used_for_half_a_minute() {
    let store = with_endpoint().await;
    let known = KnownEndpoints::new(store.webhooks(), ENDPOINTS_REMEMBERED);
    assert_eq!(known.all(at(0)).await.unwrap()[..], [endpoint("a")]);
    store.webhooks().create(&endpoint("b"), &secret(1)).await.unwrap();
    assert_eq!(known.all(at(29_999)).await.unwrap().len(), 1);
    assert_eq!(known.all(at(30_000)).await.unwrap().len(), 2);
    // The clock was set back.
    store.webhooks().delete("b").await.unwrap();
    assert_eq!(known.all(at(29_999)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn no_endpoints_are_a_list_too() {
    let store = Store::start().await;
    let known = KnownEndpoints::new(store.webhooks(), ENDPOINTS_REMEMBERED);
    assert!(known.all(at(0)).await.unwrap().is_empty());
    store.webhooks().create(&endpoint("a"), &secret(1)).await.unwrap();
    assert!(known.all(at(29_999)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_of_five_minutes_ago_serves_while_the_table_cannot_be_read() {
    let fails = Arc::new(AtomicBool::new(true));
    let table = Fake::start({
        let fails = Arc::clone(&fails);
        move |_, _| {
            if fails.load(Ordering::SeqCst) {
                Answer::error(400, "AccessDeniedException", "no")
            } else {
                Answer::ok(json!({ "Items": [], "Count": 0, "ScannedCount": 0 }).to_string())
            }
        }
    })
    .await;
    let known = KnownEndpoints::new(Store::at(&table.endpoint).webhooks(), ENDPOINTS_REMEMBERED);
    let all = async |milliseconds| {
        known
            .all(at(milliseconds))
            .await
            .map(|list| list.len())
            .map_err(|error| error.code)
    };
    // Without any list there is an error, and each call asks again.
    assert_eq!(all(0).await, Err("AccessDeniedException".to_owned()));
    fails.store(false, Ordering::SeqCst);
    assert_eq!(all(0).await, Ok(0));
    fails.store(true, Ordering::SeqCst);
    assert_eq!(all(29_999).await, Ok(0));
    assert_eq!(table.requests().len(), 2);
    // The next read fails. No other follows for some seconds, because each takes long.
    assert_eq!(all(30_000).await, Ok(0));
    assert_eq!(all(34_999).await, Ok(0));
    assert_eq!(table.requests().len(), 3);
    assert_eq!(all(35_000).await, Ok(0));
    assert_eq!(table.requests().len(), 4);
    assert_eq!(all(299_999).await, Ok(0));
    assert_eq!(all(300_000).await, Err("AccessDeniedException".to_owned()));
    fails.store(false, Ordering::SeqCst);
    assert_eq!(all(300_001).await, Ok(0));
}
