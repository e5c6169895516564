//! SNS: topics, and the hand-over of what is published to their subscribers.
//!
//! | part | what it does |
//! |---|---|
//! | `notifications` | what is published to a topic of operators, for `/_local/notifications` |
//! | `wire` | the API, as far as functions and operators need it |

mod notifications;
mod wire;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::clock::Clock;
use crate::edge::Edge;
use crate::feed::Feed;
use crate::lambda::{Asynchronous, AsynchronousError, InvokeError, Outcome};
use crate::sqs::Sqs;
use crate::template::{Subscription, Topic};

pub use notifications::Notification;
pub(crate) use wire::OPERATIONS;

use notifications::Notifications;

/// That a message did not reach a subscriber, and is in no queue.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// No topic has this ARN.
    #[error("there is no topic {0}")]
    UnknownTopic(String),
    /// It could not be handed over, and the subscription has no queue for it.
    #[error("it could not be handed over, and the subscription has no queue for it: {0}")]
    NotHandedOver(InvokeError),
    /// It was handed over and given up.
    #[error(transparent)]
    GivenUp(AsynchronousError),
    /// The subscription's queue could not be written.
    #[error("what could not be handed over could not be kept: {0}")]
    NotKept(#[from] io::Error),
}

/// A subscription, under the ARN that it got.
#[derive(Debug)]
struct Subscribed {
    arn: String,
    subscription: Subscription,
}

/// The topics of a stack.
#[derive(Debug)]
pub struct Sns {
    /// Who is subscribed, by the ARN of the topic.
    topics: HashMap<String, Vec<Subscribed>>,
    /// The ARN of a topic beside those of the stack, whose messages are kept for a person to read.
    keeps: Option<String>,
    notifications: Notifications,
    asynchronous: Asynchronous,
    sqs: Arc<Sqs>,
    clock: Clock,
    feed: Feed,
    /// What is being published.
    pub(crate) publications: TaskTracker,
}

impl Sns {
    /// Hands what is published on `topics` to their subscribers, and keeps what is published on the topic `keeps`.
    #[must_use]
    pub fn new(
        topics: Vec<Topic>,
        keeps: Option<String>,
        asynchronous: Asynchronous,
        sqs: Arc<Sqs>,
        clock: Clock,
        feed: Feed,
    ) -> Self {
        let subscribed = |topic: Topic| {
            let subscribed = |subscription| Subscribed {
                arn: format!("{}:{}", topic.arn, new_id()),
                subscription,
            };
            let subscriptions = topic.subscriptions.into_iter().map(subscribed).collect();
            (topic.arn, subscriptions)
        };
        Self {
            topics: topics.into_iter().map(subscribed).collect(),
            keeps,
            notifications: Notifications::default(),
            asynchronous,
            sqs,
            clock,
            feed,
            publications: TaskTracker::new(),
        }
    }

    /// Gives the routes of the API.
    pub fn router(self: &Arc<Self>, edge: Edge) -> axum::Router {
        wire::router(self, edge)
    }

    /// Lists what was published to the topic of operators, oldest first; the newest thousand are kept.
    #[must_use]
    pub fn notifications(&self) -> Vec<Notification> {
        self.notifications.list()
    }

    /// Publishes a message and returns when every subscriber has handled it, or it is in the queue of one that did not.
    ///
    /// # Errors
    /// [`PublishError`] when it did not reach a subscriber and is in no queue; the others got it all the same.
    pub async fn publish(&self, topic_arn: &str, message: &str) -> Result<Outcome, PublishError> {
        let published = self.feed.published(topic_arn, message, self.clock.now());
        let outcome = self.hand_to_all(topic_arn, message).await;
        published.ended(&outcome);
        outcome
    }

    async fn hand_to_all(&self, topic_arn: &str, message: &str) -> Result<Outcome, PublishError> {
        let subscribed = self
            .topics
            .get(topic_arn)
            .ok_or_else(|| PublishError::UnknownTopic(topic_arn.to_owned()))?;
        let mut outcome = Ok(Outcome::Handled);
        for subscriber in subscribed {
            match self.hand_over(subscriber, topic_arn, message).await {
                Ok(Outcome::Handled) => {}
                Ok(Outcome::Queued) => outcome = outcome.map(|_| Outcome::Queued),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    /// Has what is being published end soon: what is not handled by now goes to a queue.
    pub(crate) fn end(&self) {
        self.asynchronous.end();
    }

    async fn hand_over(
        &self,
        Subscribed { arn, subscription }: &Subscribed,
        topic_arn: &str,
        message: &str,
    ) -> Result<Outcome, PublishError> {
        let notification = self.notification(topic_arn, arn, message);
        let event = event(arn, &notification);
        match self.asynchronous.invoke(&subscription.function, &event).await {
            Ok(outcome) => Ok(outcome),
            Err(AsynchronousError::NotTaken(error)) => {
                let Some(queue_arn) = &subscription.redrive else {
                    return Err(PublishError::NotHandedOver(error));
                };
                tracing::warn!("an event could not be handed over and was put into a queue: {error}");
                self.sqs.send(queue_arn, envelope(notification).to_string())?;
                Ok(Outcome::Queued)
            }
            Err(error) => Err(PublishError::GivenUp(error)),
        }
    }

    /// What is published, in the spelling that a function gets.
    fn notification(&self, topic_arn: &str, subscription_arn: &str, message: &str) -> Value {
        let region = topic_arn.split(':').nth(3).unwrap_or_default();
        json!({
            "Type": "Notification",
            "MessageId": new_id(),
            "TopicArn": topic_arn,
            "Subject": "Amazon SES Email Event Notification",
            // SES ends its messages with a newline.
            "Message": format!("{message}\n"),
            "Timestamp": self.clock.now().to_string(),
            "SignatureVersion": "1",
            "Signature": "",
            "SigningCertUrl": format!("https://sns.{region}.amazonaws.com/SimpleNotificationService.pem"),
            "UnsubscribeUrl": format!("https://sns.{region}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription_arn}"),
            "MessageAttributes": {},
        })
    }
}

/// The event that a function gets: one record, as SNS makes it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
fn event(subscription_arn: &str, notification: &Value) -> Bytes {
    let event = json!({"Records": [{
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "Sns": notification,
    }]});
    Bytes::from(event.to_string())
}

/// The message that a queue gets: the same, with two fields spelled otherwise.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>
fn envelope(mut envelope: Value) -> Value {
    for (field, in_a_queue) in [
        ("SigningCertUrl", "SigningCertURL"),
        ("UnsubscribeUrl", "UnsubscribeURL"),
    ] {
        envelope[in_a_queue] = envelope[field].take();
    }
    if let Value::Object(fields) = &mut envelope {
        fields.retain(|_, value| !value.is_null());
    }
    envelope
}

#[expect(
    clippy::disallowed_methods,
    reason = "the ids of messages and subscriptions are made here and nowhere else"
)]
fn new_id() -> Uuid {
    Uuid::new_v4()
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::calls::Calls;
    use crate::lambda::{Lambda, Program};
    use crate::template::Queue;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
    const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";

    /// A topic whose subscriber does not exist.
    fn without_a_function(redrive: Option<&str>) -> (Sns, Arc<Sqs>) {
        let clock = Clock::default();
        let program = Program::Bootstraps("/nowhere".into());
        let lambda = Lambda::new(
            program,
            Vec::new(),
            String::new(),
            clock.clone(),
            CancellationToken::new(),
        );
        let queue = Queue {
            logical_id: "Q".to_owned(),
            name: "q".to_owned(),
            arn: QUEUE.to_owned(),
            url: "q".to_owned(),
            visibility_timeout: std::time::Duration::from_mins(1),
            retention: std::time::Duration::from_hours(1),
            redrive: None,
        };
        let sqs = Sqs::open(vec![queue], None, clock.clone()).unwrap();
        let topic = Topic {
            logical_id: "T".to_owned(),
            arn: TOPIC.to_owned(),
            subscriptions: vec![Subscription {
                function: "nobody".to_owned(),
                redrive: redrive.map(str::to_owned),
            }],
        };
        let asynchronous = Asynchronous::new(
            lambda,
            Arc::clone(&sqs),
            Calls::default(),
            clock.clone(),
            Vec::new(),
            Vec::new(),
        );
        (
            Sns::new(
                vec![topic],
                None,
                asynchronous,
                Arc::clone(&sqs),
                clock,
                Feed::default(),
            ),
            sqs,
        )
    }

    #[tokio::test]
    async fn what_cannot_be_handed_over_goes_to_the_subscriptions_queue_in_its_envelope() {
        let (sns, sqs) = without_a_function(Some(QUEUE));
        assert_eq!(sns.publish(TOPIC, "hello").await.unwrap(), Outcome::Queued);
        let messages = sqs.messages_of("q").unwrap();
        let envelope: Value = serde_json::from_str(&messages[0].body).unwrap();
        assert_eq!(
            (&envelope["TopicArn"], &envelope["Message"]),
            (&json!(TOPIC), &json!("hello\n"))
        );
        assert!(envelope["SigningCertURL"].is_string() && envelope.get("SigningCertUrl").is_none());
    }

    #[tokio::test]
    async fn what_cannot_be_handed_over_is_lost_without_a_queue() {
        let (sns, _) = without_a_function(None);
        let error = sns.publish(TOPIC, "hello").await.unwrap_err();
        assert!(matches!(
            error,
            PublishError::NotHandedOver(InvokeError::UnknownFunction(_))
        ));
    }
}
