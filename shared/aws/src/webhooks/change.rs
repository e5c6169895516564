//! Changes of an endpoint: by its owner, by its listener, and by Okite, which disables it.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, Update};
use jiff::Timestamp;

use super::create::update;
use super::{ENDPOINTS, HEALTH, Webhooks, item, key};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{names, s, time};
use crate::dynamodb::transaction::Transacted;
use domain::webhook::{DisabledBecause, Endpoint, EndpointChange, EndpointState};

impl Webhooks {
    /// Changes an endpoint. Returns it as it is then, or `None` if there is no such endpoint, or a listener was to get
    /// a URL. Enabling an endpoint makes its health good first, so that nothing parks or disables it for what was.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been changed.
    pub async fn update(&self, id: &str, change: &EndpointChange) -> Result<Option<Endpoint>, StoreError> {
        let mut sets = Vec::new();
        let mut condition = "attribute_exists(#item)";
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(ENDPOINTS, id)))
            .return_values(ReturnValue::AllNew)
            .expression_attribute_names("#item", "item");
        let url = change.url.as_ref().map(|url| ("url", s(url)));
        let events = change.events.as_ref().map(|events| ("events", item::kinds(events)));
        let state = change.state.map(|state| ("state", s(state.as_str())));
        if change.url.is_some() {
            condition = "attribute_exists(#item) AND attribute_exists(#url)";
        }
        for (name, value) in [url, events, state].into_iter().flatten() {
            sets.push(format!("#{name} = :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        if sets.is_empty() {
            return self.get(id).await;
        }
        if change.state == Some(EndpointState::Enabled) && !self.recover(id).await? {
            return Ok(None);
        }
        let updated = update
            .update_expression(format!("SET {}", sets.join(", ")))
            .condition_expression(condition)
            .send()
            .await;
        let Written::Done(updated) = written(updated)? else {
            return Ok(None);
        };
        let endpoint = updated.attributes().and_then(item::endpoint);
        endpoint
            .map(Some)
            .ok_or_else(|| StoreError::new("UpdateItem", "NotAnEndpoint"))
    }

    /// Keeps a listener until a later time. Returns whether there is such a listener.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn listen(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(ENDPOINTS, id)))
            .update_expression("SET #listening_until = :until")
            .condition_expression("attribute_exists(#listening_until)")
            .set_expression_attribute_names(names(["listening_until"]))
            .expression_attribute_values(":until", time(until))
            .send()
            .await;
        Ok(matches!(written(updated)?, Written::Done(_)))
    }

    /// Disables an endpoint that answered at `url` that it is gone, unless it has another URL since. Returns whether
    /// this call disabled it.
    ///
    /// # Errors
    /// [`StoreError`] if it may still be enabled.
    pub async fn disable_gone(&self, id: &str, url: &str) -> Result<bool, StoreError> {
        let endpoint = Update::builder()
            .condition_expression("#state = :enabled AND #url = :url")
            .expression_attribute_names("#url", "url")
            .expression_attribute_values(":url", s(url));
        let health = Update::builder().condition_expression("attribute_exists(#failures)");
        let health = health.expression_attribute_names("#failures", "failures");
        self.disable(id, DisabledBecause::Gone, endpoint, health).await
    }

    /// Disables an endpoint that has been parked since `parked_at`, unless an attempt succeeded since. Returns whether
    /// this call disabled it.
    ///
    /// # Errors
    /// [`StoreError`] if it may still be enabled.
    pub async fn disable_parked(&self, id: &str, parked_at: Timestamp) -> Result<bool, StoreError> {
        let endpoint = Update::builder().condition_expression("#state = :enabled");
        let health = Update::builder()
            .condition_expression("#parked_at = :parked_at")
            .expression_attribute_names("#parked_at", "parked_at")
            .expression_attribute_values(":parked_at", time(parked_at));
        self.disable(id, DisabledBecause::Parked, endpoint, health).await
    }

    async fn disable(
        &self,
        id: &str,
        because: DisabledBecause,
        endpoint: UpdateBuilder,
        health: UpdateBuilder,
    ) -> Result<bool, StoreError> {
        let endpoint = endpoint
            .table_name(&self.table)
            .set_key(Some(key(ENDPOINTS, id)))
            .update_expression("SET #state = :disabled")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":enabled", s(EndpointState::Enabled.as_str()))
            .expression_attribute_values(":disabled", s(EndpointState::Disabled.as_str()));
        let health = health
            .table_name(&self.table)
            .set_key(Some(key(id, HEALTH)))
            .update_expression("SET #disabled_because = :because")
            .expression_attribute_names("#disabled_because", "disabled_because")
            .expression_attribute_values(":because", s(because.as_str()));
        let transacted = self
            .transact([update(endpoint.build()), update(health.build())])
            .await?;
        Ok(matches!(transacted, Transacted::Done))
    }
}
