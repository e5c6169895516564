use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::testing::{error_of, error_with, stack, stack_with};
use super::*;

/// The template that is deployed.
const DEPLOYED: &str = include_str!("../../../template.yaml");

mod deployed {
    use super::*;

    #[test]
    fn has_the_four_tables_with_their_keys_and_indexes() {
        let tables = stack(DEPLOYED).tables;
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
            tables[2].create["KeySchema"],
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
    }

    #[test]
    fn has_tables_that_dynamodb_makes() {
        let database = dynoxide::Database::memory().unwrap();
        for table in stack(DEPLOYED).tables {
            let request = serde_json::from_value(table.create).unwrap();
            let made = database.create_table(request).unwrap();
            assert_eq!(made.table_description.table_name, table.name);
        }
    }

    #[test]
    fn has_three_functions_with_one_environment() {
        let functions = stack(DEPLOYED).functions;
        let summary: Vec<_> = functions
            .iter()
            .map(|function| (function.name.as_str(), function.timeout.as_secs(), function.memory_mb))
            .collect();
        assert_eq!(
            summary,
            [
                ("send-api", 29, 128),
                ("feedback", 60, 128),
                ("quota-reporter", 60, 128)
            ]
        );

        let expected = [
            ("ACCOUNT_SHARE", "1"),
            ("ALARM_TOPIC_ARN", ""),
            ("API_KEYS_TABLE", "okite-ApiKeysTable"),
            ("BOUNCE_BRAKE", "0.045"),
            ("BOUNCE_WARN", "0.03"),
            ("BULK_RESERVE", "0.2"),
            ("COMPLAINTS_MIN", "2"),
            ("COMPLAINT_BRAKE", "0.0008"),
            ("COMPLAINT_WARN", "0.0005"),
            ("CONFIGURATION_SET", "okite-ConfigurationSet"),
            (
                "FEEDBACK_TOPIC_ARN",
                "arn:aws:sns:us-east-1:000000000000:okite-FeedbackTopic",
            ),
            ("JUDGED_VOLUME_MIN", "1000"),
            ("LOG_LEVEL", "info"),
            ("MESSAGES_TABLE", "okite-MessagesTable"),
            ("MESSAGE_RETENTION_DAYS", "30"),
            ("METRICS", "true"),
            ("PERMIT_BURST_SECONDS", "1"),
            ("PERMIT_WAIT_SECONDS", "2"),
            ("SOFT_BOUNCE_TIERS", "3/14d:3d,5/14d:30d"),
            ("SUPPRESSIONS_TABLE", "okite-SuppressionsTable"),
            ("USAGE_TABLE", "okite-UsageTable"),
        ];
        for function in &functions {
            let environment: Vec<_> = function
                .environment
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(environment, expected, "{}", function.name);
        }
    }

    #[test]
    fn runs_the_reporter_every_five_minutes() {
        assert_eq!(
            stack(DEPLOYED).schedules,
            [Schedule {
                logical_id: "QuotaReporterSchedule".to_owned(),
                function: "quota-reporter".to_owned(),
                every: Duration::from_mins(5),
                input: json!({"source": "okite.schedule"}),
            }]
        );
    }

    #[test]
    fn brings_bounces_and_complaints_to_the_feedback_function() {
        const WITHOUT: [&str; 4] = ["SEND", "REJECT", "BOUNCE", "COMPLAINT"];
        const WITH: [&str; 6] = ["SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "DELIVERY_DELAY"];
        for (deliveries, event_types) in [("true", &WITH[..]), ("false", &WITHOUT)] {
            let stack = stack_with(DEPLOYED, &[("DeliveryEvents", deliveries)]);
            events_of(&stack.unwrap(), event_types);
        }
    }

    fn events_of(stack: &Stack, event_types: &[&str]) {
        let [topic] = stack.topics.as_slice() else {
            panic!("one topic")
        };
        let [subscription] = topic.subscriptions.as_slice() else {
            panic!("one subscription")
        };
        assert_eq!(subscription.function, "feedback");
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
        let stack = stack(DEPLOYED);
        let [retries, dead] = stack.queues.as_slice() else {
            panic!("a retry queue and a dead-letter queue")
        };
        let [topic] = stack.topics.as_slice() else {
            panic!("one topic")
        };
        assert_eq!(topic.subscriptions[0].redrive.as_ref(), Some(&retries.arn));
        assert_eq!(
            stack.asynchronous_events,
            [AsynchronousEvents {
                function: "feedback".to_owned(),
                retries: 2,
                on_failure: Some(retries.arn.clone()),
            }]
        );
        assert_eq!(
            stack.mappings,
            [Mapping {
                queue_arn: retries.arn.clone(),
                function: "feedback".to_owned(),
                batch_size: 10,
                reports_item_failures: true,
                concurrency: 5,
            }]
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
    fn routes_every_request_to_the_send_api() {
        assert_eq!(
            stack(DEPLOYED).http_api,
            Some(HttpApi {
                logical_id: "SendApi".to_owned(),
                function: "send-api".to_owned()
            })
        );
    }

    #[test]
    fn takes_overrides_inside_the_limits_only() {
        let stack = stack_with(DEPLOYED, &[("AccountShare", "0.5"), ("LogLevel", "warn")]).unwrap();
        assert_eq!(stack.functions[0].environment["ACCOUNT_SHARE"], "0.5");
        assert_eq!(stack.functions[2].environment["LOG_LEVEL"], "warn");
        for (name, value) in [
            ("AccountShare", "0"),
            ("AccountShare", "1.1"),
            ("LogLevel", "loud"),
            ("Share", "1"),
        ] {
            let error = error_with(DEPLOYED, &[(name, value)]);
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn names_everything_after_the_stack() {
        let surroundings = Surroundings {
            region: "eu-west-1".to_owned(),
            account_id: "123456789012".to_owned(),
            stack_name: "mail".to_owned(),
            parameters: BTreeMap::new(),
        };
        let stack = Stack::read(DEPLOYED, &surroundings).unwrap();
        assert_eq!(stack.tables[0].name, "mail-SuppressionsTable");
        assert_eq!(
            stack.functions[0].arn,
            "arn:aws:lambda:eu-west-1:123456789012:function:mail-SendApiFunction"
        );
    }
}

/// Evaluates one value, as a variable of a function that stands at lines 21 and after.
fn evaluated(value: &str) -> Result<Option<String>, String> {
    let template = format!(
        "\
Parameters:
  Level: {{ Type: String, Default: info }}
  Reserve: {{ Type: String, Default: '' }}
Conditions:
  Reserves: !Not [!Equals [!Ref Reserve, '']]
  Informs: {{ 'Fn::Equals': [!Ref Level, info] }}
  Both: !And [!Condition Informs, Condition: Reserves]
  Either: !Or [!Condition Informs, !Condition Reserves]
  Round: !Not [!Condition Round]
  Strange: !Contains [a, b]
Resources:
  Topic: {{ Type: AWS::SNS::Topic }}
  Queue: {{ Type: AWS::SQS::Queue }}
  Never: {{ Type: AWS::SNS::Topic, Condition: Reserves }}
  Table: {{ Type: AWS::DynamoDB::GlobalTable }}
  It:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: it }} }}
    Properties:
      Environment:
        Variables:
          V: {value}
"
    );
    match stack_with(&template, &[]) {
        Ok(mut stack) => Ok(stack.functions.remove(0).environment.remove("V")),
        Err(error) => Err(error.to_string()),
    }
}

fn value_of(value: &str) -> String {
    evaluated(value).unwrap().unwrap()
}

#[test]
fn refers_to_parameters_pseudo_parameters_and_resources() {
    for (value, expected) in [
        ("!Ref Level", "info"),
        ("{ Ref: Level }", "info"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Ref AWS::AccountId", "000000000000"),
        ("!Ref AWS::Partition", "aws"),
        ("!Ref AWS::StackName", "okite"),
        ("!Ref AWS::URLSuffix", "amazonaws.com"),
        ("!Ref Topic", "arn:aws:sns:us-east-1:000000000000:okite-Topic"),
        ("!Ref It", "okite-It"),
        (
            "!GetAtt It.Arn",
            "arn:aws:lambda:us-east-1:000000000000:function:okite-It",
        ),
        (
            "{ 'Fn::GetAtt': [Queue, Arn] }",
            "arn:aws:sqs:us-east-1:000000000000:okite-Queue",
        ),
        ("{ 'Fn::GetAtt': Queue.QueueName }", "okite-Queue"),
    ] {
        assert_eq!(value_of(value), expected, "{value}");
    }
}

#[test]
fn substitutes_names_in_text() {
    for (value, expected) in [
        ("!Sub plain", "plain"),
        ("!Sub '${Level}-${AWS::Region}-${Level}'", "info-us-east-1-info"),
        ("!Sub '${Queue.QueueName}!'", "okite-Queue!"),
        ("!Sub '$Level ${!Level} {}'", "$Level ${Level} {}"),
        (
            "!Sub ['${a}/${Level}', { a: !Ref Topic }]",
            "arn:aws:sns:us-east-1:000000000000:okite-Topic/info",
        ),
        ("{ 'Fn::Sub': '${AWS::StackName}' }", "okite"),
    ] {
        assert_eq!(value_of(value), expected, "{value}");
    }
}

#[test]
fn chooses_by_condition() {
    for (value, expected) in [
        ("!If [Reserves, yes, no]", "no"),
        ("!If [Informs, yes, no]", "yes"),
        ("!If [Both, yes, no]", "no"),
        ("!If [Either, yes, no]", "yes"),
        ("{ 'Fn::If': [Informs, !Ref Level, no] }", "info"),
        ("!If [Reserves, !NotEvenLookedAt x, !If [Informs, inner, no]]", "inner"),
    ] {
        assert_eq!(value_of(value), expected, "{value}");
    }
    assert_eq!(evaluated("!If [Reserves, yes, !Ref AWS::NoValue]"), Ok(None));
}

#[test]
fn names_the_line_of_a_function_that_cannot_be_evaluated() {
    for (value, error) in [
        ("!ImportValue other", "!ImportValue is not understood here"),
        ("{ 'Fn::Join': ['', [a, b]] }", "Fn::Join is not understood here"),
        ("!Ref Tpoic", "there is no parameter or resource `Tpoic`"),
        ("!Ref Never", "there is no parameter or resource `Never`"),
        ("!Ref AWS::StackId", "`AWS::StackId` is not understood here"),
        ("!Ref [a]", "!Ref takes plain text"),
        ("!GetAtt Nobody.Arn", "there is no resource `Nobody`"),
        (
            "!GetAtt Topic.Arn",
            "attribute `Arn` of AWS::SNS::Topic is not understood here",
        ),
        ("!GetAtt Topic", "!GetAtt takes a resource and its attribute"),
        ("!Sub '${Nobody}'", "there is no parameter or resource `Nobody`"),
        ("!Sub '${Level'", "!Sub takes a `}` for every `${`"),
        ("!If [Reserves, yes]", "!If takes a condition and two values"),
        ("!If [Nowhere, yes, no]", "there is no condition `Nowhere`"),
    ] {
        assert_eq!(evaluated(value), Err(format!("template.yaml:22: {error}")), "{value}");
    }
    assert_eq!(
        evaluated("!If [Round, yes, no]"),
        Err("template.yaml:9: condition `Round` refers to itself".to_owned())
    );
    assert_eq!(
        evaluated("!If [Strange, yes, no]"),
        Err("template.yaml:10: !Contains is not understood here".to_owned())
    );
}

#[test]
fn leaves_out_resources_whose_condition_does_not_hold() {
    let template = "\
Parameters:
  Alarms: { Type: String, Default: 'no' }
Conditions:
  HasAlarms: !Equals [!Ref Alarms, 'yes']
Resources:
  Loud:
    Type: AWS::SNS::Topic
    Condition: HasAlarms
";
    assert!(stack(template).topics.is_empty());
    assert_eq!(stack_with(template, &[("Alarms", "yes")]).unwrap().topics.len(), 1);
    assert_eq!(
        error_of(&template.replace("Condition: HasAlarms", "Condition: Has")),
        "template.yaml:8: there is no condition `Has`"
    );
}

#[test]
fn does_not_look_at_what_one_machine_does_not_need() {
    let stack = stack(
        "\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: !Transform anything
  Set:
    Type: AWS::SES::ConfigurationSet
    DependsOn: Role
Outputs:
  Url: !ImportValue other
",
    );
    assert_eq!(stack.configuration_sets[0].name, "okite-Set");
}

#[test]
fn refuses_a_second_default_route() {
    let function = |name: &str| {
        format!(
            "  {name}:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: {name} }} }}
    Properties:
      Events:
        Any:
          Type: HttpApi
          Properties: {{ ApiId: !Ref Api }}
"
        )
    };
    let template = format!(
        "Resources:\n  Api:\n    Type: AWS::Serverless::HttpApi\n{}{}",
        function("One"),
        function("Two")
    );
    assert_eq!(
        error_of(&template),
        "template.yaml:16: a second default route beside that of `One` is not understood here"
    );
}

#[test]
fn says_what_is_wrong_with_a_section_or_a_resource() {
    for (template, error) in [
        ("[]", "1: the template must be a map, but is a list"),
        ("Resources: []", "1: Resources must be a map, but is a list"),
        ("Resources:\n  A: text", "2: A must be a map, but is text"),
        ("Resources:\n  A: {}", "2: A has no `Type`"),
        (
            "Resources:\n  A:\n    Type: [x]",
            "3: A.Type must be text, but is a list",
        ),
        (
            "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Copies: 2",
            "4: `A.Copies` is not understood here",
        ),
        (
            "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties: { TopicName: a }",
            "4: `A.TopicName` is not understood here",
        ),
    ] {
        assert_eq!(error_of(template), format!("template.yaml:{error}"));
    }
}

proptest! {
    #[test]
    fn never_panics_on_any_text(text in "\\PC{0,200}|[-:!&*?|>{}\\[\\],'\"# \n\ta-cA-C0-2]{0,200}") {
        let _ = stack_with(&text, &[]);
    }

    #[test]
    fn never_panics_on_a_template_with_something_cut_out_or_put_in(
        from in 0..DEPLOYED.len(),
        cut in 0_usize..80,
        put in prop::sample::select(vec![
            "", "!Ref ", "!Sub", "!If [", "Fn::Sub: ", "[", "]", "{", "}", ": ", "- ", "\n", "  ", "\t", "~", "0",
            "true", "${", "&a ", "*a", "'", "\"", "|", ">", "? ", "%", "---\n", "\0", "ü",
        ]),
    ) {
        let mut text = DEPLOYED.to_owned();
        let until = (from + cut).min(text.len());
        if text.is_char_boundary(from) && text.is_char_boundary(until) {
            text.replace_range(from..until, put);
            let _ = stack_with(&text, &[]);
        }
    }
}
