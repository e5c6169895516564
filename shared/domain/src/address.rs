//! An email address, parsed once: a value of [`EmailAddress`] is one that SES takes.
//!
//! Three spellings of an address matter and each has its accessor. The one the caller wrote is for showing. The one on
//! the wire keeps the local part as written (its case may matter to the receiver) and has the domain in ASCII, for SES
//! wants punycode. The normalised one is the identity of the mailbox: it keys the suppression list, so two spellings
//! that reach one mailbox must never differ in it. It never drops a `+tag` or dots: those are other mailboxes to most
//! receivers, and a wrong guess would suppress somebody else.

use std::borrow::Cow;
use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use sha2::{Digest, Sha256};

use crate::hex::hex;

/// The longest local part that SMTP carries, in octets (RFC 5321, 4.5.3.1.1).
const LOCAL_PART_MAX: usize = 64;
/// The longest address that SMTP carries, in octets (RFC 5321, 4.5.3.1.3, less the angle brackets).
const ADDRESS_MAX: usize = 254;
/// The longest spelling that is kept, in octets: an international domain is longer as written than on the wire.
const GIVEN_MAX: usize = 512;
/// The longest display name that is taken, in octets.
const NAME_MAX: usize = 320;
/// The domain of Amazon's mailbox simulator.
const SIMULATOR_DOMAIN: &str = "simulator.amazonses.com";

/// A domain that never exists (RFC 2606): that of addresses which stand for forgotten ones.
const FORGOTTEN_DOMAIN: &str = "forgotten.invalid";
/// What stands for a forgotten address where nothing needs to tell it from other forgotten ones.
pub const FORGOTTEN: &str = "forgotten@forgotten.invalid";

/// A valid email address (an addr-spec, without a display name).
///
/// Two addresses are equal when they are the same mailbox, whatever their spelling.
#[derive(Clone, Debug)]
pub struct EmailAddress {
    given: String,
    wire: String,
    normalised: String,
    /// Where the `@` of `normalised` stands.
    at: usize,
}

/// Leaves out of a text whatever looks like an address, and control characters: what people write is shown to many.
#[must_use]
pub fn without_addresses(text: &str) -> String {
    let ends_a_word = |c: char| c.is_whitespace() || c.is_control() || "=,;<>()\"".contains(c);
    let words = text.split_inclusive(ends_a_word).map(|word| {
        let (word, end) = match word.chars().next_back().filter(|last| ends_a_word(*last)) {
            Some(end) => (&word[..word.len() - end.len_utf8()], Some(end)),
            None => (word, None),
        };
        let shown = if word.contains('@') { "[address]" } else { word };
        let end = end.map(|end| if end.is_control() { ' ' } else { end });
        shown.chars().chain(end).collect::<String>()
    });
    words.collect()
}

/// Why a text is not an email address that SES takes. The text itself is not repeated: it may end in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing but white space.
    #[error("the address is empty")]
    Empty,
    /// A control character, CR and LF included.
    #[error("the address contains a control character")]
    ControlCharacter,
    /// No `@`, or nothing on one side of it.
    #[error("the address must have the form local-part@domain")]
    NotAnAddress,
    /// SES does not speak SMTPUTF8.
    #[error("the part before the @ must be ASCII: Amazon SES does not support internationalised local parts")]
    LocalPartNotAscii,
    /// Characters that need quoting, or a wrongly quoted string.
    #[error("the part before the @ has characters that it may not have")]
    LocalPartInvalid,
    /// White space inside.
    #[error("the address contains a space")]
    Space,
    /// More than 64 octets.
    #[error("the part before the @ is longer than 64 characters")]
    LocalPartTooLong,
    /// Not a host name, no dot in it, or an address literal.
    #[error("the domain is not a valid domain name")]
    DomainInvalid,
    /// More than 254 octets, or a spelling of it that is far longer.
    #[error("the address is longer than 254 characters")]
    TooLong,
    /// A display name of more than 320 octets.
    #[error("the display name is longer than 320 bytes")]
    NameTooLong,
    /// Several addresses in one text.
    #[error("there must be one address in each text: give several as an array, or put quotes around the name")]
    SeveralAddresses,
    /// A link instead of an address.
    #[error("write the address without `mailto:`")]
    MailtoLink,
    /// Angle brackets that do not pair, or text after them.
    #[error("the address must have the form Name <local-part@domain>")]
    BracketsInvalid,
}

impl EmailAddress {
    /// Parses an address without a display name; white space around it is dropped.
    ///
    /// # Errors
    /// [`AddressError`] names what is wrong, without the address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let given = text.trim();
        if given.is_empty() {
            return Err(AddressError::Empty);
        }
        if given.chars().any(char::is_control) {
            return Err(AddressError::ControlCharacter);
        }
        if given.len() > GIVEN_MAX {
            return Err(AddressError::TooLong);
        }
        let (local, domain) = given.rsplit_once('@').ok_or(AddressError::NotAnAddress)?;
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::NotAnAddress);
        }
        let mailbox = normalise_local_part(local).map_err(|error| blame(given, error))?;
        let domain = ascii_domain(domain)?;
        let address = Self {
            given: given.to_owned(),
            wire: format!("{local}@{domain}"),
            at: mailbox.len(),
            normalised: format!("{mailbox}@{domain}"),
        };
        if address.wire.len() > ADDRESS_MAX {
            return Err(AddressError::TooLong);
        }
        Ok(address)
    }

    /// Returns the address as its author wrote it.
    #[must_use]
    pub fn as_given(&self) -> &str {
        &self.given
    }

    /// Returns the address as SES is told it: the domain in ASCII and lower case.
    #[must_use]
    pub fn as_wire(&self) -> &str {
        &self.wire
    }

    /// Returns the identity of the mailbox: what the suppression list is keyed by.
    #[must_use]
    pub fn normalised(&self) -> &str {
        &self.normalised
    }

    /// Returns the domain, in ASCII and lower case.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.normalised[self.at + 1..]
    }

    /// Tells whether this stands for an address that was forgotten: see [`Self::pseudonym`].
    #[must_use]
    pub fn is_pseudonym(&self) -> bool {
        self.domain() == FORGOTTEN_DOMAIN
    }

    /// Returns what stands for the address on the suppression list once it is forgotten there: an address that cannot be, of a
    /// SHA-256 of this one. Whoever guesses the address can tell that it is the one; nobody can read it there.
    #[must_use]
    pub fn pseudonym(&self) -> Self {
        let local = hex(&Sha256::digest(self.normalised.as_bytes()));
        let text = format!("{local}@{FORGOTTEN_DOMAIN}");
        Self {
            at: local.len(),
            given: text.clone(),
            wire: text.clone(),
            normalised: text,
        }
    }

    /// Tells whether the address belongs to Amazon's mailbox simulator, whose answers are rehearsals.
    /// <https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html>
    #[must_use]
    pub fn is_simulator(&self) -> bool {
        self.domain() == SIMULATOR_DOMAIN
    }
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.normalised == other.normalised
    }
}

impl Eq for EmailAddress {}

/// Finds the likelier mistake behind a local part that cannot be one.
fn blame(given: &str, error: AddressError) -> AddressError {
    match error {
        AddressError::LocalPartInvalid if given.starts_with('"') => error,
        AddressError::LocalPartInvalid if given.matches('@').count() > 1 && given.contains([',', ';', ' ']) => {
            AddressError::SeveralAddresses
        }
        AddressError::LocalPartInvalid if given.matches('@').count() > 1 => AddressError::NotAnAddress,
        AddressError::LocalPartInvalid if given.contains(['<', '>']) => AddressError::BracketsInvalid,
        AddressError::LocalPartInvalid if given.to_ascii_lowercase().starts_with("mailto:") => AddressError::MailtoLink,
        AddressError::LocalPartInvalid if given.contains(char::is_whitespace) => AddressError::Space,
        error => error,
    }
}

/// Lower-cases a local part, and unquotes it where the quotes change nothing.
fn normalise_local_part(local: &str) -> Result<Cow<'_, str>, AddressError> {
    if !local.is_ascii() {
        return Err(AddressError::LocalPartNotAscii);
    }
    if local.len() > LOCAL_PART_MAX {
        return Err(AddressError::LocalPartTooLong);
    }
    let Some(quoted) = local.strip_prefix('"') else {
        if !is_dot_atom(local) {
            return Err(AddressError::LocalPartInvalid);
        }
        return Ok(Cow::Owned(local.to_ascii_lowercase()));
    };
    let content = unquote(quoted).ok_or(AddressError::LocalPartInvalid)?;
    if content.is_empty() {
        return Err(AddressError::LocalPartInvalid);
    }
    let content = content.to_ascii_lowercase();
    if is_dot_atom(&content) {
        return Ok(Cow::Owned(content));
    }
    Ok(Cow::Owned(quote(&content)))
}

/// Writes a quoted string (RFC 5322).
fn quote(content: &str) -> String {
    let escaped = content.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// Tells whether `local` needs no quotes (RFC 5322 dot-atom).
fn is_dot_atom(local: &str) -> bool {
    local.split('.').all(|atom| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    })
}

/// Takes the content out of a quoted string whose opening quote is gone; `None` if it is not closed at its very end.
fn unquote(rest: &str) -> Option<String> {
    let mut content = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return chars.as_str().is_empty().then_some(content),
            '\\' => content.push(chars.next()?),
            _ => content.push(c),
        }
    }
    None
}

/// What no host name has. An underscore is allowed: such names exist in DNS and take mail.
const HOST_NAME: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");

/// Maps a domain to lower-case ASCII as UTS-46 has it, and refuses what is not a host name below a top-level domain.
pub(crate) fn ascii_domain(domain: &str) -> Result<Cow<'_, str>, AddressError> {
    let ascii = Uts46::new()
        .to_ascii(domain.as_bytes(), HOST_NAME, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| AddressError::DomainInvalid)?;
    // No top-level domain is a number: what ends in one is an IP address.
    let top_level = ascii.rsplit_once('.').map_or("", |(_, top_level)| top_level);
    if top_level.bytes().any(|b| b.is_ascii_alphabetic()) {
        Ok(ascii)
    } else {
        Err(AddressError::DomainInvalid)
    }
}

/// An address with the name shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<String>,
    address: EmailAddress,
}

impl Mailbox {
    /// Parses `local@domain`, `Name <local@domain>` or `"Name" <local@domain>`.
    ///
    /// The name may be raw (`Ünï <u@example.com>`, `Acme, Inc. <a@example.com>`): everything before the last `<` is the
    /// name.
    ///
    /// # Errors
    /// [`AddressError`] names what is wrong, without the address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(AddressError::ControlCharacter);
        }
        let Some(inner) = text.strip_suffix('>') else {
            let address = EmailAddress::parse(text)?;
            return Ok(Self { name: None, address });
        };
        let (name, address) = inner.rsplit_once('<').ok_or(AddressError::BracketsInvalid)?;
        let address = EmailAddress::parse(address)?;
        let name = name.trim();
        let name = match name.strip_prefix('"').and_then(unquote) {
            Some(quoted) => quoted,
            // `A <a@example.com>, B <b@example.com>` would reach B alone, under a strange name.
            None if name.contains('@') && name.contains(['<', ',', ';']) => {
                return Err(AddressError::SeveralAddresses);
            }
            None => name.to_owned(),
        };
        if name.len() > NAME_MAX {
            return Err(AddressError::NameTooLong);
        }
        let name = Some(name).filter(|name| !name.is_empty());
        Ok(Self { name, address })
    }

    /// Returns the display name, decoded.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the address.
    #[must_use]
    pub fn address(&self) -> &EmailAddress {
        &self.address
    }

    /// Returns the mailbox as SES wants it: the name quoted, or as RFC 2047 encoded words when it is not ASCII.
    #[must_use]
    pub fn to_wire(&self) -> String {
        match &self.name {
            None => self.address.as_wire().to_owned(),
            Some(name) => format!("{} <{}>", encode_display_name(name), self.address.as_wire()),
        }
    }
}

/// Shows the mailbox as its author would write it.
impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => f.write_str(self.address.as_given()),
            Some(name) => write!(f, "{name} <{}>", self.address.as_given()),
        }
    }
}

/// Encodes a display name for a header field: quoted where it is ASCII (RFC 5322), else as encoded words (RFC 2047).
fn encode_display_name(name: &str) -> String {
    use email_encoding::headers::{rfc2047, writer::EmailWriter};
    if name.is_ascii() {
        let plain = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b" !#$%&'*+-/^_`{|}~".contains(&b));
        return if plain { name.to_owned() } else { quote(name) };
    }
    let mut encoded = String::with_capacity(name.len() * 2);
    let written = rfc2047::encode(name, &mut EmailWriter::new(&mut encoded, 0, 0, true));
    debug_assert!(written.is_ok(), "writing into a String cannot fail");
    // The encoder folds long lines for a header; the SES API takes one line and folds by itself.
    encoded.replace("\r\n ", " ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normalised(text: &str) -> String {
        EmailAddress::parse(text).unwrap().normalised().to_owned()
    }

    #[test]
    fn addresses_are_left_out_of_a_text_wherever_they_are() {
        for (text, wanted) in [
            ("a bad list", "a bad list"),
            (
                "Anna <anna@example.org>, bob@example.net",
                "Anna <[address]>, [address]",
            ),
            ("user=anna@example.org", "user=[address]"),
            ("of\nanna@example.org\u{1b}[2J", "of [address] [2J"),
            ("", ""),
        ] {
            assert_eq!(without_addresses(text), wanted);
        }
    }

    #[test]
    fn normalises_case_in_both_parts() {
        assert_eq!(
            normalised(" Bounce@SIMULATOR.amazonses.com "),
            "bounce@simulator.amazonses.com"
        );
    }

    #[test]
    fn keeps_tags_and_dots_for_they_are_other_mailboxes() {
        assert_eq!(normalised("First.Last+News@gmail.com"), "first.last+news@gmail.com");
    }

    #[test]
    fn maps_an_international_domain_to_punycode_whatever_its_spelling() {
        for spelling in [
            "a@BÜCHER.example",
            "a@bu\u{308}cher.example",
            "a@xn--bcher-kva.EXAMPLE",
            "a@bücher。example",
        ] {
            assert_eq!(normalised(spelling), "a@xn--bcher-kva.example", "{spelling}");
        }
    }

    #[test]
    fn sends_the_local_part_as_written_and_the_domain_in_ascii() {
        let address = EmailAddress::parse("Anna@Bücher.example").unwrap();
        assert_eq!(address.as_given(), "Anna@Bücher.example");
        assert_eq!(address.as_wire(), "Anna@xn--bcher-kva.example");
    }

    #[test]
    fn quotes_that_change_nothing_do_not_make_another_mailbox() {
        assert_eq!(normalised("\"John.Doe\"@example.com"), "john.doe@example.com");
        assert_eq!(normalised("\"j\\ohn\"@example.com"), "john@example.com");
        assert_eq!(normalised("\"a..b\"@example.com"), "\"a..b\"@example.com");
        assert_eq!(normalised("\"a\\\"b\"@example.com"), "\"a\\\"b\"@example.com");
    }

    #[test]
    fn refuses_what_ses_refuses() {
        use AddressError::*;
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}.example", "a.".repeat(125));
        let padded = format!("a@exam{}ple.com", "\u{ad}".repeat(300));
        for (text, error) in [
            ("", Empty),
            ("  ", Empty),
            ("nobody", NotAnAddress),
            ("@example.com", NotAnAddress),
            ("a@", NotAnAddress),
            ("a\r\nBcc: x@example.com@example.com", ControlCharacter),
            ("ü@example.com", LocalPartNotAscii),
            ("a b@example.com", Space),
            ("mailto:a@example.com", MailtoLink),
            ("<a@example.com", BracketsInvalid),
            ("a@b@example.com", NotAnAddress),
            ("a@example.com, b@example.com", SeveralAddresses),
            ("a..b@example.com", LocalPartInvalid),
            (".a@example.com", LocalPartInvalid),
            ("a,b@example.com", LocalPartInvalid),
            ("\"a@example.com", LocalPartInvalid),
            ("\"a\"b@example.com", LocalPartInvalid),
            ("\"\"@example.com", LocalPartInvalid),
            (&long, LocalPartTooLong),
            ("a@localhost", DomainInvalid),
            ("a@[127.0.0.1]", DomainInvalid),
            ("a@127.0.0.1", DomainInvalid),
            (&padded, TooLong),
            ("a@-x.example", DomainInvalid),
            ("a@ex ample.com", DomainInvalid),
            ("a@example..com", DomainInvalid),
            ("a@example.com.", DomainInvalid),
            (&longer, DomainInvalid),
        ] {
            assert_eq!(EmailAddress::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn knows_the_mailbox_simulator_in_any_spelling() {
        assert!(
            EmailAddress::parse("bounce+x@Simulator.AmazonSES.com")
                .unwrap()
                .is_simulator()
        );
        assert!(
            !EmailAddress::parse("bounce@simulator.amazonses.com.example.org")
                .unwrap()
                .is_simulator()
        );
    }

    #[test]
    fn reads_display_names_raw_quoted_and_missing() {
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
    fn refuses_broken_brackets_and_line_breaks_in_names() {
        assert_eq!(Mailbox::parse("a@example.com>"), Err(AddressError::BracketsInvalid));
        assert!(Mailbox::parse("A <a@example.com> trailing").is_err());
        assert_eq!(
            Mailbox::parse("A\r\nBcc: b@example.com <a@example.com>"),
            Err(AddressError::ControlCharacter)
        );
    }

    #[test]
    fn never_takes_a_list_for_one_address_with_a_strange_name() {
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
    fn refuses_a_name_of_absurd_length() {
        let text = format!("{} <a@example.com>", "n".repeat(321));
        assert_eq!(Mailbox::parse(&text), Err(AddressError::NameTooLong));
    }

    #[test]
    fn writes_names_for_the_wire() {
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
        fn never_panics_and_normalising_twice_changes_nothing(text in "\\PC{0,40}|[a-zA-Z.+\"\\\\]{1,12}@[a-zA-Zü.-]{1,20}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                let again = EmailAddress::parse(address.normalised()).unwrap();
                prop_assert_eq!(again.normalised(), address.normalised());
                let wire = EmailAddress::parse(address.as_wire()).unwrap();
                prop_assert_eq!(wire.normalised(), address.normalised());
                prop_assert!(address.as_wire().is_ascii());
            }
            if let Ok(mailbox) = Mailbox::parse(&text) {
                let wire = mailbox.to_wire();
                prop_assert!(wire.is_ascii() && !wire.contains(['\r', '\n']));
            }
        }

        #[test]
        fn any_case_is_the_same_mailbox(local in "[a-z0-9+._-]{1,20}", domain in "[a-z]{1,10}\\.[a-z]{2,5}") {
            let lower = format!("{local}@{domain}");
            if let Ok(address) = EmailAddress::parse(&lower) {
                prop_assert_eq!(address, EmailAddress::parse(&lower.to_uppercase()).unwrap());
            }
        }
    }
}
