//! Takes permits from the gate in the table of usage. One conditional update takes the slots and the quota together.
//!
//! [`super::Usage`] describes the item, which its reports set. [`domain::pacing`] explains the expressions.
//!
//! **If the answer to a write is lost, the SDK's next attempt takes a second permit.** If a send dies after its write,
//! its permit stays unused. Both waste slots, but neither exceeds the limits. To recognise a lost write, as the other
//! tables do by a nonce, the item would have to remember every permit of the last seconds.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;

use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, n, names, number_of, s, time_of};
use domain::brake::Brake;
use domain::pacing::{
    self, Allowance, BulkHeldBack, Gate, GateBranch, GateWrite, PacingPolicy, Permit, PermitRequest, RememberedGate,
    Throttled,
};
use domain::stream::Stream;

const OPERATION: &str = "UpdateItem";
/// The most writes for one permit. Three are enough while the slot interval does not change: one without knowledge of
/// the gate, and one by each of two branches. Each report that changes the interval costs one more.
const ATTEMPTS_MAX: usize = 6;

/// The attribute that holds bulk mail back while transactional mail waits.
const TRANSACTIONAL_UNTIL: &str = "transactional_until";

/// Why there is no permit.
#[derive(Debug, thiserror::Error)]
pub enum PermitError {
    /// The gate refused the send.
    #[error("the gate refused: {0:?}")]
    Refused(Throttled),
    /// The gate could not be asked, so nothing may be sent.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What this process remembers of the gate.
#[derive(Clone, Copy, Debug)]
struct Seen {
    gate: RememberedGate,
    /// When it was seen; `None` before the first send.
    at: Option<Timestamp>,
}

/// The gate, and what this process remembers of it.
#[derive(Debug)]
pub struct Permits {
    client: Client,
    table: String,
    pk: String,
    policy: PacingPolicy,
    known: Mutex<Option<Seen>>,
}

impl Permits {
    /// Works on the gate in `table`, for the account in `region`.
    #[must_use]
    pub fn new(client: Client, table: String, region: &str, policy: PacingPolicy) -> Self {
        Self {
            client,
            table,
            pk: super::gate_key(region),
            policy,
            known: Mutex::default(),
        }
    }

    /// Reads the gate, so that the first permit of this process is one write and not two. A failure is left for that
    /// write to report. What it returns may be out of date by a moment.
    pub async fn look(&self) -> Option<Gate> {
        let gate = self.read(false).await.ok().flatten()?;
        self.remember(Some(&gate.known()), None);
        Some(gate)
    }

    /// Reads the gate; `None` before the first report and the first send.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub async fn gate(&self) -> Result<Option<Gate>, StoreError> {
        self.read(true).await
    }

    /// Reads the brake, so that mail with a permit can still be held back.
    ///
    /// # Errors
    /// [`StoreError`] if the gate cannot be read, so nothing may be sent.
    pub async fn brake(&self) -> Result<Brake, StoreError> {
        // Without a gate, as after a restore of the table, there is no brake either.
        Ok(self.read(true).await?.map_or(Brake::None, |gate| gate.brake))
    }

    async fn read(&self, consistent: bool) -> Result<Option<Gate>, StoreError> {
        read(&self.client, &self.table, &self.pk, consistent).await
    }

    /// Takes slots for a send. Slots are never given back.
    ///
    /// # Errors
    /// [`PermitError::Refused`] if the gate refuses the send; [`PermitError::Store`] if the gate cannot be asked.
    pub async fn take(&self, ask: PermitRequest) -> Result<Permit, PermitError> {
        let mut attempt = GateWrite::first(ask, &self.policy, self.known());
        for _ in 0..ATTEMPTS_MAX {
            match self.write(&attempt).await? {
                Taken::Granted(permit) => {
                    self.remember(Some(&permit.known), Some(ask.now));
                    if attempt.branch == GateBranch::TooFar {
                        tracing::warn!(
                            "slots were taken further ahead than a clock that is right can take them, and no longer count: \
                             the clock of another process is wrong"
                        );
                    }
                    return Ok(permit);
                }
                Taken::Failed(gate) => {
                    self.remember(gate.as_ref().map(Gate::known).as_ref(), Some(ask.now));
                    if let Some(gate) = &gate
                        && gate.account_read_at > pacing::latest_report(ask.now)
                    {
                        tracing::error!(
                            seconds = gate.account_read_at.duration_since(ask.now).as_secs(),
                            "the last report is from the future: the clock of this process or of quota-reporter is wrong"
                        );
                    }
                    attempt = match gate {
                        None => GateWrite::first(ask, &self.policy, None),
                        Some(gate) => GateWrite::after(ask, &self.policy, &gate).map_err(PermitError::Refused)?,
                    };
                }
            }
        }
        Err(StoreError::new(OPERATION, "GateKeepsChanging").into())
    }

    /// Returns a refusal if the gate is certain to refuse every send with so much patience for its rate, without asking
    /// it.
    #[must_use]
    pub fn known_refusal(&self, patience: Duration, now: Timestamp) -> Option<Throttled> {
        let seen = self.seen()?;
        seen.gate.refusal(&self.policy, patience, seen.at?, now)
    }

    /// Returns what a caller learns of the rate, if this process has seen the gate.
    #[must_use]
    pub fn allowance(&self, now: Timestamp) -> Option<Allowance> {
        Some(self.known()?.allowance(&self.policy, now))
    }

    /// Returns when the next slot is free, as a refusal, if this process has seen the gate.
    #[must_use]
    pub fn next_slot(&self, now: Timestamp) -> Option<Throttled> {
        Some(self.known()?.next_slot(now))
    }

    /// Returns how many recipients can have their slots within `time`, if nobody else sends and this process has seen
    /// the gate.
    #[must_use]
    pub fn recipients_within(&self, time: Duration) -> Option<i64> {
        Some(self.known()?.recipients_within(time))
    }

    /// Returns how long the slots of so many recipients take, by the rate that this process has seen.
    #[must_use]
    pub fn time_of(&self, recipients: i64) -> Duration {
        self.known().map_or(Duration::ZERO, |known| known.time_of(recipients))
    }

    /// Returns how long a worker waits for the first slot of a chunk with so many recipients, if this process has seen
    /// the gate.
    #[must_use]
    pub fn worker_patience(&self, stream: Stream, recipients: i64) -> Option<Duration> {
        Some(self.known()?.worker_patience(stream, recipients))
    }

    fn known(&self) -> Option<RememberedGate> {
        self.seen().map(|seen| seen.gate)
    }

    fn seen(&self) -> Option<Seen> {
        // A value that is copied in and out is whole even if its holder panicked.
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, known: Option<&RememberedGate>, at: Option<Timestamp>) {
        let seen = known.map(|gate| Seen { gate: *gate, at });
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    async fn write(&self, attempt: &GateWrite) -> Result<Taken, StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(&self.pk))
            .key("sk", s("gate"))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_expression_attribute_names(names([
                "next_free_slot",
                "slot_interval",
                "left_all",
                "left_bulk",
                "granted",
                "brake",
                "account_read_at",
            ]))
            .expression_attribute_values(":slot_interval", n(attempt.slot_interval));
        let request = match attempt.branch {
            GateBranch::First => first(request, attempt),
            GateBranch::Busy => busy(request, attempt),
            GateBranch::Idle => idle(request, attempt),
            GateBranch::TooFar => too_far(request, attempt),
        };
        match written(request.send().await)? {
            Written::Done(updated) => {
                let next_free_slot = updated.attributes().and_then(|item| number_of(item, "next_free_slot"));
                let next_free_slot = next_free_slot.ok_or_else(|| StoreError::new(OPERATION, "GateUnreadable"))?;
                Ok(Taken::Granted(attempt.granted(next_free_slot)))
            }
            Written::Failed(None) => Ok(Taken::Failed(None)),
            Written::Failed(Some(item)) => match gate(&item) {
                Some(gate) => Ok(Taken::Failed(Some(gate))),
                None => Err(StoreError::new(OPERATION, "GateUnreadable")),
            },
        }
    }
}

/// The result of one write.
enum Taken {
    /// The permit is taken.
    Granted(Permit),
    /// The condition failed on this gate, or because there is none.
    Failed(Option<Gate>),
}

/// The write of the time until which bulk mail is held back: what is set, after the other attributes.
fn hold_back(request: UpdateItemFluentBuilder, held_back: BulkHeldBack) -> (UpdateItemFluentBuilder, &'static str) {
    let (time, set) = match held_back {
        BulkHeldBack::AsBefore => return (request, ""),
        BulkHeldBack::Until(until) => (until, ", #transactional_until = :held_back"),
        BulkHeldBack::AfterSlots(after) => (after, ", #transactional_until = #next_free_slot + :held_back"),
    };
    let request = request
        .expression_attribute_names("#transactional_until", TRANSACTIONAL_UNTIL)
        .expression_attribute_values(":held_back", n(time));
    (request, set)
}

/// Creates the gate before the first report does. The account counts as read at the earliest time, so any report
/// replaces the quota, and until then the rate alone limits sends. The new gate counts its grants from this first
/// write.
fn first(request: UpdateItemFluentBuilder, attempt: &GateWrite) -> UpdateItemFluentBuilder {
    let (request, held_back) = hold_back(request, attempt.bulk_held_back);
    request
        .update_expression(format!(
            "SET #next_free_slot = :next_free_slot, #slot_interval = :slot_interval, #left_all = :minus_n, #left_bulk = :minus_n, #granted = :n, \
             #brake = :zero, #account_read_at = :zero{held_back}"
        ))
        .condition_expression("attribute_not_exists(#pk)")
        .expression_attribute_names("#pk", "pk")
        .expression_attribute_values(":next_free_slot", n(attempt.floor + attempt.cost))
        .expression_attribute_values(":n", n(attempt.ask.recipients))
        .expression_attribute_values(":minus_n", n(-attempt.ask.recipients))
        .expression_attribute_values(":zero", n(0))
}

fn busy(request: UpdateItemFluentBuilder, attempt: &GateWrite) -> UpdateItemFluentBuilder {
    let request = request
        .expression_attribute_values(":cost", n(attempt.cost))
        .expression_attribute_values(":floor", n(attempt.floor))
        .expression_attribute_values(":latest", n(attempt.latest));
    take(
        request,
        attempt,
        "#next_free_slot + :cost",
        // Not BETWEEN, which DynamoDB refuses when the recipients do not fit and `latest` is before `floor`.
        "#next_free_slot >= :floor AND #next_free_slot <= :latest",
    )
}

fn idle(request: UpdateItemFluentBuilder, attempt: &GateWrite) -> UpdateItemFluentBuilder {
    let request = request
        .expression_attribute_values(":next_free_slot", n(attempt.floor + attempt.cost))
        .expression_attribute_values(":floor", n(attempt.floor));
    take(request, attempt, ":next_free_slot", "#next_free_slot < :floor")
}

fn too_far(request: UpdateItemFluentBuilder, attempt: &GateWrite) -> UpdateItemFluentBuilder {
    let request = request
        .expression_attribute_values(":next_free_slot", n(attempt.now + attempt.cost))
        .expression_attribute_values(":furthest", n(attempt.furthest))
        .expression_attribute_values(":ahead", n(attempt.ahead_after));
    take(
        request,
        attempt,
        ":next_free_slot",
        "#next_free_slot > :furthest AND #account_read_at <= :ahead",
    )
}

/// Completes a branch. The branches differ in the new time of the gate, and in what that time must have been
/// before.
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
    let (request, held_back) = hold_back(request, attempt.bulk_held_back);
    // Transactional mail that waits holds bulk mail back, unless a wrong clock says so.
    let (request, passes) = match attempt.ask.stream {
        Stream::Transactional => (request, ""),
        Stream::Bulk => (
            request
                .expression_attribute_names("#transactional_until", TRANSACTIONAL_UNTIL)
                .expression_attribute_values(":now", n(attempt.now))
                .expression_attribute_values(":implausible", n(attempt.implausible)),
            " AND (attribute_not_exists(#transactional_until) OR #transactional_until <= :now \
             OR #transactional_until > :implausible)",
        ),
    };
    request
        .update_expression(format!(
            "SET #next_free_slot = {next_free_slot}, #left_all = #left_all - :n, #left_bulk = #left_bulk - :n{held_back} ADD #granted :n"
        ))
        .condition_expression(format!(
            "{when} AND #slot_interval = :slot_interval AND #brake < :brake AND ({left} >= :n OR #account_read_at < :stale){passes}"
        ))
        .expression_attribute_values(":n", n(attempt.ask.recipients))
        .expression_attribute_values(":brake", n(attempt.brake.level()))
        .expression_attribute_values(":stale", n(attempt.stale_before))
}

/// Reads the gate of an account.
pub(super) async fn read(client: &Client, table: &str, pk: &str, consistent: bool) -> Result<Option<Gate>, StoreError> {
    const OPERATION: &str = "GetItem";
    let read = client
        .get_item()
        .table_name(table)
        .key("pk", s(pk))
        .key("sk", s("gate"))
        .consistent_read(consistent)
        .send()
        .await
        .map_err(StoreError::of(OPERATION))?;
    let Some(item) = read.item else { return Ok(None) };
    gate(&item)
        .map(Some)
        .ok_or_else(|| StoreError::new(OPERATION, "GateUnreadable"))
}

fn gate(item: &Item) -> Option<Gate> {
    Some(Gate {
        next_free_slot: number_of(item, "next_free_slot")?,
        slot_interval: number_of(item, "slot_interval").filter(|interval| *interval > 0)?,
        left_all: number_of(item, "left_all")?,
        left_bulk: number_of(item, "left_bulk")?,
        brake: Brake::from_level(number_of(item, "brake")?),
        account_read_at: time_of(item, "account_read_at")?,
        transactional_until: number_of(item, TRANSACTIONAL_UNTIL).unwrap_or(0),
    })
}
