//! An operator's override of the brake: kept in an item of its own, and put into force in the gate at once.
//!
//! A report may run at the same moment, and may have read the override before. So the gate records the time of the
//! override that it follows (`overridden_at`), which only moves forward. A report that has read an older override
//! cannot set the gate; it reads again and tries once more. A report that has read this one puts it into force itself,
//! in case the operator's command dies between its two writes.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use jiff::Timestamp;

use super::{Usage, gate_key};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, n, names, s, text_of, time, time_of};
use domain::brake::Brake;
use domain::brake::BrakeOverride;

/// The result of putting an operator's override into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideInGate {
    /// It is in force.
    InForce,
    /// A later override is in force.
    Overtaken,
    /// There is no gate before the first send or report. That report puts the override into force.
    NoGate,
}

impl Usage {
    /// Keeps an operator's override, unless one of the same time or later is there. Returns whether it is kept. May be
    /// repeated.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written, or the override has no time.
    pub async fn put_brake_override(&self, new: &BrakeOverride) -> Result<bool, StoreError> {
        let at = new.at.ok_or_else(|| StoreError::new("UpdateItem", "NoTime"))?;
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s("brake_override"))
            .update_expression("SET #brake_override = :brake_override, #by = :by, #why = :why, #at = :at")
            .condition_expression("attribute_not_exists(#at) OR #at < :at")
            .set_expression_attribute_names(names(["brake_override", "by", "why", "at"]))
            .expression_attribute_values(":brake_override", s(&new.setting))
            .expression_attribute_values(":by", s(&new.by))
            .expression_attribute_values(":why", s(&new.why))
            .expression_attribute_values(":at", time(at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Written::Failed(there) = written(updated)? else {
            return Ok(true);
        };
        // The SDK repeated a write whose answer was lost: the override that is there is our own.
        let ours = BrakeOverride {
            at: Timestamp::from_millisecond(at.as_millisecond()).ok(),
            ..new.clone()
        };
        Ok(there.as_ref().and_then(brake_override) == Some(ours))
    }

    /// Puts an operator's override of `at` into force in the gate, as this brake, unless a later one is. May be
    /// repeated.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written. The next report then does it.
    pub async fn set_brake(&self, brake: Brake, at: Timestamp) -> Result<OverrideInGate, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s("gate"))
            .update_expression("SET #brake = :brake, #overridden_at = :at")
            // Senders could not read half a gate.
            .condition_expression(
                "attribute_exists(#pk) AND (attribute_not_exists(#overridden_at) OR #overridden_at < :at)",
            )
            .set_expression_attribute_names(names(["pk", "brake", "overridden_at"]))
            .expression_attribute_values(":brake", n(brake.level()))
            .expression_attribute_values(":at", time(at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Written::Failed(gate) = written(updated)? else {
            return Ok(OverrideInGate::InForce);
        };
        Ok(match gate.and_then(|gate| time_of(&gate, "overridden_at")) {
            None => OverrideInGate::NoGate,
            // A report that has read it put it into force, or a first write whose answer was lost.
            Some(known) if known.as_millisecond() == at.as_millisecond() => OverrideInGate::InForce,
            Some(_) => OverrideInGate::Overtaken,
        })
    }
}

/// Reads the item of the override. One that a person wrote may hold nothing but the override itself.
pub(super) fn brake_override(item: &Item) -> Option<BrakeOverride> {
    let text = |name| text_of(item, name).unwrap_or_default().to_owned();
    Some(BrakeOverride {
        setting: text_of(item, "brake_override")?.to_owned(),
        by: text("by"),
        why: text("why"),
        at: time_of(item, "at"),
    })
}
