//! The body of a batch, an array of emails, and the mode in which its emails are validated.

use domain::api_key::ApiKeyRecord;
use domain::idempotency::RequestBody;
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
    /// Notes about parts of the email that Okite left out.
    pub(super) notes: Vec<String>,
}

/// The emails of a batch, in their order.
pub(super) struct Emails {
    pub(super) each: Vec<Result<ValidEmail, ApiError>>,
    /// The hash of the emails, whatever headers and the rights of the API key say about them.
    pub(super) hash: Option<RequestBody>,
}

/// Reads the body as an array of 1 to [`EMAILS_MAX`] values.
pub(super) fn values(request: &Request) -> Result<Vec<Value>, ApiError> {
    let values = body::parse_array(request)?;
    if values.is_empty() || values.len() > EMAILS_MAX {
        let message = format!(
            "A batch must have 1 to {EMAILS_MAX} emails; this one has {}.",
            values.len()
        );
        return Err(InvalidEmail::Whole(message).into());
    }
    Ok(values)
}

/// Reads every email, and makes their hash if the request has a key. In a strict batch the first invalid email is the
/// error of the whole batch.
pub(super) fn read(
    values: Vec<Value>,
    request: &Request,
    api_key: &ApiKeyRecord,
    mode: ValidationMode,
    has_key: bool,
) -> Result<Emails, ApiError> {
    let mut emails = Emails {
        each: Vec::with_capacity(values.len()),
        hash: has_key.then(RequestBody::default),
    };
    for (index, value) in values.into_iter().enumerate() {
        let email = email(value, emails.hash.as_mut()).and_then(|parsed| allowed(parsed, request, api_key));
        match (email.map_err(|error| error.of_item(index)), mode) {
            (Err(error), ValidationMode::Strict) => return Err(error),
            (email, _) => emails.each.push(email),
        }
    }
    Ok(emails)
}

/// Reads one email, and adds it to the hash of the batch whether it is valid or not.
fn email(value: Value, hash: Option<&mut RequestBody>) -> Result<ParsedBody, ApiError> {
    let Some(hash) = hash else { return parsed(value) };
    let given = value.clone();
    let parsed = parsed(value);
    match &parsed {
        Ok(parsed) => hash.add(&parsed.email, parsed.on_suppressed),
        Err(_) => hash.add_invalid(&given),
    }
    parsed
}

fn parsed(value: Value) -> Result<ParsedBody, ApiError> {
    let Value::Object(object) = value else {
        return Err(InvalidEmail::Whole("It must be a JSON object.".to_owned()).into());
    };
    let has_files = match object.get("attachments") {
        None | Some(Value::Null) => false,
        Some(Value::Array(files)) => !files.is_empty(),
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(_) => true,
    };
    if has_files {
        let problem = "Emails of a batch cannot have `attachments`. Send each email that has some with POST /emails.";
        return Err(InvalidEmail::Whole(problem.to_owned()).into());
    }
    body::email(object)
}

/// Applies the request's headers and the rights of its API key to an email.
fn allowed(parsed: ParsedBody, request: &Request, api_key: &ApiKeyRecord) -> Result<ValidEmail, ApiError> {
    let ParsedBody {
        email,
        on_suppressed,
        notes,
    } = parsed;
    let on_suppressed = body::on_suppressed(on_suppressed, request)?;
    if api_key.may_send_from(email.from.address()) {
        Ok(ValidEmail {
            email,
            on_suppressed,
            notes,
        })
    } else {
        Err(Problem::SenderNotAllowed.into())
    }
}
