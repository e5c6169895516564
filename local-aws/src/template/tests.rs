use proptest::prelude::*;

use super::testing::{EVERY_KIND, error_of, stack, stack_with};

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
fn reads_every_kind_of_resource() {
    let stack = stack(EVERY_KIND);
    let counts = [
        stack.tables.len(),
        stack.functions.len(),
        stack.schedules.len(),
        stack.topics.len(),
        stack.queues.len(),
        stack.mappings.len(),
        stack.asynchronous_events.len(),
        stack.alarms.len(),
        stack.configuration_sets.len(),
    ];
    assert_eq!(counts, [1, 1, 1, 1, 2, 1, 1, 1, 1]);
    assert_eq!(stack.http_api.unwrap().routes[0].function, "worker");
}

#[test]
fn refers_to_parameters_pseudo_parameters_and_resources() {
    for (value, expected) in [
        ("!Ref Level", "info"),
        ("{ Ref: Level }", "info"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Ref AWS::AccountId", "000000000000"),
        ("!Ref AWS::Partition", "aws"),
        ("!Ref AWS::StackName", "shop"),
        ("!Ref AWS::URLSuffix", "amazonaws.com"),
        ("!Ref Topic", "arn:aws:sns:us-east-1:000000000000:shop-Topic"),
        ("!Ref It", "shop-It"),
        (
            "!GetAtt It.Arn",
            "arn:aws:lambda:us-east-1:000000000000:function:shop-It",
        ),
        (
            "{ 'Fn::GetAtt': [Queue, Arn] }",
            "arn:aws:sqs:us-east-1:000000000000:shop-Queue",
        ),
        ("{ 'Fn::GetAtt': Queue.QueueName }", "shop-Queue"),
    ] {
        assert_eq!(value_of(value), expected, "{value}");
    }
}

#[test]
fn substitutes_names_in_text() {
    for (value, expected) in [
        ("!Sub plain", "plain"),
        ("!Sub '${Level}-${AWS::Region}-${Level}'", "info-us-east-1-info"),
        ("!Sub '${Queue.QueueName}!'", "shop-Queue!"),
        ("!Sub '$Level ${!Level} {}'", "$Level ${Level} {}"),
        (
            "!Sub ['${a}/${Level}', { a: !Ref Topic }]",
            "arn:aws:sns:us-east-1:000000000000:shop-Topic/info",
        ),
        ("{ 'Fn::Sub': '${AWS::StackName}' }", "shop"),
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
        ("!ImportValue other", "!ImportValue is not supported here"),
        ("{ 'Fn::Join': ['', [a, b]] }", "Fn::Join is not supported here"),
        ("!Ref Tpoic", "there is no parameter or resource `Tpoic`"),
        ("!Ref Never", "there is no parameter or resource `Never`"),
        ("!Ref AWS::StackId", "`AWS::StackId` is not supported here"),
        ("!Ref [a]", "!Ref takes plain text"),
        ("!GetAtt Nobody.Arn", "there is no resource `Nobody`"),
        (
            "!GetAtt Topic.Arn",
            "attribute `Arn` of AWS::SNS::Topic is not supported here",
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
        Err("template.yaml:10: !Contains is not supported here".to_owned())
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
fn does_not_check_deployed_parts_locally() {
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
    assert_eq!(stack.configuration_sets[0].name, "shop-Set");
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
        "template.yaml:19: a second route `$default` beside that of `One` is not supported here"
    );
}

#[test]
fn names_the_fault_of_a_section_or_a_resource() {
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
            "4: `A.Copies` is not supported here",
        ),
        (
            "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties: { TopicName: a }",
            "4: `A.TopicName` is not supported here",
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
        from in 0..EVERY_KIND.len(),
        cut in 0_usize..80,
        put in prop::sample::select(vec![
            "", "!Ref ", "!Sub", "!If [", "Fn::Sub: ", "[", "]", "{", "}", ": ", "- ", "\n", "  ", "\t", "~", "0",
            "true", "${", "&a ", "*a", "'", "\"", "|", ">", "? ", "%", "---\n", "\0", "ü",
        ]),
    ) {
        let mut text = EVERY_KIND.to_owned();
        let until = (from + cut).min(text.len());
        if text.is_char_boundary(from) && text.is_char_boundary(until) {
            text.replace_range(from..until, put);
            let _ = stack_with(&text, &[]);
        }
    }
}
