//! What the caller wants if there is no room for the email: the field `okite_when_busy`, else the header
//! `okite-when-busy`, else the API key's default.
//!
//! The header serves callers whose SDK cannot send Okite's own fields. A single email may say otherwise in its field.

use domain::api_key::ApiKeyRecord;
use domain::message::InvalidEmail;
use domain::queue::WhenBusy;

use super::field::{Object, optional_text};
use crate::request::Request;

/// The name of the field.
pub(super) const FIELD: &str = "okite_when_busy";
/// The name of the header.
const HEADER: &str = "okite-when-busy";

/// Removes the choice from an email's fields and returns it.
pub(super) fn field(object: &mut Object) -> Result<Option<WhenBusy>, InvalidEmail> {
    optional_text(object, FIELD)?
        .map(|name| choice(FIELD, &name))
        .transpose()
}

/// Returns the choice in the email's field, else that in the request's header, else that of the API key.
pub(in super::super) fn or_default(
    field: Option<WhenBusy>,
    request: &Request,
    api_key: &ApiKeyRecord,
) -> Result<WhenBusy, InvalidEmail> {
    let header = request.header(HEADER).map(|name| choice(HEADER, &name)).transpose()?;
    Ok(field.or(header).unwrap_or(api_key.when_busy))
}

fn choice(place: &str, name: &str) -> Result<WhenBusy, InvalidEmail> {
    WhenBusy::parse(name).ok_or_else(|| {
        let problem = "must be `queue` (keep the email and send it when there is room), `wait` (try again for up to 16 seconds) or \
                       `refuse` (answer with an error at once)";
        InvalidEmail::field(place, problem)
    })
}
