//! Dead-letter queues: SES events that the `feedback` function could not handle, and hints that no worker could.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::get_queue_attributes::GetQueueAttributesError;
use aws_sdk_sqs::types::{ListMessageMoveTasksResultEntry, QueueAttributeName};

use crate::aws_error;
use crate::target::{DEAD_LETTER_QUEUE, Resolved, Resource, Target, TargetError};
use crate::terminal::printable;

/// Why the dead-letter queue could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeadLetterQueueError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("SQS {operation} failed for {target_name}: {reason}")]
    Sqs {
        operation: &'static str,
        target_name: String,
        reason: String,
    },
    #[error("{named} is not the URL of a queue in this account and region. Its queues: {queues}")]
    NotAQueue { named: String, queues: String },
    #[error("there are no queues in this account and region. Check --region and your AWS profile")]
    NoQueue,
}

/// The ends of SQS's codes for a queue that does not exist.
const MISSING: [&str; 3] = ["QueueDoesNotExist", "NonExistentQueue", "InvalidAddress"];
/// The most queues that an error names.
const LISTED_MAX: i32 = 20;

/// A dead-letter queue of a target.
pub(crate) struct DeadLetterQueue<'a> {
    target: &'a Target,
    resolved: Resolved,
    client: Client,
}

impl<'a> DeadLetterQueue<'a> {
    /// Finds the queue of SES events of the target.
    pub(crate) async fn of(target: &'a Target) -> Result<Self, DeadLetterQueueError> {
        Ok(Self::resolved(target, target.resolve(DEAD_LETTER_QUEUE).await?))
    }

    /// Finds a queue that the target may lack.
    pub(crate) async fn if_there(target: &'a Target, queue: Resource) -> Result<Option<Self>, DeadLetterQueueError> {
        let resolved = target.resolve_if_there(queue).await?;
        Ok(resolved.map(|resolved| Self::resolved(target, resolved)))
    }

    fn resolved(target: &'a Target, resolved: Resolved) -> Self {
        Self {
            target,
            client: Client::new(&resolved.config),
            resolved,
        }
    }

    /// Returns the target for messages: `the stack okite`.
    pub(crate) fn target_name(&self) -> &str {
        &self.resolved.target_name
    }

    /// Returns the approximate number of messages in the queue.
    pub(crate) async fn waiting(&self) -> Result<i64, DeadLetterQueueError> {
        Ok(self.arn_and_waiting().await?.1)
    }

    /// Returns the ARN of the queue and the approximate number of events in it, those being received included.
    pub(crate) async fn arn_and_waiting(&self) -> Result<(String, i64), DeadLetterQueueError> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.resolved.name)
            .attribute_names(QueueAttributeName::QueueArn)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(self.unusable(&error).await),
        };
        let attribute = |name| answer.attributes()?.get(&name).cloned();
        let count = |name| attribute(name).and_then(|count| count.parse().ok()).unwrap_or(0_i64);
        let waiting = count(QueueAttributeName::ApproximateNumberOfMessages)
            + count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
        Ok((attribute(QueueAttributeName::QueueArn).unwrap_or_default(), waiting))
    }

    /// Returns the newest task that moves events out of the queue.
    pub(crate) async fn newest_move_task(
        &self,
        arn: &str,
    ) -> Result<Option<ListMessageMoveTasksResultEntry>, DeadLetterQueueError> {
        let tasks = self.client.list_message_move_tasks().source_arn(arn).max_results(1);
        let answer = tasks.send().await;
        let answer = answer.map_err(|error| self.error("ListMessageMoveTasks", &error))?;
        Ok(answer.results.unwrap_or_default().into_iter().next())
    }

    /// Returns the ARN of the retry queue, whose failed events come here.
    pub(crate) async fn retry_queue_arn(&self) -> Result<String, DeadLetterQueueError> {
        const OPERATION: &str = "ListDeadLetterSourceQueues";
        let sources = self.client.list_dead_letter_source_queues();
        let sources = sources.queue_url(&self.resolved.name).send().await;
        let sources = sources.map_err(|error| self.error(OPERATION, &error))?;
        let [url] = sources.queue_urls() else {
            return Err(DeadLetterQueueError::Sqs {
                operation: OPERATION,
                target_name: self.resolved.target_name.clone(),
                reason: format!("{} queues lead to the queue, and not one", sources.queue_urls().len()),
            });
        };
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .map_err(|error| self.error("GetQueueAttributes", &error))?;
        let arn = answer
            .attributes()
            .and_then(|all| all.get(&QueueAttributeName::QueueArn));
        Ok(arn.cloned().unwrap_or_default())
    }

    /// Starts to move all events to the queue `destination_arn`. SQS needs it for events that SNS put into the
    /// dead-letter queue, which came from no queue: without it, the task fails at them.
    pub(crate) async fn start_move_task(&self, arn: &str, destination_arn: &str) -> Result<(), DeadLetterQueueError> {
        let task = self.client.start_message_move_task();
        let started = task.source_arn(arn).destination_arn(destination_arn).send().await;
        started.map_err(|error| self.error("StartMessageMoveTask", &error))?;
        Ok(())
    }

    /// Returns the error of a queue that cannot be looked at. If the operator named a queue that does not exist, it
    /// names those that do.
    async fn unusable(&self, error: &SdkError<GetQueueAttributesError>) -> DeadLetterQueueError {
        let found = match (self.target, error.code()) {
            (Target::Resource { .. }, Some(code)) if MISSING.iter().any(|missing| code.ends_with(missing)) => {
                self.client.list_queues().max_results(LISTED_MAX).send().await.ok()
            }
            _ => None,
        };
        match found {
            Some(found) if found.queue_urls().is_empty() => DeadLetterQueueError::NoQueue,
            Some(found) => DeadLetterQueueError::NotAQueue {
                named: printable(&self.resolved.name),
                queues: found.queue_urls().join(", "),
            },
            None => self.error("GetQueueAttributes", error),
        }
    }

    fn error<E: std::error::Error + 'static>(
        &self,
        operation: &'static str,
        error: &SdkError<E>,
    ) -> DeadLetterQueueError {
        match (error, self.target.unreachable()) {
            (SdkError::DispatchFailure(_), Some(not_running)) => not_running.into(),
            _ => DeadLetterQueueError::Sqs {
                operation,
                target_name: self.resolved.target_name.clone(),
                reason: aws_error::message(error),
            },
        }
    }
}
