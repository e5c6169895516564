//! A sender or recipient for people to read: an address, and the name without its quotes and encoded words.
//!
//! An encoded word in quotes stays as it is: receivers do not decode it there (RFC 2047, 5), and show it in full.

use mail_parser::MessageParser;
use serde::Serialize;

/// A sender or a recipient of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Person {
    /// The decoded display name, if there is one.
    pub(crate) name: Option<String>,
    /// The address without the name.
    pub(crate) email: String,
}

impl Person {
    /// Reads an address that SES has accepted.
    pub(crate) fn read(given: &str) -> Self {
        let given = given.trim();
        let named = given.strip_suffix('>').and_then(|given| given.rsplit_once('<'));
        let (name, email) = named.unwrap_or(("", given));
        let name = name.trim();
        let name = match unquoted(name) {
            Some(quoted) => quoted,
            None if name.contains("=?") => decoded(name).unwrap_or_else(|| name.to_owned()),
            None => name.to_owned(),
        };
        Self {
            name: Some(name).filter(|name| !name.is_empty()),
            email: email.to_owned(),
        }
    }
}

fn unquoted(name: &str) -> Option<String> {
    let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'))?;
    let mut is_escaped = false;
    let keep = |c: &char| {
        is_escaped = *c == '\\' && !is_escaped;
        !is_escaped
    };
    Some(quoted.chars().filter(keep).collect())
}

/// Decodes encoded words, as a mail program decodes a subject.
fn decoded(name: &str) -> Option<String> {
    let header = format!("Subject: {name}\r\n\r\n");
    let message = MessageParser::new().header_text("Subject").parse(header.as_bytes())?;
    message.subject().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_as_people_do() {
        for (given, name, email) in [
            ("ada@example.com", None, "ada@example.com"),
            ("<ada@example.com>", None, "ada@example.com"),
            (
                "Ada Lovelace <ada@example.com>",
                Some("Ada Lovelace"),
                "ada@example.com",
            ),
            (
                "\"Lovelace, Ada\" <ada@example.com>",
                Some("Lovelace, Ada"),
                "ada@example.com",
            ),
            (
                r#""The \"A\" \\ team" <a@example.com>"#,
                Some(r#"The "A" \ team"#),
                "a@example.com",
            ),
            (
                "=?utf-8?B?Wm/DqyDwn46J?= <zoe@example.com>",
                Some("Zoë 🎉"),
                "zoe@example.com",
            ),
            (
                "=?utf-8?Q?Zo=C3=AB?= =?utf-8?Q?_B.?= <z@example.com>",
                Some("Zoë B."),
                "z@example.com",
            ),
            (
                "\"=?utf-8?Q?Zo=C3=AB?=\" <z@example.com>",
                Some("=?utf-8?Q?Zo=C3=AB?="),
                "z@example.com",
            ),
            ("=?broken <z@example.com>", Some("=?broken"), "z@example.com"),
        ] {
            let person = Person {
                name: name.map(str::to_owned),
                email: email.to_owned(),
            };
            assert_eq!(Person::read(given), person);
        }
    }
}
