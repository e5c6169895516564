//! An identity of SES: an email address or a domain.

use domain::address::{AddressError, EmailAddress};

/// Parses an address or a domain, and returns it as SES spells it.
///
/// # Errors
/// [`AddressError`] if the text is neither.
pub(crate) fn parse_identity(text: &str) -> Result<String, AddressError> {
    if text.contains('@') {
        return EmailAddress::parse(text).map(|address| address.as_wire().to_owned());
    }
    EmailAddress::parse(&format!("postmaster@{text}")).map(|address| address.domain().to_owned())
}
