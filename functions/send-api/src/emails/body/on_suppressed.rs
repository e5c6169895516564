//! What the caller wants of a suppressed recipient: the field `okite_on_suppressed`, or the header of that name.
//!
//! The header is for callers whose SDK knows no fields of ours.

use domain::message::InvalidEmail;
use domain::recipient::OnSuppressed;

use super::field::{Object, optional_text};
use crate::request::Request;

/// The name of the field.
pub(super) const FIELD: &str = "okite_on_suppressed";
/// The name of the header.
const HEADER: &str = "okite-on-suppressed";

/// Takes the rule out of an email's fields.
pub(super) fn field(object: &mut Object) -> Result<Option<OnSuppressed>, InvalidEmail> {
    optional_text(object, FIELD)?.map(|name| rule(FIELD, &name)).transpose()
}

/// Joins the rule of an email's field with that of the request's header; they must not contradict each other.
pub(in super::super) fn with_header(
    field: Option<OnSuppressed>,
    request: &Request,
) -> Result<OnSuppressed, InvalidEmail> {
    let header = request.header(HEADER).map(|name| rule(HEADER, &name)).transpose()?;
    match (field, header) {
        (Some(field), Some(header)) if field != header => {
            Err(InvalidEmail::field(FIELD, "the header of the same name says otherwise"))
        }
        (field, header) => Ok(field.or(header).unwrap_or_default()),
    }
}

fn rule(place: &str, name: &str) -> Result<OnSuppressed, InvalidEmail> {
    OnSuppressed::parse(name).ok_or_else(|| {
        let problem =
            "must be `skip` (suppressed recipients are left out) or `reject` (with one of them nobody gets the email)";
        InvalidEmail::field(place, problem)
    })
}
