//! Whether an event is the one that suppressed its address.
//!
//! The application hears of it once. A function may crash between the write and the news, and SNS may deliver an event
//! twice, so a copy of the event must find the same answer. `<register>_since` is the answer's memory: the first write
//! of a register sets it, in the same update, and lifting the address removes it. Like the id of the entry, it depends
//! on the order in which events come. An event from before the lift may come after it and set the memory: the next
//! event that suppresses the address takes its place.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Suppressions, registers};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, s, text_of, time_in, time_of, uuid_of};
use domain::address::EmailAddress;
use domain::suppression::{Register, Registers, SuppressionReason};
use domain::time::clamped;

/// The registers that suppress an address until it is lifted.
pub(super) const FOR_GOOD: [Register; 4] = [
    Register::Of(SuppressionReason::Bounce),
    Register::Of(SuppressionReason::Complaint),
    Register::BounceEcho,
    Register::ComplaintEcho,
];

/// The consequence of recording an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The event suppressed the address until it is lifted. Every copy of the event is answered so.
    Suppressed {
        /// The id of the entry.
        id: Uuid,
    },
    /// The address was suppressed by an earlier event, or is not suppressed until it is lifted.
    NothingNew,
}

/// Returns the attribute that names the first event of a register, if the register has one.
pub(super) fn since_name(register: Register) -> Option<String> {
    FOR_GOOD
        .contains(&register)
        .then(|| format!("{}_since", register.as_str()))
}

/// Returns whether an attribute names the first event of a register.
pub(super) fn is_since(name: &str, value: &AttributeValue) -> bool {
    let text = value.as_s().ok().and_then(|text| text.split_once('#'));
    let has_time = text.is_some_and(|(at, _)| at.parse().ok().and_then(time_in).is_some());
    has_time && FOR_GOOD.into_iter().filter_map(since_name).any(|since| since == name)
}

/// Returns an event as that attribute names it.
pub(super) fn since_text(at: Timestamp, source: &str) -> String {
    format!("{}#{source}", clamped(at).as_millisecond())
}

impl Suppressions {
    /// Makes an event the first of its register if the entry `item` names one from before the last lift. Returns the
    /// entry as it is then.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub(super) async fn begin_anew(
        &self,
        address: &EmailAddress,
        item: Item,
        register: Register,
        at: Timestamp,
        source: &str,
    ) -> Result<Item, StoreError> {
        let Some((name, stale)) = since_name(register).zip(stale_since(&item, register, at)) else {
            return Ok(item);
        };
        let updated = self
            .update_of(address)
            .update_expression("SET #since = :since")
            .condition_expression("#since = :stale")
            .expression_attribute_names("#since", name)
            .expression_attribute_values(":since", s(since_text(at, source)))
            .expression_attribute_values(":stale", s(stale))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let current = match written(updated)? {
            Written::Done(done) => done.attributes,
            // Another event has taken the place, or the address was lifted again.
            Written::Failed(current) => current,
        };
        Ok(current.unwrap_or(item))
    }
}

/// Returns what the entry names as the first event of a register, if that is from before the last lift and an event at
/// `at` is not.
fn stale_since(item: &Item, register: Register, at: Timestamp) -> Option<&str> {
    let lifted_at = time_of(item, "lifted_at")?;
    let since = text_of(item, &since_name(register)?)?;
    let (named_at, _) = since.split_once('#')?;
    let named_at = named_at.parse().ok().and_then(time_in);
    let is_stale = named_at <= Some(lifted_at) && clamped(at) > lifted_at;
    (is_stale && suppresses(&registers(item), register)).then_some(since)
}

impl Recorded {
    /// Judges an event by the entry as it is after the event was written, or with the later event that it has already.
    pub(super) fn of(item: &Item, register: Register, at: Timestamp, source: &str) -> Self {
        let is_first = since_name(register).is_some_and(|name| text_of(item, &name) == Some(&since_text(at, source)));
        let registers = registers(item);
        let is_new = is_first
            && !registers.unreadable
            && suppresses(&registers, register)
            && !FOR_GOOD
                .into_iter()
                .filter(|other| *other != register && suppresses(&registers, *other))
                .any(|other| registers.at(other).is_some_and(|other| other < clamped(at)))
            && !is_manual(&registers, at);
        if is_new {
            Self::Suppressed {
                id: uuid_of(item, "id").unwrap_or_default(),
            }
        } else {
            Self::NothingNew
        }
    }
}

/// Returns whether a register counts. [`Registers::suppression`] has the rules.
fn suppresses(registers: &Registers, register: Register) -> bool {
    let lifted = registers.lifted_at;
    match register {
        Register::BounceEcho => lifted.is_none() && registers.blocked_at.is_none(),
        Register::ComplaintEcho => lifted.is_none(),
        Register::Of(reason) => registers.at(reason) > lifted,
    }
}

/// Returns whether the address was suppressed by hand before an event of this time.
fn is_manual(registers: &Registers, at: Timestamp) -> bool {
    let since = registers.manual_at.filter(|manual| Some(*manual) > registers.lifted_at);
    since.is_some_and(|since| since < at) && registers.manual_expires_at.is_none_or(|end| at < end)
}
