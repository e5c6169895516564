//! The body of a batch, an array of emails, and the mode in which its emails are validated.

use domain::idempotency::RequestBody;
use domain::message::InvalidEmail;
use serde_json::Value;

use crate::emails::body::{self, ParsedBody};
use crate::emails::submittable::{SubmitContext, Submittable};
use crate::error::ApiError;
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

/// The emails of a batch, in their order.
pub(super) struct Emails {
    pub(super) each: Vec<Result<Submittable, ApiError>>,
    /// The hash of the emails, whatever headers, the rights of the API key and the clock say about them.
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
pub(super) fn read(values: Vec<Value>, mode: ValidationMode, context: SubmitContext<'_>) -> Result<Emails, ApiError> {
    let mut emails = Emails {
        each: Vec::with_capacity(values.len()),
        hash: context.has_key.then(RequestBody::default),
    };
    for (index, value) in values.into_iter().enumerate() {
        let email = email(value, emails.hash.as_mut()).and_then(|parsed| context.submittable(index, parsed));
        let email = email.map(|email| Submittable {
            too_late: email.too_late.map(|error| error.of_item(index)),
            ..email
        });
        match (email.map_err(|error| error.of_item(index)), mode) {
            (Err(error), ValidationMode::Strict) => return Err(error),
            (email, _) => emails.each.push(email),
        }
    }
    if mode == ValidationMode::Strict {
        refuse_together(&mut emails.each);
    }
    Ok(emails)
}

/// Lets no email of a strict batch be attempted if it is too late for one of them.
fn refuse_together(emails: &mut [Result<Submittable, ApiError>]) {
    let too_late = emails.iter().flatten().find_map(|email| email.too_late.clone());
    for email in emails.iter_mut().flatten() {
        if email.too_late.is_none() && too_late.is_some() {
            email.submission.is_too_late = true;
            email.too_late.clone_from(&too_late);
        }
    }
}

/// Reads one email, and adds it to the hash of the batch whether it is valid or not.
fn email(value: Value, hash: Option<&mut RequestBody>) -> Result<ParsedBody, ApiError> {
    let Some(hash) = hash else { return parsed(value) };
    let given = value.clone();
    let parsed = parsed(value);
    match &parsed {
        Ok(parsed) => parsed.wishes.add_with(&parsed.email, hash),
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
