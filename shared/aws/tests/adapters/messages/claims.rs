//! Claims of idempotency keys.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::time::Duration;

use aws::Claimed;
use domain::idempotency::{Claim, LEASE, REMEMBERED, RequestBody, RequestKey};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Store, at, closed_port, number, text};

const TABLE: &str = "MessagesTable";

/// The claim that the `n`th request makes of one key, at `now`.
fn claim(n: u128, now: Timestamp) -> Claim {
    let body = json!({ "subject": "Hello" });
    let body = RequestBody::One(body.as_object().unwrap());
    let key = RequestKey::new(("a1b2", "POST /emails", "order-7"), body);
    Claim::new(&key, Uuid::from_u128(n), Uuid::from_u128(1_000_000 + n), now)
}

#[tokio::test]
async fn a_key_is_claimed_once_and_the_others_see_by_whom() {
    let store = Store::start().await;
    let (first, second) = (claim(1, at(0)), claim(2, at(5)));
    assert_eq!(store.claims().take(&first, at(0)).await.unwrap(), Claimed::Won);
    assert_eq!(
        store.claims().take(&second, at(5)).await.unwrap(),
        Claimed::Held(first.clone())
    );
    let row = store.item(TABLE, &[("id", &first.id), ("sk", "claim")]).await.unwrap();
    assert_eq!(text(&row, "message_id"), first.message_id.to_string());
    assert_eq!(number(&row, "lease_until"), 35_000 + at(0).as_millisecond());
    assert_eq!(number(&row, "expires_at"), at(0).as_second() + 24 * 3_600);
    assert!(!format!("{row:?}").contains("order-7"));
}

#[tokio::test]
async fn of_a_hundred_at_once_one_wins() {
    let store = Store::start().await;
    let claims: Vec<Claim> = (1..=100).map(|n| claim(n, at(0))).collect();
    let taken = futures_util::future::join_all(
        claims
            .iter()
            .map(async |claim| store.claims().take(claim, at(0)).await.unwrap()),
    )
    .await;
    let winner = taken.iter().position(|taken| *taken == Claimed::Won).unwrap();
    for (n, taken) in taken.into_iter().enumerate().filter(|(n, _)| *n != winner) {
        assert_eq!(taken, Claimed::Held(claims[winner].clone()), "{n}");
    }
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_known_again() {
    let store = Store::start().await;
    let first = claim(1, at(0));
    let losing = store.losing_an_answer().await;
    assert_eq!(losing.claims().take(&first, at(0)).await.unwrap(), Claimed::Won);
    let second = claim(2, at(40_000));
    let losing = store.losing_an_answer().await;
    assert_eq!(losing.claims().take_over(&first, &second).await.unwrap(), Claimed::Won);
    let losing = store.losing_an_answer().await;
    losing.claims().free(&second.id, second.nonce).await.unwrap();
    assert_eq!(store.count(TABLE).await, 0);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_though_its_row_is_there() {
    let store = Store::start().await;
    store.claims().take(&claim(1, at(0)), at(0)).await.unwrap();
    let just_before = at(0) + REMEMBERED - Duration::from_millis(1);
    let second = claim(2, just_before);
    assert!(matches!(
        store.claims().take(&second, just_before).await.unwrap(),
        Claimed::Held(_)
    ));
    let third = claim(3, at(0) + REMEMBERED);
    assert_eq!(
        store.claims().take(&third, at(0) + REMEMBERED).await.unwrap(),
        Claimed::Won
    );
}

#[tokio::test]
async fn a_key_is_taken_over_once_and_keeps_its_message() {
    let store = Store::start().await;
    let (first, later) = (claim(1, at(0)), at(0) + LEASE);
    store.claims().take(&first, at(0)).await.unwrap();
    let rivals: Vec<Claim> = (2..=21).map(|n| claim(n, later)).collect();
    let taken = futures_util::future::join_all(
        rivals
            .iter()
            .map(async |claim| store.claims().take_over(&first, claim).await.unwrap()),
    )
    .await;
    let winner = taken.iter().position(|taken| *taken == Claimed::Won).unwrap();
    let expected = Claim {
        nonce: rivals[winner].nonce,
        lease_until: rivals[winner].lease_until,
        expires: rivals[winner].expires,
        ..first
    };
    for (n, taken) in taken.into_iter().enumerate().filter(|(n, _)| *n != winner) {
        assert_eq!(taken, Claimed::Held(expected.clone()), "{n}");
    }
}

#[tokio::test]
async fn only_the_request_that_has_a_key_frees_it() {
    let store = Store::start().await;
    let (first, second) = (claim(1, at(0)), claim(2, at(0)));
    store.claims().take(&first, at(0)).await.unwrap();
    store.claims().free(&second.id, second.nonce).await.unwrap();
    assert_eq!(store.count(TABLE).await, 1);
    store.claims().free(&first.id, first.nonce).await.unwrap();
    store.claims().free(&first.id, first.nonce).await.unwrap();
    assert_eq!(store.count(TABLE).await, 0);
    assert_eq!(store.claims().take_over(&first, &second).await.unwrap(), Claimed::Gone);
    assert_eq!(store.count(TABLE).await, 0);
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error_of_every_operation() {
    let claims = Store::at(&closed_port().await).claims();
    let claim = claim(1, at(0));
    for (failed, operation) in [
        (claims.take(&claim, at(0)).await.map(drop), "PutItem"),
        (claims.take_over(&claim, &claim).await.map(drop), "UpdateItem"),
        (claims.free(&claim.id, claim.nonce).await, "DeleteItem"),
    ] {
        let error = failed.unwrap_err();
        assert_eq!((error.operation, error.code.as_str()), (operation, "ConnectionFailed"));
    }
}

#[tokio::test]
async fn a_released_key_is_held_by_nobody_at_work() {
    let store = Store::start().await;
    let claims = store.claims();
    let first = claim(1, at(0));
    assert_eq!(claims.take(&first, at(0)).await.unwrap(), Claimed::Won);
    // Another request's release says nothing.
    claims.release(&claim(2, at(0)), at(1)).await.unwrap();
    assert_eq!(
        claims.take(&claim(2, at(0)), at(2)).await.unwrap(),
        Claimed::Held(first.clone())
    );
    claims.release(&first, at(3)).await.unwrap();
    let Claimed::Held(held) = claims.take(&claim(2, at(0)), at(4)).await.unwrap() else {
        panic!("it is still remembered")
    };
    assert_eq!((held.lease_until, held.message_id), (at(3), first.message_id));
}
