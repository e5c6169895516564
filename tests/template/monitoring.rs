//! What watches the stack: its alarms, its dashboard and what people read of them.

use std::collections::BTreeSet;

use local_aws::template::{Monitoring, Stack, WatchedMetric};
use okite::application::TEMPLATE;

use super::{context, stack, stack_with};

/// What an operator reads when an alarm goes off.
const OPERATIONS: &str = include_str!("../../docs/OPERATIONS.md");

/// Where the cost stands.
const COSTS: &str = include_str!("../../docs/COSTS.md");

/// What the quota reporter publishes, for itself as the dimension `FunctionName`.
const OF_THE_REPORTER: [&str; 7] = [
    "AccountRead",
    "BounceRateEstimate",
    "BrakeLevel",
    "ComplaintRateEstimate",
    "EnforcementLevel",
    "LimitFell",
    "QuotaUsedShare",
];

/// What the sender publishes, for itself as the dimension `FunctionName`.
const OF_THE_SENDER: [&str; 4] = ["BulkDepth", "BulkOldest", "TransactionalDepth", "TransactionalOldest"];

/// The functions that publish metrics, by their logical ids.
const PUBLISHERS: [(&str, &[&str]); 2] = [
    ("QuotaReporterFunction", &OF_THE_REPORTER),
    ("SenderFunction", &OF_THE_SENDER),
];

/// The metrics of the publisher whose dimension a metric has.
fn published_beside(metric: &WatchedMetric) -> &'static [&'static str] {
    let publisher = &metric.dimensions["FunctionName"];
    let mut publishers = PUBLISHERS.iter();
    let found = publishers.find(|(logical_id, _)| format!("okite-{logical_id}") == *publisher);
    found.unwrap_or_else(|| panic!("{publisher} publishes nothing")).1
}

fn monitoring(parameters: &[(&str, &str)]) -> Monitoring {
    Stack::monitoring(TEMPLATE, &context(parameters)).unwrap()
}

/// The monitoring with everything that parameters can add.
fn all_on() -> Monitoring {
    monitoring(&[("Dashboard", "true")])
}

fn metrics(monitoring: &Monitoring) -> impl Iterator<Item = &WatchedMetric> {
    let of_alarms = monitoring.alarms.iter().flat_map(|alarm| &alarm.metrics);
    let of_dashboards = monitoring.dashboards.iter().flat_map(|dashboard| &dashboard.metrics);
    of_alarms.chain(of_dashboards)
}

#[test]
fn every_alarm_has_a_runbook_and_every_runbook_an_alarm() {
    let alarms: Vec<_> = all_on().alarms.into_iter().map(|alarm| alarm.logical_id).collect();
    let runbooks: Vec<_> = OPERATIONS
        .lines()
        .filter_map(|line| line.strip_prefix("## ")?.split_once(": "))
        .flat_map(|(names, _)| names.split(", "))
        .collect();
    let (of_alarms, of_runbooks): (BTreeSet<_>, BTreeSet<_>) = (
        alarms.iter().map(String::as_str).collect(),
        runbooks.iter().copied().collect(),
    );
    assert_eq!(of_alarms, of_runbooks);
    assert_eq!(alarms.len(), runbooks.len(), "one is there twice");
}

/// The names that `AWS` has for what is watched, with the dimension that they are read by.
const OF_AWS: [(&str, Option<&str>, &[&str]); 6] = [
    ("AWS/ApiGateway", Some("ApiId"), &["4xx", "5xx", "Count"]),
    (
        "AWS/DynamoDB",
        Some("TableName"),
        &["ReadThrottleEvents", "WriteThrottleEvents"],
    ),
    (
        "AWS/Lambda",
        Some("FunctionName"),
        &[
            "DestinationDeliveryFailures",
            "Duration",
            "Errors",
            "Invocations",
            "Throttles",
        ],
    ),
    (
        "AWS/SES",
        None,
        &[
            "Bounce",
            "Complaint",
            "Delivery",
            "Reject",
            "Reputation.BounceRate",
            "Reputation.ComplaintRate",
            "Send",
        ],
    ),
    (
        "AWS/SNS",
        Some("TopicName"),
        &["NumberOfNotificationsFailedToRedriveToDlq"],
    ),
    (
        "AWS/SQS",
        Some("QueueName"),
        &["ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"],
    ),
];

#[test]
fn every_metric_is_one_that_there_is() {
    let all = all_on();
    for metric in metrics(&all) {
        let dimensions: Vec<_> = metric.dimensions.keys().map(String::as_str).collect();
        let (dimension, names) = match metric.namespace.as_str() {
            "Okite" => (Some("FunctionName"), published_beside(metric)),
            // Made by metric filters on the log.
            "Okite/okite" => {
                let made = all.metric_filters.iter().any(|filter| filter.metric == *metric);
                assert!(made, "no metric filter makes {metric:?}");
                continue;
            }
            of_aws => OF_AWS
                .iter()
                .find(|(namespace, ..)| *namespace == of_aws)
                .map(|(_, dimension, names)| (*dimension, *names))
                .unwrap(),
        };
        assert!(names.contains(&metric.name.as_str()), "{metric:?}");
        assert_eq!(dimensions, Vec::from_iter(dimension), "{metric:?}");
    }
}

#[test]
fn every_metric_is_of_something_in_the_stack() {
    let stack = stack();
    let named = |logical_id: &str| format!("okite-{logical_id}");
    let functions: Vec<_> = stack
        .functions
        .iter()
        .map(|function| named(&function.logical_id))
        .collect();
    let topics: Vec<_> = stack.topics.iter().map(|topic| named(&topic.logical_id)).collect();
    let queues: Vec<_> = stack.queues.into_iter().map(|queue| queue.name).collect();
    let tables: Vec<_> = stack.tables.into_iter().map(|table| table.name).collect();
    for metric in metrics(&all_on()) {
        for (dimension, name) in &metric.dimensions {
            let is_there = match (metric.namespace.as_str(), dimension.as_str()) {
                (_, "ApiId") => *name == named("SendApi"),
                (_, "FunctionName") => functions.contains(name),
                (_, "TopicName") => topics.contains(name),
                (_, "QueueName") => queues.contains(name),
                (_, "TableName") => tables.contains(name),
                _ => false,
            };
            assert!(is_there, "{metric:?}");
        }
    }
}

#[test]
fn every_metric_filter_reads_a_log_of_the_stack_and_has_an_alarm() {
    let all = all_on();
    assert!(all.metric_filters.len() >= 6);
    for filter in &all.metric_filters {
        let of_function = stack().functions.into_iter().any(|function| {
            let name = function.logical_id.trim_end_matches("Function");
            filter.log_group == format!("okite-{name}LogGroup")
        });
        assert!(of_function, "{filter:?}");
        let mut watched = all.alarms.iter().flat_map(|alarm| &alarm.metrics);
        assert!(watched.any(|metric| *metric == filter.metric), "{filter:?}");
    }
}

#[test]
fn the_alarm_on_throttles_watches_reads_and_writes_of_all_tables_that_grow() {
    let all = all_on();
    let alarm = all
        .alarms
        .iter()
        .find(|alarm| alarm.logical_id == "TableThrottlesAlarm");
    let watched: BTreeSet<_> = alarm.unwrap().metrics.iter().collect();
    let tables = ["Suppressions", "Messages", "Outbox", "Usage", "Deliveries"];
    assert_eq!(watched.len(), 2 * tables.len());
    // CloudWatch takes no more in an alarm on an expression.
    assert!(watched.len() <= 10);
    for table in tables {
        for name in ["ReadThrottleEvents", "WriteThrottleEvents"] {
            let found = watched
                .iter()
                .any(|metric| metric.name == name && metric.dimensions["TableName"] == format!("okite-{table}Table"));
            assert!(found, "{name} of {table}");
        }
    }
}

#[test]
fn the_alarm_on_requests_follows_the_limit() {
    let all = monitoring(&[("ApiRate", "20")]);
    let alarm = all.alarms.iter().find(|alarm| alarm.logical_id == "ApiRequestsAlarm");
    assert_eq!(alarm.unwrap().expressions, ["100 * requests / (300 * 20)"]);
}

#[test]
fn the_dashboard_shows_all_that_functions_publish() {
    let all = all_on();
    let shown: BTreeSet<_> = all.dashboards[0]
        .metrics
        .iter()
        .filter(|metric| metric.namespace == "Okite")
        .map(|metric| metric.name.as_str())
        .collect();
    let published = PUBLISHERS.iter().flat_map(|(_, names)| names.iter().copied());
    assert_eq!(shown, published.collect());
}

#[test]
fn no_alarm_goes_off_because_there_are_no_figures_yet() {
    for alarm in all_on().alarms {
        assert!(
            ["ignore", "notBreaching"].contains(&alarm.missing_data.as_str()),
            "{alarm:?}"
        );
    }
}

#[test]
fn every_alarm_notifies_the_topic_if_there_is_one() {
    let topic = "arn:aws:sns:us-east-1:000000000000:operators";
    for alarm in monitoring(&[("AlarmTopicArn", topic)]).alarms {
        assert_eq!(alarm.actions, [topic], "{}", alarm.logical_id);
    }
    assert!(all_on().alarms.iter().all(|alarm| alarm.actions.is_empty()));
}

#[test]
fn every_alarm_and_the_reporter_notify_the_address_if_there_is_one() {
    let parameters = [("AlarmEmail", "ops@example.com")];
    let topic = "arn:aws:sns:us-east-1:000000000000:okite-AlarmTopic";
    for alarm in monitoring(&parameters).alarms {
        assert_eq!(alarm.actions, [topic], "{}", alarm.logical_id);
    }
    let stack = stack_with(&parameters).unwrap();
    let made = stack.topics.iter().find(|made| made.arn == topic).unwrap();
    assert_eq!(made.email_addresses, ["ops@example.com"]);
    let reporter = stack
        .functions
        .iter()
        .find(|function| function.name == "quota-reporter")
        .unwrap();
    assert_eq!(reporter.environment["ALARM_TOPIC_ARN"], topic);
    let permissions = Stack::permissions(TEMPLATE, &context(&parameters)).unwrap();
    let publishes = permissions["quota-reporter"]
        .iter()
        .filter(|permission| permission.action == "sns:Publish");
    assert_eq!(
        publishes.map(|permission| &permission.resource).collect::<Vec<_>>(),
        [topic]
    );
    // Without an address there is no topic but that of the events.
    assert_eq!(super::stack().topics.len(), 1);
    let silent = [("AlarmEmail", "ops@example.com"), ("Alarms", "false")];
    assert_eq!(
        stack_with(&silent).unwrap().topics.len(),
        2,
        "the reporter has messages too"
    );
}

/// CloudFormation checks rules, patterns and policies of topics. Nothing on this machine does.
#[test]
fn the_topic_for_the_address_lets_alarms_of_this_account_publish_and_excludes_another_topic() {
    let block = |begin: &str| {
        let (_, block) = TEMPLATE.split_once(&format!("\n  {begin}:\n")).unwrap();
        block.split_once("\n\n").unwrap().0.to_owned()
    };
    let policy = block("AlarmTopicPolicy");
    for line in [
        "Service: cloudwatch.amazonaws.com",
        "Action: sns:Publish",
        "Resource: !Ref AlarmTopic",
        "aws:SourceAccount: !Ref AWS::AccountId",
        "aws:SourceArn: !Sub arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*",
    ] {
        assert!(policy.contains(line), "{line}");
    }
    assert_eq!(policy.matches("Service:").count(), 1);
    let rule = block("OneTopicForAlarms");
    assert!(rule.contains("!Or [!Equals [!Ref AlarmEmail, ''], !Equals [!Ref AlarmTopicArn, '']]"));
    assert!(rule.contains("Set AlarmEmail or AlarmTopicArn, not both."));
    for made in ["AlarmTopic", "AlarmTopicPolicy", "AlarmEmailSubscription"] {
        assert!(block(made).contains("Condition: HasAlarmEmail"), "{made}");
    }
}

#[test]
fn alarms_use_no_metric_that_is_not_published() {
    let all = monitoring(&[("Metrics", "false")]);
    assert!(metrics(&all).all(|metric| metric.namespace != "Okite"));
    let silent = all
        .alarms
        .iter()
        .find(|alarm| alarm.logical_id == "QuotaReporterSilentAlarm")
        .unwrap();
    assert_eq!(silent.metrics[0].name, "Invocations");
    assert_eq!(all_on().alarms.len(), all.alarms.len() + 5);
}

#[test]
fn the_dashboard_shows_the_alarms_that_there_are_and_stays_within_the_free_metrics() {
    for (alarms, metrics) in [
        ("true", "true"),
        ("true", "false"),
        ("false", "true"),
        ("false", "false"),
    ] {
        let parameters = [("Dashboard", "true"), ("Alarms", alarms), ("Metrics", metrics)];
        let all = monitoring(&parameters);
        let [dashboard] = all.dashboards.as_slice() else {
            panic!("one dashboard")
        };
        let arns: BTreeSet<_> = all.alarms.iter().map(|alarm| &alarm.arn).collect();
        assert_eq!(dashboard.alarms.iter().collect::<BTreeSet<_>>(), arns, "{parameters:?}");
        assert_eq!(arns.is_empty(), alarms == "false");
        // Three dashboards are free, of 50 metrics at most.
        let different: BTreeSet<_> = dashboard.metrics.iter().collect();
        assert!(different.len() <= 50, "{}", different.len());
    }
    assert!(monitoring(&[]).dashboards.is_empty());
}

#[test]
fn the_document_counts_billed_requests() {
    let alarms = all_on().alarms;
    let watched: usize = alarms.iter().map(|alarm| alarm.metrics.len()).sum();
    for counted in [
        format!("{} alarms on {watched} metrics", alarms.len()),
        format!(
            "{} metrics of the reporter and {} of the sender",
            OF_THE_REPORTER.len(),
            OF_THE_SENDER.len()
        ),
    ] {
        assert!(COSTS.contains(&counted), "docs/COSTS.md does not say `{counted}`");
    }
}
