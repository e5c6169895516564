//! The emitter: it puts the events that an application hears of on their way to the endpoints.
//!
//! Functions that learn of an event emit it here, and nowhere else. A message goes to SQS for each endpoint that wants
//! the event, and the function `webhooks` delivers it. If SQS does not take a message, the delivery waits in its table,
//! where the sweep finds it within a minute or two.
//!
//! As long as there are no endpoints, an event costs nothing but a look at the list of them, which a process reads
//! every half minute at most. Without an event the list is not read either.
//!
//! An event may be emitted again, after a crash or because SNS delivered it twice. It has the same id then, by which
//! receivers recognise it.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod payload;

use std::sync::Arc;
use std::time::Duration;

use aws::{
    Deliveries, DeliveryNotQueued, DeliveryQueue, KnownEndpoints, QueuedDelivery, SqsClient, StoreError, Webhooks,
};
use domain::webhook::{Delivery, DeliveryMessage, Endpoint, WebhookEvent};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};

pub use payload::payload;

/// How many deliveries are written at a time while SQS takes none.
const WRITTEN_AT_ONCE: usize = 10;

/// The configuration of an emitter, as each function that emits reads it from its environment.
#[derive(Clone, Debug)]
pub struct EmitterConfig {
    /// The account's region.
    pub region: String,
    /// The table of endpoints.
    pub webhooks_table: String,
    /// The table of deliveries.
    pub deliveries_table: String,
    /// The queue of deliveries.
    pub queue_url: String,
    /// How long a process uses the list of endpoints without another read.
    pub endpoints_age_max: SignedDuration,
}

impl EmitterConfig {
    /// Reads the configuration. `text` reads an environment variable; the list of endpoints is used for
    /// `endpoints_age_max`.
    ///
    /// # Errors
    /// That of `text`, for the first variable that it cannot read.
    pub fn read<E>(
        region: &str,
        endpoints_age_max: SignedDuration,
        text: impl Fn(&'static str) -> Result<String, E>,
    ) -> Result<Self, E> {
        Ok(Self {
            region: region.to_owned(),
            webhooks_table: text(Webhooks::TABLE_VARIABLE)?,
            deliveries_table: text(Deliveries::TABLE_VARIABLE)?,
            queue_url: text(DeliveryQueue::URL_VARIABLE)?,
            endpoints_age_max,
        })
    }
}

/// Emits events to every endpoint that wants them.
#[derive(Clone, Debug)]
pub struct Emitter {
    region: Arc<str>,
    endpoints: Arc<KnownEndpoints>,
    deliveries: Deliveries,
    queue: DeliveryQueue,
}

/// An event may not be on its way to every endpoint that wants it.
#[derive(Debug, thiserror::Error)]
pub enum NotEmitted {
    /// The endpoints cannot be read.
    #[error("the endpoints of webhooks cannot be read: {0}")]
    Endpoints(#[source] StoreError),
    /// SQS did not take a delivery, and the table did not either.
    #[error("a delivery was neither queued ({queue}) nor stored: {store}")]
    Delivery {
        /// The answer of SQS.
        queue: DeliveryNotQueued,
        /// The answer of the table.
        #[source]
        store: StoreError,
    },
}

impl Emitter {
    /// Makes an emitter with the given clients: see [`aws::dynamodb`], [`aws::sqs`] and [`aws::sqs_for_worker`].
    #[must_use]
    pub fn new(config: EmitterConfig, dynamodb: &aws_sdk_dynamodb::Client, sqs: impl Into<SqsClient>) -> Self {
        Self {
            region: config.region.into(),
            endpoints: Arc::new(KnownEndpoints::new(
                Webhooks::new(dynamodb.clone(), config.webhooks_table),
                config.endpoints_age_max,
            )),
            deliveries: Deliveries::new(dynamodb.clone(), config.deliveries_table),
            queue: DeliveryQueue::new(sqs, config.queue_url),
        }
    }

    /// Puts each event on its way to every endpoint that wants it.
    ///
    /// # Errors
    /// [`NotEmitted`] if one of them may not be on its way. A repeated call emits all of them again, with the same ids.
    pub async fn emit(&self, events: &[WebhookEvent], now: Timestamp) -> Result<(), NotEmitted> {
        if events.is_empty() {
            return Ok(());
        }
        let endpoints = self.endpoints.all(now).await.map_err(NotEmitted::Endpoints)?;
        let mut deliveries = Vec::new();
        for event in events {
            let mut wanting = endpoints
                .iter()
                .filter(|endpoint| endpoint.wants(event.kind(), now))
                .peekable();
            if wanting.peek().is_some() {
                let body = payload(event, &self.region);
                deliveries.extend(wanting.map(|endpoint| delivery(endpoint, event, &body)));
            }
        }
        self.send(deliveries, now).await
    }

    /// Puts each event on its way, and logs a failure, for an answer that must not depend on it. An alarm counts the
    /// line.
    pub async fn emit_or_log(&self, events: &[WebhookEvent], now: Timestamp) {
        if let Err(error) = self.emit(events, now).await {
            tracing::error!(
                cause = "not_emitted",
                count = events.len(),
                "events for webhooks were not emitted: {error}"
            );
        }
    }

    async fn send(&self, deliveries: Vec<Delivery>, now: Timestamp) -> Result<(), NotEmitted> {
        let queued: Vec<QueuedDelivery> = deliveries
            .into_iter()
            .map(|delivery| QueuedDelivery {
                message: DeliveryMessage::Whole(Box::new(delivery)),
                delay: Duration::ZERO,
            })
            .collect();
        let taken = self.queue.send_all(&queued).await;
        let left = queued.iter().zip(taken).filter_map(|(queued, taken)| {
            let DeliveryMessage::Whole(delivery) = &queued.message else {
                return None;
            };
            Some((delivery, taken.err()?))
        });
        let mut stored = stream::iter(left)
            .map(|(delivery, queue)| self.store(delivery, queue, now))
            .buffer_unordered(WRITTEN_AT_ONCE);
        let mut failed = None;
        while let Some(stored) = stored.next().await {
            if let Err(error) = stored {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Lets a delivery wait in the table that SQS did not take.
    async fn store(&self, delivery: &Delivery, queue: DeliveryNotQueued, now: Timestamp) -> Result<(), NotEmitted> {
        tracing::warn!(
            cause = queue.cause(),
            code = queue.code,
            event.id = %delivery.event,
            "SQS did not take a delivery, which waits in its table instead"
        );
        match self.deliveries.put_waiting(delivery, now, now).await {
            Ok(_) => Ok(()),
            Err(store) => Err(NotEmitted::Delivery { queue, store }),
        }
    }
}

fn delivery(endpoint: &Endpoint, event: &WebhookEvent, body: &str) -> Delivery {
    Delivery {
        endpoint: endpoint.id.clone(),
        event: event.id.clone(),
        kind: event.kind(),
        created_at: event.created_at,
        body: body.to_owned(),
        attempts: 0,
    }
}
