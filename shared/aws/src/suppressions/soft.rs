//! The soft bounces of an address: a set beside its registers, of which the newest stay.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::Timestamp;
use uuid::Uuid;

use super::key::key_of;
use super::log::log_unreadable;
use super::{Evidence, Suppressions};
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, s, time_in};
use domain::address::EmailAddress;
use domain::bounce::BounceReason;
use domain::suppression::{SOFT_BOUNCES_KEPT, SoftBounce};
use domain::time::clamped;

impl Suppressions {
    /// Adds a soft bounce, and removes those that are no longer among the newest. A removed bounce can never be among
    /// them again, so this commutes with other writers. If the removal fails, the next soft bounce repeats it.
    pub(super) async fn add_soft(
        &self,
        address: &EmailAddress,
        at: Timestamp,
        evidence: Evidence<'_>,
        new_id: Uuid,
    ) -> Result<(), StoreError> {
        let bounce = as_text(&SoftBounce {
            at: clamped(at),
            source: evidence.source.to_owned(),
            reason: evidence.bounce_reason,
        });
        let updated = self
            .entry_update(address, new_id, " ADD #soft :bounce")
            .expression_attribute_names("#soft", "soft")
            .expression_attribute_values(":bounce", AttributeValue::Ss(vec![bounce]))
            .condition_expression("attribute_not_exists(#soft) OR attribute_type(#soft, :string_set)")
            .expression_attribute_values(":string_set", s("SS"))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        let Written::Done(updated) = written(updated)? else {
            // The entry holds something else there, and so it suppresses the address already.
            log_unreadable(&key_of(address));
            return Ok(());
        };
        let beyond = updated.attributes.as_ref().map(beyond_the_newest).unwrap_or_default();
        if beyond.is_empty() {
            return Ok(());
        }
        self.remove_from_set(address, "soft", AttributeValue::Ss(beyond)).await
    }
}

/// Returns whether a text is a soft bounce as it stands in the set.
pub(super) fn is_soft_bounce(text: &str) -> bool {
    read(text).is_some()
}

/// Returns a soft bounce as it stands in the set.
pub(super) fn as_text(bounce: &SoftBounce) -> String {
    let (at, source) = (bounce.at.as_millisecond(), &bounce.source);
    match bounce.reason {
        Some(reason) => format!("{at}#{source}#{}", reason.as_str()),
        None => format!("{at}#{source}"),
    }
}

/// Reads a soft bounce. A value of another form is none.
fn read(text: &str) -> Option<SoftBounce> {
    let (at, rest) = text.split_once('#')?;
    let at = time_in(at.parse().ok()?)?;
    let with_reason = rest
        .rsplit_once('#')
        .and_then(|(source, reason)| Some((source, BounceReason::parse(reason)?)));
    let (source, reason) = match with_reason {
        Some((source, reason)) => (source, Some(reason)),
        None => (rest, None),
    };
    Some(SoftBounce {
        at,
        source: source.to_owned(),
        reason,
    })
}

/// Returns the soft bounces of an item. Values of another form are left out.
pub(super) fn soft_bounces(item: &Item) -> Vec<SoftBounce> {
    let entries = item.get("soft").and_then(|value| value.as_ss().ok());
    entries.into_iter().flatten().filter_map(|text| read(text)).collect()
}

/// Returns the soft bounces of an item that are too many, as they stand there.
fn beyond_the_newest(item: &Item) -> Vec<String> {
    let mut bounces = soft_bounces(item);
    bounces.sort_unstable_by(|one, other| other.cmp(one));
    bounces.iter().skip(SOFT_BOUNCES_KEPT).map(as_text).collect()
}

/// Returns the times at which an address bounced softly, oldest first, each with our id of the mail if it is ours.
///
/// A feedback id counts once: SES may report a bounce as an event and as a classic notification, which does not name
/// our mail, and each copy of a bounce without a time has another time.
pub(super) fn soft_times(item: &Item) -> Vec<(Timestamp, Option<Uuid>)> {
    let mut by_feedback: BTreeMap<String, (Timestamp, Option<Uuid>)> = BTreeMap::new();
    for bounce in soft_bounces(item) {
        let (feedback_id, message) = match bounce.source.rsplit_once('#') {
            Some((feedback_id, message)) => (feedback_id, message.parse().ok()),
            None => (bounce.source.as_str(), None),
        };
        // What stands behind a `#` may be no id of ours: an import may name any source.
        let feedback_id = if message.is_some() { feedback_id } else { &bounce.source };
        let counted = by_feedback
            .entry(feedback_id.to_owned())
            .or_insert((bounce.at, message));
        counted.0 = bounce.at.min(counted.0);
        counted.1 = counted.1.or(message);
    }
    let mut times: Vec<_> = by_feedback.into_values().collect();
    times.sort_unstable();
    times
}
