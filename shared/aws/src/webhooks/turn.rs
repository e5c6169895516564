//! The turn to wait for slow endpoints, which one worker at a time has.

use jiff::{SignedDuration, Timestamp};

use super::{TURN, WORKERS, Webhooks, key};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{names, s, time};
use domain::time::plus;

/// No turn is longer. A later end is that of a clock that was set back.
const TURN_MAX: SignedDuration = SignedDuration::from_mins(1);

impl Webhooks {
    /// Takes the turn to wait for slow endpoints until `until`, or prolongs it if `worker` has it. Returns `false` if
    /// another worker has it at `now`. A turn ends by itself.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been taken.
    pub async fn take_turn(&self, worker: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(WORKERS, TURN)))
            .update_expression("SET #worker = :worker, #until = :until")
            .condition_expression(
                "attribute_not_exists(#until) OR #worker = :worker OR NOT #until BETWEEN :next AND :latest",
            )
            .set_expression_attribute_names(names(["worker", "until"]))
            .expression_attribute_values(":worker", s(worker))
            .expression_attribute_values(":until", time(until))
            .expression_attribute_values(":next", time(plus(now, SignedDuration::from_millis(1))))
            .expression_attribute_values(":latest", time(plus(now, TURN_MAX)))
            .send()
            .await;
        Ok(matches!(written(updated)?, Written::Done(_)))
    }
}
