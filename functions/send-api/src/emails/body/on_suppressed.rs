//! How the caller wants suppressed recipients handled: the field `okite_on_suppressed`, or the header
//! `okite-on-suppressed`.
//!
//! The header serves callers whose SDK cannot send Okite's own fields.

use domain::message::InvalidEmail;
use domain::recipient::OnSuppressed;

use super::field::{Object, optional_text};
use crate::request::Request;

/// The name of the field.
pub(super) const FIELD: &str = "okite_on_suppressed";
/// The name of the header.
const HEADER: &str = "okite-on-suppressed";

/// Removes the rule from an email's fields and returns it.
pub(super) fn field(object: &mut Object) -> Result<Option<OnSuppressed>, InvalidEmail> {
    optional_text(object, FIELD)?.map(|name| rule(FIELD, &name)).transpose()
}

/// Combines the rule in the email's field with the rule in the request's header. They must not contradict each other.
pub(in super::super) fn with_header(
    field: Option<OnSuppressed>,
    request: &Request,
) -> Result<OnSuppressed, InvalidEmail> {
    let header = request.header(HEADER).map(|name| rule(HEADER, &name)).transpose()?;
    match (field, header) {
        (Some(field), Some(header)) if field != header => Err(InvalidEmail::field(
            FIELD,
            "the header of the same name has another value",
        )),
        (field, header) => Ok(field.or(header).unwrap_or_default()),
    }
}

fn rule(place: &str, name: &str) -> Result<OnSuppressed, InvalidEmail> {
    OnSuppressed::parse(name).ok_or_else(|| {
        let problem =
            "must be `skip` (leave out suppressed recipients) or `reject` (send to nobody if a recipient is suppressed)";
        InvalidEmail::field(place, problem)
    })
}
