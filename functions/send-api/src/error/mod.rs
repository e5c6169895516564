//! Every error that a caller can get: a status, a name from the contract, and a message with cause and remedy.
//!
//! | module | concept |
//! |---|---|
//! | `problem` | the table of the errors that Okite answers by itself |
//! | `not_sent` | what is answered when an email was not sent, SES's refusals included |
//!
//! No message carries an internal text, or repeats a value that the caller wrote but the sender's domain. docs/ERRORS.md
//! lists them all.

#[cfg(test)]
mod document;
mod not_sent;
mod problem;

use aws::StoreError;
use domain::message::InvalidEmail;
use domain::recipient::Verdict;
use sending::OutOfTime;
use uuid::Uuid;

pub(crate) use not_sent::AnswerContext;
pub(crate) use problem::Problem;

use problem::RetryWhen;

/// An answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) name: &'static str,
    pub(crate) message: String,
    /// Whole seconds.
    pub(crate) retry_after: Option<u32>,
    /// The methods that a path has.
    pub(crate) allow: Option<String>,
    /// The email that may have been sent all the same.
    pub(crate) id: Option<Uuid>,
    /// The outcome of each recipient, where suppressed recipients refuse the email.
    pub(crate) recipients: Vec<Verdict>,
}

impl ApiError {
    fn new(status: u16, name: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            name,
            message: message.into(),
            retry_after: None,
            allow: None,
            id: None,
            recipients: Vec::new(),
        }
    }

    /// The answer to a problem whose message has no values of the moment.
    pub(crate) fn of(problem: Problem) -> Self {
        Self::with(problem, &[])
    }

    /// The answer to a problem, with the values that its message names in braces.
    fn with(problem: Problem, values: &[(&str, &str)]) -> Self {
        let row = problem.row();
        let mut message = row.message.to_owned();
        for (name, value) in values {
            message = message.replace(name, value);
        }
        Self {
            retry_after: match row.retry {
                RetryWhen::After(seconds) => Some(seconds),
                RetryWhen::Never | RetryWhen::Varies => None,
            },
            ..Self::new(row.status, row.name, message)
        }
    }

    fn retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    pub(crate) fn too_large(bytes: usize) -> Self {
        Self::with(Problem::TooLarge, &[("{bytes}", &bytes.to_string())])
    }

    pub(crate) fn method_not_allowed(allow: &str) -> Self {
        Self {
            allow: Some(allow.to_owned()),
            ..Self::with(Problem::MethodNotAllowed, &[("{methods}", allow)])
        }
    }

    pub(crate) fn invalid_parameter(name: &str, expected: &str) -> Self {
        Self::with(
            Problem::InvalidParameter,
            &[("{parameter}", name), ("{expected}", expected)],
        )
    }

    pub(crate) fn not_json(problem: impl std::fmt::Display) -> Self {
        Self::with(Problem::NotJson, &[("{problem}", &problem.to_string())])
    }

    /// A field that this version knows and does not support. It is refused, so that it is never silently ignored.
    pub(crate) fn not_supported(field: &str, remedy: &str) -> Self {
        Self::with(Problem::NotSupported, &[("{field}", field), ("{remedy}", remedy)])
    }

    /// The same error, of the email at this place of a batch.
    pub(crate) fn of_item(self, index: usize) -> Self {
        Self {
            message: format!("Email {index} of the batch (the first is 0): {}", self.message),
            ..self
        }
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self::of(problem)
    }
}

impl From<InvalidEmail> for ApiError {
    fn from(invalid: InvalidEmail) -> Self {
        let problem = match invalid {
            InvalidEmail::Missing(_) => Problem::MissingField,
            InvalidEmail::Whole(_) | InvalidEmail::Field { .. } => Problem::InvalidEmail,
            InvalidEmail::Attachment { .. } => Problem::InvalidAttachment,
        };
        Self::with(problem, &[("{problem}", &invalid.to_string())])
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(
            operation = error.operation,
            code = error.code,
            "a table cannot be reached"
        );
        Self::of(Problem::StoreDown)
    }
}

impl From<OutOfTime> for ApiError {
    fn from(OutOfTime: OutOfTime) -> Self {
        Self::of(Problem::StoreDown)
    }
}
