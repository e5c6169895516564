//! The rotation of a secret.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use jiff::Timestamp;

use super::{SECRET, Webhooks, item, key};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{names, s, text_of, time};
use domain::time::plus;
use domain::webhook::{PREVIOUS_SECRET_KEPT, Secrets, SigningSecret};

impl Webhooks {
    /// Makes `new` the secret of an endpoint. The one before signs too for [`PREVIOUS_SECRET_KEPT`]; one before that no
    /// longer does. Returns the secrets, or `None` if there is no such endpoint.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn rotate(&self, id: &str, new: &SigningSecret, now: Timestamp) -> Result<Option<Secrets>, StoreError> {
        const OPERATION: &str = "UpdateItem";
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(id, SECRET)))
            .update_expression("SET #previous = #current, #previous_until = :until, #current = :new")
            // A write whose answer was lost must not be done twice: the new secret would become the previous one.
            .condition_expression("attribute_exists(#current) AND #current <> :new")
            .set_expression_attribute_names(names(["current", "previous", "previous_until"]))
            .expression_attribute_values(":new", s(new.reveal()))
            .expression_attribute_values(":until", time(plus(now, PREVIOUS_SECRET_KEPT)))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let item = match written(updated)? {
            Written::Done(updated) => updated.attributes,
            Written::Failed(Some(item)) if text_of(&item, "current") == Some(&new.reveal()) => Some(item),
            Written::Failed(_) => return Ok(None),
        };
        let secrets = item.as_ref().and_then(item::secrets);
        secrets
            .map(Some)
            .ok_or_else(|| StoreError::new(OPERATION, "NotASecret"))
    }
}
