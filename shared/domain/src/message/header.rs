//! The header fields that a caller adds to an email.
//!
//! Mail libraries write the value of a header in two forms that SES does not take: folded over several lines, and with
//! text beyond ASCII. Okite unfolds the one and encodes the other, as a mail program would.

use std::borrow::Cow;
use std::fmt::Write;

use super::InvalidEmail;
use crate::encoded_words;

/// The fields that SES writes whatever a caller sends.
/// <https://docs.aws.amazon.com/ses/latest/dg/header-fields.html>
pub const WRITTEN_BY_SES: [&str; 2] = ["Date", "Message-ID"];

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
    /// The value before it was encoded, in one line.
    text: String,
    /// The value as SES takes it, if that is not `text`.
    encoded: Option<String>,
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
        let text = unfolded(value);
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return refuse(format!("`{name}` has no value; leave it out"));
        }
        if text.chars().any(char::is_control) {
            return refuse(format!(
                "remove the line breaks and control characters from the value of `{name}`"
            ));
        }
        let encoded = (!text.is_ascii()).then(|| encoded(&lower, text));
        let length = encoded.as_deref().unwrap_or(text).len();
        if length > VALUE_MAX || name.len() + length > FIELD_MAX {
            return refuse(format!(
                "`{name}` is too long: Amazon SES accepts at most {VALUE_MAX} characters for the value and {FIELD_MAX} with the name. \
                 Characters outside ASCII count encoded, with up to 12 each"
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            text: text.to_owned(),
            encoded,
        })
    }

    /// Returns the name as the caller wrote it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value as SES takes it: one line of printable ASCII.
    #[must_use]
    pub fn value(&self) -> &str {
        self.encoded.as_deref().unwrap_or(&self.text)
    }

    /// Returns the value before it was encoded, in one line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Joins the lines of a folded value (RFC 5322, 2.2.3). A line break that no white space follows would begin another
/// header, so it stays, and the value is refused.
fn unfolded(value: &str) -> Cow<'_, str> {
    if !value.contains(['\t', '\n']) {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        let mut after = rest.clone();
        let is_break = c == '\n' || c == '\r' && after.next() == Some('\n');
        if is_break && matches!(after.peek(), Some(' ' | '\t')) {
            rest = after;
        } else {
            // SES takes no tab, and a tab is white space like any other.
            text.push(if c == '\t' { ' ' } else { c });
        }
    }
    Cow::Owned(text)
}

/// Encodes a value that is not ASCII. Mail programs do not decode words in the links of `List-Unsubscribe` and its
/// like.
fn encoded(lower_name: &str, text: &str) -> String {
    if !lower_name.starts_with("list-") || lower_name == "list-id" {
        let needs_it = |word: &&str| !word.is_ascii();
        let words: Vec<&str> = text.split(' ').collect();
        let before = words.iter().take_while(|word| !needs_it(word)).count();
        let after = words.iter().rev().take_while(|word| !needs_it(word)).count();
        // The other words stay, among them the id in `Name <news.example.com>`.
        let (before, rest) = words.split_at(before);
        let (encoded, after) = rest.split_at(rest.len() - after);
        let encoded = encoded_words::encode(&encoded.join(" "));
        return [before, &[encoded.as_str()], after].concat().join(" ");
    }
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii() {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
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
            ("X-A", "a\r b"),
            ("X-A", "a\n\n b"),
            ("X-A", "a\r\n\r\n b"),
            ("X-A", "a\r\n b\r\nBcc: x"),
            ("X-A", "a\r\n"),
            ("X-A", "\u{85}"),
            ("X-A", " \r\n "),
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
        let encoded = "ü".repeat(280);
        assert!(Header::new("X", &encoded).is_ok());
        assert!(Header::new("X", &encoded.repeat(2)).is_err());
    }

    #[test]
    fn joins_the_lines_of_a_folded_value() {
        for (value, joined) in [
            (
                "<https://a.example>,\r\n <mailto:u@a.example>",
                "<https://a.example>, <mailto:u@a.example>",
            ),
            ("a\r\n\tb", "a b"),
            ("a\n b", "a b"),
            (
                "=?utf-8?q?=C3=BC?=\r\n =?utf-8?q?b?=",
                "=?utf-8?q?=C3=BC?= =?utf-8?q?b?=",
            ),
            ("\r\n a\r\n \r\n b\r\n ", "a  b"),
            ("a\tb", "a b"),
        ] {
            assert_eq!(Header::new("X-A", value).unwrap().value(), joined, "{value:?}");
        }
    }

    #[test]
    fn encodes_a_value_that_is_not_ascii() {
        let header = Header::new("X-Campaign", "Frühling").unwrap();
        assert_eq!(
            (header.value(), header.text()),
            ("=?utf-8?b?RnLDvGhsaW5n?=", "Frühling")
        );
        for name in ["List-Unsubscribe", "list-help"] {
            let link = Header::new(name, "<https://example.com/ü?a=1>").unwrap();
            assert_eq!(link.value(), "<https://example.com/%C3%BC?a=1>");
        }
        let list = Header::new("List-Id", "The Zoë letter <news.example.com>").unwrap();
        assert_eq!(list.value(), "The =?utf-8?b?Wm/Dqw==?= letter <news.example.com>");
    }
}
