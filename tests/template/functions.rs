//! The functions of the template: their settings, and what calls them by a schedule or a request.

use std::collections::BTreeMap;
use std::time::Duration;

use local_aws::template::{AsynchronousEvents, HttpApi, HttpRoute, PathSegment, RouteKey, Schedule};
use okite::application::TEMPLATE;
use serde_json::json;

use super::stack;

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
        ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=127"),
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
