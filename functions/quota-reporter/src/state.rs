//! The state of the quota reporter between invocations: its clients and its settings.

use aws::{
    BrakeChanges, CloudWatch, FunctionConfig, Marks, Notifications, Ses, SesSuppressionList, Suppressions, TrustError,
    Usage,
};
use domain::pacing::PacingPolicy;
use domain::report::Report;
use domain::reputation::RateThresholds;
use emitter::Emitter;
use jiff::Timestamp;

use crate::config::Config;
use crate::metrics;

/// The state of the quota reporter: its clients and its settings.
#[derive(Debug)]
pub struct QuotaReporterState {
    pub(crate) region: String,
    pub(crate) policy: PacingPolicy,
    pub(crate) thresholds: RateThresholds,
    /// The function's own name, the dimension of its metrics; `None` if it publishes no metrics.
    metrics_of: Option<String>,
    pub(crate) usage: Usage,
    pub(crate) marks: Marks,
    pub(crate) brake_changes: BrakeChanges,
    pub(crate) cloudwatch: CloudWatch,
    /// The SNS topic that notifies the operators, if there is one.
    pub(crate) notifications: Option<Notifications>,
    pub(crate) ses: Ses,
    pub(crate) ses_list: SesSuppressionList,
    pub(crate) suppressions: Suppressions,
    pub(crate) emitter: Emitter,
}

impl QuotaReporterState {
    /// Makes the clients for the services that the environment names, and opens their connections.
    ///
    /// # Errors
    /// [`TrustError`] if the clients cannot set up TLS.
    pub async fn new(config: Config) -> Result<Self, TrustError> {
        let aws = FunctionConfig::from_env(&config.process.region)?;
        let (dynamodb, ses) = (aws.dynamodb(), aws.sesv2());
        tokio::join!(aws.open_dynamodb(), aws.open_sesv2());
        Ok(Self {
            emitter: Emitter::new(config.emitter, &dynamodb, aws.sqs_for_worker()),
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

    pub(crate) fn publish_metrics(&self, report: &Report, now: Timestamp) {
        if let Some(name) = &self.metrics_of {
            metrics::publish(report, name, now);
        }
    }
}
