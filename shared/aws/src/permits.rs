//! The gate in the table of usage, as sends pass it: one conditional update grants recipients of rate and quota at once.
//!
//! The item is described in [`super::Usage`], whose reports set it; what the expressions mean is in [`domain::pacing`].
//!
//! **A permit whose answer was lost is taken again** by the SDK's next attempt, and a send that dies after it never uses
//! it. Either costs slots that nobody uses and grants none that the gate did not count. To know one's own lost write
//! again, as the other tables' nonces do, the item would have to remember every permit of the last seconds.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;

use super::StoreError;
use super::item::{Item, n, number_of, s, time_of};
use domain::brake::Brake;
use domain::pacing::{
    Allowance, Gate, GateBranch, GateWrite, PacingPolicy, Permit, PermitRequest, RememberedGate, Throttled,
};
use domain::stream::Stream;

const OPERATION: &str = "UpdateItem";
/// The most writes for one permit. Three are enough while the gate's interval stays: the first of a container that knows
/// nothing, one by the idle branch, and one by the busy branch, for the time of the gate only grows. Each report may
/// change the interval under one more.
const ATTEMPTS_MAX: usize = 6;

/// Why there is no permit.
#[derive(Debug, thiserror::Error)]
pub enum PermitError {
    /// The gate refused.
    #[error("the gate refused: {0:?}")]
    Refused(Throttled),
    /// The gate could not be asked, so nothing may be sent.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The gate, and what this process remembers of it.
#[derive(Debug)]
pub struct Permits {
    client: Client,
    table: String,
    pk: String,
    policy: PacingPolicy,
    known: Mutex<Option<RememberedGate>>,
}

impl Permits {
    /// Works on the gate in `table` for the account's part in `region`.
    #[must_use]
    pub fn new(client: Client, table: String, region: &str, policy: PacingPolicy) -> Self {
        Self {
            client,
            table,
            pk: super::usage::gate_key(region),
            policy,
            known: Mutex::default(),
        }
    }

    /// Looks at the gate, so that the first permit of this process is one write and not two. What goes wrong shows then.
    pub async fn look(&self) {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(&self.pk))
            .key("sk", s("gate"))
            .send()
            .await;
        let item = read.ok().and_then(|answer| answer.item);
        if let Some(gate) = item.as_ref().and_then(gate) {
            self.remember(Some(gate.known()));
        }
    }

    /// Takes slots for a send, or learns why there are none. What is taken is never given back.
    ///
    /// # Errors
    /// [`PermitError::Refused`] if the gate does not let it through; [`PermitError::Store`] if it cannot be asked.
    pub async fn take(&self, ask: PermitRequest) -> Result<Permit, PermitError> {
        let mut attempt = GateWrite::first(ask, &self.policy, self.known());
        for _ in 0..ATTEMPTS_MAX {
            match self.write(&attempt).await? {
                Written::Granted(permit) => {
                    self.remember(Some(permit.known));
                    return Ok(permit);
                }
                Written::Failed(gate) => {
                    self.remember(gate.as_ref().map(Gate::known));
                    attempt = match gate {
                        None => GateWrite::first(ask, &self.policy, None),
                        Some(gate) => GateWrite::after(ask, &self.policy, &gate).map_err(PermitError::Refused)?,
                    };
                }
            }
        }
        Err(StoreError::new(OPERATION, "GateKeepsChanging").into())
    }

    /// Tells whether the gate is certain to refuse every send for its rate, without asking it.
    #[must_use]
    pub fn known_refusal(&self, now: Timestamp) -> Option<Throttled> {
        self.known()?.refusal(&self.policy, now)
    }

    /// What a caller is told of the rate, if this process has seen the gate.
    #[must_use]
    pub fn allowance(&self, now: Timestamp) -> Option<Allowance> {
        Some(self.known()?.allowance(&self.policy, now))
    }

    /// Tells as a refusal when the next slot is free, if this process has seen the gate.
    #[must_use]
    pub fn next_slot(&self, now: Timestamp) -> Option<Throttled> {
        Some(self.known()?.next_slot(now))
    }

    /// How many recipients can have their slots within `time`, if nobody else sends and this process has seen the gate.
    #[must_use]
    pub fn recipients_within(&self, time: Duration) -> Option<i64> {
        Some(self.known()?.recipients_within(time))
    }

    /// How long the slots of so many recipients take, by what this process knows of the rate.
    #[must_use]
    pub fn time_of(&self, recipients: i64) -> Duration {
        self.known().map_or(Duration::ZERO, |known| known.time_of(recipients))
    }

    fn known(&self) -> Option<RememberedGate> {
        // A value that is copied in and out is whole even if its holder panicked.
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, known: Option<RememberedGate>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    async fn write(&self, attempt: &GateWrite) -> Result<Written, StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(&self.pk))
            .key("sk", s("gate"))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_names("#tat", "tat")
            .expression_attribute_names("#iv", "iv")
            .expression_attribute_names("#left_all", "left_all")
            .expression_attribute_names("#left_bulk", "left_bulk")
            .expression_attribute_names("#granted", "granted")
            .expression_attribute_names("#brake", "brake")
            .expression_attribute_names("#snap_at", "snap_at")
            .expression_attribute_values(":iv", n(attempt.slot_interval));
        let written = match attempt.branch {
            GateBranch::First => first(request, attempt),
            GateBranch::Busy => busy(request, attempt),
            GateBranch::Idle => idle(request, attempt),
        };
        match written.send().await {
            Ok(updated) => {
                let next_free_slot = updated.attributes().and_then(|item| number_of(item, "tat"));
                let next_free_slot = next_free_slot.ok_or_else(|| StoreError::new(OPERATION, "GateUnreadable"))?;
                Ok(Written::Granted(attempt.granted(next_free_slot)))
            }
            Err(SdkError::ServiceError(error)) => match error.err() {
                UpdateItemError::ConditionalCheckFailedException(failed) => match failed.item() {
                    None => Ok(Written::Failed(None)),
                    Some(item) if item.is_empty() => Ok(Written::Failed(None)),
                    Some(item) => match gate(item) {
                        Some(gate) => Ok(Written::Failed(Some(gate))),
                        None => Err(StoreError::new(OPERATION, "GateUnreadable")),
                    },
                },
                _ => Err(StoreError::of(OPERATION)(SdkError::ServiceError(error))),
            },
            Err(error) => Err(StoreError::of(OPERATION)(error)),
        }
    }
}

/// What came of one write.
enum Written {
    /// It was carried out.
    Granted(Permit),
    /// Its condition failed on this gate, or because there is none.
    Failed(Option<Gate>),
}

/// Makes the gate before the first report does. Its report is as old as can be, so any report replaces its quota and
/// until then the rate alone holds; what it granted counts from the beginning.
fn first(request: UpdateItemFluentBuilder, attempt: &GateWrite) -> UpdateItemFluentBuilder {
    request
        .update_expression(
            "SET #tat = :tat, #iv = :iv, #left_all = :minus_n, #left_bulk = :minus_n, #granted = :n, \
             #brake = :zero, #snap_at = :zero",
        )
        .condition_expression("attribute_not_exists(#pk)")
        .expression_attribute_names("#pk", "pk")
        .expression_attribute_values(":tat", n(attempt.floor + attempt.cost))
        .expression_attribute_values(":n", n(attempt.ask.recipients))
        .expression_attribute_values(":minus_n", n(-attempt.ask.recipients))
        .expression_attribute_values(":zero", n(0))
}

fn busy(request: UpdateItemFluentBuilder, attempt: &GateWrite) -> UpdateItemFluentBuilder {
    let request = request
        .expression_attribute_values(":cost", n(attempt.cost))
        .expression_attribute_values(":floor", n(attempt.floor))
        .expression_attribute_values(":latest", n(attempt.latest));
    take(request, attempt, "#tat + :cost", "#tat BETWEEN :floor AND :latest")
}

fn idle(request: UpdateItemFluentBuilder, attempt: &GateWrite) -> UpdateItemFluentBuilder {
    let request = request
        .expression_attribute_values(":tat", n(attempt.floor + attempt.cost))
        .expression_attribute_values(":floor", n(attempt.floor));
    take(request, attempt, ":tat", "#tat < :floor")
}

/// What both branches have in common: they differ in the new time of the gate, and in what it must have been before.
fn take(
    request: UpdateItemFluentBuilder,
    attempt: &GateWrite,
    next_free_slot: &str,
    when: &str,
) -> UpdateItemFluentBuilder {
    let left = match attempt.ask.stream {
        Stream::Transactional => "#left_all",
        Stream::Bulk => "#left_bulk",
    };
    request
        .update_expression(format!(
            "SET #tat = {next_free_slot}, #left_all = #left_all - :n, #left_bulk = #left_bulk - :n ADD #granted :n"
        ))
        .condition_expression(format!(
            "{when} AND #iv = :iv AND #brake < :brake AND ({left} >= :n OR #snap_at < :stale)"
        ))
        .expression_attribute_values(":n", n(attempt.ask.recipients))
        .expression_attribute_values(":brake", n(attempt.brake.level()))
        .expression_attribute_values(":stale", n(attempt.stale_before))
}

fn gate(item: &Item) -> Option<Gate> {
    Some(Gate {
        next_free_slot: number_of(item, "tat")?,
        slot_interval: number_of(item, "iv")?,
        left_all: number_of(item, "left_all")?,
        left_bulk: number_of(item, "left_bulk")?,
        brake: Brake::from_level(number_of(item, "brake")?),
        account_read_at: time_of(item, "snap_at")?,
    })
}
