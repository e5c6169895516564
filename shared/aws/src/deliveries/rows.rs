//! Single deliveries: read, put without an attempt, and replayed.

use aws_sdk_dynamodb::types::ReturnValue;
use jiff::Timestamp;

use super::attempts::Change;
use super::{Deliveries, item, key};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, n, names, s, time, ttl};
use domain::time::plus;
use domain::webhook::{DELIVERY_KEPT, Delivery, DeliveryRecord, EventDeliveryState, EventId};

impl Deliveries {
    /// Reads a delivery, consistently.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read, or the item is no delivery.
    pub async fn get(&self, endpoint: &str, event: &EventId) -> Result<Option<DeliveryRecord>, StoreError> {
        let Some(item) = self.item(endpoint, event).await? else {
            return Ok(None);
        };
        let record = item::record(endpoint, &item);
        record
            .map(Some)
            .ok_or_else(|| StoreError::new("GetItem", "NotADelivery"))
    }

    pub(super) async fn item(&self, endpoint: &str, event: &EventId) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table);
        let read = get
            .set_key(Some(key(endpoint, event)))
            .consistent_read(true)
            .send()
            .await;
        Ok(read.map_err(StoreError::of("GetItem"))?.item)
    }

    /// Lets a delivery wait for the sweep from `wake_at` on: one that is not in the table, or one that waits for a
    /// message of SQS. Any other stays as it is. Returns whether it was written.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn put_waiting(
        &self,
        delivery: &Delivery,
        wake_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = Change::of(self, delivery, now)
            .first(delivery)
            .state(EventDeliveryState::Waiting)
            .wakes(&delivery.endpoint, wake_at)
            .value(":waiting", s(EventDeliveryState::Waiting.as_str()))
            .on("attribute_not_exists(#event) OR (#state = :waiting AND attribute_not_exists(#wake_at))");
        Ok(matches!(written(update.send().await)?, Written::Done(_)))
    }

    /// Lets a delivery fail without an attempt, because its endpoint is disabled: one that is not in the table, or one
    /// that waits. Any other stays as it is. Returns whether it was written.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn put_failed(&self, delivery: &Delivery, now: Timestamp) -> Result<bool, StoreError> {
        let update = Change::of(self, delivery, now)
            .first(delivery)
            .state(EventDeliveryState::Failed)
            .sleeps()
            .value(":waiting", s(EventDeliveryState::Waiting.as_str()))
            .on("attribute_not_exists(#event) OR #state = :waiting");
        Ok(matches!(written(update.send().await)?, Written::Done(_)))
    }

    /// Begins a delivery anew, whatever its state: the sweep hands it over at `wake_at`, and its schedule of retries
    /// starts again. Returns the delivery, or `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn replay(
        &self,
        endpoint: &str,
        event: &EventId,
        wake_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<DeliveryRecord>, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(endpoint, event)))
            .update_expression(
                "SET #state = :waiting, #state_at = :now, #tries = :none, #due_at = :wake_at, #wake_at = :wake_at, \
                 #wake_shard = :endpoint, #expires_at = :expires_at",
            )
            .condition_expression("attribute_exists(#event)")
            .set_expression_attribute_names(names([
                "event",
                "state",
                "state_at",
                "tries",
                "due_at",
                "wake_at",
                "wake_shard",
                "expires_at",
            ]))
            .expression_attribute_values(":waiting", s(EventDeliveryState::Waiting.as_str()))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":none", n(0))
            .expression_attribute_values(":wake_at", time(wake_at))
            .expression_attribute_values(":endpoint", s(endpoint))
            .expression_attribute_values(":expires_at", ttl(plus(now, DELIVERY_KEPT)))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let Written::Done(updated) = written(updated)? else {
            return Ok(None);
        };
        let record = updated.attributes().and_then(|item| item::record(endpoint, item));
        record
            .map(Some)
            .ok_or_else(|| StoreError::new("UpdateItem", "NotADelivery"))
    }
}

impl Change {
    /// Sets the attributes of a delivery without attempts, if it is new; the condition looks whether it is.
    fn first(self, delivery: &Delivery) -> Self {
        self.sets("#count = if_not_exists(#count, :none), #state_at = if_not_exists(#state_at, :none)")
            .sets("#tries = if_not_exists(#tries, :tries)")
            .name("count")
            .name("state_at")
            .name("tries")
            .name("event")
            .value(":none", n(0))
            .value(":tries", n(delivery.attempts.into()))
    }
}
