//! A recipient's address as SES and the receivers spell it: bare, with a name, or as an encoded word.

use mail_parser::MessageParser;

use crate::address::{EmailAddress, Mailbox};

/// Reads the address out of `a@b`, `Name <a@b>`, `"Name" <a@b>` or an RFC 2047 encoded word that holds one of them, with
/// what receiving servers leave around it: the `rfc822;` of a delivery report, a comment, the root's dot.
pub(super) fn read(text: &str) -> Option<EmailAddress> {
    if text.contains("=?")
        && let Some(decoded) = decode(text)
        && let Some(address) = plain(&decoded)
    {
        return Some(address);
    }
    plain(text)
}

fn plain(text: &str) -> Option<EmailAddress> {
    let text = text.trim();
    let text = match text.split_once(';') {
        Some((kind, address)) if kind.trim().eq_ignore_ascii_case("rfc822") => address.trim(),
        _ => text,
    };
    let text = match text.rsplit_once(" (") {
        Some((address, comment)) if comment.ends_with(')') => address.trim_end(),
        _ => text,
    };
    let parse = |text: &str| Mailbox::parse(text).ok().map(|mailbox| mailbox.address().clone());
    parse(text).or_else(|| parse(text.strip_suffix('.')?))
}

/// Decodes encoded words, as a mail program would decode a subject.
fn decode(text: &str) -> Option<String> {
    let text = text.replace(char::is_control, " ");
    let header = format!("Subject: {text}\r\n\r\n");
    let message = MessageParser::new().header_text("Subject").parse(header.as_bytes())?;
    message.subject().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_spelling() {
        for text in [
            "Anna@Example.org",
            " anna@example.org ",
            "\"Anna B\" <anna@example.org>",
            "Anna, B <anna@example.org>",
            "anna@example.org.",
            "rfc822;anna@example.org",
            "RFC822; anna@example.org",
            "anna@example.org (Anna B)",
            "=?UTF-8?Q?Ann=C3=A4?= <anna@example.org>",
            "=?UTF-8?B?QW5uw6Q=?= <anna@example.org>",
            "=?UTF-8?Q?anna=40example.org?=",
            "=?utf-8?B?QW5uYSA8YW5uYUBleGFtcGxlLm9yZz4=?=",
        ] {
            let address = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(address.normalised(), "anna@example.org", "{text}");
        }
    }

    #[test]
    fn finds_no_address_where_there_is_none() {
        for text in ["", "anna", "=?UTF-8?Q?anna?=", "undisclosed-recipients:;"] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
