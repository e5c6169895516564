//! Email addresses, parsed once. SES accepts every value of [`EmailAddress`].
//!
//! Each address has three spellings, and each spelling has an accessor:
//!
//! - The given spelling is the caller's. Okite shows this one.
//! - The wire spelling goes to SES. It keeps the local part as given, because its case may matter to the receiver. Its
//!   domain is ASCII, because SES requires punycode.
//! - The normalised spelling identifies the mailbox, and the suppression list is keyed by a hash of it. Two spellings
//!   that reach one mailbox must normalise alike. Normalising keeps `+tag` and dots, because most receivers treat them
//!   as different mailboxes. Dropping them could suppress another person's address.

mod mailbox;

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use sha2::{Digest, Sha256};

use crate::hex::{hex, unhex};

pub use mailbox::Mailbox;

/// The longest local part that SMTP carries, in octets (RFC 5321, 4.5.3.1.1).
const LOCAL_PART_MAX: usize = 64;
/// The longest address that SMTP carries, in octets (RFC 5321, 4.5.3.1.3, less the angle brackets).
const ADDRESS_MAX: usize = 254;
/// The longest given spelling, in octets. An international domain may be longer in Unicode than in ASCII.
const GIVEN_MAX: usize = 512;
/// The domain of Amazon's mailbox simulator.
const SIMULATOR_DOMAIN: &str = "simulator.amazonses.com";

/// The domain of the pseudonyms of forgotten addresses. RFC 2606 reserves it, so it never exists.
const FORGOTTEN_DOMAIN: &str = "forgotten.invalid";
/// The placeholder for a forgotten address where forgotten addresses need not be distinguished.
pub const FORGOTTEN: &str = "forgotten@forgotten.invalid";

/// A valid email address (an addr-spec, without a display name).
///
/// Two addresses are equal if they normalise to the same mailbox.
#[derive(Clone, Debug)]
pub struct EmailAddress {
    given: String,
    wire: String,
    normalised: String,
    /// The byte index of the `@` in `normalised`.
    at: usize,
}

/// Replaces everything that looks like an address by `[address]`, and control characters by spaces.
///
/// Use it for text that one person writes and others read.
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

/// The reason that a text is not an address that SES accepts. It never repeats the text, because it may be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text is empty or white space.
    #[error("the address is empty")]
    Empty,
    /// The text contains a control character, such as CR or LF.
    #[error("the address contains a control character")]
    ControlCharacter,
    /// The text has no `@`, or nothing on one side of it.
    #[error("the address must have the form local-part@domain")]
    NotAnAddress,
    /// The local part is not ASCII. SES does not support SMTPUTF8.
    #[error("the part before the @ must be ASCII: Amazon SES does not support internationalised local parts")]
    LocalPartNotAscii,
    /// The local part has characters that need quotes, or its quotes are wrong.
    #[error("the part before the @ contains characters that are not allowed there")]
    LocalPartInvalid,
    /// The address contains white space.
    #[error("the address contains a space")]
    Space,
    /// The local part has more than 64 octets.
    #[error("the part before the @ is longer than 64 characters")]
    LocalPartTooLong,
    /// The domain is not a host name, has no dot, or is an IP address.
    #[error("the domain is not a valid domain name")]
    DomainInvalid,
    /// The address has more than 254 octets on the wire, or more than 512 as given.
    #[error("the address is longer than 254 characters")]
    TooLong,
    /// The display name has more than 320 octets.
    #[error("the display name is longer than 320 bytes")]
    NameTooLong,
    /// The text has several addresses.
    #[error("each text must have one address: give several addresses as an array, or put quotes around the name")]
    SeveralAddresses,
    /// The text is a `mailto:` link.
    #[error("write the address without `mailto:`")]
    MailtoLink,
    /// The angle brackets do not pair, or text follows them.
    #[error("the address must have the form Name <local-part@domain>")]
    BracketsInvalid,
}

impl EmailAddress {
    /// Parses an address without a display name, and ignores white space around it.
    ///
    /// # Errors
    /// [`AddressError`] names the problem and never repeats the address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        Self::read(text, ascii_domain)
    }

    /// Parses the address of a sender: as [`Self::parse`] does, but the domain may be the name of a machine, such as
    /// `localhost`. SES refuses such a sender, so every front must ask [`Self::has_machine_name`] and [`LocalSenders`].
    ///
    /// # Errors
    /// [`AddressError`] names the problem and never repeats the address.
    pub fn parse_sender(text: &str) -> Result<Self, AddressError> {
        Self::read(text, |domain| ascii_domain(domain).or_else(|_| machine_name(domain)))
    }

    fn read(
        text: &str,
        domain_of: impl FnOnce(&str) -> Result<Cow<'_, str>, AddressError>,
    ) -> Result<Self, AddressError> {
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
        let domain = domain_of(domain)?;
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

    /// Returns the address as the caller wrote it.
    #[must_use]
    pub fn as_given(&self) -> &str {
        &self.given
    }

    /// Returns the address as Okite sends it to SES, with the domain in lower-case ASCII.
    #[must_use]
    pub fn as_wire(&self) -> &str {
        &self.wire
    }

    /// Returns the normalised address: the identity of the mailbox. The suppression list is keyed by a hash of it.
    #[must_use]
    pub fn normalised(&self) -> &str {
        &self.normalised
    }

    /// Returns the domain in lower-case ASCII.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.normalised[self.at + 1..]
    }

    /// Returns whether this is the pseudonym of a forgotten address. See [`Self::pseudonym`].
    #[must_use]
    pub fn is_pseudonym(&self) -> bool {
        self.domain() == FORGOTTEN_DOMAIN
    }

    /// Returns the pseudonym that replaces a forgotten address on the suppression list.
    ///
    /// The pseudonym has the SHA-256 of the address as its local part, and a domain that never exists. A reader of the
    /// list can test a guess against it, but cannot read the address from it.
    #[must_use]
    pub fn pseudonym(&self) -> Self {
        Self::of_pseudonym_hash(Sha256::digest(self.normalised.as_bytes()).into())
    }

    /// Returns the SHA-256 in the pseudonym of this address. A pseudonym has the hash of the address that it replaces.
    #[must_use]
    pub fn pseudonym_hash(&self) -> [u8; 32] {
        let of_pseudonym = if self.is_pseudonym() {
            unhex(&self.normalised[..self.at])
        } else {
            None
        };
        of_pseudonym.unwrap_or_else(|| Sha256::digest(self.normalised.as_bytes()).into())
    }

    /// Returns the pseudonym of the address with this [hash](Self::pseudonym_hash).
    #[must_use]
    pub fn of_pseudonym_hash(hash: [u8; 32]) -> Self {
        let local = hex(&hash);
        let text = format!("{local}@{FORGOTTEN_DOMAIN}");
        Self {
            at: local.len(),
            given: text.clone(),
            wire: text.clone(),
            normalised: text,
        }
    }

    /// Returns whether the domain is the name of a machine, without a dot. Only [`Self::parse_sender`] accepts one.
    #[must_use]
    pub fn has_machine_name(&self) -> bool {
        !self.domain().contains('.')
    }

    /// Returns whether the address belongs to Amazon's mailbox simulator, whose bounces and complaints are only tests.
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

/// Returns the most likely mistake behind an invalid local part.
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

/// Lower-cases a local part, and removes quotes that it does not need.
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

/// Returns whether `local` needs no quotes (RFC 5322 dot-atom).
fn is_dot_atom(local: &str) -> bool {
    local.split('.').all(|atom| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    })
}

/// Returns the content of a quoted string without its opening quote. Returns `None` unless the closing quote ends it.
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

/// The characters that no host name has. An underscore is allowed: such names exist in DNS and take mail.
const HOST_NAME: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");

/// Maps a domain to lower-case ASCII (UTS-46), and rejects anything but a host name below a top-level domain.
pub(crate) fn ascii_domain(domain: &str) -> Result<Cow<'_, str>, AddressError> {
    let ascii = Uts46::new()
        .to_ascii(domain.as_bytes(), HOST_NAME, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| AddressError::DomainInvalid)?;
    // No top-level domain is a number, so a name that ends in a number is an IP address.
    let top_level = ascii.rsplit_once('.').map_or("", |(_, top_level)| top_level);
    if top_level.bytes().any(|b| b.is_ascii_alphabetic()) {
        Ok(ascii)
    } else {
        Err(AddressError::DomainInvalid)
    }
}

/// Reads the name of a machine: one label of a host name.
fn machine_name(name: &str) -> Result<Cow<'_, str>, AddressError> {
    let is_label = name.len() <= 63
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && name.bytes().any(|byte| byte.is_ascii_alphabetic());
    if is_label {
        Ok(Cow::Owned(name.to_ascii_lowercase()))
    } else {
        Err(AddressError::DomainInvalid)
    }
}

/// Whether senders like `webmaster@localhost` are accepted. They are in the settings that frameworks have at first, and
/// SES refuses them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalSenders {
    /// They are refused, as by SES.
    #[default]
    Refused,
    /// They are accepted. Only the SES that `okite up` simulates takes such mail.
    Accepted,
}

impl LocalSenders {
    /// Refuses a sender that this setting does not accept.
    ///
    /// # Errors
    /// [`AddressError::DomainInvalid`].
    pub fn check(self, sender: &EmailAddress) -> Result<(), AddressError> {
        match self {
            Self::Refused if sender.has_machine_name() => Err(AddressError::DomainInvalid),
            Self::Refused | Self::Accepted => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_sender_may_be_at_the_name_of_a_machine() {
        for text in ["webmaster@localhost", "root@My-Laptop", "a@x1"] {
            assert_eq!(EmailAddress::parse(text), Err(AddressError::DomainInvalid), "{text}");
            let sender = EmailAddress::parse_sender(text).unwrap();
            assert!(sender.has_machine_name());
            assert_eq!(sender.as_wire(), text.to_ascii_lowercase());
            assert_eq!(LocalSenders::default().check(&sender), Err(AddressError::DomainInvalid));
            assert_eq!(LocalSenders::Accepted.check(&sender), Ok(()));
            let named = Mailbox::parse_sender(&format!("Web <{text}>")).unwrap();
            assert_eq!(named.address(), &sender);
        }
        for text in [
            "a@1",
            "a@127.0.0.1",
            "a@-x",
            "a@x-",
            "a@a_b",
            "a@[::1]",
            "a@",
            "a@x.",
            "a@ö",
        ] {
            assert_eq!(
                EmailAddress::parse_sender(text).is_ok(),
                EmailAddress::parse(text).is_ok(),
                "{text}"
            );
        }
        let usual = EmailAddress::parse_sender("anna@Example.net").unwrap();
        assert!(!usual.has_machine_name() && LocalSenders::Refused.check(&usual).is_ok());
    }

    fn normalised(text: &str) -> String {
        EmailAddress::parse(text).unwrap().normalised().to_owned()
    }

    #[test]
    fn addresses_anywhere_in_a_text_are_replaced() {
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
    fn keeps_tags_and_dots_because_they_are_other_mailboxes() {
        assert_eq!(normalised("First.Last+News@gmail.com"), "first.last+news@gmail.com");
    }

    #[test]
    fn maps_every_spelling_of_an_international_domain_to_punycode() {
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
    fn unneeded_quotes_do_not_make_another_mailbox() {
        assert_eq!(normalised("\"John.Doe\"@example.com"), "john.doe@example.com");
        assert_eq!(normalised("\"j\\ohn\"@example.com"), "john@example.com");
        assert_eq!(normalised("\"a..b\"@example.com"), "\"a..b\"@example.com");
        assert_eq!(normalised("\"a\\\"b\"@example.com"), "\"a\\\"b\"@example.com");
    }

    #[test]
    fn rejects_addresses_that_ses_rejects() {
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
    fn recognises_the_mailbox_simulator_in_any_spelling() {
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
