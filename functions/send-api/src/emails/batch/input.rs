//! The body of a batch, an array of emails, and the mode in which its emails are validated.

use domain::api_key::ApiKeyRecord;
use domain::message::{Email, InvalidEmail};
use domain::recipient::OnSuppressed;
use serde_json::Value;

use crate::emails::body::{self, ParsedBody};
use crate::error::{ApiError, Problem};
use crate::request::Request;

/// The most emails in a batch.
const EMAILS_MAX: usize = 100;
/// The header that selects the [`ValidationMode`].
const HEADER: &str = "x-batch-validation";

/// How a batch with an invalid email is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValidationMode {
    /// An invalid email stops the whole batch.
    Strict,
    /// The valid emails are sent.
    Permissive,
}

impl ValidationMode {
    /// Reads the mode from the request's header; the default is strict.
    pub(super) fn of(request: &Request) -> Result<Self, ApiError> {
        match request.header(HEADER).as_deref().map(str::trim) {
            None | Some("strict") => Ok(Self::Strict),
            Some("permissive") => Ok(Self::Permissive),
            Some(_) => Err(ApiError::invalid_parameter(HEADER, "`strict` or `permissive`")),
        }
    }
}

/// A valid email of a batch.
#[derive(Debug)]
pub(super) struct ValidEmail {
    pub(super) email: Email,
    pub(super) on_suppressed: OnSuppressed,
}

/// Reads the body as an array of 1 to [`EMAILS_MAX`] values.
pub(super) fn values(body: &[u8]) -> Result<Vec<Value>, ApiError> {
    let values = body::parse_array(body)?;
    if values.is_empty() || values.len() > EMAILS_MAX {
        let message = format!(
            "A batch must have 1 to {EMAILS_MAX} emails; this one has {}.",
            values.len()
        );
        return Err(InvalidEmail::Whole(message).into());
    }
    Ok(values)
}

/// Reads every email. In a strict batch the first invalid email is the error of the whole batch.
pub(super) fn read(
    values: Vec<Value>,
    request: &Request,
    api_key: &ApiKeyRecord,
    mode: ValidationMode,
) -> Result<Vec<Result<ValidEmail, ApiError>>, ApiError> {
    let emails = values
        .into_iter()
        .enumerate()
        .map(|(index, value)| email(value, request, api_key).map_err(|error| error.of_item(index)));
    match mode {
        ValidationMode::Permissive => Ok(emails.collect()),
        ValidationMode::Strict => emails.map(|email| email.map(Ok)).collect(),
    }
}

fn email(value: Value, request: &Request, api_key: &ApiKeyRecord) -> Result<ValidEmail, ApiError> {
    let Value::Object(object) = value else {
        return Err(InvalidEmail::Whole("It must be a JSON object.".to_owned()).into());
    };
    if object.get("attachments").is_some_and(|files| !files.is_null()) {
        let remedy = "Send emails with attachments one at a time with POST /emails.";
        return Err(ApiError::not_supported("attachments` in a batch, `attachments", remedy));
    }
    let ParsedBody { email, on_suppressed } = body::email(object)?;
    let on_suppressed = body::on_suppressed(on_suppressed, request)?;
    if api_key.may_send_from(email.from.address()) {
        Ok(ValidEmail { email, on_suppressed })
    } else {
        Err(Problem::SenderNotAllowed.into())
    }
}
