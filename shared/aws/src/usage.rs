//! The table of usage: the gate, the reports and the marks.
//!
//! | `pk` | `sk` | holds |
//! |---|---|---|
//! | `gate#<region>` | `gate` | `tat`, `iv`, `left_all`, `left_bulk`, `granted`, `brake`, `snap_at`: what a send obeys; `overridden_at`: of which word of an operator it knows |
//! | `gate#<region>` | `brake_override` | `brake_override`: an operator's `none`, `bulk`, `all` or `auto`; `by`, `why`, `at` where `okite brake` wrote it; no report erases it |
//! | `gate#<region>` | `sample#<hour>` | `at`, `granted`: the running total at the beginning of an hour; those of midnight are kept for longer |
//! | `gate#<region>` | `sample#latest` | the same at the last report |
//! | `gate#<region>` | `marks#<day>` | `at`, `bounces`, `complaints`: how many marks a day has, counted at some time |
//! | `gate#<region>` | `verified_domains` | `at`, `domains`: the domains that SES had as verified at some time |
//! | `gate#<region>` | `reconciliation_wanted` | `at`: when a pass was last asked for before its time |
//! | `gate#<region>` | `reconciliation` | `state`, as JSON: how far the daily pass over SES's own list has come; `revision` counts its writes |
//! | `report#<region>` | `latest` | `at`, `report`: the last report, as JSON |
//! | `brake#<region>` | `<time>#<id>` | one change of the brake; see [`super::BrakeChanges`] |
//! | `mark#<day>` | `<kind>#<stream>#<hash>` | `domain`, `class`, `stream`, `at`, and `message_id` and `tag` (a set of `name=value`) where the event names them: one bounce, complaint or block that counts; see [`super::Marks`] |
//!
//! `tat` and `iv` are microseconds, `snap_at` and `at` milliseconds. All rows but the gate, the override, the verified domains and those of the reconciliation have
//! `expires_at`.

mod brake_override;
mod counted;
mod verified;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

pub use self::brake_override::WordInGate;
pub use self::counted::CountedDay;
pub use self::verified::VerifiedDomains;
use super::StoreError;
use super::item::{Item, n, number_of, s, text_of, time, time_of, ttl};
use super::store_error::{refused_by, unless_overtaken};
use domain::brake::Brake;
use domain::brake::BrakeOverride;
use domain::pacing::{GateSettings, GrantSample};
use domain::report::Report;
use domain::suppression::Reconciliation;

/// How long a sample is kept: a day, and time for a reporter that was late.
const SAMPLE_KEPT: Duration = Duration::from_hours(50);
/// How long one of midnight is kept: for as long as days are counted, see [`domain::reputation::CountingWindow`].
const DAILY_SAMPLE_KEPT: Duration = Duration::from_hours(9 * 24);
/// The code of the error that what is kept as the latest report is none.
pub const NOT_A_REPORT: &str = "NotAReport";
/// How long a report is kept.
const REPORT_KEPT: Duration = Duration::from_hours(30 * 24);

/// The partition key of the gate.
pub(super) fn gate_key(region: &str) -> String {
    format!("gate#{region}")
}

/// What the gate's partition says before a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateState {
    /// The running total of granted recipients.
    pub granted: i64,
    /// What the gate holds back; nothing is said before there is a gate.
    pub brake: Option<Brake>,
    /// An operator's word on the brake, if there is one.
    pub brake_override: Option<BrakeOverride>,
    /// When the latest of an operator's words was given that this knows of: [`Usage::set_gate`] must know of no later one.
    pub overridden_at: Option<Timestamp>,
    /// The samples of the running total.
    pub samples: Vec<GrantSample>,
    /// The days whose marks were counted.
    pub counted: BTreeMap<Date, CountedDay>,
    /// The domains that the account had verified when that was last asked.
    pub verified: Option<VerifiedDomains>,
    /// How far the pass over SES's own list has come; nothing before the first report.
    pub reconciliation: Option<KeptReconciliation>,
    /// When somebody last asked for a pass before its time.
    pub reconciliation_wanted_at: Option<Timestamp>,
}

/// The state of the pass over SES's own list, and which write of it this is: two runs at once must not both go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptReconciliation {
    /// The state.
    pub state: Reconciliation,
    /// How often it was written.
    pub revision: i64,
}

/// What came of setting the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateSet {
    /// It is set.
    Done,
    /// A report of the same time or a later one has set it.
    LaterReport,
    /// An operator spoke meanwhile, and the gate has their word: the state must be read again.
    Overridden,
}

/// The table of usage.
#[derive(Clone, Debug)]
pub struct Usage {
    client: Client,
    table: String,
    region: String,
}

impl Usage {
    /// Works on `table`, for the account's part in `region`.
    #[must_use]
    pub fn new(client: Client, table: String, region: String) -> Self {
        Self { client, table, region }
    }

    /// Reads the running total, the operator's override and the samples, consistently and in one query.
    ///
    /// # Errors
    /// [`StoreError`] if they could not be read.
    pub async fn gate_state(&self) -> Result<GateState, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", "pk")
            .expression_attribute_values(":pk", s(gate_key(&self.region)))
            .into_paginator()
            .items()
            .send();
        let (mut state, mut gate_overridden_at) = (GateState::default(), None);
        while let Some(item) = pages.next().await {
            let item = item.map_err(StoreError::of("Query"))?;
            match text_of(&item, "sk") {
                Some("gate") => {
                    state.granted = number_of(&item, "granted").unwrap_or(0);
                    state.brake = number_of(&item, "brake").map(Brake::from_level);
                    gate_overridden_at = time_of(&item, "overridden_at");
                }
                Some("brake_override") => state.brake_override = brake_override::brake_override(&item),
                Some("reconciliation") => state.reconciliation = reconciliation(&item),
                Some("reconciliation_wanted") => state.reconciliation_wanted_at = time_of(&item, "at"),
                _ if let Some((day, counted)) = counted::read(&item) => {
                    state.counted.insert(day, counted);
                }
                _ if let Some(verified) = verified::read(&item) => state.verified = Some(verified),
                _ => {
                    if let (Some(at), Some(total)) = (time_of(&item, "at"), number_of(&item, "granted")) {
                        state.samples.push(GrantSample { at, total });
                    }
                }
            }
        }
        // That of the hour and the latest may be the same.
        state.samples.dedup();
        // The rows of a query need not be of one moment: what counts is the word that was read, and not what the gate knows,
        // unless the word was written by hand and tells no time.
        let spoken_at = state.brake_override.as_ref().and_then(|word| word.at);
        state.overridden_at = spoken_at.or(gate_overridden_at);
        Ok(state)
    }

    /// Sets the gate by an account that was read at `at`; a gate set by a later reading stays, and so does one that has heard
    /// an operator's word later than `overridden_at`, the last that the brake was made of.
    ///
    /// The expression takes what was granted *since* the reading off what is left, so that sends that go on meanwhile
    /// are neither lost nor counted twice.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn set_gate(
        &self,
        settings: GateSettings,
        brake: Brake,
        overridden_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<GateSet, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s("gate"))
            .update_expression(
                "SET #left_all = :all - if_not_exists(#granted, :zero), \
                 #left_bulk = :bulk - if_not_exists(#granted, :zero), \
                 #granted = if_not_exists(#granted, :zero), #tat = if_not_exists(#tat, :zero), \
                 #iv = :iv, #brake = :brake, #snap_at = :at, #overridden_at = :overridden_at",
            )
            .condition_expression(
                "(attribute_not_exists(#snap_at) OR #snap_at < :at) AND \
                 (attribute_not_exists(#overridden_at) OR #overridden_at <= :overridden_at)",
            )
            .expression_attribute_names("#left_all", "left_all")
            .expression_attribute_names("#left_bulk", "left_bulk")
            .expression_attribute_names("#granted", "granted")
            .expression_attribute_names("#tat", "tat")
            .expression_attribute_names("#iv", "iv")
            .expression_attribute_names("#brake", "brake")
            .expression_attribute_names("#snap_at", "snap_at")
            .expression_attribute_names("#overridden_at", "overridden_at")
            .expression_attribute_values(":all", n(settings.ceiling_all))
            .expression_attribute_values(":bulk", n(settings.ceiling_bulk))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":iv", n(settings.slot_interval))
            .expression_attribute_values(":brake", n(brake.level()))
            .expression_attribute_values(":at", time(at))
            // No word at all is older than any.
            .expression_attribute_values(":overridden_at", time(overridden_at.unwrap_or(Timestamp::UNIX_EPOCH)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        Ok(match refused_by(updated)? {
            None => GateSet::Done,
            Some(gate) if number_of(&gate, "snap_at") >= Some(at.as_millisecond()) => GateSet::LaterReport,
            Some(_) => GateSet::Overridden,
        })
    }

    /// Keeps the first sample of each hour, and the latest.
    ///
    /// # Errors
    /// [`StoreError`] if either may not have been written.
    pub async fn put_sample(&self, sample: GrantSample) -> Result<(), StoreError> {
        // One after the other, over one connection; each is tried, whatever became of the other.
        let hourly = self.put_hourly_sample(sample).await;
        let latest = self.put_latest_sample(sample).await;
        hourly.and(latest)
    }

    async fn put_latest_sample(&self, sample: GrantSample) -> Result<(), StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s("sample#latest"))
            .update_expression("SET #at = :at, #granted = :granted, #expires_at = :expires_at")
            .condition_expression("attribute_not_exists(#at) OR #at < :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#granted", "granted")
            .expression_attribute_names("#expires_at", "expires_at")
            .expression_attribute_values(":at", time(sample.at))
            .expression_attribute_values(":granted", n(sample.total))
            .expression_attribute_values(":expires_at", ttl(sample.at + SAMPLE_KEPT))
            .send()
            .await;
        unless_overtaken(updated)
    }

    async fn put_hourly_sample(&self, sample: GrantSample) -> Result<(), StoreError> {
        let hour = sample.at.strftime("%Y-%m-%dT%H").to_string();
        let kept = if sample.at.to_zoned(TimeZone::UTC).hour() == 0 {
            DAILY_SAMPLE_KEPT
        } else {
            SAMPLE_KEPT
        };
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s(format!("sample#{hour}")))
            .update_expression(
                "SET #at = if_not_exists(#at, :at), #granted = if_not_exists(#granted, :granted), #expires_at = :expires_at",
            )
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#granted", "granted")
            .expression_attribute_names("#expires_at", "expires_at")
            .expression_attribute_values(":at", time(sample.at))
            .expression_attribute_values(":granted", n(sample.total))
            .expression_attribute_values(":expires_at", ttl(sample.at + kept))
            .send()
            .await
            .map(drop)
            .map_err(StoreError::of("UpdateItem"))
    }

    /// Keeps the state of the pass over SES's own list, as the write that follows `kept`; tells whether nobody else wrote one
    /// in the meantime. The SDK repeats a write whose answer was lost, and then this is told of its own: whoever stops on it
    /// loses no more than time.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn put_reconciliation(&self, kept: &KeptReconciliation) -> Result<bool, StoreError> {
        const OPERATION: &str = "UpdateItem";
        let json = serde_json::to_string(&kept.state).map_err(|_| StoreError::new(OPERATION, "NotJson"))?;
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(gate_key(&self.region)))
            .key("sk", s("reconciliation"))
            .update_expression("SET #state = :state, #revision = :revision")
            .condition_expression("attribute_not_exists(#revision) OR #revision < :revision")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":state", s(json))
            .expression_attribute_values(":revision", n(kept.revision))
            .send()
            .await;
        match updated {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => Ok(false),
            Err(error) => Err(StoreError::of(OPERATION)(error)),
        }
    }

    /// Asks for a pass over SES's own list before its time: an address was lifted here, and may be on that list still.
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

    /// Reads the latest report, as JSON.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be read.
    pub async fn latest_report(&self) -> Result<Option<Report>, StoreError> {
        const OPERATION: &str = "GetItem";
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(report_key(&self.region)))
            .key("sk", s("latest"))
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
        let Some(item) = answer.item else { return Ok(None) };
        let report = text_of(&item, "report").and_then(|json| serde_json::from_str(json).ok());
        report.map(Some).ok_or_else(|| StoreError::new(OPERATION, NOT_A_REPORT))
    }

    /// Keeps a report as the latest, unless a later one is there. That of the same time is replaced: a run adds to its report.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn put_report(&self, report: &Report) -> Result<(), StoreError> {
        let json = serde_json::to_string(report).map_err(|_| StoreError::new("UpdateItem", "NotJson"))?;
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(report_key(&self.region)))
            .key("sk", s("latest"))
            .update_expression("SET #at = :at, #report = :report, #expires_at = :expires_at")
            .condition_expression("attribute_not_exists(#at) OR #at <= :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#report", "report")
            .expression_attribute_names("#expires_at", "expires_at")
            .expression_attribute_values(":at", time(report.at))
            .expression_attribute_values(":report", s(json))
            .expression_attribute_values(":expires_at", ttl(report.at + REPORT_KEPT))
            .send()
            .await;
        unless_overtaken(updated)
    }
}

fn report_key(region: &str) -> String {
    format!("report#{region}")
}

/// Reads the state of the pass. One that cannot be read is begun anew, by a write that follows it.
fn reconciliation(item: &Item) -> Option<KeptReconciliation> {
    let revision = number_of(item, "revision")?;
    let state = text_of(item, "state").and_then(|json| serde_json::from_str(json).ok());
    let state = state.unwrap_or_else(|| Reconciliation::before_the_first(Timestamp::UNIX_EPOCH));
    Some(KeptReconciliation { state, revision })
}
