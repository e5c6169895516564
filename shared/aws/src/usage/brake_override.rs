//! An operator's word on the brake: kept in a row of its own, and put into force in the gate at once.
//!
//! A report may be under way at the same moment, and may have read the word before. So the gate says of which word it knows,
//! by its time (`overridden_at`), and that only moves forward: a report that has read an older one cannot set the gate, reads
//! again and tries once more; one that has read this word puts it into force itself, should the operator's command die
//! between its two writes.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use jiff::Timestamp;

use super::{Usage, gate_key};
use crate::StoreError;
use crate::item::{Item, n, s, text_of, time, time_of};
use crate::store_error::refused_by;
use domain::brake::Brake;
use domain::brake::BrakeOverride;

const OPERATION: &str = "UpdateItem";

/// What became of an operator's word in the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordInGate {
    /// It is in force.
    InForce,
    /// A later word is.
    Overtaken,
    /// There is no gate before the first send or report. That report puts it into force.
    NoGate,
}

impl Usage {
    /// Keeps an operator's word, unless one is there that is as late or later; tells whether it is kept. May be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written, or the word has no time.
    pub async fn put_brake_override(&self, word: &BrakeOverride) -> Result<bool, StoreError> {
        let at = word.at.ok_or_else(|| StoreError::new(OPERATION, "NoTime"))?;
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s("brake_override"))
            .update_expression("SET #word = :word, #by = :by, #why = :why, #at = :at")
            .condition_expression("attribute_not_exists(#at) OR #at < :at")
            .expression_attribute_names("#word", "brake_override")
            .expression_attribute_names("#by", "by")
            .expression_attribute_names("#why", "why")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":word", s(&word.setting))
            .expression_attribute_values(":by", s(&word.by))
            .expression_attribute_values(":why", s(&word.why))
            .expression_attribute_values(":at", time(at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Some(there) = refused_by(updated)? else {
            return Ok(true);
        };
        // The SDK repeated a write whose answer was lost: what is in the way is our own.
        let ours = BrakeOverride {
            at: Timestamp::from_millisecond(at.as_millisecond()).ok(),
            ..word.clone()
        };
        Ok(brake_override(&there) == Some(ours))
    }

    /// Puts an operator's word of `at` into force in the gate, as this brake, unless a later word is. May be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written; the next report does it then.
    pub async fn set_brake(&self, brake: Brake, at: Timestamp) -> Result<WordInGate, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s("gate"))
            .update_expression("SET #brake = :brake, #overridden_at = :at")
            // Half a gate could not be read by those who send.
            .condition_expression(
                "attribute_exists(#pk) AND (attribute_not_exists(#overridden_at) OR #overridden_at < :at)",
            )
            .expression_attribute_names("#pk", "pk")
            .expression_attribute_names("#brake", "brake")
            .expression_attribute_names("#overridden_at", "overridden_at")
            .expression_attribute_values(":brake", n(brake.level()))
            .expression_attribute_values(":at", time(at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Some(gate) = refused_by(updated)? else {
            return Ok(WordInGate::InForce);
        };
        Ok(match time_of(&gate, "overridden_at") {
            None => WordInGate::NoGate,
            // By a report that has read it, or by a first write whose answer was lost.
            Some(known) if known.as_millisecond() == at.as_millisecond() => WordInGate::InForce,
            Some(_) => WordInGate::Overtaken,
        })
    }
}

/// Reads the row of the word; one that somebody wrote by hand may say nothing but the word.
pub(super) fn brake_override(item: &Item) -> Option<BrakeOverride> {
    let text = |name| text_of(item, name).unwrap_or_default().to_owned();
    Some(BrakeOverride {
        setting: text_of(item, "brake_override")?.to_owned(),
        by: text("by"),
        why: text("why"),
        at: time_of(item, "at"),
    })
}
