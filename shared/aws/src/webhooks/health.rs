//! The health of an endpoint: failures in a row are counted, and park it; a success ends them.

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::{HEALTH, Webhooks, item, key};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{n, names, time};
use domain::webhook::{EndpointHealth, LastFailure};

/// How often a failure is counted again because others were counted at once, or a success came between.
const TRIES_MAX: usize = 6;

impl Webhooks {
    /// Counts a failed attempt, and parks the endpoint if so many have failed in a row
    /// ([`failures_to_park`](domain::webhook::failures_to_park)). `seen` is the health that the caller has read.
    /// Returns the health then, or `None` if there is no such endpoint.
    ///
    /// A write whose answer is lost may be counted twice.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been counted.
    pub async fn failed(
        &self,
        id: &str,
        failure: &LastFailure,
        to_park: u32,
        seen: &EndpointHealth,
    ) -> Result<Option<EndpointHealth>, StoreError> {
        const OPERATION: &str = "UpdateItem";
        const COUNT: &str = "SET #last_failure = :failure ADD #failures :one";
        const PARK: &str = "SET #last_failure = :failure, #parked_at = if_not_exists(#parked_at, :at) \
                            ADD #failures :one";
        let before_last = i64::from(to_park).saturating_sub(1);
        let mut parks = i64::from(seen.failures) >= before_last;
        for _ in 0..TRIES_MAX {
            let (change, condition) = if parks {
                (PARK, "#failures >= :before_last")
            } else {
                (COUNT, "#failures < :before_last")
            };
            let mut update = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(key(id, HEALTH)))
                .update_expression(change)
                .condition_expression(condition)
                .set_expression_attribute_names(names(["failures", "last_failure"]))
                .expression_attribute_values(":one", n(1))
                .expression_attribute_values(":before_last", n(before_last))
                .expression_attribute_values(":failure", item::last_failure(failure))
                .return_values(ReturnValue::AllNew)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            if parks {
                update = update
                    .expression_attribute_names("#parked_at", "parked_at")
                    .expression_attribute_values(":at", time(failure.at));
            }
            match written(update.send().await)? {
                Written::Done(updated) => {
                    let health = updated.attributes().and_then(item::health);
                    return health.map(Some).ok_or_else(|| StoreError::new(OPERATION, "NotAHealth"));
                }
                Written::Failed(None) => return Ok(None),
                Written::Failed(Some(_)) => parks = !parks,
            }
        }
        Err(StoreError::new(OPERATION, "HealthKeepsChanging"))
    }

    /// Ends the failures in a row and unparks the endpoint, after an attempt that succeeded. Writes nothing if there
    /// was none in `seen`, the health that the caller has read. Returns whether it ended any.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn succeeded(&self, id: &str, seen: &EndpointHealth) -> Result<bool, StoreError> {
        if seen.failures == 0 && !seen.is_parked() {
            return Ok(false);
        }
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(id, HEALTH)))
            .update_expression("SET #failures = :none REMOVE #parked_at")
            .condition_expression("#failures > :none")
            .set_expression_attribute_names(names(["failures", "parked_at"]))
            .expression_attribute_values(":none", n(0))
            .send()
            .await;
        Ok(matches!(written(updated)?, Written::Done(_)))
    }

    /// Makes the health of an endpoint good before it is enabled. Returns whether there is such an endpoint.
    pub(super) async fn recover(&self, id: &str) -> Result<bool, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(id, HEALTH)))
            .update_expression("SET #failures = :none REMOVE #parked_at, #disabled_because")
            .condition_expression("attribute_exists(#failures)")
            .set_expression_attribute_names(names(["failures", "parked_at", "disabled_because"]))
            .expression_attribute_values(":none", n(0))
            .send()
            .await;
        Ok(matches!(written(updated)?, Written::Done(_)))
    }
}
