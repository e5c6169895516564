//! The template that is deployed: what it declares, and what it takes.

mod monitoring;

use std::collections::BTreeMap;
use std::time::Duration;

use local_aws::services::dynamodb::Dynamodb;
use local_aws::template::{
    AsynchronousEvents, EventDestination, HttpApi, HttpRoute, Mapping, PathSegment, RouteKey, Schedule, Stack,
    StackContext, SubscriptionEndpoint, TemplateError,
};
use okite::application::{APPLICATION, TEMPLATE};
use proptest::prelude::*;
use serde_json::json;

/// The context of a stack on one machine, without the topic for alarms, which `okite up` adds.
fn context(parameters: &[(&str, &str)]) -> StackContext {
    StackContext {
        parameters: parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..APPLICATION.stack_context(BTreeMap::new())
    }
}

fn stack_with(parameters: &[(&str, &str)]) -> Result<Stack, TemplateError> {
    Stack::read(TEMPLATE, &context(parameters))
}

fn stack() -> Stack {
    stack_with(&[]).unwrap()
}

#[test]
fn has_the_seven_tables_with_their_keys_and_indexes() {
    let tables = stack().tables;
    let summary: Vec<_> = tables
        .iter()
        .map(|table| {
            (
                table.logical_id.as_str(),
                table.name.as_str(),
                table.time_to_live.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        summary,
        [
            ("SuppressionsTable", "okite-SuppressionsTable", None),
            ("MessagesTable", "okite-MessagesTable", Some("expires_at")),
            ("OutboxTable", "okite-OutboxTable", Some("expires_at")),
            ("WebhooksTable", "okite-WebhooksTable", None),
            ("DeliveriesTable", "okite-DeliveriesTable", Some("expires_at")),
            ("UsageTable", "okite-UsageTable", Some("expires_at")),
            ("ApiKeysTable", "okite-ApiKeysTable", None),
        ]
    );
    assert_eq!(
        tables[0].create,
        json!({
            "TableName": "okite-SuppressionsTable",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "address", "AttributeType": "S"},
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "shard", "AttributeType": "S"},
            ],
            "KeySchema": [{"AttributeName": "address", "KeyType": "HASH"}],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by-id",
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                },
                {
                    "IndexName": "newest",
                    "KeySchema": [
                        {"AttributeName": "shard", "KeyType": "HASH"},
                        {"AttributeName": "id", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                },
            ],
        })
    );
    assert_eq!(
        tables[2].create["GlobalSecondaryIndexes"],
        json!([{
            "IndexName": "wake",
            "KeySchema": [
                {"AttributeName": "wake_shard", "KeyType": "HASH"},
                {"AttributeName": "wake_at", "KeyType": "RANGE"},
            ],
            "Projection": {
                "ProjectionType": "INCLUDE",
                "NonKeyAttributes": ["key_id", "content_nonce", "size", "deadline"],
            },
        }])
    );
    assert_eq!(
        tables[5].create["KeySchema"],
        json!([
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ])
    );
    assert_eq!(
        tables[1].create["GlobalSecondaryIndexes"][0]["IndexName"],
        "by-recipient"
    );
    assert_eq!(tables[3].create.get("GlobalSecondaryIndexes"), None);
    assert_eq!(tables[6].create.get("GlobalSecondaryIndexes"), None);
    assert_eq!(
        tables[4].create["GlobalSecondaryIndexes"],
        json!([{
            "IndexName": "wake",
            "KeySchema": [
                {"AttributeName": "wake_shard", "KeyType": "HASH"},
                {"AttributeName": "wake_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["due_at"]},
        }])
    );
}

#[test]
fn has_tables_that_dynamodb_creates() {
    Dynamodb::open(None, &stack().tables).unwrap();
}

#[test]
fn has_every_function_of_the_registry() {
    let functions = stack().functions;
    let names: Vec<_> = functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, registry::names());
}

#[test]
fn gives_each_function_its_time_and_memory() {
    for (name, timeout, memory_mb) in [
        ("send-api", 29, 128),
        ("ses-api", 29, 128),
        ("feedback", 60, 128),
        ("quota-reporter", 300, 128),
        ("sender", 60, 512),
        ("webhooks", 60, 256),
    ] {
        let function = stack().functions.into_iter().find(|function| function.name == name);
        let function = function.unwrap();
        assert_eq!(
            (function.timeout.as_secs(), function.memory_mb),
            (timeout, memory_mb),
            "{name}"
        );
    }
}

#[test]
fn gives_each_function_the_variables_that_it_reads() {
    let everywhere = [
        ("LOG_LEVEL", "info"),
        ("SUPPRESSIONS_TABLE", "okite-SuppressionsTable"),
        ("USAGE_TABLE", "okite-UsageTable"),
    ];
    let policy = [
        ("ACCOUNT_SHARE", "1"),
        ("BULK_RESERVE", "0.2"),
        ("PERMIT_BURST_SECONDS", "1"),
        ("PERMIT_WAIT_SECONDS", "2"),
    ];
    let queue = |stream| format!("https://sqs.us-east-1.amazonaws.com/000000000000/okite-{stream}HintQueue");
    let (transactional_queue, bulk_queue) = (queue("Transactional"), queue("Bulk"));
    let of_messages = [
        ("MESSAGES_TABLE", "okite-MessagesTable"),
        ("MESSAGE_RETENTION_DAYS", "30"),
    ];
    let set = ("CONFIGURATION_SET", "okite-ConfigurationSet");
    let of_sending = [
        set,
        ("API_KEYS_TABLE", "okite-ApiKeysTable"),
        ("OUTBOX_TABLE", "okite-OutboxTable"),
        ("SOFT_BOUNCE_TIERS", "3/14d:3d,5/14d:30d"),
        ("TRACKING_EVENTS", "false"),
        ("TRANSACTIONAL_QUEUE_URL", &transactional_queue),
    ];
    let deadlines = [("TRANSACTIONAL_DEADLINE_HOURS", "24"), ("BULK_DEADLINE_HOURS", "72")];
    let sender = [("BULK_QUEUE_URL", bulk_queue.as_str()), ("METRICS", "true")];
    let topic = "arn:aws:sns:us-east-1:000000000000:okite-FeedbackTopic";
    let emitter = [
        ("WEBHOOKS_TABLE", "okite-WebhooksTable"),
        ("DELIVERIES_TABLE", "okite-DeliveriesTable"),
        (
            "WEBHOOK_QUEUE_URL",
            "https://sqs.us-east-1.amazonaws.com/000000000000/okite-WebhookQueue",
        ),
    ];
    let ports = [("WEBHOOK_PORTS", "443")];
    let reporter = [
        set,
        ("ALARM_TOPIC_ARN", ""),
        ("BOUNCE_BRAKE", "0.045"),
        ("BOUNCE_WARN", "0.03"),
        ("COMPLAINTS_MIN", "2"),
        ("COMPLAINT_BRAKE", "0.0008"),
        ("COMPLAINT_WARN", "0.0005"),
        ("JUDGED_VOLUME_MIN", "1000"),
        ("METRICS", "true"),
    ];
    let links = [("UNSUBSCRIBE_BASE_URL", "")];
    let fronts = [&policy[..], &of_messages, &of_sending, &deadlines, &emitter, &links].concat();
    for (name, own) in [
        (
            "send-api",
            [&fronts[..], &ports, &[("UNSUBSCRIBE_SENDER_NAME", "")]].concat(),
        ),
        ("ses-api", fronts),
        (
            "feedback",
            [&of_messages[..], &[("FEEDBACK_TOPIC_ARN", topic)], &emitter].concat(),
        ),
        ("quota-reporter", [&policy[..], &reporter, &emitter].concat()),
        (
            "sender",
            [&policy[..], &of_messages, &of_sending, &sender, &emitter].concat(),
        ),
        ("webhooks", [&emitter[..], &ports].concat()),
    ] {
        let function = stack().functions.into_iter().find(|function| function.name == name);
        let expected: BTreeMap<String, String> = everywhere
            .into_iter()
            .chain(own)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(function.unwrap().environment, expected, "{name}");
    }
}

#[test]
fn runs_the_report_and_the_pass_over_sess_list_every_five_minutes_and_the_sweep_every_minute() {
    let schedule = |logical_id: &str, function: &str, minutes, input| Schedule {
        logical_id: logical_id.to_owned(),
        function: function.to_owned(),
        every: Duration::from_mins(minutes),
        input,
    };
    assert_eq!(
        stack().schedules,
        [
            schedule(
                "QuotaReporterSchedule",
                "quota-reporter",
                5,
                json!({"source": "okite.schedule"})
            ),
            schedule(
                "SuppressionListSchedule",
                "quota-reporter",
                5,
                json!({"source": "okite.schedule", "task": "suppression-list"})
            ),
            schedule(
                "SweepSchedule",
                "sender",
                1,
                json!({"source": "okite.schedule", "task": "sweep"})
            ),
        ]
    );
}

#[test]
fn brings_bounces_and_complaints_to_the_feedback_function() {
    const ALWAYS: &[&str] = &["REJECT", "BOUNCE", "COMPLAINT", "SUBSCRIPTION"];
    const OPTIONAL: [(&str, &[&str]); 3] = [
        ("SendEvents", &["SEND"]),
        ("DeliveryEvents", &["DELIVERY", "DELIVERY_DELAY"]),
        ("TrackingEvents", &["OPEN", "CLICK"]),
    ];
    for choice in 0_u32..8 {
        let chosen = |index: usize| choice >> index & 1 == 1;
        let values = [0, 1, 2].map(|index| (OPTIONAL[index].0, if chosen(index) { "true" } else { "false" }));
        let optional = (0..3)
            .filter(|index| chosen(*index))
            .flat_map(|index| OPTIONAL[index].1);
        let event_types: Vec<&str> = ALWAYS.iter().chain(optional).copied().collect();
        events_of(&stack_with(&values).unwrap(), &event_types);
    }
    events_of(
        &stack_with(&[]).unwrap(),
        &[
            "REJECT",
            "BOUNCE",
            "COMPLAINT",
            "SUBSCRIPTION",
            "SEND",
            "DELIVERY",
            "DELIVERY_DELAY",
        ],
    );
}

fn events_of(stack: &Stack, event_types: &[&str]) {
    let [topic] = stack.topics.as_slice() else {
        panic!("one topic")
    };
    let [subscription] = topic.subscriptions.as_slice() else {
        panic!("one subscription")
    };
    assert_eq!(
        subscription.endpoint,
        SubscriptionEndpoint::Function("feedback".to_owned())
    );
    let [set] = stack.configuration_sets.as_slice() else {
        panic!("one configuration set")
    };
    assert_eq!(set.name, "okite-ConfigurationSet");
    assert_eq!(
        set.event_destinations,
        [EventDestination {
            topic_arn: topic.arn.clone(),
            event_types: event_types.iter().map(|&kind| kind.to_owned()).collect(),
        }]
    );
}

#[test]
fn loses_no_event_that_fails() {
    let stack = stack();
    let [retries, dead] = &stack.queues[..2] else {
        panic!("a retry queue and a dead-letter queue")
    };
    let [topic] = stack.topics.as_slice() else {
        panic!("one topic")
    };
    assert_eq!(topic.subscriptions[0].redrive.as_ref(), Some(&retries.arn));
    assert_eq!(
        stack.asynchronous_events[0],
        AsynchronousEvents {
            function: "feedback".to_owned(),
            retries: 2,
            on_failure: Some(retries.arn.clone()),
        }
    );
    assert_eq!(
        stack.mappings[0],
        Mapping {
            queue_arn: retries.arn.clone(),
            function: "feedback".to_owned(),
            batch_size: 10,
            batching_window: Duration::ZERO,
            reports_item_failures: true,
            concurrency: 5,
        }
    );
    let redrive = retries.redrive.as_ref().unwrap();
    assert_eq!((&redrive.queue_arn, &dead.redrive), (&dead.arn, &None));
    // The rules of AWS: a batch is at work for a while, and the age of a message moves along.
    let feedback = stack
        .functions
        .iter()
        .find(|function| function.name == "feedback")
        .unwrap();
    assert!(retries.visibility_timeout >= 6 * feedback.timeout);
    assert!(retries.retention < dead.retention);
    assert_eq!(dead.retention, Duration::from_hours(14 * 24));
    // An outage of an hour brings nothing to the dead-letter queue.
    let last_try = retries.visibility_timeout * (redrive.max_receive_count - 1);
    assert!(last_try > Duration::from_hours(1), "{last_try:?}");
}

#[test]
fn brings_events_through_a_queue_if_told_to() {
    let parameters = [("FeedbackVia", "sqs"), ("FeedbackConcurrency", "3")];
    let stack = stack_with(&parameters).unwrap();
    let [queue, dead] = &stack.queues[..2] else {
        panic!("a queue and a dead-letter queue")
    };
    let subscription = &stack.topics[0].subscriptions[0];
    assert_eq!(subscription.endpoint, SubscriptionEndpoint::Queue(queue.arn.clone()));
    assert_eq!(subscription.redrive.as_ref(), Some(&dead.arn));
    assert_eq!(
        (&stack.mappings[0].queue_arn, stack.mappings[0].concurrency),
        (&queue.arn, 3)
    );
    assert!(stack_with(&[("FeedbackVia", "smoke")]).is_err());
}

/// The executions that a new account has for all its functions.
const EXECUTIONS: usize = 10;

#[test]
fn brings_hints_of_each_stream_to_the_sender() {
    let stack = stack_with(&[("TransactionalWorkers", "6"), ("BulkWorkers", "3")]).unwrap();
    let sender = stack
        .functions
        .iter()
        .find(|function| function.name == "sender")
        .unwrap();
    for (stream, batch_size, window, concurrency) in [("Transactional", 10, 0, 6), ("Bulk", 25, 1, 3)] {
        let queue = |suffix: &str| {
            let logical_id = format!("{stream}Hint{suffix}");
            let mut queues = stack.queues.iter();
            queues.find(|queue| queue.logical_id == logical_id).unwrap()
        };
        let (hints, dead) = (queue("Queue"), queue("DeadLetterQueue"));
        let mapping = stack.mappings.iter().find(|mapping| mapping.queue_arn == hints.arn);
        assert_eq!(
            mapping,
            Some(&Mapping {
                queue_arn: hints.arn.clone(),
                function: "sender".to_owned(),
                batch_size,
                batching_window: Duration::from_secs(window),
                reports_item_failures: true,
                concurrency,
            })
        );
        assert!(hints.visibility_timeout >= 6 * sender.timeout);
        let redrive = hints.redrive.as_ref().unwrap();
        assert_eq!((&redrive.queue_arn, redrive.max_receive_count), (&dead.arn, 10));
        for queue in [hints, dead] {
            assert_eq!(queue.retention, Duration::from_hours(14 * 24));
        }
    }
    for (name, value) in [
        ("TransactionalWorkers", "1"),
        ("BulkWorkers", "1"),
        ("SenderMemory", "256"),
    ] {
        assert!(stack_with(&[(name, value)]).is_err(), "{name}");
    }
}

#[test]
fn the_sender_leaves_a_new_account_executions_for_everything_else() {
    let stack = stack();
    let of_sender = stack.mappings.iter().filter(|mapping| mapping.function == "sender");
    let workers: usize = of_sender.map(|mapping| mapping.concurrency).sum();
    // One more is for the sweep.
    assert!(workers < EXECUTIONS / 2, "{workers}");
}

#[test]
fn brings_events_to_the_function_that_delivers_them_to_webhooks() {
    let stack = stack_with(&[("WebhookWorkers", "7")]).unwrap();
    let queue = |logical_id: &str| {
        let mut queues = stack.queues.iter();
        queues.find(|queue| queue.logical_id == logical_id).unwrap()
    };
    let (events, dead) = (queue("WebhookQueue"), queue("WebhookDeadLetterQueue"));
    let mapping = stack.mappings.iter().find(|mapping| mapping.queue_arn == events.arn);
    assert_eq!(
        mapping,
        Some(&Mapping {
            queue_arn: events.arn.clone(),
            function: "webhooks".to_owned(),
            batch_size: 10,
            batching_window: Duration::ZERO,
            reports_item_failures: true,
            concurrency: 7,
        })
    );
    let webhooks = stack.functions.iter().find(|function| function.name == "webhooks");
    assert!(events.visibility_timeout >= 6 * webhooks.unwrap().timeout);
    let redrive = events.redrive.as_ref().unwrap();
    assert_eq!((&redrive.queue_arn, redrive.max_receive_count), (&dead.arn, 10));
    assert!(events.retention < dead.retention);
    assert!(stack_with(&[("WebhookWorkers", "1")]).is_err());
    let stack = stack_with(&[("WebhookPorts", "443,8443")]).unwrap();
    for function in stack.functions {
        let ports = function.environment.get("WEBHOOK_PORTS").map(String::as_str);
        let takes_urls = ["send-api", "webhooks"].contains(&function.name.as_str());
        assert_eq!(ports, takes_urls.then_some("443,8443"), "{}", function.name);
    }
}

/// Queue workers of both streams, the sweep and webhooks may run at the same time.
#[test]
fn workers_leave_a_new_account_executions_for_requests() {
    let stack = stack();
    let of_queues = stack.mappings.iter().filter(|mapping| mapping.function != "feedback");
    let workers: usize = of_queues.map(|mapping| mapping.concurrency).sum();
    assert!(workers + 1 < EXECUTIONS - 2, "{workers}");
}

#[test]
fn a_sweep_that_failed_is_left_to_the_next() {
    let sender = stack()
        .asynchronous_events
        .into_iter()
        .find(|events| events.function == "sender");
    let none = AsynchronousEvents {
        function: "sender".to_owned(),
        retries: 0,
        on_failure: None,
    };
    assert_eq!(sender, Some(none));
    let (_, schedule) = TEMPLATE.split_once("  SweepSchedule:\n").unwrap();
    let (schedule, _) = schedule.split_once("\n\n").unwrap();
    assert!(
        schedule.contains("MaximumEventAgeInSeconds: 60\n          MaximumRetryAttempts: 0"),
        "{schedule}"
    );
}

#[test]
fn routes_the_paths_of_ses_to_the_ses_api_and_every_other_request_to_the_send_api() {
    let literal = |text: &str| PathSegment::Literal(text.to_owned());
    let route = |function: &str, key| HttpRoute {
        key,
        function: function.to_owned(),
    };
    let of_version_1 = RouteKey::Path {
        method: Some("POST".to_owned()),
        path: vec![literal("")],
    };
    let of_version_2 = RouteKey::Path {
        method: None,
        path: vec![literal("v2"), literal("email"), PathSegment::Greedy("proxy".to_owned())],
    };
    // A route of its own, because it has limits of its own.
    let of_links = RouteKey::Path {
        method: None,
        path: vec![literal("unsubscribe"), PathSegment::Variable("token".to_owned())],
    };
    assert_eq!(
        stack().http_api,
        Some(HttpApi {
            logical_id: "SendApi".to_owned(),
            name: "okite-SendApi".to_owned(),
            routes: vec![
                route("send-api", RouteKey::Default),
                route("send-api", of_links),
                route("ses-api", of_version_1),
                route("ses-api", of_version_2),
            ],
        })
    );
}

#[test]
fn takes_overrides_inside_the_limits_only() {
    let stack = stack_with(&[("AccountShare", "0.5"), ("LogLevel", "warn")]).unwrap();
    assert_eq!(stack.functions[0].environment["ACCOUNT_SHARE"], "0.5");
    assert_eq!(stack.functions[2].environment["LOG_LEVEL"], "warn");
    for (name, value) in [
        ("AccountShare", "0"),
        ("AccountShare", "1.1"),
        ("LogLevel", "loud"),
        ("Share", "1"),
    ] {
        let error = stack_with(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn names_everything_after_the_stack() {
    let context = StackContext {
        region: "eu-west-1".to_owned(),
        account_id: "123456789012".to_owned(),
        stack_name: "mail".to_owned(),
        parameters: BTreeMap::new(),
    };
    let stack = Stack::read(TEMPLATE, &context).unwrap();
    assert_eq!(stack.tables[0].name, "mail-SuppressionsTable");
    assert_eq!(
        stack.functions[0].arn,
        "arn:aws:lambda:eu-west-1:123456789012:function:mail-SendApiFunction"
    );
}

proptest! {
    #[test]
    fn reading_never_panics_on_a_template_with_something_cut_out_or_put_in(
        from in 0..TEMPLATE.len(),
        cut in 0_usize..80,
        put in prop::sample::select(vec![
            "", "!Ref ", "!Sub", "!If [", "Fn::Sub: ", "[", "]", "{", "}", ": ", "- ", "\n", "  ", "\t", "~", "0",
            "true", "${", "&a ", "*a", "'", "\"", "|", ">", "? ", "%", "---\n", "\0", "ü",
        ]),
    ) {
        let mut text = TEMPLATE.to_owned();
        let until = (from + cut).min(text.len());
        if text.is_char_boundary(from) && text.is_char_boundary(until) {
            text.replace_range(from..until, put);
            let _ = Stack::read(&text, &context(&[]));
        }
    }
}
