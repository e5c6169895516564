//! An address with a display name, as it stands in `From` and `To`.

use std::fmt;

use super::{AddressError, EmailAddress, quote, unquote};
use crate::encoded_words;

/// The longest display name, in octets.
const NAME_MAX: usize = 320;

/// An address with its display name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<String>,
    address: EmailAddress,
}

impl Mailbox {
    /// Parses `local@domain`, `Name <local@domain>` or `"Name" <local@domain>`.
    ///
    /// The name needs no quotes: everything before the last `<` is the name, as in `Acme, Inc. <a@example.com>`. A name
    /// in encoded words (RFC 2047) is decoded, in quotes too: mail libraries write such names, and receivers do not
    /// decode them in quotes.
    ///
    /// # Errors
    /// [`AddressError`] names the problem and never repeats the address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        Self::read(text, EmailAddress::parse)
    }

    /// Parses a sender: see [`EmailAddress::parse_sender`].
    ///
    /// # Errors
    /// [`AddressError`] names the problem and never repeats the address.
    pub fn parse_sender(text: &str) -> Result<Self, AddressError> {
        Self::read(text, EmailAddress::parse_sender)
    }

    fn read(
        text: &str,
        address_of: impl FnOnce(&str) -> Result<EmailAddress, AddressError>,
    ) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(AddressError::ControlCharacter);
        }
        let Some(inner) = text.strip_suffix('>') else {
            let address = address_of(text)?;
            return Ok(Self { name: None, address });
        };
        let (name, address) = inner.rsplit_once('<').ok_or(AddressError::BracketsInvalid)?;
        let address = address_of(address)?;
        let name = name.trim();
        let name = match name.strip_prefix('"').and_then(unquote) {
            Some(quoted) => encoded_words::decode(&quoted).unwrap_or(quoted),
            // `A <a@example.com>, B <b@example.com>` would reach only B, and with the rest as its name.
            None if name.contains('@') && name.contains(['<', ',', ';']) => {
                return Err(AddressError::SeveralAddresses);
            }
            None => encoded_words::decode(name).unwrap_or_else(|| name.to_owned()),
        };
        if name.chars().any(char::is_control) {
            return Err(AddressError::ControlCharacter);
        }
        let name = name.trim();
        if name.len() > NAME_MAX {
            return Err(AddressError::NameTooLong);
        }
        let name = Some(name).filter(|name| !name.is_empty());
        Ok(Self {
            name: name.map(str::to_owned),
            address,
        })
    }

    /// Puts a mailbox together again from its stored name and address. A name may hold what [`Self::parse`] would read
    /// as something else.
    ///
    /// # Errors
    /// [`AddressError`] if no mailbox has this name.
    pub fn from_parts(name: Option<String>, address: EmailAddress) -> Result<Self, AddressError> {
        match &name {
            Some(name) if name.chars().any(char::is_control) => Err(AddressError::ControlCharacter),
            Some(name) if name.len() > NAME_MAX => Err(AddressError::NameTooLong),
            _ => Ok(Self { name, address }),
        }
    }

    /// Returns the display name in Unicode.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the address without the name.
    #[must_use]
    pub fn address(&self) -> &EmailAddress {
        &self.address
    }

    /// Returns the mailbox as SES requires it. The name is quoted, or in RFC 2047 encoded words if it is not ASCII.
    #[must_use]
    pub fn to_wire(&self) -> String {
        match &self.name {
            None => self.address.as_wire().to_owned(),
            Some(name) => format!("{} <{}>", encode_display_name(name), self.address.as_wire()),
        }
    }
}

/// A mailbox without a name.
impl From<EmailAddress> for Mailbox {
    fn from(address: EmailAddress) -> Self {
        Self { name: None, address }
    }
}

/// Shows the mailbox as a person would write it.
impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => f.write_str(self.address.as_given()),
            Some(name) => write!(f, "{name} <{}>", self.address.as_given()),
        }
    }
}

/// Encodes a display name for a header: quoted if it is ASCII (RFC 5322), otherwise in encoded words (RFC 2047). A name
/// that only looks like an encoded word is encoded too, so that receivers show it as it is.
fn encode_display_name(name: &str) -> String {
    if !name.is_ascii() || name.contains("=?") {
        return encoded_words::encode(name);
    }
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b" !#$%&'*+-/^_`{|}~".contains(&b));
    if plain { name.to_owned() } else { quote(name) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_unquoted_quoted_and_missing_display_names() {
        for (text, name, address) in [
            ("a@example.com", None, "a@example.com"),
            ("<a@example.com>", None, "a@example.com"),
            ("Ünï <u@example.com>", Some("Ünï"), "u@example.com"),
            ("Acme, Inc. <a@example.com>", Some("Acme, Inc."), "a@example.com"),
            (
                "\"Acme, \\\"Inc.\\\"\" <a@example.com>",
                Some("Acme, \"Inc.\""),
                "a@example.com",
            ),
            ("a < b <a@example.com>", Some("a < b"), "a@example.com"),
        ] {
            let mailbox = Mailbox::parse(text).unwrap();
            assert_eq!(
                (mailbox.name(), mailbox.address().as_given()),
                (name, address),
                "{text}"
            );
        }
    }

    #[test]
    fn rejects_broken_brackets_and_line_breaks_in_names() {
        assert_eq!(Mailbox::parse("a@example.com>"), Err(AddressError::BracketsInvalid));
        assert!(Mailbox::parse("A <a@example.com> trailing").is_err());
        assert_eq!(
            Mailbox::parse("A\r\nBcc: b@example.com <a@example.com>"),
            Err(AddressError::ControlCharacter)
        );
    }

    #[test]
    fn never_reads_a_list_as_one_address_with_a_long_name() {
        for text in [
            "Bob <bob@example.com>, Carol <carol@example.net>",
            "bob@example.com, Carol <carol@example.net>",
            "bob@example.com; carol@example.net <carol@example.net>",
            "x <many@example.org> <z@example.net>",
        ] {
            assert_eq!(Mailbox::parse(text), Err(AddressError::SeveralAddresses), "{text}");
        }
        for text in [
            "bob@example.com <bob@example.com>",
            "\"Bob <bob@example.com>, Carol\" <carol@example.net>",
        ] {
            assert!(Mailbox::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn rejects_a_name_that_is_too_long() {
        let text = format!("{} <a@example.com>", "n".repeat(321));
        assert_eq!(Mailbox::parse(&text), Err(AddressError::NameTooLong));
    }

    #[test]
    fn decodes_a_name_in_encoded_words_with_or_without_quotes() {
        for (text, name) in [
            ("=?UTF-8?Q?Ad=C3=A1_B.?= <a@example.com>", "Adá B."),
            ("=?utf-8?b?w5xuw68=?= <a@example.com>", "Ünï"),
            (
                "=?iso-8859-1?Q?J=F6rg?= =?iso-8859-1?Q?_M?= (Sales) <a@example.com>",
                "Jörg M (Sales)",
            ),
            ("\"=?UTF-8?Q?Ad=C3=A1?=\" <a@example.com>", "Adá"),
            ("=?UTF-8?Q?Acme=2C_Inc=2E?= <a@example.com>", "Acme, Inc."),
            // It is no encoded word.
            ("=?broken <a@example.com>", "=?broken"),
            ("Why=?Because?= <a@example.com>", "Why=?Because?="),
            ("=?UTF-8?X?abc?= <a@example.com>", "=?UTF-8?X?abc?="),
        ] {
            let mailbox = Mailbox::parse(text).unwrap();
            assert_eq!(mailbox.name(), Some(name), "{text}");
            let wire = mailbox.to_wire();
            assert!(wire.is_ascii() && !wire.contains("\"=?"), "{wire}");
            assert_eq!(Mailbox::parse(&wire).unwrap(), mailbox, "{wire}");
        }
    }

    #[test]
    fn refuses_an_encoded_word_that_hides_a_line_break() {
        for text in [
            "=?UTF-8?Q?A=0D=0ABcc:_x?= <a@example.com>",
            "\"=?UTF-8?B?QQ0KQmNjOiB4?=\" <a@example.com>",
        ] {
            assert_eq!(Mailbox::parse(text), Err(AddressError::ControlCharacter), "{text}");
        }
    }

    #[test]
    fn encodes_names_for_ses() {
        for (text, wire) in [
            ("Acme <a@example.com>", "Acme <a@example.com>"),
            ("Acme, Inc. <a@example.com>", "\"Acme, Inc.\" <a@example.com>"),
            ("Ünï <u@example.com>", "=?utf-8?b?w5xuw68=?= <u@example.com>"),
        ] {
            assert_eq!(Mailbox::parse(text).unwrap().to_wire(), wire);
        }
        let long = Mailbox::parse(&format!("{} <a@example.com>", "漢字".repeat(40)))
            .unwrap()
            .to_wire();
        assert!(!long.contains('\n') && long.is_ascii(), "{long}");
    }

    proptest! {
        #[test]
        fn the_wire_form_of_any_mailbox_is_one_line_of_ascii(text in "\\PC{0,40}|[a-zA-Z.+\"\\\\]{1,12}@[a-zA-Zü.-]{1,20}") {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                let wire = mailbox.to_wire();
                prop_assert!(wire.is_ascii() && !wire.contains(['\r', '\n']));
            }
        }
    }
}
