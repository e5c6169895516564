//! Looking addresses up on the suppression list: all of them, or it is an error.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use serde_json::json;

use super::registers::{KEY, address, addresses};
use crate::support::{Answer, Fake, Request, Store, at};

/// Asks a fake DynamoDB that leaves out all keys but the first `answered` of each request, and finds each it answers.
async fn partial(answered: usize) -> Fake {
    Fake::start(move |_, request| Answer::ok(batch_answer(request, answered))).await
}

fn batch_answer(request: &Request, answered: usize) -> String {
    let asked = request.json();
    let (table, keys) = asked["RequestItems"].as_object().unwrap().iter().next().unwrap();
    let keys = keys["Keys"].as_array().unwrap();
    let (done, left) = keys.split_at(answered.min(keys.len()));
    let items: Vec<_> = done
        .iter()
        .map(|key| json!({ KEY: key[KEY], "bounce_at": { "N": at(0).as_millisecond().to_string() } }))
        .collect();
    let mut answer = json!({ "Responses": { table: items }, "UnprocessedKeys": {} });
    if !left.is_empty() {
        answer["UnprocessedKeys"] = json!({ table: { "Keys": left, "ConsistentRead": true } });
    }
    answer.to_string()
}

fn keys_asked_for(request: &Request) -> usize {
    request.json()["RequestItems"]["okite-SuppressionsTable"]["Keys"]
        .as_array()
        .unwrap()
        .len()
}

#[tokio::test]
async fn keys_that_are_never_processed_are_an_error_and_not_an_empty_list() {
    let fake = partial(0).await;
    let error = Store::at(&fake.endpoint)
        .suppressions()
        .lookup(&addresses(2))
        .await
        .unwrap_err();
    assert_eq!(
        (error.operation, error.code.as_str()),
        ("BatchGetItem", "UnprocessedKeys")
    );
    assert!(fake.requests().len() > 1);
}

#[tokio::test]
async fn one_key_that_is_never_processed_spoils_the_whole_answer() {
    let fake = Fake::start(|number, request| {
        let answered = if number == 0 { keys_asked_for(request) - 1 } else { 0 };
        Answer::ok(batch_answer(request, answered))
    })
    .await;
    let error = Store::at(&fake.endpoint)
        .suppressions()
        .lookup(&addresses(50))
        .await
        .unwrap_err();
    assert_eq!(error.code, "UnprocessedKeys");
}

#[tokio::test]
async fn keys_that_were_left_out_are_asked_for_again_and_only_those() {
    let fake = partial(20).await;
    let found = Store::at(&fake.endpoint)
        .suppressions()
        .lookup(&addresses(25))
        .await
        .unwrap();
    assert_eq!(found.len(), 25);
    assert_eq!(fake.requests().iter().map(keys_asked_for).collect::<Vec<_>>(), [25, 5]);
}

#[tokio::test]
async fn each_recipient_of_a_mail_is_one_key_and_all_are_asked_for_at_once() {
    let fake = partial(100).await;
    let list = Store::at(&fake.endpoint).suppressions();
    let mut recipients = addresses(50);
    // Another spelling and the pseudonym have the key of the address.
    recipients.push(address("USER7@example.org"));
    recipients.push(recipients[7].pseudonym());
    let found = list.lookup(&recipients).await.unwrap();
    assert_eq!(found.len(), 51);
    assert!(found.contains_key(recipients[51].normalised()));
    assert_eq!(fake.requests().iter().map(keys_asked_for).collect::<Vec<_>>(), [50]);
}

#[tokio::test]
async fn every_lookup_is_consistent() {
    let fake = partial(1).await;
    Store::at(&fake.endpoint)
        .suppressions()
        .lookup(&addresses(2))
        .await
        .unwrap();
    assert_eq!(fake.requests().len(), 2);
    for request in fake.requests() {
        assert_eq!(request.headers["x-amz-target"], "DynamoDB_20120810.BatchGetItem");
        assert_eq!(
            request.json()["RequestItems"]["okite-SuppressionsTable"]["ConsistentRead"],
            true
        );
    }
}

#[tokio::test]
async fn an_error_that_lasts_is_an_error_after_three_attempts() {
    let fake = Fake::start(|_, _| {
        let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"anna@example.org"}"#;
        Answer::Reply(500, Vec::new(), body.to_owned())
    })
    .await;
    let error = Store::at(&fake.endpoint)
        .suppressions()
        .lookup(&addresses(1))
        .await
        .unwrap_err();
    assert_eq!(error.code, "InternalServerError");
    assert!(!error.to_string().contains("anna"), "{error}");
    assert_eq!(fake.requests().len(), 3);
}
