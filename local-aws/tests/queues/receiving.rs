//! `ReceiveMessage`, and what becomes of messages that were received.

use std::time::Duration;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName,
};

use crate::run::{Run, code, within};

const MINUTE: Duration = Duration::from_mins(1);

/// Receives what can be received from the queue without a mapping.
async fn receive(run: &Run) -> Vec<Message> {
    let receive = run
        .sqs
        .receive_message()
        .queue_url(run.url("Plain"))
        .max_number_of_messages(10);
    receive.send().await.unwrap().messages.unwrap_or_default()
}

fn handle(message: &Message) -> &str {
    message.receipt_handle().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_comes_again_when_its_visibility_timeout_ends_by_the_clock() {
    let run = Run::start().await;
    run.send("Plain", "x").await;
    let first = receive(&run).await;
    assert_eq!((first.len(), receive(&run).await.len()), (1, 0));
    assert_eq!(run.counts("Plain").await, [0, 1, 0]);
    run.advance(MINUTE).await;
    let again = receive(&run).await;
    assert_eq!(first[0].message_id, again[0].message_id);
    // The first receipt is out of date, and deletes nothing.
    let delete = |handle: &str| {
        run.sqs
            .delete_message()
            .queue_url(run.url("Plain"))
            .receipt_handle(handle)
    };
    delete(handle(&first[0])).send().await.unwrap();
    assert_eq!(run.counts("Plain").await, [0, 1, 0]);
    delete(handle(&again[0])).send().await.unwrap();
    assert_eq!(run.counts("Plain").await, [0, 0, 0]);
    let error = delete("x").send().await.unwrap_err();
    assert_eq!(code(&error), "ReceiptHandleIsInvalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_changes_when_a_message_comes_again() {
    let run = Run::start().await;
    run.send("Plain", "x").await;
    let message = receive(&run).await.remove(0);
    let change = |seconds: i32| {
        let change = run.sqs.change_message_visibility().queue_url(run.url("Plain"));
        change
            .receipt_handle(handle(&message))
            .visibility_timeout(seconds)
            .send()
    };
    change(600).await.unwrap();
    run.advance(2 * MINUTE).await;
    assert_eq!(run.counts("Plain").await, [0, 1, 0]);
    let error = change(43_201).await.unwrap_err();
    assert_eq!(code(&error), "InvalidParameterValue");
    change(0).await.unwrap();
    assert_eq!(run.counts("Plain").await, [1, 0, 0]);
    assert!(
        change(0)
            .await
            .unwrap_err()
            .into_service_error()
            .is_message_not_inflight()
    );
    let again = receive(&run).await.remove(0);
    let delete = run.sqs.delete_message().queue_url(run.url("Plain"));
    delete.receipt_handle(handle(&again)).send().await.unwrap();
    assert_eq!(code(&change(0).await.unwrap_err()), "InvalidParameterValue");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entry_of_a_batch_of_receipts_has_an_outcome_of_its_own() {
    let run = Run::start().await;
    for body in ["1", "2"] {
        run.send("Plain", body).await;
    }
    let messages = receive(&run).await;
    let handles = [("a", handle(&messages[0])), ("b", "wrong"), ("c", handle(&messages[1]))];
    let entries = handles.map(|(id, handle)| {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle);
        entry.visibility_timeout(0).build().unwrap()
    });
    let change = run.sqs.change_message_visibility_batch().queue_url(run.url("Plain"));
    let changed = change.set_entries(Some(entries.to_vec())).send().await.unwrap();
    assert_eq!(
        (
            changed.successful.len(),
            &*changed.failed[0].id,
            &*changed.failed[0].code
        ),
        (2, "b", "ReceiptHandleIsInvalid")
    );
    let messages = receive(&run).await;
    let handles = [("a", handle(&messages[0])), ("b", "wrong"), ("c", handle(&messages[1]))];
    let entries = handles.map(|(id, handle)| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle);
        entry.build().unwrap()
    });
    let delete = run.sqs.delete_message_batch().queue_url(run.url("Plain"));
    let deleted = delete.set_entries(Some(entries.to_vec())).send().await.unwrap();
    assert_eq!((deleted.successful.len(), deleted.failed.len()), (2, 1));
    assert_eq!(run.counts("Plain").await, [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_waits_gets_the_message_that_comes_or_comes_due() {
    let run = Run::start().await;
    let wait = || {
        let receive = run.sqs.receive_message().queue_url(run.url("Plain"));
        tokio::spawn(receive.wait_time_seconds(20).send())
    };
    let waiting = wait();
    run.send("Plain", "now").await;
    let came = within(waiting).await.unwrap().unwrap();
    assert_eq!(came.messages()[0].body(), Some("now"));
    let waiting = wait();
    let send = run.sqs.send_message().queue_url(run.url("Plain")).message_body("due");
    send.delay_seconds(900).send().await.unwrap();
    run.advance(15 * MINUTE).await;
    // The first one comes again too.
    assert_eq!(within(waiting).await.unwrap().unwrap().messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_received_too_often_goes_to_the_dead_letter_queue_and_back() {
    let run = Run::start().await;
    run.send("Plain", "x").await;
    for _ in 0..2 {
        assert_eq!(receive(&run).await.len(), 1);
        run.advance(MINUTE).await;
    }
    assert_eq!(receive(&run).await.len(), 0);
    assert_eq!(
        (run.counts("Plain").await, run.counts("Dead").await),
        ([0, 0, 0], [1, 0, 0])
    );
    let source = "arn:aws:sqs:us-east-1:000000000000:shop-Dead";
    let dead = run
        .sqs
        .receive_message()
        .queue_url(run.url("Dead"))
        .visibility_timeout(0);
    let dead = dead
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    let attributes = dead.messages()[0].attributes().unwrap();
    assert_eq!(
        attributes[&MessageSystemAttributeName::DeadLetterQueueSourceArn],
        "arn:aws:sqs:us-east-1:000000000000:shop-Plain"
    );
    run.sqs
        .start_message_move_task()
        .source_arn(source)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (run.counts("Plain").await, run.counts("Dead").await),
        ([1, 0, 0], [0, 0, 0])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_asks_for_one_to_ten_messages_and_waits_for_at_most_20_seconds() {
    let run = Run::start().await;
    let receive = || run.sqs.receive_message().queue_url(run.url("Plain"));
    for request in [
        receive().max_number_of_messages(0),
        receive().max_number_of_messages(11),
        receive().wait_time_seconds(21),
        receive().visibility_timeout(43_201),
    ] {
        let error = request.send().await.unwrap_err();
        assert_eq!(code(&error), "InvalidParameterValue", "{error:?}");
    }
}
