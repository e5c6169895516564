//! A run of a stack with queues, and clients of it.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName;
use local_aws::application::Application;
use local_aws::data_dir::DataDir;
use local_aws::services::lambda::Program;
use local_aws::{LocalAws, REGION, RunSettings};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::worker::{self, Invocation};

/// How long anything may take at the very most.
const DEADLINE: Duration = Duration::from_secs(30);

/// Two queues with a mapping each, one without, a dead-letter queue, a table, and a schedule if a parameter says so.
const TEMPLATE: &str = "\
Parameters:
  Scheduled: { Type: String, Default: 'false' }
Conditions:
  IsScheduled: !Equals [!Ref Scheduled, 'true']
Resources:
  Api: { Type: AWS::Serverless::HttpApi }
  Worker:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: worker } }
    Properties:
      Timeout: 60
      Events: { Any: { Type: HttpApi, Properties: { ApiId: !Ref Api, PayloadFormatVersion: '2.0' } } }
  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
  Plain:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: 5
      VisibilityTimeout: 60
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2 }
  Dead: { Type: AWS::SQS::Queue }
  First: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 360 } }
  Second: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 360 } }
  FirstMapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt First.Arn
      FunctionName: !GetAtt Worker.Arn
      FunctionResponseTypes: [ReportBatchItemFailures]
      ScalingConfig: { MaximumConcurrency: 2 }
      BatchSize: 10
  SecondMapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Second.Arn
      FunctionName: !GetAtt Worker.Arn
      FunctionResponseTypes: [ReportBatchItemFailures]
      ScalingConfig: { MaximumConcurrency: 2 }
      BatchSize: 100
      MaximumBatchingWindowInSeconds: 60
  EveryMinute:
    Type: AWS::Scheduler::Schedule
    Condition: IsScheduled
    Properties:
      FlexibleTimeWindow: { Mode: 'OFF' }
      ScheduleExpression: rate(1 minute)
      Target:
        Arn: !GetAtt Worker.Arn
        Input: '{\"source\": \"clock\"}'
        RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 }
";

const APPLICATION: Application = Application {
    template: TEMPLATE,
    stack_name: "shop",
    readiness_path: "/",
    operator_topic: None,
    mail_id_tag: None,
    watched_schedule: None,
    page: None,
};

/// A run, and what its function is handling.
pub(crate) struct Run {
    pub(crate) local: LocalAws,
    pub(crate) sqs: Client,
    http: reqwest::Client,
    invocations: mpsc::UnboundedReceiver<Invocation>,
}

impl Run {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut RunSettings)) -> Self {
        let (director, invocations) = worker::director().await;
        let program = Program::ByName {
            path: std::env::current_exe().unwrap(),
            arguments: ["--ignored", "--exact", "--nocapture", "--quiet"]
                .map(str::to_owned)
                .into(),
        };
        let mut settings = RunSettings::new(APPLICATION, program);
        settings.environment.insert(worker::DIRECTOR.to_owned(), director);
        change(&mut settings);
        let local = LocalAws::start(settings).await.unwrap();
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(&local.sqs_url)
            .credentials_provider(Credentials::new("caller", "local", None, None, "tests"))
            .http_client(aws::http_client())
            .retry_config(RetryConfig::disabled())
            .build();
        Self {
            local,
            sqs: Client::from_conf(config),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            invocations,
        }
    }

    /// The URL of a queue.
    pub(crate) fn url(&self, queue: &str) -> &str {
        &self.local.queues[queue]
    }

    /// Sends a message without delay.
    pub(crate) async fn send(&self, queue: &str, body: &str) {
        let send = self.sqs.send_message().queue_url(self.url(queue)).message_body(body);
        send.delay_seconds(0).send().await.unwrap();
    }

    /// Sets the clock forward.
    pub(crate) async fn advance(&self, time: Duration) {
        self.local("clock", json!({ "advance_ms": time.as_millis() })).await;
    }

    /// Puts a fault into force.
    pub(crate) async fn fault(&self, fault: Value) {
        self.local("faults", fault).await;
    }

    async fn local(&self, part: &str, body: Value) {
        let url = format!("{}/_local/{part}", self.local.url);
        let answer = self.http.post(url).body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap());
    }

    /// The state of a queue by its logical id, as `/_local/queues` shows it.
    pub(crate) async fn shown(&self, queue: &str) -> Value {
        let url = format!("{}/_local/queues", self.local.url);
        let queues: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        let queues = queues.as_array().unwrap();
        let is_it = |shown: &&Value| shown["name"] == format!("shop-{queue}");
        queues.iter().find(is_it).unwrap().clone()
    }

    /// The numbers of messages that can be received, that are in flight and that are delayed.
    pub(crate) async fn counts(&self, queue: &str) -> [u32; 3] {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let asked = self.sqs.get_queue_attributes().queue_url(self.url(queue));
        let answer = asked.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
        let attributes = answer.attributes.unwrap();
        names.map(|name| attributes[&name].parse().unwrap())
    }

    /// Waits until a queue has these numbers of messages.
    pub(crate) async fn until(&self, queue: &str, counts: [u32; 3]) {
        let reached = async {
            while self.counts(queue).await != counts {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let reached = tokio::time::timeout(DEADLINE, reached).await;
        assert!(reached.is_ok(), "{queue} has {:?}", self.counts(queue).await);
    }

    /// Waits for the next event that the function handles.
    pub(crate) async fn invoked(&mut self) -> Invocation {
        within(self.invocations.recv()).await.unwrap()
    }

    /// Whether the function handles an event that the test has not taken.
    pub(crate) fn is_invoked(&self) -> bool {
        !self.invocations.is_empty()
    }
}

/// Waits for something that must not hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap()
}

/// The code of an error.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &E) -> &str {
    error.code().unwrap_or_default()
}

/// Takes a data directory, once the run before has given it back.
pub(crate) async fn data_dir(folder: &std::path::Path) -> DataDir {
    within(async {
        loop {
            match DataDir::take(folder) {
                Ok(data_dir) => return data_dir,
                // A process that another test starts in this moment has a copy of the lock.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    })
    .await
}
