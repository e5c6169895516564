//! Hints, through the simulated SQS and on the wire.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::Arc;
use std::time::Duration;

use aws::Hints;
use domain::queue::Hint;
use local_aws::clock::Clock;
use local_aws::middleware::Middleware;
use local_aws::services::sqs::Sqs;
use local_aws::template::Queue;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::support::{closed_port, config};

const URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/hints";

/// SQS with one queue.
async fn queue() -> (Arc<Sqs>, String, DropGuard) {
    let queue = Queue {
        name: "hints".to_owned(),
        arn: "arn:aws:sqs:us-east-1:000000000000:hints".to_owned(),
        url: URL.to_owned(),
        ..Queue::default()
    };
    let (stop, sqs) = (
        CancellationToken::new(),
        Sqs::open(vec![queue], None, Clock::default()).unwrap(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = sqs.router(&Middleware::default());
    tokio::spawn(local_aws::server::serve(listener, router, None, stop.clone()));
    (sqs, endpoint, stop.drop_guard())
}

fn hints(endpoint: &str) -> Hints {
    Hints::new(aws::sqs(&config(endpoint)), URL.to_owned())
}

#[tokio::test]
async fn a_hint_has_its_delay_and_the_group_of_its_key() {
    let (sqs, endpoint, _stop) = queue().await;
    let hint = Hint::new(Uuid::from_u128(1), Uuid::from_u128(2)).releasing(Uuid::from_u128(3));
    // The last one is longer than SQS delays a message.
    for (delay, expected) in [(0, 0), (7, 7), (900, 900), (5_000, 900)] {
        hints(&endpoint)
            .send(&hint, "a1b2", Duration::from_secs(delay))
            .await
            .unwrap();
        let sent = sqs.messages_of("hints").unwrap().pop().unwrap();
        assert_eq!(Hint::parse(&sent.body), Ok(hint.clone()));
        assert_eq!(sent.group_id.as_deref(), Some("a1b2"));
        assert_eq!(sent.visible_at.duration_since(sent.sent_at).as_secs(), expected);
    }
}

#[tokio::test]
async fn a_hint_that_is_not_taken_is_an_error() {
    let error = hints(&closed_port().await)
        .send(&Hint::new(Uuid::nil(), Uuid::nil()), "a1b2", Duration::ZERO)
        .await
        .unwrap_err();
    assert_eq!(error.code, "ConnectionFailed");
    let (_, endpoint, _stop) = queue().await;
    let elsewhere = Hints::new(aws::sqs(&config(&endpoint)), format!("{URL}-2"));
    let hint = Hint::new(Uuid::nil(), Uuid::nil());
    let error = elsewhere.send(&hint, "a1b2", Duration::ZERO).await.unwrap_err();
    assert!(
        error.code.contains("QueueDoesNotExist") || error.code.contains("NonExistentQueue"),
        "{}",
        error.code
    );
}
