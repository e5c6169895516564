//! Queues, and how their messages get in and out: failed asynchronous events in, event source mappings out.

use std::time::Duration;

use super::StackContext;
use super::error::{TemplateError, TemplateFault};
use super::function::Function;
use super::names;
use super::resource::Resource;
use super::schedule::called;
use super::value::Value;

/// SQS's defaults.
const DEFAULT_VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_RETENTION: Duration = Duration::from_hours(4 * 24);
const DEFAULT_MESSAGE_MAX: usize = 1024 * 1024;
/// Lambda's default for the messages of one batch.
const DEFAULT_BATCH_SIZE: usize = 10;
/// The largest batch without a batching window.
const BATCH_SIZE_MAX: usize = 10;
/// The largest batch with one.
const WINDOWED_BATCH_SIZE_MAX: usize = 10_000;
/// The default for the batches at a time: the number with which Lambda begins.
const DEFAULT_CONCURRENCY: usize = 5;
/// Lambda's default for the retries of a failed asynchronous event.
const DEFAULT_RETRIES: usize = 2;

/// An SQS queue of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Logical id of the resource: `RetryQueue`.
    pub logical_id: String,
    /// The queue's name: `shop-RetryQueue`.
    pub name: String,
    /// ARN of the queue.
    pub arn: String,
    /// URL by which the API names the queue.
    pub url: String,
    /// Time for which a received message cannot be received again.
    pub visibility_timeout: Duration,
    /// Time for which a message is kept after it was sent.
    pub retention: Duration,
    /// Time until a message that names no delay can be received.
    pub delay: Duration,
    /// The largest message, in bytes.
    pub message_max: usize,
    /// Time for which an answer waits for a message, if the receiver names none.
    pub receive_wait: Duration,
    /// Dead-letter queue for messages that are received too often.
    pub redrive: Option<Redrive>,
}

/// A queue without a name, with SQS's defaults.
impl Default for Queue {
    fn default() -> Self {
        Self {
            logical_id: String::new(),
            name: String::new(),
            arn: String::new(),
            url: String::new(),
            visibility_timeout: DEFAULT_VISIBILITY_TIMEOUT,
            retention: DEFAULT_RETENTION,
            delay: Duration::ZERO,
            message_max: DEFAULT_MESSAGE_MAX,
            receive_wait: Duration::ZERO,
            redrive: None,
        }
    }
}

/// The redrive policy of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// ARN of the dead-letter queue.
    pub queue_arn: String,
    /// Number of receives after which a message goes there.
    pub max_receive_count: u32,
}

/// An event source mapping of the template: Lambda receives messages from a queue and invokes a function with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// ARN of the queue.
    pub queue_arn: String,
    /// Name of the function, as in [`Function::name`].
    pub function: String,
    /// The most messages of one invocation.
    pub batch_size: usize,
    /// The time for which an invocation waits until its batch is full.
    pub batching_window: Duration,
    /// Whether the function's answer lists the messages that failed.
    pub reports_item_failures: bool,
    /// The most invocations at a time.
    pub concurrency: usize,
}

/// The settings of a function's asynchronous events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsynchronousEvents {
    /// Name of the function, as in [`Function::name`].
    pub function: String,
    /// The number of retries of a failed event.
    pub retries: usize,
    /// ARN of the queue for events of which every try failed.
    pub on_failure: Option<String>,
}

/// Reads a queue. `arns` are those of all queues.
pub(super) fn read(resource: &Resource<'_>, arns: &[String], context: &StackContext) -> Result<Queue, TemplateError> {
    let properties = &resource.properties;
    properties.only(
        &[
            "DelaySeconds",
            "MaximumMessageSize",
            "MessageRetentionPeriod",
            "ReceiveMessageWaitTimeSeconds",
            "RedrivePolicy",
            "VisibilityTimeout",
        ],
        &["SqsManagedSseEnabled", "Tags"],
    )?;
    let seconds = |property, (least, most), default| {
        let read = properties.number_within(property, "a whole number of seconds", (least, most))?;
        Ok(read.map_or(default, Duration::from_secs))
    };
    let message_max = properties.number_within(
        "MaximumMessageSize",
        "a whole number of bytes",
        (1_024, DEFAULT_MESSAGE_MAX),
    )?;
    let redrive = match properties.optional("RedrivePolicy")? {
        Some(policy) => {
            let policy = policy.map()?;
            policy.only(&["deadLetterTargetArn", "maxReceiveCount"], &[])?;
            let count = policy.required("maxReceiveCount")?;
            let max_receive_count = count.clone().number("a whole number")?;
            if max_receive_count == 0 {
                return Err(count.unfit("must be 1 or more"));
            }
            Some(Redrive {
                queue_arn: known(&policy.required("deadLetterTargetArn")?, arns)?,
                max_receive_count,
            })
        }
        None => None,
    };
    Ok(Queue {
        logical_id: resource.logical_id.to_owned(),
        name: names::physical(context, resource.logical_id),
        arn: names::queue_arn(context, resource.logical_id),
        url: names::reference(context, names::QUEUE, resource.logical_id),
        visibility_timeout: seconds("VisibilityTimeout", (0, 43_200), DEFAULT_VISIBILITY_TIMEOUT)?,
        retention: seconds("MessageRetentionPeriod", (60, 1_209_600), DEFAULT_RETENTION)?,
        delay: seconds("DelaySeconds", (0, 900), Duration::ZERO)?,
        message_max: message_max.unwrap_or(DEFAULT_MESSAGE_MAX),
        receive_wait: seconds("ReceiveMessageWaitTimeSeconds", (0, 20), Duration::ZERO)?,
        redrive,
    })
}

/// Reads an event source mapping.
pub(super) fn mapping(
    resource: &Resource<'_>,
    arns: &[String],
    functions: &[Function],
) -> Result<Mapping, TemplateError> {
    let properties = &resource.properties;
    properties.only(
        &[
            "BatchSize",
            "EventSourceArn",
            "FunctionName",
            "FunctionResponseTypes",
            "MaximumBatchingWindowInSeconds",
            "ScalingConfig",
        ],
        &["Tags"],
    )?;
    let mut reports_item_failures = false;
    if let Some(types) = properties.optional("FunctionResponseTypes")? {
        for kind in types.list()? {
            if kind.clone().text()? != "ReportBatchItemFailures" {
                return Err(kind.unfit("must be ReportBatchItemFailures"));
            }
            reports_item_failures = true;
        }
    }
    let window = properties.number_within("MaximumBatchingWindowInSeconds", "a whole number of seconds", (0, 300))?;
    let window = window.unwrap_or(0);
    let most = if window == 0 {
        BATCH_SIZE_MAX
    } else {
        WINDOWED_BATCH_SIZE_MAX
    };
    let batch_size = properties.number_within("BatchSize", "a whole number", (1, most))?;
    let scaling = properties.map("ScalingConfig")?;
    scaling.only(&["MaximumConcurrency"], &[])?;
    let concurrency = scaling.number_within("MaximumConcurrency", "a whole number", (2, 1_000))?;
    Ok(Mapping {
        queue_arn: known(&properties.required("EventSourceArn")?, arns)?,
        function: called(&properties.required("FunctionName")?, functions)?,
        batch_size: batch_size.unwrap_or(DEFAULT_BATCH_SIZE),
        batching_window: Duration::from_secs(window),
        reports_item_failures,
        concurrency: concurrency.unwrap_or(DEFAULT_CONCURRENCY),
    })
}

/// Reads the settings of a function's asynchronous events. Their maximum age makes no difference here, because only
/// their retries make them wait.
pub(super) fn asynchronous_events(
    resource: &Resource<'_>,
    arns: &[String],
    functions: &[Function],
) -> Result<AsynchronousEvents, TemplateError> {
    let properties = &resource.properties;
    properties.only(
        &["DestinationConfig", "FunctionName", "MaximumRetryAttempts", "Qualifier"],
        &["MaximumEventAgeInSeconds"],
    )?;
    let qualifier = properties.required("Qualifier")?;
    if qualifier.clone().text()? != "$LATEST" {
        return Err(qualifier.unfit("must be $LATEST"));
    }
    let retries = match properties.optional("MaximumRetryAttempts")? {
        Some(attempts) => attempts.number("a whole number")?,
        None => DEFAULT_RETRIES,
    };
    let destinations = properties.map("DestinationConfig")?;
    destinations.only(&["OnFailure"], &[])?;
    let on_failure = destinations.map("OnFailure")?;
    on_failure.only(&["Destination"], &[])?;
    let on_failure = on_failure.optional("Destination")?;
    Ok(AsynchronousEvents {
        function: named(&properties.required("FunctionName")?, functions)?,
        retries,
        on_failure: on_failure.map(|arn| known(&arn, arns)).transpose()?,
    })
}

/// Reads the ARN of one of the template's queues.
pub(super) fn known(arn: &Value<'_>, arns: &[String]) -> Result<String, TemplateError> {
    let wanted = arn.clone().text()?;
    if arns.contains(&wanted) {
        return Ok(wanted);
    }
    Err(TemplateFault::Unknown {
        what: "queue",
        name: wanted,
    }
    .on(arn.line))
}

/// Finds the function whose `!Ref` this is.
fn named(name: &Value<'_>, functions: &[Function]) -> Result<String, TemplateError> {
    let wanted = name.clone().text()?;
    let last = |function: &&Function| function.arn.rsplit(':').next() == Some(wanted.as_str());
    match functions.iter().find(last) {
        Some(function) => Ok(function.name.clone()),
        None => Err(TemplateFault::Unknown {
            what: "function",
            name: wanted,
        }
        .on(name.line)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error_of, stack};
    use super::*;

    const QUEUES: &str = "\
Resources:
  Retries:
    Type: AWS::SQS::Queue
    Properties:
      SqsManagedSseEnabled: true
      VisibilityTimeout: 360
      MessageRetentionPeriod: 86400
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt Dead.Arn
        maxReceiveCount: 3
  Dead:
    Type: AWS::SQS::Queue
    DeletionPolicy: Retain
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Retries.Arn
      FunctionName: !GetAtt Listener.Arn
      BatchSize: 5
      FunctionResponseTypes: [ReportBatchItemFailures]
      ScalingConfig: { MaximumConcurrency: 3 }
  Events:
    Type: AWS::Lambda::EventInvokeConfig
    Properties:
      FunctionName: !Ref Listener
      Qualifier: $LATEST
      MaximumRetryAttempts: 1
      MaximumEventAgeInSeconds: 3600
      DestinationConfig:
        OnFailure: { Destination: !GetAtt Retries.Arn }
  Listener:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: listener } }
";

    #[test]
    fn leads_from_a_failed_event_to_the_queue_and_back() {
        let stack = stack(QUEUES);
        let arn = |name: &str| format!("arn:aws:sqs:us-east-1:000000000000:shop-{name}");
        let queue = |name: &str, visibility_timeout, retention, redrive| Queue {
            logical_id: name.to_owned(),
            name: format!("shop-{name}"),
            arn: arn(name),
            url: format!("https://sqs.us-east-1.amazonaws.com/000000000000/shop-{name}"),
            visibility_timeout,
            retention,
            redrive,
            ..Queue::default()
        };
        let redrive = Redrive {
            queue_arn: arn("Dead"),
            max_receive_count: 3,
        };
        assert_eq!(
            stack.queues,
            [
                queue(
                    "Retries",
                    Duration::from_mins(6),
                    Duration::from_hours(24),
                    Some(redrive)
                ),
                queue("Dead", Duration::from_secs(30), Duration::from_hours(96), None),
            ]
        );
        assert_eq!(
            stack.mappings,
            [Mapping {
                queue_arn: arn("Retries"),
                function: "listener".to_owned(),
                batch_size: 5,
                batching_window: Duration::ZERO,
                reports_item_failures: true,
                concurrency: 3,
            }]
        );
        assert_eq!(
            stack.asynchronous_events,
            [AsynchronousEvents {
                function: "listener".to_owned(),
                retries: 1,
                on_failure: Some(arn("Retries")),
            }]
        );
    }

    #[test]
    fn reads_a_delay_and_a_batching_window() {
        let stack = stack(
            &QUEUES
                .replace("SqsManagedSseEnabled: true", "DelaySeconds: 30")
                .replace(
                    "BatchSize: 5",
                    "MaximumBatchingWindowInSeconds: 1\n      BatchSize: 100",
                ),
        );
        assert_eq!(stack.queues[0].delay, Duration::from_secs(30));
        let mapping = &stack.mappings[0];
        assert_eq!(
            (mapping.batch_size, mapping.batching_window),
            (100, Duration::from_secs(1))
        );
    }

    #[test]
    fn takes_the_defaults_of_lambda() {
        let shorter = QUEUES
            .replace("      BatchSize: 5\n", "")
            .replace("      FunctionResponseTypes: [ReportBatchItemFailures]\n", "")
            .replace("      ScalingConfig: { MaximumConcurrency: 3 }\n", "")
            .replace("      MaximumRetryAttempts: 1\n", "");
        let stack = stack(&shorter);
        let mapping = &stack.mappings[0];
        assert_eq!(
            (mapping.batch_size, mapping.reports_item_failures, mapping.concurrency),
            (10, false, 5)
        );
        assert_eq!(stack.asynchronous_events[0].retries, 2);
    }

    #[test]
    fn names_the_line_of_an_invalid_value() {
        for (good, bad, error) in [
            (
                "VisibilityTimeout: 360",
                "VisibilityTimeout: long",
                "6: Retries.VisibilityTimeout must be a whole number of seconds, but is text",
            ),
            (
                "SqsManagedSseEnabled: true",
                "FifoQueue: true",
                "5: `Retries.FifoQueue` is not supported here",
            ),
            (
                "SqsManagedSseEnabled: true",
                "DelaySeconds: 901",
                "5: Retries.DelaySeconds must be 0 to 900",
            ),
            ("!GetAtt Dead.Arn", "other", "9: there is no queue `other`"),
            (
                "maxReceiveCount: 3",
                "maxReceiveCount: 0",
                "10: Retries.RedrivePolicy.maxReceiveCount must be 1 or more",
            ),
            (
                "EventSourceArn: !GetAtt Retries.Arn",
                "EventSourceArn: other",
                "17: there is no queue `other`",
            ),
            ("!GetAtt Listener.Arn", "other", "18: there is no function `other`"),
            ("BatchSize: 5", "BatchSize: 11", "19: Mapping.BatchSize must be 1 to 10"),
            (
                "BatchSize: 5",
                "MaximumBatchingWindowInSeconds: 301",
                "19: Mapping.MaximumBatchingWindowInSeconds must be 0 to 300",
            ),
            (
                "[ReportBatchItemFailures]",
                "[Other]",
                "20: Mapping.FunctionResponseTypes[0] must be ReportBatchItemFailures",
            ),
            (
                "MaximumConcurrency: 3",
                "MaximumConcurrency: 1",
                "21: Mapping.ScalingConfig.MaximumConcurrency must be 2 to 1000",
            ),
            ("!Ref Listener", "other", "25: there is no function `other`"),
            ("$LATEST", "live", "26: Events.Qualifier must be $LATEST"),
            (
                "OnFailure: {",
                "OnSuccess: {",
                "30: `Events.DestinationConfig.OnSuccess` is not supported here",
            ),
        ] {
            assert!(QUEUES.contains(good));
            assert_eq!(error_of(&QUEUES.replace(good, bad)), format!("template.yaml:{error}"));
        }
    }
}
