//! SNS: topics, and the delivery of published messages to their subscribers.
//!
//! | module | contents |
//! |---|---|
//! | `wire`, `query_protocol` | requests and answers |
//! | `operations` | the API, as far as functions and operators use it |
//! | `notifications` | the messages on the operators' topic, for `/_local/notifications` |

mod notifications;
mod operations;
mod query_protocol;
mod wire;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::catalogue::AwsService;
use crate::clock::Clock;
use crate::feed::{Feed, PublicationResult};
use crate::middleware::Middleware;
use crate::services::lambda::{Asynchronous, AsynchronousError, EventOutcome, InvokeError};
use crate::services::sqs::Sqs;
use crate::template::{SnsTopic, Subscription, SubscriptionEndpoint};

pub use notifications::Notification;

use notifications::Notifications;
use wire::SnsWire;

/// Why a message did not reach a subscriber and is in no dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// No topic has this ARN.
    #[error("there is no topic {0}")]
    UnknownTopic(String),
    /// Lambda did not accept the message, and the subscription has no dead-letter queue.
    #[error("Lambda did not accept the message, and the subscription has no dead-letter queue: {0}")]
    NotHandedOver(InvokeError),
    /// Lambda accepted the message and gave it up.
    #[error(transparent)]
    GivenUp(AsynchronousError),
    /// The subscription's dead-letter queue did not accept the message.
    #[error("neither the subscriber nor its dead-letter queue accepted the message: {0}")]
    NotKept(#[from] io::Error),
}

/// A subscription with its ARN.
#[derive(Debug)]
struct Subscriber {
    arn: String,
    subscription: Subscription,
}

/// The topics of a stack.
#[derive(Debug)]
pub struct Sns {
    /// The subscribers, by the ARN of their topic.
    topics: HashMap<String, Vec<Subscriber>>,
    /// The ARN of the operators' topic, which is not in the stack. Its messages are kept for people to read.
    operator_topic: Option<String>,
    notifications: Notifications,
    asynchronous: Asynchronous,
    sqs: Arc<Sqs>,
    middleware: Middleware,
    clock: Clock,
    feed: Feed,
    /// The publications that are under way.
    pub(crate) publications: TaskTracker,
}

impl Sns {
    /// Delivers the messages on `topics` to their subscribers, and keeps those on `operator_topic`.
    #[must_use]
    pub fn new(
        topics: Vec<SnsTopic>,
        operator_topic: Option<String>,
        asynchronous: Asynchronous,
        sqs: Arc<Sqs>,
        middleware: Middleware,
        clock: Clock,
        feed: Feed,
    ) -> Self {
        let subscribed = |topic: SnsTopic| {
            let subscribed = |subscription| Subscriber {
                arn: format!("{}:{}", topic.arn, new_id()),
                subscription,
            };
            let subscriptions = topic.subscriptions.into_iter().map(subscribed).collect();
            (topic.arn, subscriptions)
        };
        Self {
            topics: topics.into_iter().map(subscribed).collect(),
            operator_topic,
            notifications: Notifications::default(),
            asynchronous,
            sqs,
            middleware,
            clock,
            feed,
            publications: TaskTracker::new(),
        }
    }

    /// Returns the routes of the API.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        self.middleware.router(Arc::new(SnsWire(Arc::clone(self))))
    }

    /// Lists the messages on the operators' topic, oldest first. The newest thousand are kept.
    #[must_use]
    pub fn notifications(&self) -> Vec<Notification> {
        self.notifications.list()
    }

    /// Publishes a message. Returns when every subscriber has handled it or has it in a queue.
    ///
    /// # Errors
    /// Returns a [`PublishError`] if a subscriber neither handled it nor has it in a queue. The others got it
    /// nevertheless.
    pub async fn publish(&self, topic_arn: &str, message: &str) -> Result<EventOutcome, PublishError> {
        self.middleware.consumption.publication(topic_arn, message.len());
        let publication = self.feed.publish(topic_arn, message, self.clock.now());
        let outcome = self.deliver_to_all(topic_arn, message).await;
        publication.ended(match &outcome {
            Ok(EventOutcome::Handled) => PublicationResult::Handled,
            Ok(EventOutcome::Queued) => PublicationResult::Queued,
            Err(error) => PublicationResult::Lost(error.to_string()),
        });
        outcome
    }

    async fn deliver_to_all(&self, topic_arn: &str, message: &str) -> Result<EventOutcome, PublishError> {
        let subscribed = self
            .topics
            .get(topic_arn)
            .ok_or_else(|| PublishError::UnknownTopic(topic_arn.to_owned()))?;
        let mut outcome = Ok(EventOutcome::Handled);
        for subscriber in subscribed {
            match self.deliver(subscriber, topic_arn, message).await {
                Ok(EventOutcome::Handled) => {}
                Ok(EventOutcome::Queued) => outcome = outcome.map(|_| EventOutcome::Queued),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    /// Ends the publications that are under way: a message that is not handled by now goes to a queue.
    pub(crate) fn end(&self) {
        self.asynchronous.end();
    }

    async fn deliver(
        &self,
        Subscriber { arn, subscription }: &Subscriber,
        topic_arn: &str,
        message: &str,
    ) -> Result<EventOutcome, PublishError> {
        let notification = self.notification(topic_arn, arn, message);
        let function = match &subscription.endpoint {
            SubscriptionEndpoint::Function(function) => function,
            SubscriptionEndpoint::Queue(queue_arn) => {
                return self.deliver_to_queue(queue_arn, subscription, notification).await;
            }
        };
        let event = event(arn, &notification);
        match self.asynchronous.invoke(function, &event).await {
            Ok(outcome) => Ok(outcome),
            Err(AsynchronousError::NotTaken(error)) => {
                let Some(queue_arn) = &subscription.redrive else {
                    return Err(PublishError::NotHandedOver(error));
                };
                tracing::warn!("Lambda did not accept an event, which goes to its dead-letter queue: {error}");
                self.send(queue_arn, envelope(notification).to_string()).await?;
                Ok(EventOutcome::Queued)
            }
            Err(error) => Err(PublishError::GivenUp(error)),
        }
    }

    /// Sends a notification to a subscribed queue, or else to its dead-letter queue.
    async fn deliver_to_queue(
        &self,
        queue_arn: &str,
        subscription: &Subscription,
        notification: Value,
    ) -> Result<EventOutcome, PublishError> {
        let message = envelope(notification).to_string();
        if let Err(error) = self.send(queue_arn, message.clone()).await {
            let Some(redrive) = &subscription.redrive else {
                return Err(error.into());
            };
            tracing::warn!("a queue did not accept an event, which goes to its dead-letter queue: {error}");
            self.send(redrive, message).await?;
        }
        Ok(EventOutcome::Queued)
    }

    /// Sends a message to a queue, by the queue's own policy and not by a function's role.
    async fn send(&self, queue_arn: &str, message: String) -> io::Result<()> {
        self.middleware
            .consumption
            .queue_request(None, queue_arn, message.len());
        let send = || self.sqs.send(queue_arn, message);
        let call = (AwsService::Sqs, "SendMessage");
        self.middleware.carry_out_for(None, call, queue_arn, send).await
    }

    /// Writes the notification of a message with the field names that a function gets.
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

/// Writes the event that a function gets: one record, as SNS makes it.
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

/// Writes the message that a queue gets: the notification with two fields spelled differently.
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
pub(super) mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::services::lambda::{Lambda, Program};
    use crate::template::Queue;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
    const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";

    /// A topic whose subscriber does not exist.
    pub(super) fn without_a_function(redrive: Option<&str>) -> (Sns, Arc<Sqs>) {
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
            ..Queue::default()
        };
        let sqs = Sqs::open(vec![queue], None, clock.clone()).unwrap();
        let topic = SnsTopic {
            logical_id: "T".to_owned(),
            arn: TOPIC.to_owned(),
            subscriptions: vec![Subscription {
                endpoint: SubscriptionEndpoint::Function("nobody".to_owned()),
                redrive: redrive.map(str::to_owned),
            }],
            email_addresses: Vec::new(),
        };
        let asynchronous = Asynchronous::new(
            lambda,
            Arc::clone(&sqs),
            Middleware::default(),
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
                Middleware::default(),
                clock,
                Feed::default(),
            ),
            sqs,
        )
    }

    #[tokio::test]
    async fn an_undeliverable_message_goes_to_the_subscriptions_queue_in_its_envelope() {
        let (sns, sqs) = without_a_function(Some(QUEUE));
        assert_eq!(sns.publish(TOPIC, "hello").await.unwrap(), EventOutcome::Queued);
        let messages = sqs.messages_of("q").unwrap();
        let envelope: Value = serde_json::from_str(&messages[0].body).unwrap();
        assert_eq!(
            (&envelope["TopicArn"], &envelope["Message"]),
            (&json!(TOPIC), &json!("hello\n"))
        );
        assert!(envelope["SigningCertURL"].is_string() && envelope.get("SigningCertUrl").is_none());
    }

    #[tokio::test]
    async fn an_undeliverable_message_is_lost_without_a_queue() {
        let (sns, _) = without_a_function(None);
        let error = sns.publish(TOPIC, "hello").await.unwrap_err();
        assert!(matches!(
            error,
            PublishError::NotHandedOver(InvokeError::UnknownFunction(_))
        ));
    }
}
