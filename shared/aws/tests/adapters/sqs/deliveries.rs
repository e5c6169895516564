//! Deliveries to webhooks.

use std::time::Duration;

use aws::{DeliveryQueue, QueuedDelivery};
use domain::queue::QueueDepth;
use domain::webhook::{Delivery, DeliveryMessage, EventId, EventKind};
use local_aws::middleware::Middleware;
use serde_json::json;

use super::{URL, queue, queue_behind};
use crate::support::{Answer, Fake, at, closed_port, config};

fn deliveries(endpoint: &str) -> DeliveryQueue {
    DeliveryQueue::new(aws::sqs_for_worker(&config(endpoint)), URL.to_owned())
}

/// A delivery whose body has so many bytes.
fn whole(number: usize, bytes: usize) -> QueuedDelivery {
    QueuedDelivery {
        message: DeliveryMessage::Whole(Box::new(Delivery {
            endpoint: format!("endpoint{number}"),
            event: EventId::of(at(0), &[&number.to_string()]),
            kind: EventKind::EmailSent,
            created_at: at(0),
            body: "b".repeat(bytes),
            attempts: 1,
        })),
        delay: Duration::from_secs(5 * u64::try_from(number).unwrap()),
    }
}

#[tokio::test]
async fn each_delivery_has_its_delay_and_the_group_of_its_endpoint() {
    let middleware = Middleware::default();
    let (sqs, endpoint, _stop) = queue_behind(&middleware).await;
    let mut new: Vec<_> = (0..23).map(|number| whole(number, 10)).collect();
    new.push(QueuedDelivery {
        message: DeliveryMessage::Stored {
            endpoint: "other".to_owned(),
            event: EventId::of(at(0), &[]),
        },
        delay: Duration::from_hours(9),
    });
    assert_eq!(deliveries(&endpoint).send_all(&new).await, vec![Ok(()); 24]);
    assert_eq!(deliveries(&endpoint).send_all(&[]).await, []);
    let sent = sqs.messages_of("hints").unwrap();
    assert_eq!(sent.len(), new.len());
    for new in &new {
        let body = new.message.to_body();
        let sent = sent.iter().find(|sent| sent.body == body).unwrap();
        assert_eq!(sent.group_id.as_deref(), Some(new.message.endpoint()));
        let delay = sent.visible_at.duration_since(sent.sent_at).unsigned_abs();
        assert_eq!(delay, new.delay.min(Duration::from_mins(15)));
    }
}

#[tokio::test]
async fn a_call_has_ten_messages_and_a_megabyte_at_most() {
    let accepts = Fake::start(|_, request| {
        let entries = request.json()["Entries"].as_array().unwrap().clone();
        let taken = |entry: &serde_json::Value| {
            let md5 = "d41d8cd98f00b204e9800998ecf8427e";
            json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": md5 })
        };
        let taken: Vec<_> = entries.iter().map(taken).collect();
        Answer::ok(json!({ "Successful": taken, "Failed": [] }).to_string())
    })
    .await;
    let sizes = [10; 9]
        .into_iter()
        .chain([300_000; 5])
        .chain([10; 12])
        .chain([2_000_000, 10]);
    let new: Vec<_> = sizes.enumerate().map(|(number, bytes)| whole(number, bytes)).collect();
    assert_eq!(deliveries(&accepts.endpoint).send_all(&new).await, vec![Ok(()); 28]);
    let mut calls: Vec<(usize, usize)> = accepts
        .requests()
        .iter()
        .map(|request| {
            let entries = request.json()["Entries"].as_array().unwrap().clone();
            let bytes = entries.iter().map(|entry| entry["MessageBody"].as_str().unwrap().len());
            (entries.len(), bytes.sum())
        })
        .collect();
    calls.sort_unstable();
    let counts: Vec<usize> = calls.iter().map(|(count, _)| *count).collect();
    // SQS refuses the one message that is too large, and it takes no other along.
    assert_eq!(counts, [1, 1, 3, 3, 10, 10]);
    assert!(
        calls.iter().all(|(count, bytes)| *bytes <= 1024 * 1024 || *count == 1),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_message_that_is_not_taken_is_told_from_those_that_are() {
    let middleware = Middleware::default();
    let (sqs, endpoint, _stop) = queue_behind(&middleware).await;
    let undone = json!({ "operation": "SendMessageBatch", "unprocessed": 2, "times": 1 });
    middleware.faults.add(serde_json::from_value(undone).unwrap());
    let mut new: Vec<_> = (0..4).map(|number| whole(number, 10)).collect();
    new.push(whole(4, 2_000_000));
    let outcomes = deliveries(&endpoint).send_all(&new).await;
    assert_eq!(outcomes[..2], [Ok(()), Ok(())]);
    assert_eq!(outcomes[2].as_ref().unwrap_err().cause(), "not_queued");
    assert!(outcomes[3].is_err() && outcomes[4].is_err(), "{outcomes:?}");
    assert_eq!(sqs.messages_of("hints").unwrap().len(), 2);
    let outcomes = deliveries(&closed_port().await).send_all(&new).await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.as_ref().unwrap_err().code == "ConnectionFailed")
    );
    let denied = Fake::start(|_, _| Answer::error(403, "AccessDenied", "no")).await;
    let outcomes = deliveries(&denied.endpoint).send_all(&new[..1]).await;
    assert_eq!(outcomes[0].as_ref().unwrap_err().cause(), "deployment");
}

#[tokio::test]
async fn the_depth_is_what_can_be_received_and_what_is_in_flight() {
    let (_sqs, endpoint, _stop) = queue().await;
    let queue = deliveries(&endpoint);
    // The first one has no delay.
    queue.send_all(&[whole(0, 10), whole(1, 10)]).await;
    let depth = QueueDepth {
        visible: 1,
        in_flight: 0,
    };
    assert_eq!(queue.depth().await, Ok(depth));
    let nowhere = deliveries(&closed_port().await);
    assert_eq!(nowhere.depth().await.unwrap_err().cause(), "no_depth");
}
