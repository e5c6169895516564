//! A domain that a key may send from, as an operator writes it.
//!
//! It is kept in the spelling that addresses have their domains in, so that the two can be compared byte by byte: a list
//! whose domains no mail could match would refuse everything, and nobody would see why.

use crate::address::ascii_domain;

/// Why a text is no domain to send from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FromDomainError {
    /// Nothing but white space.
    #[error("the domain is empty")]
    Empty,
    /// An address.
    #[error("this is an address: name its domain alone, what comes after the @")]
    Address,
    /// A pattern.
    #[error("name the domain without a wildcard: the domains below it are included already")]
    Wildcard,
    /// Not a host name, no dot in it, or an IP address.
    #[error("this is not a valid domain name: write it like example.com")]
    Invalid,
}

/// Parses a domain that mail may come from, into ASCII and lower case (UTS-46); white space around it is dropped.
///
/// # Errors
/// [`FromDomainError`] says what to write instead.
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
    fn a_domain_is_kept_as_addresses_have_it() {
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
    fn what_is_no_domain_is_refused_with_what_to_write() {
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
