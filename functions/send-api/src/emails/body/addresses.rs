//! The addresses of an email: one string, or an array of strings.

use domain::address::Mailbox;
use domain::message::InvalidEmail;
use serde_json::Value;

use super::field::{text, wrong_type};

/// Reads one address with an optional display name.
pub(super) fn mailbox(field: &str, text: &str) -> Result<Mailbox, InvalidEmail> {
    Mailbox::parse(text).map_err(|error| InvalidEmail::field(field, error))
}

/// Reads one address or an array of addresses. An absent field has none.
pub(super) fn mailboxes(field: &str, value: Option<Value>) -> Result<Vec<Mailbox>, InvalidEmail> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(address)) => Ok(vec![mailbox(field, &address)?]),
        Some(Value::Array(addresses)) => {
            let entry = |(index, value)| {
                let field = format!("{field}[{index}]");
                mailbox(&field, &text(&field, value)?)
            };
            addresses.into_iter().enumerate().map(entry).collect()
        }
        Some(other) => Err(wrong_type(field, "a string or an array of strings", &other)),
    }
}
