//! Reads what an incident report is made of.

use std::collections::{BTreeMap, BTreeSet};

use aws::{ApiKeys, BrakeChanges, GateState, Marks, Messages, StoreError, Suppressions, Usage};
use domain::suppression::{Register, SuppressionReason, mail_of};
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::counts::{self, Counts, Event};
use super::range::{DateRange, day_of, start_of};
use super::{IncidentError, IncidentFacts, ListChanges, sent};
use crate::dead_letter_queue::{DeadLetterQueue, DeadLetterQueueError};
use crate::plural::counted;
use crate::retry::retry_throttled;
use crate::target::{API_KEYS, MESSAGES, Resolved, SUPPRESSIONS, Target, USAGE};

/// The page size of a scan of suppressions or keys, in items.
const PAGE_SIZE: i32 = 500;

/// Reads the facts of `range`.
pub(super) async fn gather(
    target: &Target,
    range: DateRange,
    progress: impl Fn(&str),
) -> Result<IncidentFacts, IncidentError> {
    let source = Source::of(target).await?;
    let now = target.now();
    let state = retry_throttled(async || source.usage.gate_state().await).await;
    let state = state.map_err(|error| source.error("the gate", &error))?;
    let report = retry_throttled(async || source.usage.latest_report().await).await;
    let report = report.map_err(|error| source.error("the last report", &error))?;
    let (from, to) = (start_of(range.since), range.end());
    let brake_changes = retry_throttled(async || source.changes.between(from, to).await).await;
    let brake_changes = brake_changes.map_err(|error| source.error("the changes of the brake", &error))?;
    let counts = count(&source, &range, &state, &progress).await?;
    let list_changes = list_changes(&source, &range, &progress).await?;
    Ok(IncidentFacts {
        target_name: source.usage_table.target_name.clone(),
        region: source.region.clone(),
        written_at: now,
        sent: sent::by_day(&state.samples, state.granted, now, range),
        verified_known: state.verified.is_some(),
        range,
        counts,
        list_changes,
        brake_changes,
        report,
        dead_letters: dead_letters(target).await.map_err(|error| error.to_string()),
    })
}

/// Returns the number of events in the dead-letter queue.
async fn dead_letters(target: &Target) -> Result<i64, DeadLetterQueueError> {
    DeadLetterQueue::of(target).await?.waiting().await
}

/// Counts the marks of all days, each under the name of its API key.
async fn count(
    source: &Source,
    range: &DateRange,
    state: &GateState,
    progress: impl Fn(&str),
) -> Result<Counts, IncidentError> {
    let names = source.key_names().await?;
    let verified: BTreeSet<&str> = match &state.verified {
        Some(verified) => verified.domains.iter().map(String::as_str).collect(),
        None => BTreeSet::new(),
    };
    let mut counts = Counts::default();
    for day in range.days() {
        let mut after = None::<String>;
        loop {
            let page = retry_throttled(async || source.marks.page(day, after.as_deref()).await)
                .await
                .map_err(|error| source.error("the recorded bounces and complaints", &error))?;
            let ids: BTreeSet<Uuid> = page.marks.iter().filter_map(|mark| mark.message_id).collect();
            let ids = Vec::from_iter(ids);
            let key_ids = retry_throttled(async || source.messages.key_ids(&ids).await)
                .await
                .map_err(|error| source.error("the records of messages", &error))?;
            counts.unreadable += page.unreadable;
            for mark in &page.marks {
                if verified.contains(mark.domain.as_str()) {
                    counts.at_verified += 1;
                    continue;
                }
                let key_id = mark.message_id.and_then(|id| key_ids.get(&id));
                let key = counts::key(key_id.map(|id| (id.as_str(), names.get(id).map(String::as_str))));
                counts.add(Event::of(day, mark, key));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        progress(&format!(
            "{day}: {} so far",
            counted(
                counts.all().count(),
                "bounce, complaint or block",
                "bounces, complaints and blocks"
            )
        ));
    }
    Ok(counts)
}

/// Reads the whole suppression list and counts the addresses that were suppressed or lifted on each day of the range.
async fn list_changes(
    source: &Source,
    range: &DateRange,
    progress: impl Fn(&str),
) -> Result<BTreeMap<Date, ListChanges>, IncidentError> {
    let (mut changes, mut read, mut after) = (BTreeMap::<Date, ListChanges>::new(), 0_u64, None::<String>);
    loop {
        let page = retry_throttled(async || source.suppressions.page(after.as_deref(), PAGE_SIZE).await)
            .await
            .map_err(|error| source.error("the suppression list", &error))?;
        read += page.entries.len() as u64;
        for entry in page.entries.iter().filter(|entry| !entry.address.is_simulator()) {
            let registers = &entry.registers;
            let mut note = |at: Option<Timestamp>, field: fn(&mut ListChanges) -> &mut u64| {
                if let Some(day) = at.map(day_of).filter(|day| range.contains(*day)) {
                    *field(changes.entry(day).or_default()) += 1;
                }
            };
            note(registers.bounce_at, |day| &mut day.bounces);
            note(registers.complaint_at, |day| &mut day.complaints);
            for (at, reason) in [
                (registers.bounce_at, SuppressionReason::Bounce),
                (registers.complaint_at, SuppressionReason::Complaint),
            ] {
                let evidence = entry.evidence.get(&Register::Of(reason));
                let is_event = evidence.is_some_and(|evidence| mail_of(&evidence.source).is_some());
                note(at.filter(|_| !is_event), |day| &mut day.listed);
            }
            note(registers.lifted_at, |day| &mut day.lifted);
        }
        progress(&format!(
            "{} of the suppression list read",
            counted(read, "address", "addresses")
        ));
        after = page.next;
        if after.is_none() {
            return Ok(changes);
        }
    }
}

/// The tables of a target.
struct Source {
    usage: Usage,
    marks: Marks,
    changes: BrakeChanges,
    messages: Messages,
    keys: ApiKeys,
    suppressions: Suppressions,
    target: Target,
    usage_table: Resolved,
    region: String,
}

impl Source {
    async fn of(target: &Target) -> Result<Self, IncidentError> {
        if matches!(target, Target::Resource { .. }) {
            return Err(IncidentError::SingleTable);
        }
        let usage = target.resolve(USAGE).await?;
        let (messages, keys) = (target.resolve(MESSAGES).await?, target.resolve(API_KEYS).await?);
        let suppressions = target.resolve(SUPPRESSIONS).await?;
        let region = usage.region()?;
        let client = aws::dynamodb(&usage.config);
        Ok(Self {
            usage: Usage::new(client.clone(), usage.name.clone(), region.clone()),
            marks: Marks::new(client.clone(), usage.name.clone()),
            changes: BrakeChanges::new(client.clone(), usage.name.clone(), region.clone()),
            messages: Messages::new(client.clone(), messages.name),
            keys: ApiKeys::new(client.clone(), keys.name),
            suppressions: Suppressions::new(client, suppressions.name),
            target: target.clone(),
            usage_table: usage,
            region,
        })
    }

    /// Returns the names of the API keys by their ids. Revoked keys have no name.
    async fn key_names(&self) -> Result<BTreeMap<String, String>, IncidentError> {
        let (mut names, mut after) = (BTreeMap::new(), None::<String>);
        loop {
            let page = retry_throttled(async || self.keys.page(after.as_deref(), PAGE_SIZE).await)
                .await
                .map_err(|error| self.error("the API keys", &error))?;
            names.extend(page.keys.into_iter().map(|key| (key.id, key.name)));
            after = page.next;
            if after.is_none() {
                return Ok(names);
            }
        }
    }

    fn error(&self, what: &'static str, error: &StoreError) -> IncidentError {
        self.target
            .store_error(error, |reason| IncidentError::Store { what, reason })
    }
}
