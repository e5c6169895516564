//! Takes back slots of the gate that would hold mail back for nothing; see [`domain::pacing::taken_back`].

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use super::{Usage, gate_key};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, n, names, number_of, s};
use domain::pacing::{RememberedGate, SlotsTakenBack};

/// Reads the slots of the gate.
pub(super) fn read(item: &Item) -> Option<RememberedGate> {
    Some(RememberedGate {
        slot_interval: number_of(item, "slot_interval")?,
        next_free_slot: number_of(item, "next_free_slot")?,
    })
}

impl Usage {
    /// Takes slots back, if no others were taken in the meantime. Otherwise returns the slots as they are.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn take_back_slots(&self, back: SlotsTakenBack) -> Result<Option<RememberedGate>, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s("gate"))
            .update_expression("SET #next_free_slot = :to")
            .condition_expression("#next_free_slot = :from")
            .set_expression_attribute_names(names(["next_free_slot"]))
            .expression_attribute_values(":from", n(back.from))
            .expression_attribute_values(":to", n(back.to))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        Ok(match written(updated)? {
            Written::Done(_) => None,
            Written::Failed(gate) => gate.as_ref().and_then(read),
        })
    }
}
