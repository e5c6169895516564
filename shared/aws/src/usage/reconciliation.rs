//! The progress of the daily pass over SES's own suppression list.

use jiff::Timestamp;

use super::{Usage, gate_key};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, n, names, number_of, s, text_of, time};
use domain::suppression::Reconciliation;

/// The state of the pass over SES's own list, and the number of its write: of two runs at once only one may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptReconciliation {
    /// The progress of the pass.
    pub state: Reconciliation,
    /// How often the state was written.
    pub revision: i64,
}

impl Usage {
    /// Keeps the state of the pass over SES's own list, as the write that follows `kept`. Returns whether no other run
    /// wrote one in the meantime. If the SDK repeated a write whose answer was lost, the result is `false`: a run that
    /// stops then loses only time.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn put_reconciliation(&self, kept: &KeptReconciliation) -> Result<bool, StoreError> {
        let json = serde_json::to_string(&kept.state).map_err(|_| StoreError::new("UpdateItem", "NotJson"))?;
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s("reconciliation"))
            .update_expression("SET #state = :state, #revision = :revision")
            .condition_expression(
                "attribute_not_exists(#revision) OR #revision < :revision OR NOT attribute_type(#revision, :number)",
            )
            .set_expression_attribute_names(names(["state", "revision"]))
            .expression_attribute_values(":state", s(json))
            .expression_attribute_values(":revision", n(kept.revision))
            // A revision that cannot be read would hold up every later pass.
            .expression_attribute_values(":number", s("N"))
            .send()
            .await;
        Ok(matches!(written(updated)?, Written::Done(_)))
    }

    /// Requests an early pass over SES's own list: an address was lifted here, and may still be on that list.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn want_reconciliation(&self, at: Timestamp) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s("reconciliation_wanted"))
            .update_expression("SET #wanted_at = :at")
            .expression_attribute_names("#wanted_at", "at")
            .expression_attribute_values(":at", time(at))
            .send()
            .await
            .map(drop)
            .map_err(StoreError::of("UpdateItem"))
    }
}

/// Reads the state of the pass. A pass whose state cannot be read begins again, with a write that follows it.
pub(super) fn read(item: &Item) -> Option<KeptReconciliation> {
    let revision = number_of(item, "revision")?;
    let state = text_of(item, "state").and_then(|json| serde_json::from_str(json).ok());
    let state = state.unwrap_or_else(|| Reconciliation::before_the_first(Timestamp::UNIX_EPOCH));
    Some(KeptReconciliation { state, revision })
}
