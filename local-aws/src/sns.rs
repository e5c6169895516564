//! SNS: topics, and their hand-over to Lambda with Lambda's own retries.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;

use crate::clock::Clock;
use crate::lambda::Lambda;
use crate::template::Topic;

/// When Lambda tries an asynchronous event again that failed. On AWS it waits one minute and then two; here a minute is
/// a second, so that a failure can be watched.
pub const RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// That an event was given up.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// No topic has this ARN.
    #[error("there is no topic {0}")]
    UnknownTopic(String),
    /// A subscriber failed at every try.
    #[error("{function} failed {tries} times: {reason}")]
    Failed {
        /// The function that failed.
        function: String,
        /// How often.
        tries: usize,
        /// What it said last.
        reason: String,
    },
}

/// The topics of a stack.
#[derive(Debug)]
pub struct Sns {
    subscribers: HashMap<String, Vec<String>>,
    lambda: Arc<Lambda>,
    clock: Clock,
    retries: Vec<Duration>,
}

impl Sns {
    /// Hands what is published on `topics` to their subscribers, with Lambda's retries after each of `retries`.
    #[must_use]
    pub fn new(topics: Vec<Topic>, lambda: Arc<Lambda>, clock: Clock, retries: &[Duration]) -> Self {
        let subscribers = topics.into_iter().map(|topic| (topic.arn, topic.subscribers)).collect();
        Self {
            subscribers,
            lambda,
            clock,
            retries: retries.to_vec(),
        }
    }

    /// Publishes a message and returns when every subscriber has handled it.
    ///
    /// # Errors
    /// [`PublishError`] when a subscriber has failed for good.
    pub async fn publish(&self, topic_arn: &str, message: &str) -> Result<(), PublishError> {
        let subscribers = self
            .subscribers
            .get(topic_arn)
            .ok_or_else(|| PublishError::UnknownTopic(topic_arn.to_owned()))?;
        let event = self.event(topic_arn, message);
        for function in subscribers {
            self.hand_over(function, &event).await?;
        }
        Ok(())
    }

    async fn hand_over(&self, function: &str, event: &Bytes) -> Result<(), PublishError> {
        let mut waits = self.retries.iter();
        loop {
            let Err(error) = self.lambda.invoke(function, event.clone()).await else {
                return Ok(());
            };
            let Some(wait) = waits.next() else {
                let tries = self.retries.len() + 1;
                tracing::error!(function, tries, "an event was given up: {error}");
                return Err(PublishError::Failed {
                    function: function.to_owned(),
                    tries,
                    reason: error.to_string(),
                });
            };
            tokio::time::sleep(*wait).await;
        }
    }

    /// The event that a function gets: one record, as SNS makes it.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
    #[expect(
        clippy::disallowed_methods,
        reason = "the ids of messages are made here and nowhere else"
    )]
    fn event(&self, topic_arn: &str, message: &str) -> Bytes {
        let region = topic_arn.split(':').nth(3).unwrap_or_default();
        let subscription = format!("{topic_arn}:{}", Uuid::new_v4());
        let event = json!({"Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription,
            "Sns": {
                "Type": "Notification",
                "MessageId": Uuid::new_v4(),
                "TopicArn": topic_arn,
                "Subject": "Amazon SES Email Event Notification",
                // SES ends its messages with a newline.
                "Message": format!("{message}\n"),
                "Timestamp": self.clock.now().to_string(),
                "SignatureVersion": "1",
                "Signature": "",
                "SigningCertUrl": format!("https://sns.{region}.amazonaws.com/SimpleNotificationService.pem"),
                "UnsubscribeUrl": format!("https://sns.{region}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription}"),
                "MessageAttributes": {},
            },
        }]});
        Bytes::from(event.to_string())
    }
}
