use std::collections::{BTreeMap, BTreeSet};

use super::super::{Stack, Surroundings};
use super::*;

/// The template that is deployed.
const DEPLOYED: &str = include_str!("../../../../template.yaml");

/// What an operator reads when an alarm goes off.
const OPERATIONS: &str = include_str!("../../../../docs/OPERATIONS.md");

/// The document with the cost.
const DEPLOY: &str = include_str!("../../../../docs/DEPLOY.md");

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

fn surroundings(parameters: &[(&str, &str)]) -> Surroundings {
    Surroundings {
        region: "us-east-1".to_owned(),
        account_id: "000000000000".to_owned(),
        stack_name: "okite".to_owned(),
        parameters: parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn monitoring(template: &str, parameters: &[(&str, &str)]) -> Monitoring {
    Stack::monitoring(template, &surroundings(parameters)).unwrap()
}

/// The deployed one with all that it can have.
fn all_on() -> Monitoring {
    monitoring(DEPLOYED, &[("Dashboard", "true")])
}

fn metrics(monitoring: &Monitoring) -> impl Iterator<Item = &Metric> {
    let of_alarms = monitoring.alarms.iter().flat_map(|alarm| &alarm.metrics);
    let of_dashboards = monitoring.dashboards.iter().flat_map(|dashboard| &dashboard.metrics);
    of_alarms.chain(of_dashboards)
}

mod deployed {
    use super::*;

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
    const OF_AWS: [(&str, Option<&str>, &[&str]); 5] = [
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
        for metric in metrics(&all_on()) {
            let dimensions: Vec<_> = metric.dimensions.keys().map(String::as_str).collect();
            let (dimension, names) = match metric.namespace.as_str() {
                "Okite" => (Some("FunctionName"), &OF_THE_REPORTER[..]),
                // Made by metric filters on the log.
                "Okite/okite" => (None, &["ForeignEvents", "StormsOfBlocks"][..]),
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
        let stack = Stack::read(DEPLOYED, &surroundings(&[])).unwrap();
        let named = |logical_id: &str| format!("okite-{logical_id}");
        let functions: Vec<_> = stack
            .functions
            .iter()
            .map(|function| named(&function.logical_id))
            .collect();
        let topics: Vec<_> = stack.topics.iter().map(|topic| named(&topic.logical_id)).collect();
        let queues: Vec<_> = stack.queues.into_iter().map(|queue| queue.name).collect();
        let tables: Vec<_> = stack.tables.into_iter().map(|table| table.name).collect();
        let reporter = named("QuotaReporterFunction");
        for metric in metrics(&all_on()) {
            for (dimension, name) in &metric.dimensions {
                let is_there = match (metric.namespace.as_str(), dimension.as_str()) {
                    ("Okite", _) => *name == reporter,
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
    fn the_dashboard_shows_all_that_the_reporter_publishes() {
        let all = all_on();
        let shown: BTreeSet<_> = all.dashboards[0]
            .metrics
            .iter()
            .filter(|metric| metric.namespace == "Okite")
            .map(|metric| metric.name.as_str())
            .collect();
        assert_eq!(shown, OF_THE_REPORTER.into_iter().collect());
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
    fn every_alarm_tells_the_topic_if_there_is_one() {
        let topic = "arn:aws:sns:us-east-1:000000000000:operators";
        for alarm in monitoring(DEPLOYED, &[("AlarmTopicArn", topic)]).alarms {
            assert_eq!(alarm.actions, [topic], "{}", alarm.logical_id);
        }
        assert!(all_on().alarms.iter().all(|alarm| alarm.actions.is_empty()));
    }

    #[test]
    fn alarms_use_no_metric_that_is_not_published() {
        let all = monitoring(DEPLOYED, &[("Metrics", "false")]);
        assert!(metrics(&all).all(|metric| metric.namespace != "Okite"));
        let silent = all
            .alarms
            .iter()
            .find(|alarm| alarm.logical_id == "QuotaReporterSilentAlarm")
            .unwrap();
        assert_eq!(silent.metrics[0].name, "Invocations");
        assert_eq!(all_on().alarms.len(), all.alarms.len() + 3);
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
            let all = monitoring(DEPLOYED, &parameters);
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
        assert!(monitoring(DEPLOYED, &[]).dashboards.is_empty());
    }

    #[test]
    fn the_cost_counts_what_is_billed() {
        let alarms = all_on().alarms;
        let watched: usize = alarms.iter().map(|alarm| alarm.metrics.len()).sum();
        for counted in [
            format!("{} alarms on {watched} metrics", alarms.len()),
            format!("{} metrics of the reporter", OF_THE_REPORTER.len()),
        ] {
            assert!(DEPLOY.contains(&counted), "docs/DEPLOY.md does not say `{counted}`");
        }
    }
}

const WATCHED: &str = r#"
Resources:
  Queue: { Type: AWS::SQS::Queue }
  QueueAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/SQS
      MetricName: Age
      Dimensions: [{ Name: QueueName, Value: !GetAtt Queue.QueueName }]
      AlarmActions: [!Ref AWS::StackName]
      TreatMissingData: ignore
  MathAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
        - { Id: sum, Expression: a + a }
        - { Id: a, ReturnData: false, MetricStat: { Metric: { Namespace: AWS/SES, MetricName: Send } } }
  Board:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardBody: !Sub |
        {"widgets": [
          {"type": "metric", "properties": {"metrics": [
            ["AWS/SQS", "Age", "QueueName", "${Queue.QueueName}", {"label": "age"}], [{"expression": "a + a"}]]}},
          {"type": "alarm", "properties": {"alarms": ["${MathAlarm.Arn}"]}},
          {"type": "text", "properties": {"markdown": "words"}}]}
"#;

#[test]
fn reads_alarms_and_dashboards_with_their_metrics() {
    let age = Metric {
        namespace: "AWS/SQS".to_owned(),
        name: "Age".to_owned(),
        dimensions: [("QueueName".to_owned(), "okite-Queue".to_owned())].into(),
    };
    let sent = Metric {
        namespace: "AWS/SES".to_owned(),
        name: "Send".to_owned(),
        dimensions: BTreeMap::new(),
    };
    let arn = |name: &str| format!("arn:aws:cloudwatch:us-east-1:000000000000:alarm:okite-{name}");
    assert_eq!(
        monitoring(WATCHED, &[]),
        Monitoring {
            alarms: vec![
                Alarm {
                    logical_id: "QueueAlarm".to_owned(),
                    name: "okite-QueueAlarm".to_owned(),
                    arn: arn("QueueAlarm"),
                    description: String::new(),
                    actions_enabled: true,
                    metrics: vec![age.clone()],
                    missing_data: "ignore".to_owned(),
                    actions: vec!["okite".to_owned()],
                },
                Alarm {
                    logical_id: "MathAlarm".to_owned(),
                    name: "okite-MathAlarm".to_owned(),
                    arn: arn("MathAlarm"),
                    description: String::new(),
                    actions_enabled: true,
                    metrics: vec![sent],
                    missing_data: "missing".to_owned(),
                    actions: Vec::new(),
                },
            ],
            dashboards: vec![Dashboard {
                logical_id: "Board".to_owned(),
                metrics: vec![age],
                alarms: vec![arn("MathAlarm")],
            }],
        }
    );
}

#[test]
fn names_the_line_of_what_does_not_fit() {
    for (good, bad, error) in [
        ("Namespace: AWS/SQS", "Period: 1", "7: QueueAlarm has no `Namespace`"),
        (
            "!GetAtt Queue.QueueName",
            "!Ref Gone",
            "9: there is no parameter or resource `Gone`",
        ),
        (
            "Expression: a + a",
            "Account: 1",
            "16: `MathAlarm.Metrics[0].Account` is not understood here",
        ),
        (r#"{"widgets": ["#, "[", "21: Board.DashboardBody is no JSON: "),
        (
            r#""widgets""#,
            r#""gadgets""#,
            "21: Board.DashboardBody has no list of `widgets`",
        ),
        (
            r#""AWS/SQS", "Age", "#,
            r#"".", "Age", "#,
            r#"21: Board.DashboardBody has [".","Age","QueueName","okite-Queue",{"label":"age"}], which names no metric"#,
        ),
        (
            r#"{"expression": "a + a"}"#,
            r#"{"label": "a"}"#,
            r#"21: Board.DashboardBody has [{"label":"a"}], which names no metric"#,
        ),
        (
            r#""type": "text""#,
            r#""type": "song""#,
            "21: Board.DashboardBody has {",
        ),
    ] {
        assert!(WATCHED.contains(good), "{good}");
        let read = Stack::monitoring(&WATCHED.replace(good, bad), &surroundings(&[]));
        let found = read.unwrap_err().to_string();
        assert!(found.starts_with(&format!("template.yaml:{error}")), "{found}");
    }
}
