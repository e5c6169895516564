//! The addresses in a header field.

use mail_parser::{Address, HeaderName, MessageParser};

use super::error::InvalidRaw;
use super::fields::Field;
use crate::address::{AddressError, EmailAddress, Mailbox};

/// The addresses in a field, as far as they can be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) mailboxes: Vec<Mailbox>,
    /// The first problem.
    pub(super) problem: Option<InvalidRaw>,
}

impl Found {
    /// Returns the addresses if all of them can be read.
    pub(super) fn all(self) -> Result<Vec<Mailbox>, InvalidRaw> {
        self.problem.map_or(Ok(self.mailboxes), Err)
    }

    /// Adds the addresses of another field.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.mailboxes.extend(other.mailboxes);
        self.problem = self.problem.or(other.problem);
        self
    }
}

/// Reads the addresses of a field. A group without members, as in `undisclosed-recipients:;`, has none.
pub(super) fn addresses(field: &Field<'_>, place: &'static str) -> Found {
    found(field, place, EmailAddress::parse)
}

/// Reads the senders in a field: see [`EmailAddress::parse_sender`].
pub(super) fn senders(field: &Field<'_>, place: &'static str) -> Found {
    found(field, place, EmailAddress::parse_sender)
}

/// Reads an address without its name.
type ReadAddress = fn(&str) -> Result<EmailAddress, AddressError>;

fn found(field: &Field<'_>, place: &'static str, address_of: ReadAddress) -> Found {
    let mut found = Found::default();
    for read in mailboxes(&field.value(), address_of) {
        match read {
            Ok(mailbox) => found.mailboxes.push(mailbox),
            Err(problem) => {
                found.problem.get_or_insert(InvalidRaw::Address { place, problem });
            }
        }
    }
    found
}

fn mailboxes(value: &str, address_of: ReadAddress) -> Vec<Result<Mailbox, AddressError>> {
    // Outside quotes and comments, readers understand a backslash in different ways.
    if has_bare_backslash(value) {
        return vec![Err(AddressError::LocalPartInvalid)];
    }
    let header = format!("To: {value}\r\n\r\n");
    let message = MessageParser::new()
        .header_address(HeaderName::To)
        .parse_headers(header.as_bytes());
    let found = match message.as_ref().and_then(|message| message.to()) {
        None => return Vec::new(),
        Some(Address::List(list)) => list.iter().collect::<Vec<_>>(),
        Some(Address::Group(groups)) => groups.iter().flat_map(|group| &group.addresses).collect(),
    };
    let mailbox = |addr: &mail_parser::Addr<'_>| {
        let text = addr.address.as_deref().ok_or(AddressError::NotAnAddress)?;
        let address = address_of(text)?;
        // A name that Okite cannot keep is left out; the message has it all the same.
        let name = addr.name.as_deref().map(str::to_owned);
        Mailbox::from_parts(name, address.clone()).or_else(|_| Mailbox::from_parts(None, address))
    };
    found.into_iter().map(mailbox).collect()
}

/// Reads the one sender of a field.
pub(super) fn sender(field: &Field<'_>, place: &'static str) -> Result<Mailbox, InvalidRaw> {
    let mut found = senders(field, place).all()?.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(InvalidRaw::NotOneAddress(place)),
    }
}

fn has_bare_backslash(value: &str) -> bool {
    let (mut in_quotes, mut comments, mut is_escaped) = (false, 0_usize, false);
    for c in value.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if in_quotes || comments > 0 => is_escaped = true,
            '\\' => return true,
            '"' if comments == 0 => in_quotes = !in_quotes,
            '(' if !in_quotes => comments += 1,
            ')' if !in_quotes => comments = comments.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::fields::fields;
    use super::*;

    fn read(value: &str) -> Result<Vec<String>, InvalidRaw> {
        let message = format!("To: {value}\n");
        let fields = fields(message.as_bytes())?;
        let found = addresses(&fields[0], "To").all()?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_the_forms_that_mail_libraries_write() {
        for (value, addresses) in [
            ("a@example.com", &["a@example.com"][..]),
            ("<a@example.com>", &["a@example.com"]),
            (
                "a@example.com, Bob <b@example.com>",
                &["a@example.com", "Bob <b@example.com>"],
            ),
            (
                "\"Doe, Ada\" <a@example.com>,\n b@example.com",
                &["Doe, Ada <a@example.com>", "b@example.com"],
            ),
            ("\"a@example.org\" <a@example.com>", &["a@example.org <a@example.com>"]),
            ("a@example.org <a@example.com>", &["a@example.org <a@example.com>"]),
            ("=?utf-8?q?Zo=C3=AB?= <z@example.com>", &["Zoë <z@example.com>"]),
            (
                "=?utf-8?q?Z?=\n =?utf-8?q?o=2C?= <z@example.com>",
                &["Zo, <z@example.com>"],
            ),
            ("a@example.com (Ada)", &["Ada <a@example.com>"]),
            (
                "Team: a@example.com, b@example.com;",
                &["a@example.com", "b@example.com"],
            ),
            ("undisclosed-recipients:;", &[]),
            ("a@Bücher.example", &["a@Bücher.example"]),
            ("", &[]),
        ] {
            assert_eq!(read(value).unwrap(), addresses, "{value}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for value in [
            "bob",
            "bob <bob>",
            "a@example.com b@example.com",
            "<a@example.com> b@example.com",
            "<a@example.com, b@example.com>",
            "\"a <a@example.com>",
            "\\\"x <a@example.com>, \" <b@example.com>",
            "ü@example.com",
            "a@localhost",
            // An address that nobody has: the parser takes the quotes for a name. The request may name it.
            "\"a b\"@example.com",
        ] {
            assert!(
                matches!(read(value), Err(InvalidRaw::Address { place: "To", .. })),
                "{value}"
            );
        }
    }
}
