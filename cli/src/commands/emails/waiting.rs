//! The tables and the queue of an email that waits.

use std::time::Duration;

use aws::{Claims, Hints, Outbox};
use emitter::{Emitter, EmitterConfig};
use jiff::SignedDuration;
use sending::{Deadlines, Recall, RecallError};
use tokio::time::Instant;
use uuid::Uuid;

use super::{EmailsError, MessagesTable};
use crate::aws_error;
use crate::target::{DELIVERIES, OUTBOX, TRANSACTIONAL_HINTS, Target, WEBHOOK_QUEUE, WEBHOOKS};

/// How long a change may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The tables and the queue that a command needs to change an email that waits.
pub(super) struct Waiting {
    pub(super) table: MessagesTable,
    claims: Claims,
    outbox: Outbox,
    /// The hints about transactional mail; `None` if the deployment has no such queue.
    hints: Option<Hints>,
    /// The emitter of events; `None` if the deployment has no webhooks.
    emitter: Option<Emitter>,
}

impl Waiting {
    /// Finds the tables and the queue of a target.
    pub(super) async fn of(target: &Target) -> Result<Self, EmailsError> {
        if matches!(target, Target::Resource { .. }) {
            return Err(EmailsError::SingleTable);
        }
        let table = MessagesTable::of(target).await?;
        let outbox = target.resolve(OUTBOX).await?;
        let hints = target.resolve_if_there(TRANSACTIONAL_HINTS).await?;
        let client = aws::dynamodb(&table.resolved.config);
        let emitter = emitter(target).await?;
        Ok(Self {
            claims: Claims::new(client.clone(), table.resolved.name.clone()),
            outbox: Outbox::new(client, outbox.name),
            hints: hints.map(|queue| Hints::new(aws::sqs(&queue.config), queue.name)),
            emitter,
            table,
        })
    }

    pub(super) fn recall(&self) -> Recall<'_> {
        Recall {
            messages: &self.table.messages,
            claims: &self.claims,
            outbox: &self.outbox,
            hints: self.hints.as_ref(),
            emitter: self.emitter.as_ref(),
        }
    }

    /// Begins a change now.
    pub(super) fn deadlines(&self) -> Deadlines {
        Deadlines::new(self.table.target.now(), Instant::now() + TIMEOUT)
    }

    pub(super) fn error(&self, id: Uuid, error: RecallError) -> EmailsError {
        match error {
            RecallError::NotFound => EmailsError::NotFound {
                id: id.to_string(),
                target_name: self.table.resolved.target_name.clone(),
            },
            RecallError::TooLate(state) => EmailsError::TooLate {
                id,
                state: state.as_str(),
            },
            RecallError::Contended => EmailsError::Changing(id),
            RecallError::Store(error) => self.table.error(&error),
            RecallError::OutOfTime => EmailsError::OutOfTime,
            RecallError::Unknown(error) => EmailsError::Unanswered {
                id,
                reason: error.map_or_else(
                    || "there was no answer in time".to_owned(),
                    |error| aws_error::message(&error),
                ),
            },
        }
    }
}

/// Makes the emitter of events, so that webhooks hear of a change by an operator too.
async fn emitter(target: &Target) -> Result<Option<Emitter>, EmailsError> {
    let webhooks = target.resolve_if_there(WEBHOOKS).await?;
    let deliveries = target.resolve_if_there(DELIVERIES).await?;
    let queue = target.resolve_if_there(WEBHOOK_QUEUE).await?;
    let (Some(webhooks), Some(deliveries), Some(queue)) = (webhooks, deliveries, queue) else {
        return Ok(None);
    };
    let config = EmitterConfig {
        region: webhooks.region()?,
        webhooks_table: webhooks.name.clone(),
        deliveries_table: deliveries.name,
        queue_url: queue.name,
        // A command reads the list once.
        endpoints_age_max: SignedDuration::from_secs(30),
    };
    let clients = (aws::dynamodb(&webhooks.config), aws::sqs_for_worker(&queue.config));
    Ok(Some(Emitter::new(config, &clients.0, clients.1)))
}
