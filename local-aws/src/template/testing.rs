//! Helpers for the tests of this module: a stack, or the error of a template.

use super::{Stack, StackContext, TemplateError};

pub(super) fn stack_with(template: &str, parameters: &[(&str, &str)]) -> Result<Stack, TemplateError> {
    let parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let context = StackContext {
        region: "us-east-1".to_owned(),
        account_id: "000000000000".to_owned(),
        stack_name: "shop".to_owned(),
        parameters,
    };
    Stack::read(template, &context)
}

pub(crate) fn stack(template: &str) -> Stack {
    stack_with(template, &[]).unwrap()
}

pub(super) fn error_of(template: &str) -> String {
    error_with(template, &[])
}

pub(super) fn error_with(template: &str, parameters: &[(&str, &str)]) -> String {
    stack_with(template, parameters).unwrap_err().to_string()
}

/// A template with an HTTP API in front of two functions.
pub(super) const TWO_FUNCTIONS: &str = "\
Resources:
  Api: { Type: AWS::Serverless::HttpApi }
  Shop:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: shop } }
    Properties:
      Timeout: 29
      Events:
        Any: { Type: HttpApi, Properties: { ApiId: !Ref Api, PayloadFormatVersion: '2.0' } }
        Account: { Type: HttpApi, Properties: { Path: /v2/email/account, Method: GET, ApiId: !Ref Api } }
  Post:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: post } }
    Properties:
      Timeout: 10
      Events:
        Root: { Type: HttpApi, Properties: { Path: /, Method: POST, ApiId: !Ref Api } }
        Tree: { Type: HttpApi, Properties: { Path: '/v2/email/{proxy+}', Method: ANY, ApiId: !Ref Api } }
";

/// A template with every kind of resource that is read.
pub(super) const EVERY_KIND: &str = r#"
Parameters:
  Level: { Type: String, Default: info, AllowedValues: [info, warn] }
  Share: { Type: Number, Default: 1, MinValue: 0, MaxValue: 1 }
Conditions:
  Informs: !Equals [!Ref Level, info]
Globals:
  Function: { Timeout: 5, Environment: { Variables: { LEVEL: !Ref Level, TABLE: !Ref Orders } } }
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      TimeToLiveSpecification: { AttributeName: expires_at, Enabled: true }
  Api: { Type: AWS::Serverless::HttpApi }
  Worker:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: worker } }
    Properties:
      MemorySize: 128
      Role: !GetAtt WorkerRole.Arn
      Environment: { Variables: { SHARE: !Sub '${Share}/${AWS::Region}' } }
      Events: { Any: { Type: HttpApi, Properties: { ApiId: !Ref Api, PayloadFormatVersion: '2.0' } } }
  WorkerRole: { Type: AWS::IAM::Role }
  Clock:
    Type: AWS::Scheduler::Schedule
    Properties:
      FlexibleTimeWindow: { Mode: 'OFF' }
      ScheduleExpression: rate(5 minutes)
      Target: { Arn: !GetAtt Worker.Arn, Input: '{"source": "clock"}', RoleArn: !GetAtt WorkerRole.Arn }
  Dead: { Type: AWS::SQS::Queue }
  Retries:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 360
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 12 }
  Taker:
    Type: AWS::Lambda::EventSourceMapping
    Properties: { EventSourceArn: !GetAtt Retries.Arn, FunctionName: !GetAtt Worker.Arn, BatchSize: 10 }
  Failures:
    Type: AWS::Lambda::EventInvokeConfig
    Properties:
      FunctionName: !Ref Worker
      Qualifier: $LATEST
      DestinationConfig: { OnFailure: { Destination: !GetAtt Retries.Arn } }
  Topic: { Type: AWS::SNS::Topic, Condition: Informs }
  Subscription:
    Type: AWS::SNS::Subscription
    Properties:
      Protocol: lambda
      TopicArn: !Ref Topic
      Endpoint: !GetAtt Worker.Arn
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Retries.Arn }
  Sending: { Type: AWS::SES::ConfigurationSet }
  Events:
    Type: AWS::SES::ConfigurationSetEventDestination
    Properties:
      ConfigurationSetName: !Ref Sending
      EventDestination: { Enabled: true, MatchingEventTypes: [bounce], SnsDestination: { TopicARN: !Ref Topic } }
  Old:
    Type: AWS::CloudWatch::Alarm
    Properties: { Namespace: AWS/SQS, MetricName: Age, AlarmActions: [!If [Informs, !Ref Topic, !Ref AWS::NoValue]] }
"#;
