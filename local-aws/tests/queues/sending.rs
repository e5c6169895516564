//! `SendMessage` and `SendMessageBatch`, and what `GetQueueAttributes` counts.

use std::time::Duration;

use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchError;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use local_aws::calls::Call;
use serde_json::json;

use crate::run::{Run, code};

const MIB: usize = 1024 * 1024;

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(body);
    entry.delay_seconds(0).build().unwrap()
}

async fn send_batch(
    run: &Run,
    entries: Vec<SendMessageBatchRequestEntry>,
) -> Result<(Vec<String>, Vec<(String, String)>), SendMessageBatchError> {
    let send = run.sqs.send_message_batch().queue_url(run.url("Plain"));
    let answer = send.set_entries(Some(entries)).send().await;
    let answer = answer.map_err(aws_sdk_sqs::error::SdkError::into_service_error)?;
    let successful = answer.successful.into_iter().map(|entry| entry.id).collect();
    let failed = answer.failed.into_iter().map(|entry| (entry.id, entry.code)).collect();
    Ok((successful, failed))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_with_its_attributes_and_its_group() {
    let run = Run::start().await;
    let kind = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("bulk")
        .build()
        .unwrap();
    let sent = run
        .sqs
        .send_message()
        .queue_url(run.url("Plain"))
        .message_body("hello")
        .message_group_id("tenant-1")
        .message_attributes("kind", kind.clone())
        .delay_seconds(0)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("5d41402abc4b2a76b9719d911017c592"));
    let received = run.sqs.receive_message().queue_url(run.url("Plain"));
    let received = received
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All");
    let message = received.send().await.unwrap().messages.unwrap().pop().unwrap();
    assert_eq!(message.message_id, sent.message_id);
    assert_eq!(message.body(), Some("hello"));
    assert_eq!(message.md5_of_body, sent.md5_of_message_body);
    assert_eq!(message.md5_of_message_attributes, sent.md5_of_message_attributes);
    assert_eq!(message.message_attributes.unwrap()["kind"], kind);
    let system = message.attributes.unwrap();
    assert_eq!(system[&MessageSystemAttributeName::MessageGroupId], "tenant-1");
    assert_eq!(system[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_delayed_as_it_says_or_as_its_queue_says_by_the_clock() {
    let run = Run::start().await;
    run.send("Plain", "at once").await;
    let send = || run.sqs.send_message().queue_url(run.url("Plain"));
    send().message_body("soon").send().await.unwrap();
    send().message_body("late").delay_seconds(900).send().await.unwrap();
    assert_eq!(run.counts("Plain").await, [1, 0, 2]);
    assert_eq!(run.shown("Plain").await["delayed"], 2);
    run.advance(Duration::from_secs(5)).await;
    assert_eq!(run.counts("Plain").await, [2, 0, 1]);
    run.advance(Duration::from_secs(895)).await;
    assert_eq!(run.counts("Plain").await, [3, 0, 0]);
    let age = run.shown("Plain").await["oldest_seconds"].as_i64().unwrap();
    assert!((900..960).contains(&age), "{age}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_sqs_does_not_accept_is_refused_with_the_code_of_sqs() {
    let run = Run::start().await;
    let send = |body: &str| run.sqs.send_message().queue_url(run.url("Plain")).message_body(body);
    let large = "x".repeat(MIB);
    send(&large).send().await.unwrap();
    let other = run.sqs.send_message().queue_url("https://other").message_body("x");
    for (request, expected) in [
        (send(&format!("{large}x")), "InvalidParameterValue"),
        (send(""), "MissingParameter"),
        (send("\u{1}"), "InvalidMessageContents"),
        (send("x").delay_seconds(901), "InvalidParameterValue"),
        (send("x").delay_seconds(-1), "InvalidParameterValue"),
        (send("x").message_group_id("two words"), "InvalidParameterValue"),
        (send("x").message_deduplication_id("1"), "InvalidParameterValue"),
        (other, "AWS.SimpleQueueService.NonExistentQueue"),
    ] {
        let error = request.send().await.unwrap_err();
        assert_eq!(code(&error), expected, "{error:?}");
    }
    assert_eq!(run.counts("Plain").await, [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entry_of_a_batch_has_an_outcome_of_its_own() {
    let run = Run::start().await;
    let late = entry("late", "x").clone();
    let mut entries = vec![entry("a", "1"), entry("b", "2")];
    entries.push(
        SendMessageBatchRequestEntry::builder()
            .id("c")
            .message_body("3")
            .delay_seconds(901)
            .build()
            .unwrap(),
    );
    entries.push(late);
    let (successful, failed) = send_batch(&run, entries).await.unwrap();
    assert_eq!(successful, ["a", "b", "late"]);
    assert_eq!(failed, [("c".to_owned(), "InvalidParameterValue".to_owned())]);
    assert_eq!(run.counts("Plain").await, [3, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_sqs_does_not_accept_is_refused_as_a_whole() {
    let run = Run::start().await;
    let many: Vec<_> = (0..11).map(|id| entry(&id.to_string(), "x")).collect();
    let half = "x".repeat(MIB / 2);
    let refusal = async |entries| send_batch(&run, entries).await.unwrap_err();
    assert!(refusal(vec![]).await.is_empty_batch_request());
    assert!(refusal(many).await.is_too_many_entries_in_batch_request());
    let twice = vec![entry("a", "x"), entry("a", "y")];
    assert!(refusal(twice).await.is_batch_entry_ids_not_distinct());
    assert!(refusal(vec![entry("a b", "x")]).await.is_invalid_batch_entry_id());
    let long = vec![entry("a", &half), entry("b", &half), entry("c", "x")];
    assert!(refusal(long).await.is_batch_request_too_long());
    assert_eq!(run.counts("Plain").await, [0, 0, 0]);
    send_batch(&run, vec![entry("a", &half), entry("b", &half)])
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_loses_the_answer_or_a_part_of_a_batch() {
    let run = Run::start().await;
    let send = || {
        run.sqs
            .send_message()
            .queue_url(run.url("Plain"))
            .message_body("x")
            .delay_seconds(0)
    };
    run.fault(json!({ "operation": "SendMessage", "error": "RequestThrottled" }))
        .await;
    assert!(
        send()
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_request_throttled()
    );
    run.fault(json!({ "operation": "SendMessage", "drop": "before" })).await;
    send().send().await.unwrap_err();
    assert_eq!(run.counts("Plain").await, [0, 0, 0]);
    run.fault(json!({ "operation": "SendMessage", "drop": "after" })).await;
    send().send().await.unwrap_err();
    assert_eq!(run.counts("Plain").await, [1, 0, 0]);
    run.fault(json!({ "operation": "SendMessageBatch", "skip": 1, "unprocessed": 1 }))
        .await;
    let batch = || vec![entry("a", "x"), entry("b", "x")];
    assert_eq!(send_batch(&run, batch()).await.unwrap().1, []);
    let (successful, failed) = send_batch(&run, batch()).await.unwrap();
    assert_eq!(
        (successful, failed),
        (vec!["a".to_owned()], vec![("b".to_owned(), "InternalError".to_owned())])
    );
    assert_eq!(run.counts("Plain").await, [4, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_allows_a_batch_by_the_action_of_the_single_message() {
    let run = Run::start().await;
    send_batch(&run, vec![entry("a", "x")]).await.unwrap();
    let sent: Vec<Call> = run
        .local
        .calls
        .seen()
        .into_iter()
        .filter(|call| call.function == "caller")
        .collect();
    let expected = Call {
        function: "caller".to_owned(),
        action: "sqs:SendMessage".to_owned(),
        resource: "arn:aws:sqs:us-east-1:000000000000:shop-Plain".to_owned(),
    };
    assert_eq!(sent, [expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_a_queue_are_those_of_the_template() {
    let run = Run::start().await;
    let asked = || run.sqs.get_queue_attributes().queue_url(run.url("Plain"));
    assert_eq!(asked().send().await.unwrap().attributes, None);
    let all = asked()
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap();
    for (name, value) in [
        (QueueAttributeName::DelaySeconds, "5"),
        (QueueAttributeName::VisibilityTimeout, "60"),
        (QueueAttributeName::MaximumMessageSize, "1048576"),
        (QueueAttributeName::MessageRetentionPeriod, "345600"),
    ] {
        assert_eq!(all[&name], value, "{name}");
    }
    let unknown = asked().attribute_names("Colour".into()).send().await.unwrap_err();
    assert!(unknown.into_service_error().is_invalid_attribute_name());
}
