//! The secrets of unsubscribe links.

use aws::KnownUnsubscribeSecrets;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::unsubscribe::{UnsubscribeSecret, UnsubscribeSecrets};
use futures_util::future::join_all;

use crate::support::{Store, at, closed_port, s};

const TABLE: &str = "UsageTable";
const KEY: [(&str, &str); 2] = [("pk", "unsubscribe"), ("sk", "secrets")];

fn secret(byte: u8) -> UnsubscribeSecret {
    UnsubscribeSecret::from_random([byte; 32])
}

#[tokio::test]
async fn processes_that_make_the_first_secret_at_once_agree() {
    let store = Store::start().await;
    let made = (1..=8).map(|byte| {
        let known = KnownUnsubscribeSecrets::new(store.usage());
        async move { known.to_write(at(0), || Some(secret(byte))).await.unwrap() }
    });
    let made = join_all(made).await;
    let stored = store.usage().unsubscribe_secrets().await.unwrap().unwrap();
    assert_eq!(stored.len(), 1);
    assert!(made.iter().all(|made| **made == stored), "{made:?}");
    let item = store.item(TABLE, &KEY).await.unwrap();
    assert!(!item.contains_key("expires_at"), "no link would work any more");
}

#[tokio::test]
async fn a_rotation_keeps_the_old_secret_and_two_at_once_do_not_lose_one() {
    let store = Store::start().await;
    let usage = store.usage();
    assert_eq!(usage.unsubscribe_secrets().await.unwrap(), None);
    let first = usage.first_unsubscribe_secret(secret(1)).await.unwrap();
    let rotated = first.clone().rotated(secret(2)).unwrap();
    assert!(usage.rotate_unsubscribe_secrets(&first, &rotated).await.unwrap());
    // The SDK may repeat a write whose answer was lost.
    assert!(usage.rotate_unsubscribe_secrets(&first, &rotated).await.unwrap());
    let other = first.clone().rotated(secret(3)).unwrap();
    assert!(!usage.rotate_unsubscribe_secrets(&first, &other).await.unwrap());
    assert_eq!(usage.unsubscribe_secrets().await.unwrap(), Some(rotated));
}

#[tokio::test]
async fn a_process_reads_the_secrets_rarely_and_hears_of_a_rotation() {
    let store = Store::start().await;
    let usage = store.usage();
    let known = KnownUnsubscribeSecrets::new(usage.clone());
    assert_eq!(
        known.to_read(at(0), |_| false).await.unwrap(),
        None,
        "nothing was ever sent"
    );
    let first = known.to_write(at(0), || Some(secret(1))).await.unwrap();
    let rotated = UnsubscribeSecrets::clone(&first).rotated(secret(2)).unwrap();
    assert!(usage.rotate_unsubscribe_secrets(&first, &rotated).await.unwrap());
    let is_rotated = |secrets: &UnsubscribeSecrets| secrets.len() == 2;
    assert_eq!(known.to_write(at(299_999), || None).await.unwrap(), first);
    assert_eq!(
        known.to_read(at(29_999), is_rotated).await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(*known.to_read(at(30_000), is_rotated).await.unwrap().unwrap(), rotated);
    // A token that the known secrets made needs no store at all.
    let gone = KnownUnsubscribeSecrets::new(Store::at(&closed_port().await).usage());
    assert!(gone.to_read(at(0), |_| true).await.is_err());
}

#[tokio::test]
async fn damaged_secrets_are_not_replaced() {
    let store = Store::start().await;
    for damaged in [s("x"), AttributeValue::L(vec![]), AttributeValue::L(vec![s("AQ")])] {
        let key = KEY.map(|(name, value)| (name, s(value)));
        store.put(TABLE, key.into_iter().chain([("secrets", damaged)])).await;
        assert!(store.usage().unsubscribe_secrets().await.is_err());
        assert!(store.usage().first_unsubscribe_secret(secret(1)).await.is_err());
        let known = KnownUnsubscribeSecrets::new(store.usage());
        assert!(known.to_write(at(0), || Some(secret(2))).await.is_err());
    }
}
