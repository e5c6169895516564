//! Claims of idempotency keys.

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
    let mut hash = RequestBody::default();
    hash.add_invalid(&body);
    let key = RequestKey::new(("a1b2", "POST /emails", "order-7"), hash);
    Claim::new(&key, Uuid::from_u128(n), Uuid::from_u128(1_000_000 + n), now)
}

#[tokio::test]
async fn a_key_is_claimed_once_and_the_others_see_its_holder() {
    let store = Store::start().await;
    let (first, second) = (claim(1, at(0)), claim(2, at(5)));
    assert_eq!(store.claims().take(&first).await.unwrap(), Claimed::Won);
    assert_eq!(
        store.claims().take(&second).await.unwrap(),
        Claimed::Held(first.clone())
    );
    let row = store.item(TABLE, &[("pk", &first.id), ("sk", "claim")]).await.unwrap();
    assert_eq!(text(&row, "message_id"), first.message_id.to_string());
    assert_eq!(number(&row, "lease_until"), 35_000 + at(0).as_millisecond());
    assert_eq!(number(&row, "expires_at"), at(0).as_second() + 25 * 3_600);
    assert_eq!(number(&row, "emails"), 1);
    assert!(!format!("{row:?}").contains("order-7"));
}

#[tokio::test]
async fn of_a_hundred_at_once_one_wins() {
    let store = Store::start().await;
    let claims: Vec<Claim> = (1..=100).map(|n| claim(n, at(0))).collect();
    let taken = futures_util::future::join_all(
        claims
            .iter()
            .map(async |claim| store.claims().take(claim).await.unwrap()),
    )
    .await;
    let winner = taken.iter().position(|taken| *taken == Claimed::Won).unwrap();
    for (n, taken) in taken.into_iter().enumerate().filter(|(n, _)| *n != winner) {
        assert_eq!(taken, Claimed::Held(claims[winner].clone()), "{n}");
    }
}

#[tokio::test]
async fn a_claim_with_a_lost_answer_is_recognised() {
    let store = Store::start().await;
    let first = claim(1, at(0));
    let losing = store.losing_an_answer().await;
    assert_eq!(losing.claims().take(&first).await.unwrap(), Claimed::Won);
    let second = first.taken_over(&claim(2, at(40_000)), false);
    let losing = store.losing_an_answer().await;
    assert_eq!(losing.claims().take_over(&first, &second).await.unwrap(), Claimed::Won);
    let losing = store.losing_an_answer().await;
    losing.claims().free(&second.id, second.nonce).await.unwrap();
    assert_eq!(store.count(TABLE).await, 0);
}

#[tokio::test]
async fn a_claim_of_ones_own_that_came_late_is_no_takeover() {
    let store = Store::start().await;
    let claims = store.claims();
    let (first, second) = (claim(1, at(0)), claim(2, at(40_000)));
    claims.take(&first).await.unwrap();
    assert_eq!(claims.take(&second).await.unwrap(), Claimed::Held(first.clone()));
    claims.free(&first.id, first.nonce).await.unwrap();
    // An earlier copy of the second claim, which had no answer, is carried out only now.
    claims.take(&second).await.unwrap();
    let taken = first.taken_over(&second, false);
    assert_ne!(taken.message_id, second.message_id);
    // The key names the second message: the first one must not be sent under it.
    assert_eq!(
        claims.take_over(&first, &taken).await.unwrap(),
        Claimed::Held(second.clone())
    );
    assert_eq!(claims.take(&second).await.unwrap(), Claimed::Won);
}

#[tokio::test]
async fn a_key_whose_time_is_over_is_held_until_it_is_replaced() {
    let store = Store::start().await;
    let (first, later) = (claim(1, at(0)), at(0) + REMEMBERED);
    store.claims().take(&first).await.unwrap();
    let second = claim(2, later);
    assert_eq!(
        store.claims().take(&second).await.unwrap(),
        Claimed::Held(first.clone())
    );
    assert_eq!(store.claims().replace(&first, &second).await.unwrap(), Claimed::Won);
    let third = claim(3, later);
    assert_eq!(
        store.claims().take(&third).await.unwrap(),
        Claimed::Held(second.clone())
    );
    // What a late request saw is no longer true.
    assert_eq!(
        store.claims().replace(&first, &third).await.unwrap(),
        Claimed::Held(second.clone())
    );
    store.claims().free(&second.id, second.nonce).await.unwrap();
    assert_eq!(store.claims().replace(&second, &third).await.unwrap(), Claimed::Gone);
    assert_eq!(store.count(TABLE).await, 0);
}

#[tokio::test]
async fn of_many_that_replace_a_key_one_wins() {
    let store = Store::start().await;
    let (first, later) = (claim(1, at(0)), at(0) + REMEMBERED);
    store.claims().take(&first).await.unwrap();
    let rivals: Vec<Claim> = (2..=21).map(|n| claim(n, later)).collect();
    let replaced = futures_util::future::join_all(
        rivals
            .iter()
            .map(async |claim| store.claims().replace(&first, claim).await.unwrap()),
    )
    .await;
    assert_eq!(replaced.iter().filter(|claimed| **claimed == Claimed::Won).count(), 1);
}

#[tokio::test]
async fn a_key_is_remembered_longer_and_never_shorter() {
    let store = Store::start().await;
    let claims = store.claims();
    let first = claim(1, at(0));
    claims.take(&first).await.unwrap();
    let expires = async || {
        let row = store.item(TABLE, &[("pk", &first.id), ("sk", "claim")]).await.unwrap();
        number(&row, "expires")
    };
    let (longer, shorter) = (first.expires + REMEMBERED, first.expires + LEASE);
    claims.remember(&first, longer).await.unwrap();
    claims.remember(&first, shorter).await.unwrap();
    assert_eq!(expires().await, longer.as_millisecond());
    // Nor does a request replace it that saw the shorter time.
    let second = claim(2, first.expires);
    assert!(matches!(
        claims.replace(&first, &second).await.unwrap(),
        Claimed::Held(_)
    ));
    // Nor does one take it over.
    let Claimed::Held(seen) = claims
        .take_over(&first, &first.taken_over(&second, true))
        .await
        .unwrap()
    else {
        panic!("a key was taken over by a request that saw a shorter time");
    };
    assert_eq!(seen.expires, longer);
    // Another request has the key by now.
    let taken = seen.taken_over(&second, true);
    assert_eq!(claims.take_over(&seen, &taken).await.unwrap(), Claimed::Won);
    claims.remember(&first, longer + REMEMBERED).await.unwrap();
    assert_eq!(expires().await, taken.expires.as_millisecond());
    // Nothing comes of a key that is gone.
    claims.free(&taken.id, taken.nonce).await.unwrap();
    claims.remember(&taken, longer + REMEMBERED).await.unwrap();
    assert_eq!(store.count(TABLE).await, 0);
}

#[tokio::test]
async fn a_claim_keeps_the_number_of_its_emails_and_the_time_of_their_records() {
    let store = Store::start().await;
    let first = Claim {
        emails: 100,
        kept_until: Timestamp::from_second(at(0).as_second() + 30 * 24 * 3_600).unwrap(),
        ..claim(1, at(0))
    };
    store.claims().take(&first).await.unwrap();
    let second = claim(2, at(0) + LEASE);
    assert_eq!(
        store.claims().take(&second).await.unwrap(),
        Claimed::Held(first.clone())
    );
    let taken = first.taken_over(&second, true);
    store.claims().take_over(&first, &taken).await.unwrap();
    let row = store.item(TABLE, &[("pk", &first.id), ("sk", "claim")]).await.unwrap();
    assert_eq!(number(&row, "emails"), 100);
    assert_eq!(number(&row, "expires_at"), first.kept_until.as_second());
    assert_eq!(number(&row, "expires"), second.expires.as_millisecond());
}

#[tokio::test]
async fn a_key_is_taken_over_once_and_keeps_its_message() {
    let store = Store::start().await;
    let (first, later) = (claim(1, at(0)), at(0) + LEASE);
    store.claims().take(&first).await.unwrap();
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
        kept_until: rivals[winner].kept_until,
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
    store.claims().take(&first).await.unwrap();
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
        (claims.take(&claim).await.map(drop), "PutItem"),
        (claims.take_over(&claim, &claim).await.map(drop), "UpdateItem"),
        (claims.replace(&claim, &claim).await.map(drop), "PutItem"),
        (claims.remember(&claim, at(0)).await, "UpdateItem"),
        (claims.free(&claim.id, claim.nonce).await, "DeleteItem"),
    ] {
        let error = failed.unwrap_err();
        assert_eq!((error.operation, error.code.as_str()), (operation, "ConnectionFailed"));
    }
}

#[tokio::test]
async fn a_released_key_has_no_holder_at_work() {
    let store = Store::start().await;
    let claims = store.claims();
    let first = claim(1, at(0));
    assert_eq!(claims.take(&first).await.unwrap(), Claimed::Won);
    // Another request's release says nothing.
    claims.release(&claim(2, at(0)), at(1)).await.unwrap();
    assert_eq!(
        claims.take(&claim(2, at(0))).await.unwrap(),
        Claimed::Held(first.clone())
    );
    claims.release(&first, at(3)).await.unwrap();
    let Claimed::Held(held) = claims.take(&claim(2, at(0))).await.unwrap() else {
        panic!("it is still remembered")
    };
    assert_eq!((held.lease_until, held.message_id), (at(3), first.message_id));
}
