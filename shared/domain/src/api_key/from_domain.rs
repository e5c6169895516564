//! The domains that a key may send from, parsed from an operator's input.
//!
//! Okite keeps them in the spelling of [`EmailAddress::domain`](crate::address::EmailAddress::domain) and compares the
//! bytes. A domain in another spelling would match no mail, and the key would reject every mail without an obvious
//! cause.

use crate::address::ascii_domain;

/// The reason that a text is not a domain to send from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FromDomainError {
    /// The text is empty or white space.
    #[error("the domain is empty")]
    Empty,
    /// The text is an email address.
    #[error("this is an address: give only its domain, the part after the @")]
    Address,
    /// The text has a wildcard or begins with a dot.
    #[error("give the domain without a wildcard: its subdomains are already included")]
    Wildcard,
    /// The text is not a host name, has no dot, or is an IP address.
    #[error("this is not a valid domain name: write it like example.com")]
    Invalid,
}

/// Parses a domain that a key may send from, and ignores white space around it.
///
/// Returns the domain in lower-case ASCII (UTS-46).
///
/// # Errors
/// [`FromDomainError`] names the problem and the remedy.
pub fn from_domain(text: &str) -> Result<String, FromDomainError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(FromDomainError::Empty);
    }
    if text.contains('@') {
        return Err(FromDomainError::Address);
    }
    if text.contains('*') || text.starts_with('.') {
        return Err(FromDomainError::Wildcard);
    }
    match ascii_domain(text) {
        Ok(domain) => Ok(domain.into_owned()),
        Err(_) => Err(FromDomainError::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_the_spelling_of_addresses() {
        for (text, domain) in [
            ("example.com", "example.com"),
            (" Mail.Example.COM ", "mail.example.com"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("bu\u{308}cher。example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(from_domain(text).as_deref(), Ok(domain), "{text}");
        }
    }

    #[test]
    fn rejects_anything_but_a_domain() {
        use FromDomainError::*;
        for (text, error) in [
            ("", Empty),
            ("  ", Empty),
            ("hello@example.com", Address),
            ("@example.com", Address),
            ("*.example.com", Wildcard),
            ("*", Wildcard),
            (".example.com", Wildcard),
            ("com", Invalid),
            ("example.com.", Invalid),
            ("exa mple.com", Invalid),
            ("https://example.com", Invalid),
            ("example.com\r\nx", Invalid),
            ("127.0.0.1", Invalid),
            ("-a.example", Invalid),
        ] {
            assert_eq!(from_domain(text), Err(error), "{text:?}");
        }
    }
}
