//! `okite feedback …`: what became of SES's events that could not be handled.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::types::{ListMessageMoveTasksResultEntry, QueueAttributeName};

use crate::place::{DEAD_LETTER_QUEUE, Located, Place, PlaceError, reason};

/// How long to wait before asking SQS again how far it is.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Why the events were not put back.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// There is nothing to work on.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// It is being done already.
    #[error(
        "the events of {place} are being put back already, so far {moved}; SQS does one such task at a time: wait for \
         its end"
    )]
    Running {
        /// Where.
        place: String,
        /// How many so far.
        moved: i64,
    },
    /// SQS gave up on the way.
    #[error(
        "putting the events of {place} back ended early ({status}), {moved} were put back: {why}. The others are still \
         in the dead-letter queue"
    )]
    Ended {
        /// Where.
        place: String,
        /// How many were put back.
        moved: i64,
        /// What SQS calls its end.
        status: String,
        /// Why, if SQS says.
        why: String,
    },
    /// SQS refused, or was not reached.
    #[error("SQS did not answer {operation} for {place}: {reason}")]
    Sqs {
        /// What was asked.
        operation: &'static str,
        /// Where.
        place: String,
        /// Why.
        reason: String,
    },
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redriven {
    /// Where, for a person.
    pub place: String,
    /// How many events were put back.
    pub moved: i64,
    /// How many are in the dead-letter queue still.
    pub left: i64,
}

/// Puts the events of the dead-letter queue back into the retry queue, from which the function gets them again. `progress`
/// is told how many were put back so far while that takes its time.
///
/// # Errors
/// [`RedriveError`] says what to do.
pub async fn redrive(place: &Place, mut progress: impl FnMut(i64)) -> Result<Redriven, RedriveError> {
    let queue = Queue::of(place).await?;
    let (arn, waiting) = queue.arn_and_messages().await?;
    if waiting == 0 {
        return Ok(queue.redriven(0, 0));
    }
    let before = queue.newest_task(&arn).await?;
    if let Some(task) = before.as_ref().filter(|task| task.status() == Some("RUNNING")) {
        return Err(RedriveError::Running {
            place: queue.located.place.clone(),
            moved: task.approximate_number_of_messages_moved(),
        });
    }
    let started = queue.client.start_message_move_task().source_arn(&arn).send().await;
    started.map_err(|error| queue.error("StartMessageMoveTask", &error))?;
    let before = before.map(|task| task.started_timestamp());
    loop {
        let task = queue.newest_task(&arn).await?;
        // A task may be listed a moment after it was started.
        let Some(task) = task.filter(|task| Some(task.started_timestamp()) != before) else {
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        };
        let moved = task.approximate_number_of_messages_moved();
        match task.status().unwrap_or_default() {
            "RUNNING" => {
                progress(moved);
                tokio::time::sleep(ASK_AGAIN).await;
            }
            "COMPLETED" => {
                let (_, left) = queue.arn_and_messages().await?;
                return Ok(queue.redriven(moved, left));
            }
            status => {
                return Err(RedriveError::Ended {
                    place: queue.located.place.clone(),
                    moved,
                    status: status.to_owned(),
                    why: task.failure_reason().unwrap_or("it does not say why").to_owned(),
                });
            }
        }
    }
}

/// Counts the events that were given up and wait in the dead-letter queue, as far as SQS knows at once.
///
/// # Errors
/// [`RedriveError`] if SQS did not say it.
pub(crate) async fn given_up(place: &Place) -> Result<i64, RedriveError> {
    let (_, waiting) = Queue::of(place).await?.arn_and_messages().await?;
    Ok(waiting)
}

/// The dead-letter queue.
struct Queue<'a> {
    place: &'a Place,
    located: Located,
    client: Client,
}

impl<'a> Queue<'a> {
    async fn of(place: &'a Place) -> Result<Self, RedriveError> {
        let located = place.locate(DEAD_LETTER_QUEUE).await?;
        Ok(Self {
            place,
            client: Client::new(&located.config),
            located,
        })
    }

    /// The queue's ARN, and how many messages are in it as far as SQS knows at once.
    async fn arn_and_messages(&self) -> Result<(String, i64), RedriveError> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.located.name)
            .attribute_names(QueueAttributeName::QueueArn)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .send()
            .await
            .map_err(|error| self.error("GetQueueAttributes", &error))?;
        let attribute = |name| answer.attributes()?.get(&name).cloned();
        let count = |name| attribute(name).and_then(|count| count.parse().ok()).unwrap_or(0_i64);
        let messages = count(QueueAttributeName::ApproximateNumberOfMessages)
            + count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
        Ok((attribute(QueueAttributeName::QueueArn).unwrap_or_default(), messages))
    }

    async fn newest_task(&self, arn: &str) -> Result<Option<ListMessageMoveTasksResultEntry>, RedriveError> {
        let tasks = self.client.list_message_move_tasks().source_arn(arn).max_results(1);
        let answer = tasks.send().await;
        let answer = answer.map_err(|error| self.error("ListMessageMoveTasks", &error))?;
        Ok(answer.results.unwrap_or_default().into_iter().next())
    }

    fn redriven(&self, moved: i64, left: i64) -> Redriven {
        Redriven {
            place: self.located.place.clone(),
            moved,
            left,
        }
    }

    fn error<E: std::error::Error + 'static>(&self, operation: &'static str, error: &SdkError<E>) -> RedriveError {
        match (error, self.place.unreachable()) {
            (SdkError::DispatchFailure(_), Some(not_running)) => not_running.into(),
            _ => RedriveError::Sqs {
                operation,
                place: self.located.place.clone(),
                reason: reason(error),
            },
        }
    }
}
