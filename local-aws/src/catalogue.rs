//! The services and their operations, by the names that IAM, the SDKs and faults use.
//!
//! A service that gains an operation gains a name here. Each service has a test that compares its part of this list
//! with the operations that it carries out.

/// A service whose API is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsService {
    /// Amazon SES, API version 2.
    Ses,
    /// Amazon SNS.
    Sns,
    /// Amazon SQS.
    Sqs,
    /// Amazon CloudWatch.
    CloudWatch,
    /// Amazon DynamoDB.
    Dynamodb,
}

impl AwsService {
    /// Every service, in the order in which messages list them.
    pub const ALL: [Self; 5] = [Self::Ses, Self::Sns, Self::Sqs, Self::CloudWatch, Self::Dynamodb];

    /// Finds the service that has an operation.
    #[must_use]
    pub fn of(operation: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| service.operations().contains(&operation))
    }

    /// Returns the service's name for people: `SES`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ses => "SES",
            Self::Sns => "SNS",
            Self::Sqs => "SQS",
            Self::CloudWatch => "CloudWatch",
            Self::Dynamodb => "DynamoDB",
        }
    }

    /// Returns the prefix of the service's actions in IAM: the `ses` of `ses:SendEmail`.
    #[must_use]
    pub fn iam_prefix(self) -> &'static str {
        match self {
            Self::Ses => "ses",
            Self::Sns => "sns",
            Self::Sqs => "sqs",
            Self::CloudWatch => "cloudwatch",
            Self::Dynamodb => "dynamodb",
        }
    }

    /// Lists the operations that can be given a fault. DynamoDB's are those that read and write items.
    #[must_use]
    pub fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Ses => &[
                "SendEmail",
                "GetAccount",
                "PutAccountSendingAttributes",
                "PutSuppressedDestination",
                "ListSuppressedDestinations",
                "GetSuppressedDestination",
                "DeleteSuppressedDestination",
                "CreateEmailIdentity",
                "ListEmailIdentities",
                "GetEmailIdentity",
                "PutEmailIdentityMailFromAttributes",
                "GetConfigurationSet",
                "PutConfigurationSetSendingOptions",
                "GetConfigurationSetEventDestinations",
            ],
            Self::Sns => &["Publish", "ListSubscriptionsByTopic", "GetTopicAttributes"],
            Self::Sqs => &[
                // Lambda calls three of these with the role of a function too, and SNS the first one for a
                // subscription.
                "SendMessage",
                "ReceiveMessage",
                "DeleteMessage",
                "SendMessageBatch",
                "DeleteMessageBatch",
                "ChangeMessageVisibility",
                "ChangeMessageVisibilityBatch",
                "GetQueueAttributes",
                "StartMessageMoveTask",
                "ListMessageMoveTasks",
                "ListDeadLetterSourceQueues",
            ],
            Self::CloudWatch => &["GetMetricStatistics", "DescribeAlarms"],
            Self::Dynamodb => &[
                "GetItem",
                "PutItem",
                "UpdateItem",
                "DeleteItem",
                "Query",
                "Scan",
                "BatchGetItem",
                "BatchWriteItem",
                "TransactGetItems",
                "TransactWriteItems",
            ],
        }
    }
}

/// The operations whose answers may leave a part of the request undone.
pub const BATCH_OPERATIONS: [&str; 5] = [
    "BatchGetItem",
    "BatchWriteItem",
    "SendMessageBatch",
    "DeleteMessageBatch",
    "ChangeMessageVisibilityBatch",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_services_share_the_name_of_an_operation() {
        for service in AwsService::ALL {
            for operation in service.operations() {
                assert_eq!(AwsService::of(operation), Some(service), "{operation}");
            }
        }
        assert_eq!(AwsService::of("SendPostcard"), None);
    }
}
