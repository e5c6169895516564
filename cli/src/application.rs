//! Okite as `local-aws` runs it: the template and the names that are Okite's own.

use local_aws::{Application, OperatorTopic};

/// The template that is deployed.
pub const TEMPLATE: &str = include_str!("../../template.yaml");
/// The name of the stack on one machine.
pub const STACK_NAME: &str = "okite";
/// The topic on one machine to which alarms and the reporter's messages go.
pub const ALARM_TOPIC_ARN: &str = "arn:aws:sns:us-east-1:000000000000:okite-alarms";

/// Okite, for `local-aws`.
pub const APPLICATION: Application = Application {
    template: TEMPLATE,
    stack_name: STACK_NAME,
    readiness_path: "/health",
    operator_topic: Some(OperatorTopic {
        parameter: "AlarmTopicArn",
        arn: ALARM_TOPIC_ARN,
    }),
    mail_id_tag: Some("okite_id"),
    watched_schedule: Some("QuotaReporterSchedule"),
    page: Some(crate::page::PAGE),
};
