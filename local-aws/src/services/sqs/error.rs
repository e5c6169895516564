//! The errors of SQS.

use std::borrow::Cow;

/// An error of SQS.
#[derive(Debug)]
pub(super) struct SqsError {
    /// The type of the error in the JSON protocol: `QueueDoesNotExist`.
    pub(super) kind: &'static str,
    pub(super) message: String,
}

impl SqsError {
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message }
    }

    /// A value that SQS does not accept.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValueException", message)
    }

    /// A number outside its limits.
    pub(super) fn outside(parameter: &str, value: i64, (least, most): (i64, i64)) -> Self {
        Self::invalid(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: Must be >= {least} and <= {most}, if provided."
        ))
    }

    /// A parameter that the request lacks.
    pub(super) fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}.");
        Self::new("MissingRequiredParameterException", message)
    }

    /// Returns the code of the error; see [`code`].
    pub(super) fn code(&self) -> Cow<'static, str> {
        code(self.kind)
    }
}

impl From<std::io::Error> for SqsError {
    fn from(error: std::io::Error) -> Self {
        Self::new("InternalError", error.to_string())
    }
}

/// Returns the code of an error's type in the older query protocol. SQS sends it along, and the SDKs know errors by it.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>
pub(super) fn code(kind: &str) -> Cow<'_, str> {
    match kind {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".into(),
        "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong"
        | "EmptyBatchRequest"
        | "InvalidBatchEntryId"
        | "MessageNotInflight"
        | "TooManyEntriesInBatchRequest"
        | "UnsupportedOperation" => format!("AWS.SimpleQueueService.{kind}").into(),
        "InvalidParameterValueException" => "InvalidParameterValue".into(),
        "MissingRequiredParameterException" => "MissingParameter".into(),
        other => other.into(),
    }
}
