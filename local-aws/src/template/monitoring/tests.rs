use std::collections::BTreeMap;

use super::super::{Stack, StackContext};
use super::*;

fn context() -> StackContext {
    StackContext {
        region: "us-east-1".to_owned(),
        account_id: "000000000000".to_owned(),
        stack_name: "shop".to_owned(),
        parameters: BTreeMap::new(),
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
    let age = WatchedMetric {
        namespace: "AWS/SQS".to_owned(),
        name: "Age".to_owned(),
        dimensions: [("QueueName".to_owned(), "shop-Queue".to_owned())].into(),
    };
    let sent = WatchedMetric {
        namespace: "AWS/SES".to_owned(),
        name: "Send".to_owned(),
        dimensions: BTreeMap::new(),
    };
    let arn = |name: &str| format!("arn:aws:cloudwatch:us-east-1:000000000000:alarm:shop-{name}");
    assert_eq!(
        Stack::monitoring(WATCHED, &context()).unwrap(),
        Monitoring {
            alarms: vec![
                Alarm {
                    logical_id: "QueueAlarm".to_owned(),
                    name: "shop-QueueAlarm".to_owned(),
                    arn: arn("QueueAlarm"),
                    description: String::new(),
                    actions_enabled: true,
                    metrics: vec![age.clone()],
                    expressions: Vec::new(),
                    threshold: None,
                    missing_data: "ignore".to_owned(),
                    actions: vec!["shop".to_owned()],
                },
                Alarm {
                    logical_id: "MathAlarm".to_owned(),
                    name: "shop-MathAlarm".to_owned(),
                    arn: arn("MathAlarm"),
                    description: String::new(),
                    actions_enabled: true,
                    metrics: vec![sent],
                    expressions: vec!["a + a".to_owned()],
                    threshold: None,
                    missing_data: "missing".to_owned(),
                    actions: Vec::new(),
                },
            ],
            metric_filters: Vec::new(),
            dashboards: vec![Dashboard {
                logical_id: "Board".to_owned(),
                metrics: vec![age],
                alarms: vec![arn("MathAlarm")],
            }],
        }
    );
}

#[test]
fn names_the_line_of_an_invalid_value() {
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
            "16: `MathAlarm.Metrics[0].Account` is not supported here",
        ),
        (r#"{"widgets": ["#, "[", "21: Board.DashboardBody is not JSON: "),
        (
            r#""widgets""#,
            r#""gadgets""#,
            "21: Board.DashboardBody has no list of `widgets`",
        ),
        (
            r#""AWS/SQS", "Age", "#,
            r#"".", "Age", "#,
            r#"21: Board.DashboardBody has [".","Age","QueueName","shop-Queue",{"label":"age"}], which is not a metric"#,
        ),
        (
            r#"{"expression": "a + a"}"#,
            r#"{"label": "a"}"#,
            r#"21: Board.DashboardBody has [{"label":"a"}], which is not a metric"#,
        ),
        (
            r#""type": "text""#,
            r#""type": "song""#,
            "21: Board.DashboardBody has {",
        ),
    ] {
        assert!(WATCHED.contains(good), "{good}");
        let read = Stack::monitoring(&WATCHED.replace(good, bad), &context());
        let found = read.unwrap_err().to_string();
        assert!(found.starts_with(&format!("template.yaml:{error}")), "{found}");
    }
}
