//! The log: one write adds an attempt and sets the state that it led to.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::{Deliveries, item, key};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, n, s, text_of, time, time_of, ttl};
use domain::time::{EARLIEST, in_milliseconds, plus};
use domain::webhook::{ATTEMPTS_KEPT, AfterAttempt, Attempt, DELIVERY_KEPT, Delivery, EventDeliveryState};
use jiff::Timestamp;

/// How often a write is tried that other writes to the same delivery overtake.
const TRIES_MAX: usize = 8;

impl Deliveries {
    /// Adds an attempt to the log of a delivery, and sets what follows. Writes the delivery if it is not there.
    ///
    /// The same attempt is added once, however often it is written. If a newer attempt or a replay has set the state,
    /// or the endpoint has the event, then the attempt is added to the log and the state stays; except that a success
    /// always counts.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn record_attempt(
        &self,
        delivery: &Delivery,
        attempt: &Attempt,
        then: AfterAttempt,
    ) -> Result<(), StoreError> {
        // As the item holds it, so that a write that is repeated is recognised.
        let attempt = &Attempt {
            at: in_milliseconds(attempt.at),
            ..attempt.clone()
        };
        let mut seen = match then {
            AfterAttempt::AsBefore => self.item(&delivery.endpoint, &delivery.event).await?,
            _ => None,
        };
        for _ in 0..TRIES_MAX {
            let update = match (&seen, then) {
                (None, AfterAttempt::AsBefore) => return Ok(()),
                (None, _) => self.append(delivery, attempt, then),
                (Some(seen), _) => {
                    let attempts = item::attempts(seen);
                    if attempts.iter().any(|kept| kept.at == attempt.at) {
                        return Ok(());
                    }
                    self.rewrite(delivery, attempt, then, seen)
                }
            };
            let update = update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            match written(update.send().await)? {
                Written::Done(_) => return Ok(()),
                Written::Failed(item) => seen = item,
            }
        }
        Err(StoreError::new("UpdateItem", "DeliveryKeepsChanging"))
    }

    /// The write without a look at the item: it is new, or this attempt is the newest and the log has room.
    fn append(&self, delivery: &Delivery, attempt: &Attempt, then: AfterAttempt) -> UpdateItemFluentBuilder {
        let last = ATTEMPTS_KEPT.saturating_sub(1);
        let condition = match then {
            AfterAttempt::Delivered => "#state_at < :at",
            _ => "#state_at < :at AND #state <> :delivered",
        };
        let change = Change::begin(self, delivery, attempt.at)
            .sets("#attempts = list_append(if_not_exists(#attempts, :no_attempts), :attempt)")
            .value(":no_attempts", AttributeValue::L(Vec::new()))
            .value(":attempt", AttributeValue::L(vec![item::of_attempt(attempt)]))
            .name("attempts")
            .becomes(delivery, attempt.at, then);
        let change = match then {
            AfterAttempt::Delivered => change,
            _ => change.value(":delivered", s(EventDeliveryState::Delivered.as_str())),
        };
        change.name("event").on(&format!(
            "attribute_not_exists(#event) OR ({condition} AND attribute_not_exists(#attempts[{last}]))"
        ))
    }

    /// The write after a look at the item, which must not have changed since.
    fn rewrite(
        &self,
        delivery: &Delivery,
        attempt: &Attempt,
        then: AfterAttempt,
        seen: &Item,
    ) -> UpdateItemFluentBuilder {
        let state_at = time_of(seen, "state_at").unwrap_or(EARLIEST);
        let state = text_of(seen, "state").unwrap_or_default();
        let sets_state = match then {
            AfterAttempt::Delivered => true,
            AfterAttempt::AsBefore => false,
            _ => state_at < attempt.at && state != EventDeliveryState::Delivered.as_str(),
        };
        let attempts = item::with_attempt(item::attempts(seen), attempt);
        let change = Change::begin(self, delivery, attempt.at)
            .sets("#attempts = :attempts")
            .value(
                ":attempts",
                AttributeValue::L(attempts.iter().map(item::of_attempt).collect()),
            )
            .value(":seen_count", n(item::count(seen, "count").into()))
            .value(":seen_state", s(state))
            .value(":seen_state_at", time(state_at))
            .name("attempts");
        let change = if sets_state {
            change.becomes(delivery, state_at.max(attempt.at), then)
        } else {
            change.name("state").name("state_at")
        };
        change.on("#count = :seen_count AND #state = :seen_state AND #state_at = :seen_state_at")
    }
}

/// An update of a delivery that is being put together.
#[must_use]
pub(super) struct Change {
    update: UpdateItemFluentBuilder,
    sets: Vec<String>,
    removes: Vec<&'static str>,
}

impl Change {
    /// Begins a change with the attributes that never change, and one more attempt.
    fn begin(deliveries: &Deliveries, delivery: &Delivery, now: Timestamp) -> Self {
        let mut change = Self::of(deliveries, delivery, now);
        change
            .sets
            .push("#count = if_not_exists(#count, :none) + :one".to_owned());
        change.name("count").value(":none", n(0)).value(":one", n(1))
    }

    /// Begins a change with the attributes that never change.
    pub(super) fn of(deliveries: &Deliveries, delivery: &Delivery, now: Timestamp) -> Self {
        let constant = ["kind", "created_at", "body", "expires_at"];
        let update = deliveries
            .client
            .update_item()
            .table_name(&deliveries.table)
            .set_key(Some(key(&delivery.endpoint, &delivery.event)))
            .expression_attribute_values(":kind", s(delivery.kind.as_str()))
            .expression_attribute_values(":created_at", time(delivery.created_at))
            .expression_attribute_values(":body", s(&delivery.body))
            .expression_attribute_values(":expires_at", ttl(plus(now, DELIVERY_KEPT)));
        let sets = constant.map(|name| format!("#{name} = if_not_exists(#{name}, :{name})"));
        let change = Self {
            update,
            sets: sets.into(),
            removes: Vec::new(),
        };
        constant.into_iter().fold(change, Self::name)
    }

    pub(super) fn sets(mut self, set: &str) -> Self {
        self.sets.push(set.to_owned());
        self
    }

    pub(super) fn name(mut self, name: &str) -> Self {
        self.update = self.update.expression_attribute_names(format!("#{name}"), name);
        self
    }

    pub(super) fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.update = self.update.expression_attribute_values(placeholder, value);
        self
    }

    /// Sets the state that follows an attempt, as of this time.
    fn becomes(self, delivery: &Delivery, at: Timestamp, then: AfterAttempt) -> Self {
        let change = self
            .sets("#state_at = :at")
            .sets("#tries = :tries")
            .name("state_at")
            .name("tries")
            .value(":at", time(at))
            .value(":tries", n(delivery.attempts.saturating_add(1).into()));
        match then {
            AfterAttempt::Delivered => change.state(EventDeliveryState::Delivered).sleeps(),
            AfterAttempt::Failed => change.state(EventDeliveryState::Failed).sleeps(),
            AfterAttempt::InQueue | AfterAttempt::AsBefore => change.state(EventDeliveryState::Waiting).sleeps(),
            AfterAttempt::WakeAt(at) => change.state(EventDeliveryState::Waiting).wakes(&delivery.endpoint, at),
        }
    }

    pub(super) fn state(self, state: EventDeliveryState) -> Self {
        self.sets("#state = :state")
            .name("state")
            .value(":state", s(state.as_str()))
    }

    /// Puts the delivery into the index `wake`.
    pub(super) fn wakes(self, endpoint: &str, at: Timestamp) -> Self {
        self.sets("#due_at = :wake_at, #wake_at = :wake_at, #wake_shard = :wake_shard")
            .name("due_at")
            .name("wake_at")
            .name("wake_shard")
            .value(":wake_at", time(at))
            .value(":wake_shard", s(endpoint))
    }

    /// Takes the delivery out of the index `wake`.
    pub(super) fn sleeps(mut self) -> Self {
        self.removes.extend(["#due_at", "#wake_at", "#wake_shard"]);
        self.name("due_at").name("wake_at").name("wake_shard")
    }

    /// Ends with the condition.
    pub(super) fn on(self, condition: &str) -> UpdateItemFluentBuilder {
        let mut expression = format!("SET {}", self.sets.join(", "));
        if !self.removes.is_empty() {
            expression = format!("{expression} REMOVE {}", self.removes.join(", "));
        }
        self.update
            .update_expression(expression)
            .condition_expression(condition)
    }
}
