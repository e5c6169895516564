//! `okite incident`: what one needs when AWS writes: which bounces and complaints there were, and what was done.
//!
//! All of it is read from what is on record anyway: the marks of the days, the rows of their messages for the API keys, the
//! suppression list, the changes of the brake and the last report. Nothing is counted twice, and no address gets into it.

mod counts;
mod lines;
mod markdown;
mod range;
mod sent;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use aws::{self, ApiKeys, BrakeChanges, GateState, Marks, Messages, StoreError, Suppressions, Usage};
use domain::account::Report;
use domain::brake_change::BrakeChange;
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::feedback;
use crate::output;
use crate::patience::patiently;
use crate::place::{API_KEYS, Located, MESSAGES, Place, PlaceError, SUPPRESSIONS, USAGE, reason};

pub use range::{BadRange, Range};

use counts::{Counts, Event};
use range::start_of;

/// How many rows of the list, or keys, are read at a time.
const PAGE: i32 = 500;

/// What the report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people: the beginning of an answer to AWS.
    Markdown,
    /// For a spreadsheet: a line for each kind of event that happened on a day.
    Csv,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum IncidentError {
    /// A table was not found.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// One table is not enough.
    #[error("an incident is read from several tables: name the stack with --stack instead of a table")]
    OneTable,
    /// A table cannot be read.
    #[error("{what} could not be read: {reason}. Nothing was changed; run it again")]
    Store {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The file cannot be written.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
}

/// What was done to the list on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Listed {
    bounces: u64,
    complaints: u64,
    lifted: u64,
}

/// All that was read.
#[derive(Debug)]
struct Evidence {
    place: String,
    region: String,
    written_at: Timestamp,
    range: Range,
    counts: Counts,
    /// Recipients that the gate let pass, of the days of which it is known.
    sent: BTreeMap<Date, i64>,
    /// Whether the verified domains are known, whose recipients AWS does not count.
    verified_known: bool,
    listed: BTreeMap<Date, Listed>,
    changes: Vec<BrakeChange>,
    report: Option<Report>,
    /// How many events wait in the dead-letter queue, or why that is not known.
    given_up: Result<i64, String>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bounces, complaints and blocks in it.
    pub events: u64,
    /// Rows of the tables that are none of Okite's, and were left out.
    pub unreadable: u64,
}

/// Writes the report of `range` to a file that is not there yet, or to standard output; `progress` is told what is read.
///
/// # Errors
/// [`IncidentError`] says what to do.
pub async fn incident(
    place: &Place,
    range: Range,
    format: Format,
    file: Option<&Path>,
    progress: impl Fn(&str),
) -> Result<Written, IncidentError> {
    let file_error = |source: io::Error| IncidentError::File {
        file: output::name(file),
        source,
    };
    // It is made at the end, but whoever named one that is there should not wait for that.
    if file.is_some_and(Path::exists) {
        return Err(file_error(io::ErrorKind::AlreadyExists.into()));
    }
    let evidence = gather(place, range, progress).await?;
    let text = match format {
        Format::Markdown => markdown::of(&evidence),
        Format::Csv => lines::of(&evidence.counts).map_err(file_error)?,
    };
    let mut sink = output::open(file).map_err(file_error)?;
    sink.write_all(text.as_bytes()).map_err(file_error)?;
    sink.flush().map_err(file_error)?;
    Ok(Written {
        events: evidence.counts.all().count(),
        unreadable: evidence.counts.unreadable,
    })
}

async fn gather(place: &Place, range: Range, progress: impl Fn(&str)) -> Result<Evidence, IncidentError> {
    let source = Source::of(place).await?;
    let now = place.now();
    let state = patiently(async || source.usage.gate_state().await).await;
    let state = state.map_err(|error| source.error("the gate", &error))?;
    let report = patiently(async || source.usage.latest_report().await).await;
    let report = report.map_err(|error| source.error("the last report", &error))?;
    let (from, to) = (start_of(range.since), range.end());
    let changes = patiently(async || source.changes.between(from, to).await).await;
    let changes = changes.map_err(|error| source.error("the changes of the brake", &error))?;
    let counts = count(&source, &range, &state, &progress).await?;
    let listed = list(&source, &range, &progress).await?;
    Ok(Evidence {
        place: source.located.place.clone(),
        region: source.region.clone(),
        written_at: now,
        sent: sent::by_day(&state.samples, state.granted, now, range),
        verified_known: state.verified.is_some(),
        range,
        counts,
        listed,
        changes,
        report,
        given_up: feedback::given_up(place).await.map_err(|error| error.to_string()),
    })
}

/// Counts the marks of all days, each with the name of its API key.
async fn count(
    source: &Source,
    range: &Range,
    state: &GateState,
    progress: impl Fn(&str),
) -> Result<Counts, IncidentError> {
    let names = source.names_of_keys().await?;
    let verified: BTreeSet<&str> = match &state.verified {
        Some(verified) => verified.domains.iter().map(String::as_str).collect(),
        None => BTreeSet::new(),
    };
    let mut counts = Counts::default();
    for day in range.days() {
        let mut after = None::<String>;
        loop {
            let page = patiently(async || source.marks.page(day, after.as_deref()).await)
                .await
                .map_err(|error| source.error("the marks", &error))?;
            let ids: BTreeSet<Uuid> = page.marks.iter().filter_map(|mark| mark.message_id).collect();
            let ids = Vec::from_iter(ids);
            let key_ids = patiently(async || source.messages.key_ids(&ids).await)
                .await
                .map_err(|error| source.error("the messages", &error))?;
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
            "{day}: {} bounces, complaints and blocks so far",
            counts.all().count()
        ));
    }
    Ok(counts)
}

/// Reads the whole suppression list for what was put on it and taken off in the range.
async fn list(
    source: &Source,
    range: &Range,
    progress: impl Fn(&str),
) -> Result<BTreeMap<Date, Listed>, IncidentError> {
    let (mut listed, mut read, mut after) = (BTreeMap::<Date, Listed>::new(), 0, None::<String>);
    loop {
        let page = patiently(async || source.suppressions.page(after.as_deref(), PAGE).await)
            .await
            .map_err(|error| source.error("the suppression list", &error))?;
        read += page.entries.len();
        for entry in page.entries.iter().filter(|entry| !entry.address.is_simulator()) {
            let registers = &entry.registers;
            let mut note = |at: Option<Timestamp>, field: fn(&mut Listed) -> &mut u64| {
                if let Some(day) = at.map(range::day_of).filter(|day| range.contains(*day)) {
                    *field(listed.entry(day).or_default()) += 1;
                }
            };
            note(registers.bounce_at, |day| &mut day.bounces);
            note(registers.complaint_at, |day| &mut day.complaints);
            note(registers.lifted_at, |day| &mut day.lifted);
        }
        progress(&format!("{read} addresses of the suppression list"));
        after = page.next;
        if after.is_none() {
            return Ok(listed);
        }
    }
}

/// The tables of a place.
struct Source {
    usage: Usage,
    marks: Marks,
    changes: BrakeChanges,
    messages: Messages,
    keys: ApiKeys,
    suppressions: Suppressions,
    place: Place,
    located: Located,
    region: String,
}

impl Source {
    async fn of(place: &Place) -> Result<Self, IncidentError> {
        if matches!(place, Place::Part { .. }) {
            return Err(IncidentError::OneTable);
        }
        let usage = place.locate(USAGE).await?;
        let (messages, keys) = (place.locate(MESSAGES).await?, place.locate(API_KEYS).await?);
        let suppressions = place.locate(SUPPRESSIONS).await?;
        let region = usage.region()?;
        let client = aws::dynamodb(&usage.config);
        Ok(Self {
            usage: Usage::new(client.clone(), usage.name.clone(), region.clone()),
            marks: Marks::new(client.clone(), usage.name.clone()),
            changes: BrakeChanges::new(client.clone(), usage.name.clone(), region.clone()),
            messages: Messages::new(client.clone(), messages.name),
            keys: ApiKeys::new(client.clone(), keys.name),
            suppressions: Suppressions::new(client, suppressions.name),
            place: place.clone(),
            located: usage,
            region,
        })
    }

    /// The names of the API keys that there are, by their ids.
    async fn names_of_keys(&self) -> Result<BTreeMap<String, String>, IncidentError> {
        let (mut names, mut after) = (BTreeMap::new(), None::<String>);
        loop {
            let page = patiently(async || self.keys.page(after.as_deref(), PAGE).await)
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
        match self.place.unreachable() {
            Some(unreachable) if error.never_connected() => unreachable.into(),
            _ => IncidentError::Store {
                what,
                reason: reason(error),
            },
        }
    }
}
