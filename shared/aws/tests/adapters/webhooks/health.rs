//! Failures in a row, and the endpoints that they park and disable.

use aws::Webhooks;
use domain::webhook::{
    DisabledBecause, EndpointChange, EndpointHealth, EndpointState, FAILURES_TO_PARK, LastFailure, TIME_OUTS_TO_PARK,
};
use futures_util::future::join_all;

use super::with_endpoint;
use crate::support::{Store, at};

pub(super) fn failure(number: i64) -> LastFailure {
    LastFailure {
        at: at(number),
        status: Some(500),
        error: None,
    }
}

/// Counts failures number `from` to `to`, as a caller that reads the health before each.
async fn fail(webhooks: &Webhooks, from: u32, to: u32) -> EndpointHealth {
    let mut health = webhooks.health("a").await.unwrap().unwrap();
    for number in from..=to {
        health = webhooks
            .failed("a", &failure(number.into()), FAILURES_TO_PARK, &health)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(health.failures, number);
        assert_eq!(webhooks.health("a").await.unwrap().as_ref(), Some(&health));
    }
    health
}

#[tokio::test]
async fn the_twentieth_failure_in_a_row_parks_an_endpoint() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    assert_eq!(webhooks.health("a").await.unwrap(), Some(EndpointHealth::default()));
    let health = fail(&webhooks, 1, FAILURES_TO_PARK - 1).await;
    assert_eq!((health.parked_at, health.last_failure), (None, Some(failure(19))));
    let health = fail(&webhooks, 20, 20).await;
    assert_eq!(health.parked_at, Some(at(20)));
    // Further failures do not park it anew.
    let health = fail(&webhooks, 21, 22).await;
    assert_eq!(
        (health.parked_at, health.last_failure),
        (Some(at(20)), Some(failure(22)))
    );
}

#[tokio::test]
async fn a_time_out_parks_an_endpoint_that_has_failed_twice() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    let seen = fail(&webhooks, 1, 1).await;
    let time_out = async |number, seen| {
        let failed = webhooks.failed("a", &failure(number), TIME_OUTS_TO_PARK, seen).await;
        failed.unwrap().unwrap()
    };
    let health = time_out(2, &seen).await;
    assert_eq!((health.failures, health.parked_at), (2, None));
    let health = time_out(3, &health).await;
    assert_eq!((health.failures, health.parked_at), (3, Some(at(3))));
    // An answered failure, which would not park it, leaves it parked; and so does a later time-out.
    let health = fail(&webhooks, 4, 4).await;
    assert_eq!(health.parked_at, Some(at(3)));
    assert_eq!(time_out(5, &health).await.parked_at, Some(at(3)));
}

#[tokio::test]
async fn a_failure_counts_whatever_its_caller_has_seen() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    let many = EndpointHealth {
        failures: 400,
        ..EndpointHealth::default()
    };
    let health = webhooks
        .failed("a", &failure(1), FAILURES_TO_PARK, &many)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((health.failures, health.parked_at), (1, None));
    fail(&webhooks, 2, 19).await;
    let health = webhooks
        .failed("a", &failure(20), FAILURES_TO_PARK, &EndpointHealth::default())
        .await;
    assert_eq!(health.unwrap().unwrap().parked_at, Some(at(20)));
}

#[tokio::test]
async fn failures_at_once_are_all_counted_and_park_once() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    let seen = fail(&webhooks, 1, 12).await;
    let failures: Vec<_> = (13..=30).map(failure).collect();
    let counted = join_all(
        failures
            .iter()
            .map(|failure| webhooks.failed("a", failure, FAILURES_TO_PARK, &seen)),
    )
    .await;
    let mut counts: Vec<_> = counted
        .into_iter()
        .map(|health| health.unwrap().unwrap())
        .map(|health| (health.failures, health.is_parked()))
        .collect();
    counts.sort_unstable();
    let expected: Vec<_> = (13..=30).map(|count| (count, count >= FAILURES_TO_PARK)).collect();
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn a_failure_without_an_answer_keeps_its_words() {
    let store = with_endpoint().await;
    let silent = LastFailure {
        at: at(1),
        status: None,
        error: Some("no answer within 15 s".to_owned()),
    };
    let seen = EndpointHealth::default();
    let health = store
        .webhooks()
        .failed("a", &silent, TIME_OUTS_TO_PARK, &seen)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(health.last_failure, Some(silent));
}

#[tokio::test]
async fn a_success_ends_the_row_and_unparks() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    let parked = fail(&webhooks, 1, 20).await;
    assert!(webhooks.succeeded("a", &parked).await.unwrap());
    let health = webhooks.health("a").await.unwrap().unwrap();
    assert_eq!((health.failures, health.parked_at), (0, None));
    assert_eq!(health.last_failure, Some(failure(20)));
    // Another process has seen it parked too.
    assert!(!webhooks.succeeded("a", &parked).await.unwrap());
    fail(&webhooks, 1, 1).await;
}

#[tokio::test]
async fn a_success_of_a_healthy_endpoint_writes_nothing() {
    // Any call would fail.
    let webhooks = Store::at(&crate::support::closed_port().await).webhooks();
    assert!(!webhooks.succeeded("a", &EndpointHealth::default()).await.unwrap());
}

#[tokio::test]
async fn an_endpoint_is_disabled_if_it_is_still_parked() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    fail(&webhooks, 1, 20).await;
    // It was unparked and parked again since.
    assert!(!webhooks.disable_parked("a", at(19)).await.unwrap());
    assert_eq!(webhooks.get("a").await.unwrap().unwrap().state, EndpointState::Enabled);
    assert!(webhooks.disable_parked("a", at(20)).await.unwrap());
    assert!(!webhooks.disable_parked("a", at(20)).await.unwrap());
    assert_eq!(webhooks.get("a").await.unwrap().unwrap().state, EndpointState::Disabled);
    let health = webhooks.health("a").await.unwrap().unwrap();
    assert_eq!(health.disabled_because, Some(DisabledBecause::Parked));
}

#[tokio::test]
async fn an_endpoint_that_is_enabled_has_good_health() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    fail(&webhooks, 1, 20).await;
    webhooks.disable_parked("a", at(20)).await.unwrap();
    let change = EndpointChange {
        state: Some(EndpointState::Enabled),
        ..EndpointChange::default()
    };
    webhooks.update("a", &change).await.unwrap().unwrap();
    let health = webhooks.health("a").await.unwrap().unwrap();
    assert_eq!(
        (health.failures, health.parked_at, health.disabled_because),
        (0, None, None)
    );
}
