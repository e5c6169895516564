//! The environment of a function: the variables that the template sets, and those that Lambda adds.

use std::path::Path;

use crate::table_names::{API_KEYS_TABLE, USAGE_TABLE};
use crate::world::World;

pub(crate) const REGION: &str = "us-east-1";

/// The variables that the template sets, with values as a deployment gives them.
const OF_THE_TEMPLATE: [(&str, &str); 34] = [
    ("SUPPRESSIONS_TABLE", "okite-SuppressionsTable-1A2B3C4D5E6F7"),
    ("MESSAGES_TABLE", "okite-MessagesTable-1A2B3C4D5E6F7"),
    ("USAGE_TABLE", USAGE_TABLE),
    ("API_KEYS_TABLE", API_KEYS_TABLE),
    ("OUTBOX_TABLE", "okite-OutboxTable-1A2B3C4D5E6F7"),
    (
        "TRANSACTIONAL_QUEUE_URL",
        "https://sqs.us-east-1.amazonaws.com/000000000000/okite-TransactionalHintQueue-1A2B3C4D5E6F7",
    ),
    (
        "BULK_QUEUE_URL",
        "https://sqs.us-east-1.amazonaws.com/000000000000/okite-BulkHintQueue-1A2B3C4D5E6F7",
    ),
    ("WEBHOOKS_TABLE", "okite-WebhooksTable-1A2B3C4D5E6F7"),
    ("DELIVERIES_TABLE", "okite-DeliveriesTable-1A2B3C4D5E6F7"),
    (
        "WEBHOOK_QUEUE_URL",
        "https://sqs.us-east-1.amazonaws.com/000000000000/okite-WebhookQueue-1A2B3C4D5E6F7",
    ),
    ("WEBHOOK_PORTS", "443"),
    ("TRACKING_EVENTS", "false"),
    ("UNSUBSCRIBE_BASE_URL", ""),
    ("UNSUBSCRIBE_SENDER_NAME", ""),
    ("TRANSACTIONAL_DEADLINE_HOURS", "24"),
    ("BULK_DEADLINE_HOURS", "72"),
    ("CONFIGURATION_SET", "ConfigurationSet-1A2B3C4D5E6F"),
    // The topic of the committed events.
    (
        "FEEDBACK_TOPIC_ARN",
        "arn:aws:sns:us-east-1:000000000000:okite-FeedbackTopic",
    ),
    ("ACCOUNT_SHARE", "1"),
    ("PERMIT_BURST_SECONDS", "1"),
    ("PERMIT_WAIT_SECONDS", "2"),
    ("BULK_RESERVE", "0.2"),
    ("SOFT_BOUNCE_TIERS", "3/14d:3d,5/14d:30d"),
    ("BOUNCE_WARN", "0.03"),
    ("BOUNCE_BRAKE", "0.045"),
    ("COMPLAINT_WARN", "0.0005"),
    ("COMPLAINT_BRAKE", "0.0008"),
    ("COMPLAINTS_MIN", "2"),
    ("JUDGED_VOLUME_MIN", "1000"),
    ("METRICS", "true"),
    ("ALARM_TOPIC_ARN", ""),
    ("MESSAGE_RETENTION_DAYS", "30"),
    ("LOG_LEVEL", "info"),
    // The C library reads it, and no function.
    ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=127"),
];

/// The length of the token of a role's credentials. The token is part of every signed request.
const TOKEN_LENGTH: usize = 900;

/// Returns the whole environment of the function `name`, which finds the Runtime API at `runtime_api`.
pub(crate) fn of(name: &str, runtime_api: &str, world: &World) -> Vec<(String, String)> {
    let path = |path: &Path| path.display().to_string();
    let mut variables: Vec<(String, String)> = OF_THE_TEMPLATE
        .iter()
        .chain(&[
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLEEXAMPLEEX"),
            ("AWS_SECRET_ACCESS_KEY", "benchbenchbenchbenchbenchbenchbenchbench"),
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("LANG", "en_US.UTF-8"),
            ("TZ", ":UTC"),
        ])
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let of_this_machine = [
        ("AWS_SESSION_TOKEN", "t".repeat(TOKEN_LENGTH)),
        ("AWS_ENDPOINT_URL_DYNAMODB", format!("https://{}", world.dynamodb())),
        ("AWS_ENDPOINT_URL_SESV2", format!("https://{}", world.ses())),
        ("AWS_ENDPOINT_URL_SQS", format!("https://{}", world.sqs())),
        ("AWS_ENDPOINT_URL_CLOUDWATCH", format!("https://{}", world.cloudwatch())),
        // The first makes a function trust the authority of this process. The second makes a program that reads the
        // system's roots trust it.
        ("AWS_CA_BUNDLE", path(world.root())),
        ("SSL_CERT_FILE", path(world.system_roots())),
    ];
    variables.extend(of_this_machine.map(|(name, value)| (name.to_owned(), value)));
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the names under every `Variables:` of the template.
    fn variables_of(template: &str) -> Vec<&str> {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let mut names = Vec::new();
        let mut lines = template.lines().peekable();
        while let Some(line) = lines.next() {
            if line.trim() != "Variables:" {
                continue;
            }
            while let Some(entry) = lines.next_if(|entry| indent(entry) > indent(line)) {
                let entry = entry.trim();
                if !entry.starts_with('#') {
                    names.extend(entry.split_once(':').map(|(name, _)| name));
                }
            }
        }
        names
    }

    #[test]
    fn gives_every_variable_that_the_template_sets() {
        let template = include_str!("../../../template.yaml");
        let mut set = variables_of(template);
        let mut given = OF_THE_TEMPLATE.map(|(name, _)| name).to_vec();
        // Several functions share some of the variables.
        set.sort_unstable();
        set.dedup();
        given.sort_unstable();
        assert_eq!(given, set);
    }
}
