//! Every error that a caller can receive: a status, a name from the contract, and a message with cause and remedy.
//!
//! | module | concept |
//! |---|---|
//! | `problem` | the table of Okite's own errors |
//! | `not_sent` | the answer when an email was not sent, including SES's errors |
//! | `not_recalled` | the answer when an email was not called back, or did not get another time |
//!
//! No message contains internal text. Of what the caller sent, a message repeats only the sender's domain and the plain
//! name of a query parameter.
//! docs/ERRORS.md lists all errors.

mod not_recalled;
pub(crate) mod not_sent;
pub(crate) mod problem;

use aws::StoreError;
use domain::message::InvalidEmail;
use domain::recipient::RecipientOutcome;
use domain::record::OkiteState;
use sending::OutOfTime;
use uuid::Uuid;

pub(crate) use not_sent::AnswerContext;
pub(crate) use problem::Problem;

use problem::RetryWhen;

/// The longest name of an unknown query parameter that a message repeats.
const PARAMETER_SHOWN: usize = 40;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) name: &'static str,
    pub(crate) message: String,
    /// When to try again, in whole seconds.
    pub(crate) retry_after: Option<u32>,
    /// The methods that the path supports, for the header `allow`.
    pub(crate) allow: Option<String>,
    /// The id of an email that SES may have sent although it did not answer.
    pub(crate) id: Option<Uuid>,
    /// The state of an email that does not wait any more, if a request wants to change it.
    pub(crate) okite_state: Option<OkiteState>,
    /// The outcome of each recipient, if a suppressed recipient made Okite reject the email.
    pub(crate) recipients: Vec<RecipientOutcome>,
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
            okite_state: None,
            recipients: Vec::new(),
        }
    }

    /// Returns the answer to a problem whose message has no placeholders.
    pub(crate) fn of(problem: Problem) -> Self {
        Self::with(problem, &[])
    }

    /// Returns the answer to a problem, with its message's placeholders replaced by `values`.
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

    /// Refuses a path that only Resend's API has.
    pub(crate) fn not_offered(instead: &str) -> Self {
        Self::with(Problem::NotOffered, &[("{instead}", instead)])
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

    /// Refuses a query parameter that its route does not have.
    pub(crate) fn unknown_parameter(name: &str, known: &[&str]) -> Self {
        let is_plain =
            name.len() <= PARAMETER_SHOWN && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let quoted = |name: &str| format!("`{name}`");
        let shown = if is_plain {
            quoted(name)
        } else {
            "of this name".to_owned()
        };
        let known: Vec<String> = known.iter().copied().map(quoted).collect();
        Self::with(
            Problem::UnknownParameter,
            &[("{parameter}", &shown), ("{known}", &known.join(", "))],
        )
    }

    pub(crate) fn not_json(problem: impl std::fmt::Display) -> Self {
        Self::with(Problem::NotJson, &[("{problem}", &problem.to_string())])
    }

    pub(crate) fn compressed(compression: &str) -> Self {
        Self::with(Problem::Compressed, &[("{compression}", compression)])
    }

    /// Refuses a webhook beyond the `most` that a deployment has.
    pub(crate) fn too_many_webhooks(most: usize) -> Self {
        Self::with(Problem::TooManyWebhooks, &[("{most}", &most.to_string())])
    }

    /// Rejects a field that Okite knows but does not support, so that it is never silently ignored.
    pub(crate) fn not_supported(field: &str, remedy: &str) -> Self {
        Self::with(Problem::NotSupported, &[("{field}", field), ("{remedy}", remedy)])
    }

    /// Returns the same error, about the email at this index of a batch.
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
            cause = error.cause(),
            operation = error.operation,
            code = error.code,
            "a DynamoDB table cannot be read or written"
        );
        Self::of(if error.needs_operator() {
            Problem::StoreRefused
        } else {
            Problem::StoreDown
        })
    }
}

impl From<OutOfTime> for ApiError {
    fn from(OutOfTime: OutOfTime) -> Self {
        Self::of(Problem::StoreDown)
    }
}
