//! The event pipeline: an event goes from a topic to its function, and if that fails, into a queue and out of it again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::error::StartError;
use crate::clock::Clock;
use crate::feed::Feed;
use crate::middleware::Middleware;
use crate::services::lambda::{Asynchronous, Lambda, Poller};
use crate::services::ses::{PublishedEvent, Ses};
use crate::services::sns::Sns;
use crate::services::sqs::Sqs;
use crate::template::{Mapping, Stack};

/// The time at shutdown in which the last events may still be handled.
const LAST_EVENTS: Duration = Duration::from_secs(3);

/// The services that the pipeline consists of.
pub(super) struct EventPipeline {
    pub(super) sns: Arc<Sns>,
    pub(super) sqs: Arc<Sqs>,
    pub(super) pollers: Vec<Poller>,
}

/// The parts of a run that the pipeline uses too.
pub(super) struct EventPipelineSettings<'a> {
    pub(super) operator_topic: Option<String>,
    /// The file of the queues.
    pub(super) queues: Option<PathBuf>,
    pub(super) lambda: &'a Arc<Lambda>,
    pub(super) middleware: &'a Middleware,
    pub(super) clock: &'a Clock,
    pub(super) feed: &'a Feed,
    /// The pauses before Lambda retries a failed event.
    pub(super) retries: Vec<Duration>,
}

impl EventPipeline {
    pub(super) fn open(stack: &Stack, settings: EventPipelineSettings<'_>) -> Result<Self, StartError> {
        let EventPipelineSettings {
            operator_topic,
            queues,
            lambda,
            middleware,
            clock,
            feed,
            retries,
        } = settings;
        let sqs = Sqs::open(stack.queues.clone(), queues, clock.clone()).map_err(StartError::Queues)?;
        let asynchronous = Asynchronous::new(
            Arc::clone(lambda),
            Arc::clone(&sqs),
            middleware.clone(),
            clock.clone(),
            stack.asynchronous_events.clone(),
            retries,
        );
        let poller = |mapping: &Mapping| Poller {
            mapping: mapping.clone(),
            sqs: Arc::clone(&sqs),
            lambda: Arc::clone(lambda),
            middleware: middleware.clone(),
            clock: clock.clone(),
        };
        Ok(Self {
            pollers: stack.mappings.iter().map(poller).collect(),
            sns: Arc::new(Sns::new(
                stack.topics.clone(),
                operator_topic,
                asynchronous,
                Arc::clone(&sqs),
                middleware.clone(),
                clock.clone(),
                feed.clone(),
            )),
            sqs,
        })
    }
}

/// Publishes the events of SES, each at its time and not while they are `held`, until `stop` is cancelled. Then it
/// delivers the events that are left, or puts them into their queues, and returns.
pub(super) async fn deliver(
    mut published: mpsc::UnboundedReceiver<PublishedEvent>,
    ses: Arc<Ses>,
    sns: Arc<Sns>,
    held: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    let deliver = |published: PublishedEvent| {
        let (ses, task, mut held) = (Arc::clone(&ses), Arc::clone(&sns), held.clone());
        sns.publications.spawn(async move {
            tokio::time::sleep(published.after).await;
            // Without a run that could hold them, they are not held.
            let _ = held.wait_for(|held| !held).await;
            // Before the feed tells of it, so that the list of mails that is read then has it.
            ses.note(&published.event);
            let message = published.event.to_string();
            if let Err(error) = task.publish(&published.topic_arn, &message).await {
                tracing::error!("an event of SES was lost: {error}");
            }
        });
    };
    loop {
        tokio::select! {
            event = published.recv() => match event {
                Some(event) => deliver(event),
                None => break,
            },
            () = stop.cancelled() => break,
        }
    }
    while let Ok(event) = published.try_recv() {
        deliver(event);
    }
    sns.publications.close();
    if tokio::time::timeout(LAST_EVENTS, sns.publications.wait())
        .await
        .is_err()
    {
        sns.end();
        sns.publications.wait().await;
    }
}
