//! Hints, through the simulated SQS and on the wire.

use std::time::Duration;

use aws::{DepthUnknown, HintNotSent, Hints, NewHint};
use domain::queue::{Hint, QueueDepth};
use local_aws::middleware::Middleware;
use serde_json::json;
use uuid::Uuid;

use super::{URL, queue, queue_behind};
use crate::support::{Answer, Fake, closed_port, config};

fn hints(endpoint: &str) -> Hints {
    Hints::new(aws::sqs(&config(endpoint)), URL.to_owned())
}

#[tokio::test]
async fn a_queue_is_recognised_by_its_arn() {
    let (_sqs, endpoint, _stop) = queue().await;
    let hints = hints(&endpoint);
    assert!(hints.has_arn("arn:aws:sqs:us-east-1:000000000000:hints"));
    for other in ["arn:aws:sqs:us-east-1:000000000000:bulk-hints", "hints:", ""] {
        assert!(!hints.has_arn(other), "{other}");
    }
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

/// Hints about so many mails, each delayed by as many seconds as its place.
fn delayed(hints: u128) -> Vec<NewHint> {
    let hint = |id| NewHint {
        hint: Hint::new(Uuid::from_u128(id), Uuid::from_u128(100)),
        key_id: format!("key{id}"),
        delay: Duration::from_secs(u64::try_from(id).unwrap()),
    };
    (0..hints).map(hint).collect()
}

fn not_sent(code: &str) -> Result<(), HintNotSent> {
    Err(HintNotSent { code: code.to_owned() })
}

#[tokio::test]
async fn several_hints_go_in_one_call_each_with_its_own_delay_and_group() {
    let (sqs, endpoint, _stop) = queue().await;
    let new = delayed(10);
    assert_eq!(hints(&endpoint).send_all(&new).await, vec![Ok(()); 10]);
    let sent = sqs.messages_of("hints").unwrap();
    assert_eq!(sent.len(), new.len());
    for (sent, new) in sent.iter().zip(&new) {
        assert_eq!(Hint::parse(&sent.body).as_ref(), Ok(&new.hint));
        assert_eq!(sent.group_id.as_ref(), Some(&new.key_id));
        let delay = sent.visible_at.duration_since(sent.sent_at).unsigned_abs();
        assert_eq!(delay, new.delay);
    }
}

#[tokio::test]
async fn the_hints_of_a_call_that_are_taken_are_told_from_those_that_are_not() {
    let middleware = Middleware::default();
    let (sqs, endpoint, _stop) = queue_behind(&middleware).await;
    let undone = json!({ "operation": "SendMessageBatch", "unprocessed": 2 });
    middleware.faults.add(serde_json::from_value(undone).unwrap());
    let outcomes = hints(&endpoint).send_all(&delayed(5)).await;
    assert_eq!(outcomes[..3], [Ok(()), Ok(()), Ok(())]);
    assert!(outcomes[3].is_err() && outcomes[4].is_err(), "{outcomes:?}");
    assert_eq!(sqs.messages_of("hints").unwrap().len(), 3);
}

#[tokio::test]
async fn hints_that_an_answer_does_not_name_count_as_not_sent() {
    let answer = json!({ "Successful": [{ "Id": "1", "MessageId": "m", "MD5OfMessageBody": "d" }, { "Id": "9" }], "Failed": [
        { "Id": "2", "Code": "InternalError", "SenderFault": false },
    ] });
    let fake = Fake::start(move |_, _| Answer::ok(answer.to_string())).await;
    let outcomes = hints(&fake.endpoint).send_all(&delayed(3)).await;
    assert_eq!(outcomes, [not_sent("NotAnswered"), Ok(()), not_sent("InternalError")]);
    let outcomes = hints(&closed_port().await).send_all(&delayed(2)).await;
    assert_eq!(outcomes, vec![not_sent("ConnectionFailed"); 2]);
}

#[tokio::test]
async fn the_depth_is_what_can_be_received_and_what_is_in_flight() {
    let (sqs, endpoint, _stop) = queue().await;
    let hints = hints(&endpoint);
    assert_eq!(hints.depth().await, Ok(QueueDepth::default()));
    // The first one has no delay.
    hints.send_all(&delayed(3)).await;
    let depth = |visible, in_flight| QueueDepth { visible, in_flight };
    assert_eq!(hints.depth().await, Ok(depth(1, 0)));
    let receive = aws::sqs(&config(&endpoint)).receive_message().queue_url(URL);
    receive.send().await.unwrap();
    assert_eq!(hints.depth().await, Ok(depth(0, 1)));
    assert_eq!(sqs.messages_of("hints").unwrap().len(), 3);
}

#[tokio::test]
async fn a_hint_that_the_deployment_keeps_from_its_queue_is_told_from_one_that_may_go_later() {
    let sent = async |hints: Hints| {
        let one = &delayed(1)[0];
        let alone = hints.send(&one.hint, &one.key_id, one.delay).await;
        let together = hints.send_all(std::slice::from_ref(one)).await.remove(0);
        [alone, together].map(|sent| sent.unwrap_err().cause())
    };
    let (_, endpoint, _stop) = queue().await;
    let elsewhere = Hints::new(aws::sqs(&config(&endpoint)), format!("{URL}-2"));
    assert_eq!(sent(elsewhere).await, ["deployment"; 2]);
    let denied = Fake::start(|_, _| Answer::error(403, "AccessDenied", "no")).await;
    assert_eq!(sent(hints(&denied.endpoint)).await, ["deployment"; 2]);
    let busy = Fake::start(|_, _| Answer::error(503, "ServiceUnavailable", "no")).await;
    assert_eq!(sent(hints(&busy.endpoint)).await, ["no_hint"; 2]);
    assert_eq!(sent(hints(&closed_port().await)).await, ["no_hint"; 2]);
}

#[tokio::test]
async fn a_queue_that_does_not_tell_its_depth_is_an_error() {
    let unknown = |code: &str| Err(DepthUnknown { code: code.to_owned() });
    let (_, endpoint, _stop) = queue().await;
    let elsewhere = Hints::new(aws::sqs(&config(&endpoint)), format!("{URL}-2"));
    assert_eq!(elsewhere.depth().await.unwrap_err().cause(), "deployment");
    let denied = Fake::start(|_, _| Answer::error(403, "AccessDenied", "no")).await;
    assert_eq!(hints(&denied.endpoint).depth().await.unwrap_err().cause(), "deployment");
    assert_eq!(
        hints(&closed_port().await).depth().await.unwrap_err().cause(),
        "no_depth"
    );
    assert_eq!(hints(&closed_port().await).depth().await, unknown("ConnectionFailed"));
    for attributes in [
        json!({}),
        json!({ "ApproximateNumberOfMessages": "3" }),
        json!({
            "ApproximateNumberOfMessages": "many", "ApproximateNumberOfMessagesNotVisible": "0",
        }),
    ] {
        let answer = json!({ "Attributes": attributes });
        let fake = Fake::start(move |_, _| Answer::ok(answer.to_string())).await;
        assert_eq!(hints(&fake.endpoint).depth().await, unknown("UnreadableAnswer"));
    }
}
