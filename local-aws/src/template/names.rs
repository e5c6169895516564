//! The names, ARNs and URLs of resources on one machine.
//!
//! CloudFormation makes up physical names. Here a resource is called `<stack>-<logical id>`, so that a template always
//! gives the same names and the data survives a restart.

use super::StackContext;

/// Table of the template.
pub(super) const TABLE: &str = "AWS::DynamoDB::Table";
/// Function of the template.
pub(super) const FUNCTION: &str = "AWS::Serverless::Function";
/// HTTP API of the template.
pub(super) const HTTP_API: &str = "AWS::Serverless::HttpApi";
/// Topic of the template.
pub(super) const TOPIC: &str = "AWS::SNS::Topic";
/// Subscription to a topic.
pub(super) const SUBSCRIPTION: &str = "AWS::SNS::Subscription";
/// Schedule of the template.
pub(super) const SCHEDULE: &str = "AWS::Scheduler::Schedule";
/// Configuration set of SES.
pub(super) const CONFIGURATION_SET: &str = "AWS::SES::ConfigurationSet";
/// Event destination of a configuration set.
pub(super) const EVENT_DESTINATION: &str = "AWS::SES::ConfigurationSetEventDestination";

/// Queue of the template.
pub(super) const QUEUE: &str = "AWS::SQS::Queue";
/// Mapping that invokes a function with the messages of a queue.
pub(super) const EVENT_SOURCE_MAPPING: &str = "AWS::Lambda::EventSourceMapping";
/// Settings of a function's asynchronous events.
pub(super) const EVENT_INVOKE_CONFIG: &str = "AWS::Lambda::EventInvokeConfig";
/// Alarm of CloudWatch.
pub(super) const ALARM: &str = "AWS::CloudWatch::Alarm";
/// Metric filter of a log group.
pub(super) const METRIC_FILTER: &str = "AWS::Logs::MetricFilter";
/// Role of a function.
pub(super) const ROLE: &str = "AWS::IAM::Role";
/// Dashboard of the template.
pub(super) const DASHBOARD: &str = "AWS::CloudWatch::Dashboard";
const LOG_GROUP: &str = "AWS::Logs::LogGroup";

/// Returns the physical name of a resource.
pub(super) fn physical(context: &StackContext, logical_id: &str) -> String {
    format!("{}-{logical_id}", context.stack_name)
}

/// Returns the value of `!Ref` of a resource: its name, or for some types its ARN or URL.
pub(super) fn reference(context: &StackContext, kind: &str, logical_id: &str) -> String {
    let name = physical(context, logical_id);
    match kind {
        TOPIC => arn(context, "sns", &name),
        QUEUE => queue_url(context, &name),
        _ => name,
    }
}

/// Returns the value of `!GetAtt` of a resource, for the attributes that are supported here.
///
/// They are those of the [resource reference], so that an attribute that would fail there fails here.
///
/// [resource reference]: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
pub(super) fn attribute(context: &StackContext, kind: &str, logical_id: &str, attribute: &str) -> Option<String> {
    let name = physical(context, logical_id);
    Some(match (kind, attribute) {
        (TABLE, "Arn") => table_arn(context, logical_id),
        (FUNCTION, "Arn") => function_arn(context, logical_id),
        (TOPIC, "TopicArn") => arn(context, "sns", &name),
        (QUEUE, "Arn") => queue_arn(context, logical_id),
        (QUEUE, "QueueUrl") => queue_url(context, &name),
        (LOG_GROUP, "Arn") => arn(context, "logs", &format!("log-group:{name}:*")),
        (ROLE, "Arn") => role_arn(context, logical_id),
        (ALARM, "Arn") => alarm_arn(context, logical_id),
        (TOPIC, "TopicName") | (QUEUE, "QueueName") => name,
        _ => return None,
    })
}

/// Returns the ARN of a function, by its logical id.
pub(super) fn function_arn(context: &StackContext, logical_id: &str) -> String {
    arn(
        context,
        "lambda",
        &format!("function:{}", physical(context, logical_id)),
    )
}

/// Returns the ARN of a table, by its logical id.
pub(super) fn table_arn(context: &StackContext, logical_id: &str) -> String {
    let name = physical(context, logical_id);
    arn(context, "dynamodb", &format!("table/{name}"))
}

/// Returns the ARN of a queue, by its logical id.
pub(super) fn queue_arn(context: &StackContext, logical_id: &str) -> String {
    arn(context, "sqs", &physical(context, logical_id))
}

/// Returns the ARN of an alarm, by its logical id.
pub(super) fn alarm_arn(context: &StackContext, logical_id: &str) -> String {
    let name = physical(context, logical_id);
    arn(context, "cloudwatch", &format!("alarm:{name}"))
}

/// Returns the ARN of a role, by its logical id. IAM is not regional.
pub(super) fn role_arn(context: &StackContext, logical_id: &str) -> String {
    let StackContext { region, account_id, .. } = context;
    let name = physical(context, logical_id);
    format!("arn:{}:iam::{account_id}:role/{name}", partition(region))
}

/// Returns the value of a pseudo parameter such as `AWS::Region`.
pub(super) fn pseudo_parameter(context: &StackContext, name: &str) -> Option<String> {
    Some(match name {
        "AWS::AccountId" => context.account_id.clone(),
        "AWS::Partition" => partition(&context.region).to_owned(),
        "AWS::Region" => context.region.clone(),
        "AWS::StackName" => context.stack_name.clone(),
        "AWS::URLSuffix" => url_suffix(&context.region).to_owned(),
        _ => return None,
    })
}

fn arn(StackContext { region, account_id, .. }: &StackContext, service: &str, resource: &str) -> String {
    format!("arn:{}:{service}:{region}:{account_id}:{resource}", partition(region))
}

fn queue_url(StackContext { region, account_id, .. }: &StackContext, name: &str) -> String {
    format!("https://sqs.{region}.{}/{account_id}/{name}", url_suffix(region))
}

fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

fn url_suffix(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn context(region: &str) -> StackContext {
        StackContext {
            region: region.to_owned(),
            account_id: "000000000000".to_owned(),
            stack_name: "shop".to_owned(),
            parameters: BTreeMap::new(),
        }
    }

    #[test]
    fn gives_every_type_an_arn_of_its_own_shape() {
        let here = context("us-east-1");
        let get = |kind, name| attribute(&here, kind, "It", name).unwrap();
        assert_eq!(
            get(TABLE, "Arn"),
            "arn:aws:dynamodb:us-east-1:000000000000:table/shop-It"
        );
        assert_eq!(
            get(FUNCTION, "Arn"),
            "arn:aws:lambda:us-east-1:000000000000:function:shop-It"
        );
        assert_eq!(get(TOPIC, "TopicArn"), "arn:aws:sns:us-east-1:000000000000:shop-It");
        assert_eq!(get(QUEUE, "Arn"), "arn:aws:sqs:us-east-1:000000000000:shop-It");
        assert_eq!(get(ROLE, "Arn"), "arn:aws:iam::000000000000:role/shop-It");
        assert_eq!(
            get(LOG_GROUP, "Arn"),
            "arn:aws:logs:us-east-1:000000000000:log-group:shop-It:*"
        );
        assert_eq!(attribute(&here, TOPIC, "It", "Arn"), None);
    }

    #[test]
    fn refers_to_a_topic_by_arn_to_a_queue_by_url_and_to_others_by_name() {
        let here = context("us-east-1");
        assert_eq!(
            reference(&here, TOPIC, "It"),
            "arn:aws:sns:us-east-1:000000000000:shop-It"
        );
        assert_eq!(
            reference(&here, QUEUE, "It"),
            "https://sqs.us-east-1.amazonaws.com/000000000000/shop-It"
        );
        assert_eq!(reference(&here, TABLE, "It"), "shop-It");
    }

    #[test]
    fn arns_have_the_partition_of_their_region() {
        let get = |region, name| pseudo_parameter(&context(region), name).unwrap();
        assert_eq!(get("eu-west-1", "AWS::Partition"), "aws");
        assert_eq!(get("cn-north-1", "AWS::Partition"), "aws-cn");
        assert_eq!(get("cn-north-1", "AWS::URLSuffix"), "amazonaws.com.cn");
        assert_eq!(get("us-gov-west-1", "AWS::Partition"), "aws-us-gov");
    }
}
