//! The rotation of secrets.

use domain::webhook::Secrets;

use super::{secret, with_endpoint};
use crate::support::at;

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_for_a_day() {
    let store = with_endpoint().await;
    let webhooks = store.webhooks();
    let first = Secrets {
        current: secret(1),
        previous: None,
    };
    assert_eq!(webhooks.secrets("a").await.unwrap(), Some(first));
    let rotated = Secrets {
        current: secret(2),
        previous: Some((secret(1), at(DAY))),
    };
    assert_eq!(
        webhooks.rotate("a", &secret(2), at(0)).await.unwrap(),
        Some(rotated.clone())
    );
    assert_eq!(webhooks.secrets("a").await.unwrap(), Some(rotated));
    let again = Secrets {
        current: secret(3),
        previous: Some((secret(2), at(DAY + 5))),
    };
    assert_eq!(webhooks.rotate("a", &secret(3), at(5)).await.unwrap(), Some(again));
    assert_eq!(webhooks.rotate("b", &secret(3), at(5)).await.unwrap(), None);
    assert_eq!(webhooks.secrets("b").await.unwrap(), None);
}

#[tokio::test]
async fn a_rotation_whose_answer_is_lost_keeps_the_secret_before() {
    let store = with_endpoint().await;
    let forgetful = store.losing_an_answer().await;
    let rotated = forgetful
        .webhooks()
        .rotate("a", &secret(2), at(0))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (rotated.current, rotated.previous),
        (secret(2), Some((secret(1), at(DAY))))
    );
}
