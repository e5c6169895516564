//! The resources of Okite that commands use, and the names by which they are found.

/// A resource of Okite: a table, a topic, a queue, ….
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resource {
    /// Its kind, for messages: `table`.
    pub(super) kind: &'static str,
    /// The output of the stack that holds its name.
    pub(super) stack_output: &'static str,
    /// The JSON pointer to the URL of its service in `local.json`.
    pub(super) local_endpoint: &'static str,
    /// The JSON pointer to its name in `local.json`.
    pub(super) local_name: &'static str,
}

impl Resource {
    const fn table(stack_output: &'static str, local_name: &'static str) -> Self {
        Self {
            kind: "table",
            stack_output,
            local_endpoint: "/dynamodb_url",
            local_name,
        }
    }

    const fn queue(stack_output: &'static str, local_name: &'static str) -> Self {
        Self {
            kind: "queue",
            stack_output,
            local_endpoint: "/sqs_url",
            local_name,
        }
    }
}

/// The table of API keys.
pub(crate) const API_KEYS: Resource = Resource::table("ApiKeysTable", "/functions/send-api/env/API_KEYS_TABLE");
/// The suppression list.
pub(crate) const SUPPRESSIONS: Resource =
    Resource::table("SuppressionsTable", "/functions/send-api/env/SUPPRESSIONS_TABLE");
/// The table of sent messages and their events.
pub(crate) const MESSAGES: Resource = Resource::table("MessagesTable", "/functions/send-api/env/MESSAGES_TABLE");
/// The table of the gate, the reports and the brake.
pub(crate) const USAGE: Resource = Resource::table("UsageTable", "/functions/send-api/env/USAGE_TABLE");
/// The table of the mails that wait.
pub(crate) const OUTBOX: Resource = Resource::table("OutboxTable", "/tables/OutboxTable");
/// The queue of hints about transactional mail. Its name is its URL.
pub(crate) const TRANSACTIONAL_HINTS: Resource =
    Resource::queue("TransactionalHintQueueUrl", "/queues/TransactionalHintQueue");
/// The hints about transactional mail that no worker could handle.
pub(crate) const TRANSACTIONAL_DEAD_HINTS: Resource = Resource::queue(
    "TransactionalHintDeadLetterQueueUrl",
    "/queues/TransactionalHintDeadLetterQueue",
);
/// The hints about bulk mail that no worker could handle.
pub(crate) const BULK_DEAD_HINTS: Resource =
    Resource::queue("BulkHintDeadLetterQueueUrl", "/queues/BulkHintDeadLetterQueue");
/// The table of the endpoints of webhooks.
pub(crate) const WEBHOOKS: Resource = Resource::table("WebhooksTable", "/functions/send-api/env/WEBHOOKS_TABLE");
/// The table of the events for endpoints of webhooks.
pub(crate) const DELIVERIES: Resource = Resource::table("DeliveriesTable", "/functions/send-api/env/DELIVERIES_TABLE");
/// The queue of events for endpoints of webhooks. Its name is its URL.
pub(crate) const WEBHOOK_QUEUE: Resource = Resource::queue("WebhookQueueUrl", "/queues/WebhookQueue");
/// The SES configuration set of every mail.
pub(crate) const CONFIGURATION_SET: Resource = Resource {
    kind: "configuration set",
    stack_output: "ConfigurationSet",
    local_endpoint: "/ses_url",
    local_name: "/functions/send-api/env/CONFIGURATION_SET",
};
/// The SNS topic to which SES publishes events.
pub(crate) const FEEDBACK_TOPIC: Resource = Resource {
    kind: "topic",
    stack_output: "FeedbackTopicArn",
    local_endpoint: "/sns_url",
    local_name: "/functions/feedback/env/FEEDBACK_TOPIC_ARN",
};
/// The function or queue that the topic hands events to. Its name is its ARN. An `okite up` does not tell it.
pub(crate) const FEEDBACK_ENDPOINT: Resource = Resource {
    kind: "endpoint",
    stack_output: "FeedbackEndpointArn",
    local_endpoint: "/sns_url",
    local_name: "/feedback_endpoint",
};
/// CloudWatch, in the account and region of the configuration set. Only its endpoint is used.
pub(crate) const CLOUDWATCH: Resource = Resource {
    local_endpoint: "/cloudwatch_url",
    ..CONFIGURATION_SET
};
/// The HTTP API. Its name is its URL.
pub(crate) const SEND_API: Resource = Resource {
    kind: "API",
    stack_output: "ApiUrl",
    local_endpoint: "/url",
    local_name: "/url",
};
/// The queue of SES events that Okite could not handle. Its name is its URL.
pub(crate) const DEAD_LETTER_QUEUE: Resource =
    Resource::queue("FeedbackDeadLetterQueueUrl", "/queues/FeedbackDeadLetterQueue");

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Resource; 17] = [
        API_KEYS,
        SUPPRESSIONS,
        MESSAGES,
        USAGE,
        OUTBOX,
        TRANSACTIONAL_HINTS,
        TRANSACTIONAL_DEAD_HINTS,
        BULK_DEAD_HINTS,
        WEBHOOKS,
        DELIVERIES,
        WEBHOOK_QUEUE,
        CONFIGURATION_SET,
        FEEDBACK_TOPIC,
        FEEDBACK_ENDPOINT,
        CLOUDWATCH,
        SEND_API,
        DEAD_LETTER_QUEUE,
    ];

    #[test]
    fn the_template_exports_every_resource() {
        let template = include_str!("../../../template.yaml");
        let (_, outputs) = template.split_once("\nOutputs:\n").unwrap();
        for resource in ALL {
            let output = format!("  {}:", resource.stack_output);
            assert!(outputs.lines().any(|line| line == output), "{resource:?}");
        }
        let constants = include_str!("resource.rs").matches("\npub(crate) const ").count();
        assert_eq!(ALL.len(), constants, "a resource is missing in this test");
    }
}
