//! The transactions that make and delete the three items of an endpoint, and count it.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use aws_smithy_types::error::operation::BuildError;
use jiff::Timestamp;

use super::{COUNT, ENDPOINTS, HEALTH, SECRET, Webhooks, item, key};
use crate::StoreError;
use crate::dynamodb::item::{n, names, time};
use crate::dynamodb::transaction::{OPERATION, Transacted, transacted};
use domain::webhook::{ENDPOINTS_MAX, Endpoint, SigningSecret};

/// How often a transaction is tried that collides with another one: each creation and deletion counts in one item.
const TRIES_MAX: u32 = 6;

/// The result of a creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The endpoint was made.
    Done,
    /// There are [`ENDPOINTS_MAX`] endpoints already, so it was not made.
    TooMany,
}

impl Webhooks {
    /// Makes an endpoint with its first secret, unless there are [`ENDPOINTS_MAX`].
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been made, or another endpoint has its id.
    pub async fn create(&self, endpoint: &Endpoint, secret: &SigningSecret) -> Result<Created, StoreError> {
        let put = |item| Put::builder().table_name(&self.table).set_item(Some(item));
        let endpoint_item = put(item::of_endpoint(endpoint))
            .condition_expression("attribute_not_exists(#item)")
            .set_expression_attribute_names(names(["item"]));
        let most = i64::try_from(ENDPOINTS_MAX).unwrap_or(i64::MAX);
        let one_more = self
            .count(1)
            .condition_expression("attribute_not_exists(#count) OR #count < :most")
            .expression_attribute_values(":most", n(most));
        let steps = [
            update(one_more.build()),
            put_step(endpoint_item.build()),
            put_step(put(item::of_secret(&endpoint.id, secret)).build()),
            put_step(put(item::of_good_health(&endpoint.id)).build()),
        ];
        match self.transact(steps).await? {
            Transacted::Done => Ok(Created::Done),
            Transacted::Failed { index: 0, .. } => Ok(Created::TooMany),
            Transacted::Failed { .. } => Err(StoreError::new(OPERATION, "EndpointExists")),
        }
    }

    /// Deletes an endpoint with its secrets and its health. Its deliveries lapse. Returns whether it was there.
    ///
    /// # Errors
    /// [`StoreError`] if it may still be there.
    pub async fn delete(&self, id: &str) -> Result<bool, StoreError> {
        let endpoint = Delete::builder()
            .condition_expression("attribute_exists(#item)")
            .set_expression_attribute_names(names(["item"]));
        self.delete_if(id, endpoint).await
    }

    /// Deletes a listener that was to be gone `until` then, unless it has asked again since. Returns whether it was
    /// deleted.
    ///
    /// # Errors
    /// [`StoreError`] if it may still be there.
    pub async fn delete_listener(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        let endpoint = Delete::builder()
            .condition_expression("#listening_until = :until")
            .set_expression_attribute_names(names(["listening_until"]))
            .expression_attribute_values(":until", time(until));
        self.delete_if(id, endpoint).await
    }

    async fn delete_if(
        &self,
        id: &str,
        endpoint: aws_sdk_dynamodb::types::builders::DeleteBuilder,
    ) -> Result<bool, StoreError> {
        let delete = |builder: aws_sdk_dynamodb::types::builders::DeleteBuilder, key| {
            let delete = builder.table_name(&self.table).set_key(Some(key)).build();
            delete.map(|delete| TransactWriteItem::builder().delete(delete).build())
        };
        let steps = [
            delete(endpoint, key(ENDPOINTS, id)),
            delete(Delete::builder(), key(id, SECRET)),
            delete(Delete::builder(), key(id, HEALTH)),
            update(self.count(-1).build()),
        ];
        let transacted = self.transact(steps).await?;
        Ok(matches!(transacted, Transacted::Done))
    }

    fn count(&self, by: i64) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(COUNT, ENDPOINTS)))
            .update_expression("ADD #count :by")
            .set_expression_attribute_names(names(["count"]))
            .expression_attribute_values(":by", n(by))
    }

    /// Carries out a transaction, again if it collides with another.
    pub(super) async fn transact<const N: usize>(
        &self,
        steps: [Result<TransactWriteItem, BuildError>; N],
    ) -> Result<Transacted, StoreError> {
        let steps: Result<Vec<_>, _> = steps.into_iter().collect();
        let steps = steps.map_err(|_| StoreError::new(OPERATION, "NotSent"))?;
        let mut tries = 1;
        loop {
            let write = self
                .client
                .transact_write_items()
                .set_transact_items(Some(steps.clone()));
            match transacted(write.send().await) {
                Err(error) if error.code == "TransactionConflict" && tries < TRIES_MAX => {
                    tokio::time::sleep(std::time::Duration::from_millis(20) * 2_u32.pow(tries)).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }
}

fn put_step(put: Result<Put, BuildError>) -> Result<TransactWriteItem, BuildError> {
    put.map(|put| TransactWriteItem::builder().put(put).build())
}

pub(super) fn update(update: Result<Update, BuildError>) -> Result<TransactWriteItem, BuildError> {
    update.map(|update| TransactWriteItem::builder().update(update).build())
}
