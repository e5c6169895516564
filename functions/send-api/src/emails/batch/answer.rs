//! The answer to a batch: one outcome for each email, in the order of the request.

use domain::idempotency::nth_id;
use domain::record::RecordedRecipient;
use serde::Serialize;
use uuid::Uuid;

use super::input::ValidationMode;
use crate::error::ApiError;
use crate::recipient::RecipientBody;
use crate::response::Response;

/// The outcome of one email of a batch.
#[derive(Debug)]
pub(super) enum ItemOutcome {
    /// The email was sent, or all its recipients are suppressed.
    Done {
        /// The outcome of each recipient.
        recipients: Vec<RecordedRecipient>,
        /// Notes about parts of the email that Okite left out.
        notes: Vec<String>,
    },
    /// The email was not sent, or it is not known whether it was.
    NotSent {
        /// Whether the email certainly was not and will not be sent.
        sent_nothing: bool,
        /// The error that the answer shows.
        error: ApiError,
    },
    /// The email is not valid. It has no row in the table.
    Invalid(ApiError),
}

impl ItemOutcome {
    fn sent_nothing(&self) -> bool {
        match self {
            Self::Done { .. } => false,
            Self::NotSent { sent_nothing, .. } => *sent_nothing,
            Self::Invalid(_) => true,
        }
    }

    fn error(&self) -> Option<&ApiError> {
        match self {
            Self::Done { .. } => None,
            Self::NotSent { error, .. } | Self::Invalid(error) => Some(error),
        }
    }
}

#[derive(Serialize)]
struct BatchBody<'a> {
    data: Vec<ItemBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<ErrorBody<'a>>>,
}

/// One email of the answer. A strict batch has an entry for every email, so that indexes match those of the request; an
/// entry with `error` was not sent.
#[derive(Serialize)]
struct ItemBody<'a> {
    id: Uuid,
    recipients: Vec<RecipientBody<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    okite_notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    index: usize,
    status_code: u16,
    name: &'a str,
    message: &'a str,
    /// When to try again, in seconds.
    #[serde(rename = "retry_after", skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    /// The id of an email that SES may have sent although it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    /// The outcomes, if a suppressed recipient made Okite reject the email.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recipients: Vec<RecipientBody<'a>>,
}

impl<'a> ErrorBody<'a> {
    fn of(index: usize, error: &'a ApiError) -> Self {
        Self {
            index,
            status_code: error.status,
            name: error.name,
            message: &error.message,
            retry_after: error.retry_after,
            id: error.id,
            recipients: error.recipients.iter().map(RecipientBody::from).collect(),
        }
    }
}

/// Returns the answer to a batch whose first email has the id `first`. If valid emails exist and none of the batch was
/// sent, the answer is the first error, as for a single email. The same holds if the outcome of every email is still
/// open.
pub(super) fn respond(mode: ValidationMode, first: Uuid, outcomes: &[ItemOutcome]) -> Result<Response, ApiError> {
    let not_sent = outcomes.iter().find_map(|outcome| match outcome {
        ItemOutcome::NotSent { error, .. } => Some(error),
        ItemOutcome::Done { .. } | ItemOutcome::Invalid(_) => None,
    });
    let is_conflict =
        |outcome: &ItemOutcome| matches!(outcome, ItemOutcome::NotSent { error, .. } if error.status == 409);
    if let Some(error) = not_sent
        && (outcomes.iter().all(ItemOutcome::sent_nothing) || outcomes.iter().all(is_conflict))
    {
        return Err(error.clone());
    }
    let failed = outcomes.iter().enumerate();
    let errors: Vec<_> = failed
        .filter_map(|(index, outcome)| Some(ErrorBody::of(index, outcome.error()?)))
        .collect();
    let items = outcomes.iter().enumerate();
    let data = items.filter(|(_, outcome)| mode == ValidationMode::Strict || outcome.error().is_none());
    Ok(Response::ok(&BatchBody {
        data: data
            .map(|(index, outcome)| ItemBody {
                id: nth_id(first, index),
                recipients: match outcome {
                    ItemOutcome::Done { recipients, .. } => recipients.iter().map(RecipientBody::from).collect(),
                    ItemOutcome::NotSent { .. } | ItemOutcome::Invalid(_) => Vec::new(),
                },
                okite_notes: match outcome {
                    ItemOutcome::Done { notes, .. } => notes,
                    ItemOutcome::NotSent { .. } | ItemOutcome::Invalid(_) => &[],
                },
                error: outcome.error().map(|error| ErrorBody::of(index, error)),
            })
            .collect(),
        errors: (mode == ValidationMode::Permissive || !errors.is_empty()).then_some(errors),
    }))
}
