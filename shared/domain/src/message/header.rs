//! The header fields that a caller adds to an email.

use super::InvalidEmail;

/// The longest header name that SES accepts.
const NAME_MAX: usize = 126;
/// The longest header value that SES accepts.
const VALUE_MAX: usize = 995;
/// The longest name and value together that SES accepts.
const FIELD_MAX: usize = 996;

/// The fields that SES or Okite writes, or that other fields of the email set. A second one would contradict the first.
const RESERVED: [&str; 13] = [
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "date",
    "message-id",
    "return-path",
    "sender",
    "reply-to",
    "mime-version",
    "dkim-signature",
    "received",
];
/// The prefixes of header names that belong to SES or to the structure of the message.
const RESERVED_PREFIXES: [&str; 3] = ["resent-", "content-", "x-ses-"];

/// A header field that a caller adds to an email.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: String,
}

impl Header {
    /// Checks a name and a value against SES's limits, and rejects the reserved fields.
    ///
    /// # Errors
    /// [`InvalidEmail::Field`]. It repeats the name only if the name is valid.
    pub fn new(name: &str, value: &str) -> Result<Self, InvalidEmail> {
        let refuse = |problem: String| Err(InvalidEmail::field("headers", problem));
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(|b| matches!(b, b'!'..=b'9' | b';'..=b'~')) {
            return refuse(format!(
                "a name must be 1 to {NAME_MAX} printable ASCII characters without `:` or spaces"
            ));
        }
        let lower = name.to_ascii_lowercase();
        if RESERVED.contains(&lower.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
            return refuse(format!(
                "other fields of the email or Amazon SES set `{name}`; remove it"
            ));
        }
        if value.is_empty() {
            return refuse(format!("`{name}` has no value; leave it out"));
        }
        if value.chars().any(char::is_control) {
            return refuse(format!(
                "remove the line breaks and control characters from the value of `{name}`"
            ));
        }
        if !value.is_ascii() {
            return refuse(format!(
                "the value of `{name}` must be ASCII: encode it according to RFC 2047"
            ));
        }
        if value.len() > VALUE_MAX || name.len() + value.len() > FIELD_MAX {
            return refuse(format!(
                "`{name}` is too long: Amazon SES accepts at most {VALUE_MAX} characters for the value and {FIELD_MAX} with the name"
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }

    /// Returns the name as the caller wrote it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value, which is ASCII without control characters.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_headers_that_senders_add() {
        for (name, value) in [
            ("List-Unsubscribe", "<https://example.com/u?id=1>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("X-Entity-Ref-ID", "1"),
            ("X-Metadata", "{\"a\": 1}"),
        ] {
            assert!(Header::new(name, value).is_ok(), "{name}");
        }
    }

    #[test]
    fn rejects_reserved_headers_in_any_case() {
        for name in [
            "from",
            "TO",
            "Message-ID",
            "Resent-To",
            "Content-Type",
            "X-SES-MESSAGE-TAGS",
            "dkim-signature",
        ] {
            assert!(Header::new(name, "v").unwrap_err().to_string().contains(name), "{name}");
        }
    }

    #[test]
    fn rejects_injection_through_name_or_value() {
        for (name, value) in [
            ("X-A", "a\r\nBcc: x"),
            ("X-A", "a\nb"),
            ("X-A", "a\0b"),
            ("X-A\r\nBcc", "x"),
            ("X A", "x"),
            ("X-A", ""),
            ("X:A", "x"),
            ("", "x"),
        ] {
            assert!(Header::new(name, value).is_err(), "{name:?}");
        }
    }

    #[test]
    fn enforces_the_lengths_that_ses_accepts() {
        assert!(Header::new("X", &"a".repeat(995)).is_ok());
        assert!(Header::new("X", &"a".repeat(996)).is_err());
        assert!(Header::new("XY", &"a".repeat(995)).is_err());
        assert!(Header::new(&"X".repeat(127), "a").is_err());
        assert!(Header::new("X", "ü").is_err());
    }
}
