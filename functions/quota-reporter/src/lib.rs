//! The quota reporter: reads the SES account, says where it stands, and sets the gate that sends obey.
//!
//! It runs on a schedule and never takes sending down: what cannot be read is named in the report and stays as it was, the
//! gate first of all. Without a report before, or without the store, the run fails, and the gate of the run before stays in force.

mod announce;
mod config;
mod count;
mod metrics;
mod reconcile;

use std::time::Duration;

use aws::{
    AccountError, BrakeChanges, CloudWatch, FunctionConfig, GateSet, GateState, Marks, NOT_A_REPORT, Notifications,
    OverrideInGate, Ses, SesSuppressionList, StoreError, Suppressions, TrustError, Usage,
};
use domain::account::Account;
use domain::brake::BrakeOverride;
use domain::pacing::GrantHistory;
use domain::pacing::{self, GrantSample, PacingPolicy};
use domain::report::{ReadFailure, Report, ReportInput};
use domain::reputation::{AwsRate, AwsRates, RateKind, RateThresholds};
use domain::suppression::ReportedReconciliation;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use runtime::function::{self, Invocation};
use serde_json::Value;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

pub use config::Config;

/// The function's timeout in the template.
const TIMEOUT: Duration = Duration::from_mins(1);

/// How long one of CloudWatch's figures may take, and counting the marks: the gate waits for both, and is to be set in time.
const CLOUDWATCH_WITHIN: Duration = Duration::from_secs(4);
const COUNT_WITHIN: Duration = Duration::from_secs(12);
/// The code of what took longer.
const TOO_SLOW: &str = "TooSlow";

/// What the function keeps between invocations.
#[derive(Debug)]
pub struct State {
    region: String,
    policy: PacingPolicy,
    thresholds: RateThresholds,
    /// The function's own name, by which its metrics are told from those of other stacks; nothing where it publishes none.
    metrics_of: Option<String>,
    usage: Usage,
    marks: Marks,
    brake_changes: BrakeChanges,
    cloudwatch: CloudWatch,
    /// The operators' topic, if there is one.
    notifications: Option<Notifications>,
    ses: Ses,
    ses_list: SesSuppressionList,
    suppressions: Suppressions,
}

impl State {
    /// Makes the clients for what the environment names, and opens their connections.
    ///
    /// # Errors
    /// [`TrustError`] if they cannot speak TLS.
    pub async fn new(config: Config) -> Result<Self, TrustError> {
        let aws = FunctionConfig::from_env(&config.process.region)?;
        let (dynamodb, ses) = (aws.dynamodb(), aws.sesv2());
        tokio::join!(aws.open_dynamodb(), aws.open_sesv2());
        Ok(Self {
            suppressions: Suppressions::new(dynamodb.clone(), config.suppressions_table),
            ses_list: SesSuppressionList::new(ses.clone()),
            marks: Marks::new(dynamodb.clone(), config.usage_table.clone()),
            brake_changes: BrakeChanges::new(
                dynamodb.clone(),
                config.usage_table.clone(),
                config.process.region.clone(),
            ),
            usage: Usage::new(dynamodb, config.usage_table, config.process.region.clone()),
            cloudwatch: CloudWatch::new(aws.cloudwatch()),
            notifications: config.alarm_topic_arn.map(|topic| Notifications::new(aws.sns(), topic)),
            thresholds: config.thresholds,
            metrics_of: config.metrics.then_some(config.function_name),
            ses: Ses::new(ses, config.configuration_set),
            policy: config.policy,
            region: config.process.region,
        })
    }
}

impl State {
    fn publish_metrics(&self, report: &Report, now: Timestamp) {
        if let Some(name) = &self.metrics_of {
            metrics::publish(report, name, now);
        }
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReporterError {
    /// SES did not say how the account is.
    #[error("the account could not be read, the last gate stays in force: {0}")]
    Account(#[from] AccountError),
    /// The gate or the report could not be read or written.
    #[error("the gate could not be set: {0}")]
    Store(#[from] StoreError),
    /// An operator changed the brake, and changed it again.
    #[error("the gate was not set, an operator changed the brake twice meanwhile; their word is in force")]
    Overridden,
}

impl From<ReporterError> for Diagnostic {
    fn from(error: ReporterError) -> Self {
        Self {
            error_type: "ReporterError".to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// Runs the function until Lambda ends it.
///
/// # Errors
/// When the environment is not complete, or the Runtime API is gone.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    function::run(
        TIMEOUT,
        Config::read,
        State::new,
        async |state: &State, call: Invocation<Value>| {
            let report = handle(state, call.now, call.deadline, || call.ids.new_id()).await;
            report.map_err(|error| {
                tracing::error!("there is no report: {error}");
                // The runtime shows an error with all that is in it, an answer of DynamoDB included; this is its text alone.
                Diagnostic::from(error)
            })
        },
    )
    .await
}

/// Makes one report and sets the gate by it; in the time that is left until `deadline`, goes on with the daily pass over
/// SES's own suppression list. An account that cannot be read makes the report of before, which says so, and leaves the gate.
///
/// # Errors
/// [`ReporterError`]; the gate is then as it was, or as this report wants it.
pub async fn handle(
    state: &State,
    now: Timestamp,
    deadline: Instant,
    new_id: impl Fn() -> Uuid,
) -> Result<Report, ReporterError> {
    // What was granted is read before the account: what is granted in between is then counted by the gate itself.
    let gate = state.usage.gate_state().await?;
    let account = state.ses.account().await;
    // By what was known before levels are left and falls are seen. One that is no report any more must not stop those that follow;
    // one that cannot be read now can with the next run.
    let before = match state.usage.latest_report().await {
        Err(error) if error.code == NOT_A_REPORT => {
            tracing::warn!("the report before is none, and is begun anew");
            None
        }
        before => before?,
    };
    let account = match (account, before.clone()) {
        (Ok(account), _) => account,
        (Err(error), None) => return Err(error.into()),
        (Err(error), Some(before)) => return unread(state, &gate, before, error, now).await,
    };
    let granted = pacing::grant_totals(gate.granted, &gate.samples, &state.policy, now);
    let settings = pacing::gate_settings(&account, &state.policy, granted);
    let mut report = judge(state, &gate, account, before.as_ref(), now).await;

    // One after the other, over the one connection that is open; each is tried, whatever became of the one before.
    let set = set_gate(state, gate, settings, &mut report, now).await;
    let sample = GrantSample {
        at: now,
        total: granted.total,
    };
    let sampled = state.usage.put_sample(sample).await;
    let kept = state.usage.put_report(&report).await;
    state.publish_metrics(&report, now);
    let (mut gate, set) = set?;
    sampled.and(kept)?;
    tracing::info!(verdict = ?report.verdict, brake = report.brake.level.level(), "the account was read and the gate is set");
    if set == GateSet::Done {
        announce::changes(state, &gate, &report, now, new_id()).await;
    }

    // Last, for it may take long and fail; the report is kept already.
    let before = report.suppression_list.take();
    if let (Some(kept), Some(wanted_at)) = (&mut gate.reconciliation, gate.reconciliation_wanted_at) {
        kept.state.wanted(wanted_at);
    }
    let reconciled = reconcile::run(state, gate.reconciliation, now, deadline, new_id).await;
    report.suppression_list = Some(ReportedReconciliation::from(&reconciled));
    if report.suppression_list != before
        && let Err(error) = state.usage.put_report(&report).await
    {
        tracing::warn!("how the pass over SES's own list went was not added to the report: {error}");
    }
    Ok(report)
}

/// Gathers what else there is to know of the account, and judges it. What cannot be read is a trouble of the report and stops
/// nothing.
async fn judge(state: &State, gate: &GateState, account: Account, before: Option<&Report>, now: Timestamp) -> Report {
    let mut troubles = Vec::new();
    let reputation = AwsRates {
        bounce: aws_rate(state, RateKind::Bounce, before, now, &mut troubles).await,
        complaint: aws_rate(state, RateKind::Complaint, before, now, &mut troubles).await,
    };
    let history = GrantHistory {
        samples: &gate.samples,
        total: gate.granted,
        now,
    };
    let counted = match timeout(COUNT_WITHIN, count::count(state, gate, &history)).await {
        Ok(Ok(counted)) => counted,
        Ok(Err(error)) => {
            tracing::warn!("the marks could not be counted: {error}");
            troubles.push(ReadFailure::new(error.operation, &error.code));
            None
        }
        Err(_) => {
            tracing::warn!("the marks could not be counted in time");
            troubles.push(ReadFailure::new("Query", TOO_SLOW));
            None
        }
    };
    let mut report = Report::new(&ReportInput {
        account,
        region: &state.region,
        reputation,
        counted,
        history,
        thresholds: &state.thresholds,
        account_share: state.policy.account_share,
        before,
    });
    report.troubles = troubles;
    let kept = gate.reconciliation.as_ref();
    report.suppression_list = kept.map(|kept| ReportedReconciliation::from(&kept.state));
    report
}

/// Reads one of AWS's rates; for one that cannot be read, that of the report before stands for a day.
async fn aws_rate(
    state: &State,
    kind: RateKind,
    before: Option<&Report>,
    now: Timestamp,
    troubles: &mut Vec<ReadFailure>,
) -> Option<AwsRate> {
    let code = match timeout(CLOUDWATCH_WITHIN, state.cloudwatch.rate(kind, now)).await {
        Ok(Ok(rate)) => return rate,
        Ok(Err(error)) => error.code,
        Err(_) => TOO_SLOW.to_owned(),
    };
    tracing::warn!("a rate of AWS's could not be read: {code}");
    troubles.push(ReadFailure::new("GetMetricStatistics", &code));
    before?.aws_rate(kind, now)
}

/// The report of a run that could not read the account. It is kept in the place of the one before, which it says again. The
/// gate stays as it is, but for an operator's word that is not in it yet.
async fn unread(
    state: &State,
    gate: &GateState,
    before: Report,
    error: AccountError,
    now: Timestamp,
) -> Result<Report, ReporterError> {
    tracing::error!("the account could not be read, the last gate stays in force: {error}");
    let mut report = before.unread(ReadFailure::new("GetAccount", &error.code), now);
    let word = gate.brake_override.as_ref();
    report.brake = report.brake_or(word.and_then(BrakeOverride::brake));
    if gate.brake != Some(report.brake.level) {
        let in_force = match word.and_then(|word| word.at) {
            Some(at) => state.usage.set_brake(report.brake.level, at).await.ok() == Some(OverrideInGate::InForce),
            None => false,
        };
        if !in_force {
            report.brake.level = gate.brake.unwrap_or_default();
        }
    }
    let kept = state.usage.put_report(&report).await;
    state.publish_metrics(&report, now);
    kept?;
    // Of operators, those that were not told yet are told now.
    announce::publish(state, now).await;
    Ok(report)
}

/// Sets the gate, with the brake that an operator or else the report says, which the report is told. Where an operator speaks at
/// the same moment, their word is read and it is tried once more. Returns the state by which it was set, and what came of it.
async fn set_gate(
    state: &State,
    mut read: GateState,
    settings: pacing::GateSettings,
    report: &mut Report,
    now: Timestamp,
) -> Result<(GateState, GateSet), ReporterError> {
    for _ in 0..2 {
        report.brake = report.brake_or(read.brake_override.as_ref().and_then(BrakeOverride::brake));
        let brake = report.brake.level;
        match state.usage.set_gate(settings, brake, read.overridden_at, now).await? {
            GateSet::Overridden => read = state.usage.gate_state().await?,
            set @ (GateSet::Done | GateSet::LaterReport) => return Ok((read, set)),
        }
    }
    Err(ReporterError::Overridden)
}
