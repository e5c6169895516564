//! Batches whose key has been held for hours and days.

use std::time::Duration;

use serde_json::json;

use super::{KEYED, PERMISSIVE, emails, fast, post, received};

#[tokio::test]
async fn a_resumed_batch_is_remembered_for_a_day_from_when_it_was_resumed() {
    let okite = fast().await;
    let batch = emails(3);
    let refuse =
        json!({ "operation": "SendEmail", "skip": 1, "times": 1, "error": "MessageRejected", "message": "No" });
    okite.fault(refuse).await;
    post(&okite, &batch, &[KEYED, PERMISSIVE]).await;
    let claim = async || {
        let rows = okite.all_messages().await;
        let claim = rows
            .into_iter()
            .find(|row| row["pk"].as_s().unwrap().starts_with("claim#"))
            .unwrap();
        claim["expires"].as_n().unwrap().parse::<i64>().unwrap()
    };
    let first = claim().await;
    okite.advance(Duration::from_hours(20)).await;
    let resumed = post(&okite, &batch, &[KEYED, PERMISSIVE]).await;
    assert_eq!(resumed.status, 200);
    assert!(claim().await >= first + 20 * 3_600_000);
    okite.advance(Duration::from_hours(23)).await;
    assert_eq!(post(&okite, &batch, &[KEYED, PERMISSIVE]).await.body, resumed.body);
    assert_eq!(received(&okite).await.values().sum::<usize>(), 3);
}

/// Nothing that may have gone is sent again, whatever became of the rest.
#[tokio::test]
async fn a_batch_with_an_email_of_which_nothing_is_known_keeps_its_key_after_a_day() {
    let okite = fast().await;
    let batch = emails(3);
    let lost = json!({ "operation": "SendEmail", "skip": 1, "times": 1, "drop": "before" });
    let refused =
        json!({ "operation": "SendEmail", "skip": 1, "times": 1, "error": "MessageRejected", "message": "No" });
    okite.fault(lost).await;
    okite.fault(refused).await;
    let first = post(&okite, &batch, &[KEYED, PERMISSIVE]).await;
    let errors = first.body["errors"].as_array().unwrap();
    let unknown = errors.iter().find(|error| error["statusCode"] == 500).unwrap();
    assert_eq!((errors.len(), okite.outbox().await.len()), (2, 1), "{first:?}");
    for _ in 0..2 {
        okite.advance(Duration::from_hours(25)).await;
        let again = post(&okite, &batch, &[KEYED, PERMISSIVE]).await;
        let [error] = again.body["errors"].as_array().unwrap().as_slice() else {
            panic!("{again:?}")
        };
        assert_eq!((&error["statusCode"], &error["id"]), (&json!(409), &unknown["id"]));
        assert!(received(&okite).await.values().all(|count| *count == 1));
        assert_eq!(okite.outbox().await.len(), 2);
        // Nor is another batch sent under this key.
        let other = post(&okite, &emails(2), &[KEYED]).await;
        other.refused(409, "invalid_idempotent_request");
    }
    let sent = json!({ "eventType": "Send", "mail": { "messageId": "m-7", "tags": { "okite_id": [unknown["id"]] } } });
    assert_eq!(okite.publish_copies(&sent, 2).await, (2, 0));
    let known = post(&okite, &batch, &[KEYED]).await;
    assert_eq!(known.status, 200, "{known:?}");
    assert_eq!(okite.outbox().await.len(), 2);
}
