//! The table of usage: the gate, the reports and the marks.
//!
//! | `pk` | `sk` | holds |
//! |---|---|---|
//! | `gate#<region>` | `gate` | the gate, with the attributes listed below |
//! | `gate#<region>` | `brake_override` | an operator's override of the brake; no report erases it |
//! | `gate#<region>` | `sample#<hour>` | `at`, `granted`: the total at that time; midnight is kept longer |
//! | `gate#<region>` | `sample#latest` | the same at the last report |
//! | `gate#<region>` | `marks#<day>` | the marks of a day, counted at `at`: `bounces`, `complaints`, `has_more_…` |
//! | `gate#<region>` | `verified_domains` | `at`, `domains`: the domains that SES listed as verified at this time |
//! | `gate#<region>` | `reconciliation_wanted` | `at`: when an early pass was last requested |
//! | `gate#<region>` | `reconciliation` | `state` (JSON): the daily pass over SES's list; `revision`: its writes |
//! | `report#<region>` | `latest` | `at`, `report`: the last report, as JSON |
//! | `brake#<region>` | `<time>#<id>` | one change of the brake; see [`BrakeChanges`] |
//! | `unsubscribe` | `secrets` | `secrets`: the secrets of unsubscribe links; see [`KnownUnsubscribeSecrets`] |
//! | `mark#<day>` | `<kind>#<hash>` | one bounce or complaint that counts; see [`Marks`] |
//! | `mark#<day>` | `block#<domain>#<milliseconds>#<hash>` | one block that counts; see [`Marks`] |
//!
//! The gate has `next_free_slot`, `slot_interval`, `left_all`, `left_bulk`, `granted`, `brake`, `account_read_at`,
//! `transactional_until`, until when bulk mail is held back, and `overridden_at`, the time of the override that it
//! follows. An override has `brake_override` (`none`, `bulk`, `all` or `auto`), and `by`, `why` and `at` where `okite
//! brake` wrote it. A mark has `domain`, `class`, `stream`, `at`, and `message_id` and `tag` (a set of `name=value`)
//! where the event names them.
//!
//! `next_free_slot`, `slot_interval` and `transactional_until` are microseconds, `account_read_at` and `at`
//! milliseconds. All items have `expires_at`, except the gate, the override, the verified domains, the secrets and
//! those of the reconciliation.

mod brake_changes;
mod brake_override;
mod counted;
mod marks;
mod permits;
mod reconciliation;
mod reports;
mod samples;
mod slots;
mod unsubscribe;
mod verified;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeMap;

pub use self::brake_changes::{BrakeChanges, BrakeMark};
pub use self::brake_override::OverrideInGate;
pub use self::counted::CountedDay;
pub use self::marks::{CountedMarks, MARK_KEPT_DAYS, MARKS_COUNTED_MAX, Marks, MarksPage};
pub use self::permits::{PermitError, Permits};
pub use self::reconciliation::KeptReconciliation;
pub use self::reports::NOT_A_REPORT;
pub use self::unsubscribe::KnownUnsubscribeSecrets;
pub use self::verified::VerifiedDomains;
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{n, names, number_of, s, text_of, time, time_of};
use domain::brake::Brake;
use domain::brake::BrakeOverride;
use domain::pacing::{Gate, GateSettings, GrantSample, RememberedGate, latest_report};

/// The partition key of the gate.
pub(super) fn gate_key(region: &str) -> String {
    format!("gate#{region}")
}

/// The contents of the gate's partition before a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateState {
    /// The running total of granted recipients.
    pub granted: i64,
    /// The slots of the gate; `None` before there is a gate.
    pub slots: Option<RememberedGate>,
    /// When the account was read for the gate.
    pub account_read_at: Option<Timestamp>,
    /// The mail that the gate holds back; `None` before there is a gate.
    pub brake: Option<Brake>,
    /// An operator's override of the brake, if there is one.
    pub brake_override: Option<BrakeOverride>,
    /// The time of the latest override that this state includes. [`Usage::set_gate`] rejects a state that lacks a later
    /// one.
    pub overridden_at: Option<Timestamp>,
    /// The samples of the running total.
    pub samples: Vec<GrantSample>,
    /// The counts of past days.
    pub counted: BTreeMap<Date, CountedDay>,
    /// The domains that SES last listed as verified.
    pub verified: Option<VerifiedDomains>,
    /// The progress of the pass over SES's own list; `None` before the first report.
    pub reconciliation: Option<KeptReconciliation>,
    /// When an early pass was last requested.
    pub reconciliation_wanted_at: Option<Timestamp>,
}

/// The result of setting the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateSet {
    /// The gate is set.
    Done,
    /// A report of the same time or a later one has set it.
    LaterReport,
    /// An operator overrode the brake in the meantime. The state must be read again.
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
    /// The environment variable of a function that holds the name of the table.
    pub const TABLE_VARIABLE: &str = "USAGE_TABLE";

    /// Works on `table`, for the account in `region`.
    #[must_use]
    pub fn new(client: Client, table: String, region: String) -> Self {
        Self { client, table, region }
    }

    /// Reads the gate, consistently. Before the first report and the first send there is none.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be read.
    pub async fn gate(&self) -> Result<Option<Gate>, StoreError> {
        permits::read(&self.client, &self.table, &gate_key(&self.region), true).await
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
            .set_expression_attribute_names(names(["pk"]))
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
                    state.slots = slots::read(&item);
                    state.account_read_at = time_of(&item, "account_read_at");
                    gate_overridden_at = time_of(&item, "overridden_at");
                }
                Some("brake_override") => state.brake_override = brake_override::brake_override(&item),
                Some("reconciliation") => state.reconciliation = reconciliation::read(&item),
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
        // The sample of the hour and the latest may be the same.
        state.samples.dedup();
        // The items of a query need not be of one moment. The override that was read counts, and not the one that the
        // gate follows, unless a person wrote it without a time.
        let set_at = state
            .brake_override
            .as_ref()
            .and_then(|brake_override| brake_override.at);
        state.overridden_at = set_at.or(gate_overridden_at);
        Ok(state)
    }

    /// Sets the gate from an account that was read at `at`. A gate that a later reading set stays, unless that reading
    /// is from the future. A gate also stays that follows an override later than `overridden_at`, the last that `brake`
    /// includes.
    ///
    /// The expression subtracts what was granted *since* the reading from what is left, so that sends in the meantime
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
                 #granted = if_not_exists(#granted, :zero), #next_free_slot = if_not_exists(#next_free_slot, :zero), \
                 #slot_interval = :slot_interval, #brake = :brake, #account_read_at = :at, #overridden_at = :overridden_at",
            )
            .condition_expression(
                "(attribute_not_exists(#account_read_at) OR #account_read_at < :at OR #account_read_at > :latest) AND \
                 (attribute_not_exists(#overridden_at) OR #overridden_at <= :overridden_at)",
            )
            .set_expression_attribute_names(names([
                "left_all",
                "left_bulk",
                "granted",
                "next_free_slot",
                "slot_interval",
                "brake",
                "account_read_at",
                "overridden_at",
            ]))
            .expression_attribute_values(":all", n(settings.ceiling_all))
            .expression_attribute_values(":bulk", n(settings.ceiling_bulk))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":slot_interval", n(settings.slot_interval))
            .expression_attribute_values(":brake", n(brake.level()))
            .expression_attribute_values(":at", time(at))
            .expression_attribute_values(":latest", time(latest_report(at)))
            // No override is older than any.
            .expression_attribute_values(":overridden_at", time(overridden_at.unwrap_or(Timestamp::UNIX_EPOCH)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        Ok(match written(updated)? {
            Written::Done(_) => GateSet::Done,
            Written::Failed(Some(gate))
                if (Some(at.as_millisecond())..=Some(latest_report(at).as_millisecond()))
                    .contains(&number_of(&gate, "account_read_at")) =>
            {
                GateSet::LaterReport
            }
            Written::Failed(_) => GateSet::Overridden,
        })
    }
}
