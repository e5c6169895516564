//! The addresses of an email: one string, or an array of strings.

use domain::address::{AddressError, Mailbox};
use domain::message::InvalidEmail;
use serde_json::Value;

use super::field::{is_blank, text, wrong_type};

/// Reads one address with an optional display name.
pub(super) fn mailbox(field: &str, text: &str) -> Result<Mailbox, InvalidEmail> {
    Mailbox::parse(text).map_err(|error| InvalidEmail::field(field, error))
}

/// Reads the sender: see [`domain::address::EmailAddress::parse_sender`].
pub(super) fn sender(field: &str, text: &str) -> Result<Mailbox, InvalidEmail> {
    Mailbox::parse_sender(text).map_err(|error| match error {
        AddressError::SeveralAddresses => {
            InvalidEmail::field(field, "give one address. Put quotes around a name that has a comma")
        }
        error => InvalidEmail::field(field, error),
    })
}

/// Reads an optional field of addresses. An absent field has none, and so has an empty text, which clients write for a
/// field that they do not use. An empty text in an array has none either: `"".split(",")` gives one.
pub(super) fn optional_mailboxes(field: &str, value: Option<Value>) -> Result<Vec<Mailbox>, InvalidEmail> {
    match value {
        Some(value) if is_blank(&value) => Ok(Vec::new()),
        Some(Value::Array(addresses)) => entries(field, addresses, |address| !is_blank(address)),
        value => mailboxes(field, value),
    }
}

/// Reads one address or an array of addresses. An absent field has none.
pub(super) fn mailboxes(field: &str, value: Option<Value>) -> Result<Vec<Mailbox>, InvalidEmail> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(address)) => Ok(vec![mailbox(field, &address)?]),
        Some(Value::Array(addresses)) => entries(field, addresses, |_| true),
        Some(other) => Err(wrong_type(field, "a string or an array of strings", &other)),
    }
}

/// Reads the entries of an array that `counts` keeps. An error names the place in the array as the caller wrote it.
fn entries(field: &str, addresses: Vec<Value>, counts: impl Fn(&Value) -> bool) -> Result<Vec<Mailbox>, InvalidEmail> {
    let entry = |(index, value)| {
        let field = format!("{field}[{index}]");
        mailbox(&field, &text(&field, value)?)
    };
    let all = addresses.into_iter().enumerate();
    all.filter(|(_, value)| counts(value)).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sender_has_one_address() {
        let error = sender("from", "a@example.com, b@example.com").unwrap_err().to_string();
        assert!(error.starts_with("`from`: give one address"), "{error}");
        assert!(sender("from", "\"Doe, Ada\" <a@example.com>").is_ok());
    }

    #[test]
    fn an_error_names_the_place_that_the_caller_wrote() {
        let error = optional_mailboxes("cc", Some(json!(["", "a@example.com", " ", "bad"]))).unwrap_err();
        assert!(error.to_string().contains("cc[3]"), "{error}");
    }
}
