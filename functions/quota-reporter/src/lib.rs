//! The quota reporter: reads the SES account, says where it stands, and sets the gate that sends obey.
//!
//! It runs on a schedule and never takes sending down: when SES or the store does not answer, the run fails, and the
//! gate of the run before stays in force.

mod announce;
mod count;
mod metrics;
mod reconcile;

use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use shared::account::{Account, Evidence, History, Report, ReportedBrake, Reputation, Thresholds, Trouble};
use shared::aws::{
    AccountError, BrakeChanges, CloudWatch, FunctionConfig, GateSet, GateState, Marks, Notifications, Ses,
    SesSuppressionList, StoreError, Suppressions, TrustError, Usage,
};
use shared::brake_change::BrakeOverride;
use shared::config::Config;
use shared::function;
use shared::permit::{self, Policy, Sample, Settings};
use shared::suppression::ReportedReconciliation;
use tokio::time::Instant;
use uuid::Uuid;

/// The function's timeout in the template, for callers that name no deadline.
const USUAL_TIMEOUT: Duration = Duration::from_mins(1);

/// What the function keeps between invocations.
#[derive(Debug)]
pub struct State {
    region: String,
    policy: Policy,
    thresholds: Thresholds,
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
        let aws = FunctionConfig::from_env(&config.region)?;
        let (dynamodb, ses) = (aws.dynamodb(), aws.sesv2());
        tokio::join!(aws.open_dynamodb(), aws.open_sesv2());
        Ok(Self {
            suppressions: Suppressions::new(dynamodb.clone(), config.suppressions_table),
            ses_list: SesSuppressionList::new(ses.clone()),
            marks: Marks::new(dynamodb.clone(), config.usage_table.clone()),
            brake_changes: BrakeChanges::new(dynamodb.clone(), config.usage_table.clone(), config.region.clone()),
            usage: Usage::new(dynamodb, config.usage_table, config.region.clone()),
            cloudwatch: CloudWatch::new(aws.cloudwatch()),
            notifications: config.alarm_topic_arn.map(|topic| Notifications::new(aws.sns(), topic)),
            thresholds: config.thresholds,
            metrics_of: config.metrics.then_some(config.function_name),
            ses: Ses::new(ses, config.configuration_set),
            policy: config.policy,
            region: config.region,
        })
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
#[expect(
    clippy::disallowed_methods,
    reason = "the outermost function reads the clock and makes the ids"
)]
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let config = function::init()?;
    let clock = config.clock;
    let state = State::new(config).await.inspect_err(function::log_init_error)?;
    let state = &state;
    // On the heap, once: the futures of the SDK and the runtime nest deeper than the compiler likes to look.
    Box::pin(lambda_runtime::run(service_fn(
        move |event: LambdaEvent<Value>| async move {
            let now = clock.now();
            let deadline = Instant::now() + time_left(event.context.deadline, now);
            let report = handle(state, now, deadline, || clock.new_id()).await;
            if let (Ok(report), Some(name)) = (&report, &state.metrics_of) {
                metrics::publish(report, name, now);
            }
            report.map_err(|error| {
                tracing::error!("there is no report: {error}");
                // The runtime shows an error with all that is in it, an answer of DynamoDB included; this is its text alone.
                Diagnostic::from(error)
            })
        },
    )))
    .await
}

/// How long Lambda lets the invocation go on; `deadline` is in milliseconds since the epoch. One that has passed before the
/// invocation began is none: who calls a function by hand may have no clock to set it by.
fn time_left(deadline: u64, now: Timestamp) -> Duration {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    match deadline.saturating_sub(now) {
        0 => USUAL_TIMEOUT,
        left => Duration::from_millis(left),
    }
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
    // What was known before is a help and no more: a report that cannot be read must not stop those that follow.
    let before = state.usage.latest_report().await.unwrap_or_else(|error| {
        tracing::warn!("the report before could not be read: {error}");
        None
    });
    let account = match (account, before.clone()) {
        (Ok(account), _) => account,
        (Err(error), None) => return Err(error.into()),
        (Err(error), Some(before)) => return unread(state, before, error, now).await,
    };
    let granted = permit::granted(gate.granted, &gate.samples, &state.policy, now);
    let settings = permit::settings(&account, &state.policy, granted);
    let mut report = judge(state, &gate, account, before.as_ref(), now).await;

    // One after the other, over the one connection that is open; each is tried, whatever became of the one before.
    let set = set_gate(state, &gate, settings, &report, now).await;
    report.brake = *set.as_ref().unwrap_or(&brake_of(&gate, &report));
    let sample = Sample {
        at: now,
        total: gate.granted,
    };
    let sampled = state.usage.put_sample(sample).await;
    let kept = state.usage.put_report(&report).await;
    set?;
    sampled.and(kept)?;
    tracing::info!(verdict = ?report.verdict, brake = report.brake.level.level(), "the account was read and the gate is set");
    announce::changes(state, &gate, &report, now, new_id()).await;

    // Last, for it may take long and fail; the report is kept already.
    let before = report.suppression_list.take();
    let mut kept = gate.reconciliation;
    if let (Some(kept), Some(wanted_at)) = (&mut kept, gate.reconciliation_wanted_at) {
        kept.state.wanted(wanted_at);
    }
    let reconciled = reconcile::run(state, kept, now, deadline, new_id).await;
    report.suppression_list = Some(ReportedReconciliation::from(&reconciled));
    if report.suppression_list != before {
        state.usage.put_report(&report).await?;
    }
    Ok(report)
}

/// Gathers what else there is to know of the account, and judges it. What cannot be read is a trouble of the report and stops
/// nothing.
async fn judge(state: &State, gate: &GateState, account: Account, before: Option<&Report>, now: Timestamp) -> Report {
    let mut troubles = Vec::new();
    let reputation = state.cloudwatch.reputation(now).await.unwrap_or_else(|error| {
        tracing::warn!("CloudWatch's rates could not be read: {error}");
        troubles.push(Trouble::new("GetMetricStatistics", &error.code));
        before.map_or_else(Reputation::default, |before| before.reputation_at(now))
    });
    let history = History {
        samples: &gate.samples,
        total: gate.granted,
        now,
    };
    let counted = count::count(state, gate, &history).await.unwrap_or_else(|error| {
        tracing::warn!("the marks could not be counted: {error}");
        troubles.push(Trouble::new(error.operation, &error.code));
        None
    });
    let mut report = Report::new(&Evidence {
        account,
        region: &state.region,
        reputation,
        counted,
        history,
        thresholds: &state.thresholds,
        before,
    });
    report.troubles = troubles;
    let kept = gate.reconciliation.as_ref();
    report.suppression_list = kept.map(|kept| ReportedReconciliation::from(&kept.state));
    report
}

/// The report of a run that could not read the account. It is kept in the place of the one before, which it says again.
async fn unread(state: &State, before: Report, error: AccountError, now: Timestamp) -> Result<Report, ReporterError> {
    tracing::error!("the account could not be read, the last gate stays in force: {error}");
    let report = before.unread(Trouble::new("GetAccount", &error.code), now);
    state.usage.put_report(&report).await?;
    // Of operators, those that were not told yet are told now.
    announce::publish(state, now).await;
    Ok(report)
}

/// Sets the gate, with the brake that an operator or else the report says, and returns that. Where an operator speaks at the
/// same moment, their word is read and it is tried once more.
async fn set_gate(
    state: &State,
    read: &GateState,
    settings: Settings,
    report: &Report,
    now: Timestamp,
) -> Result<ReportedBrake, ReporterError> {
    let try_with = async |read: &GateState| {
        let brake = brake_of(read, report);
        let set = state
            .usage
            .set_gate(settings, brake.level, read.overridden_at, now)
            .await?;
        Ok::<_, StoreError>((set != GateSet::Overridden).then_some(brake))
    };
    if let Some(brake) = try_with(read).await? {
        return Ok(brake);
    }
    let again = state.usage.gate_state().await?;
    try_with(&again).await?.ok_or(ReporterError::Overridden)
}

fn brake_of(read: &GateState, report: &Report) -> ReportedBrake {
    report.brake_or(read.brake_override.as_ref().and_then(BrakeOverride::brake))
}
