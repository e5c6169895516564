//! An address as SES reads it: `a@b`, `Name <a@b>`, `"Quoted, name" <a@b>`, or an encoded word for the name.
//!
//! The text is kept as it was sent, because SES repeats it in its events. The checks are those of the mail library
//! whose error messages SES returns. SES does not support SMTPUTF8, so an address is ASCII.

use super::error::SesError;

/// One address of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// The address as it was sent, with its display name.
    pub(super) given: String,
    /// The part before the `@`, as it was sent.
    pub(super) local: String,
    /// The domain in lower case.
    pub(super) domain: String,
}

impl Mailbox {
    /// Reads an address.
    ///
    /// # Errors
    /// Returns a `BadRequestException` with SES's text for what is wrong.
    pub(super) fn parse(given: &str) -> Result<Self, SesError> {
        if given.chars().any(|c| c.is_ascii_control()) {
            return Err(invalid("Local address contains control or whitespace"));
        }
        if !given.is_ascii() {
            return Err(invalid("Local address contains non-ASCII characters"));
        }
        let (local, domain) = addr_spec(given)?
            .rsplit_once('@')
            .ok_or_else(|| invalid("Missing final '@domain'"))?;
        check_local(local)?;
        check_domain(domain)?;
        Ok(Self {
            given: given.to_owned(),
            local: local.to_owned(),
            domain: domain.to_ascii_lowercase(),
        })
    }

    /// Returns `local@domain` in lower case, the key of lists and identities.
    pub(super) fn key(&self) -> String {
        format!("{}@{}", self.local.to_ascii_lowercase(), self.domain)
    }

    /// Returns `local@domain` with the local part as it was sent.
    pub(super) fn bare(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }
}

/// Returns the part between the angle brackets, or the whole text if there are none.
fn addr_spec(given: &str) -> Result<&str, SesError> {
    let trimmed = given.trim();
    let Some(inner) = trimmed.strip_suffix('>') else {
        return Ok(trimmed);
    };
    let (name, address) = inner.rsplit_once('<').ok_or_else(|| invalid("Missing '<'"))?;
    check_display_name(name)?;
    Ok(address)
}

/// Refuses a display name that would turn one address into several.
fn check_display_name(name: &str) -> Result<(), SesError> {
    let (mut quoted, mut escaped) = (false, false);
    for c in name.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' | ';' | '<' | '>' if !quoted => {
                return Err(invalid("Illegal address in the display name"));
            }
            _ => {}
        }
    }
    if quoted {
        return Err(invalid("Missing '\"'"));
    }
    Ok(())
}

fn check_local(local: &str) -> Result<(), SesError> {
    if local.is_empty() {
        return Err(invalid("Missing local name"));
    }
    if local.len() > 64 {
        return Err(invalid("Local address is longer than 64 characters"));
    }
    let quoted = local.len() > 1 && local.starts_with('"') && local.ends_with('"');
    if quoted {
        return Ok(());
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err(invalid("Local address has a dot in the wrong place"));
    }
    if local.contains(' ') {
        return Err(invalid("Local address contains control or whitespace"));
    }
    if local.contains(|c| "()<>,;:\\\"[]@".contains(c)) {
        return Err(invalid("Local address contains illegal character"));
    }
    Ok(())
}

fn check_domain(domain: &str) -> Result<(), SesError> {
    if domain.is_empty() || domain.len() > 253 {
        return Err(invalid("Missing domain"));
    }
    if domain.starts_with('.') {
        return Err(invalid("Domain starts with dot"));
    }
    if domain.ends_with('.') {
        return Err(invalid("Domain ends with dot"));
    }
    if domain.contains("..") {
        return Err(invalid("Domain contains dot-dot"));
    }
    let legal_label = |label: &str| {
        label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !domain.split('.').all(legal_label) {
        return Err(invalid("Domain contains illegal character"));
    }
    Ok(())
}

fn invalid(why: &str) -> SesError {
    SesError::BadRequest(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(given: &str) -> String {
        Mailbox::parse(given).unwrap().key()
    }

    fn refusal(given: &str) -> String {
        Mailbox::parse(given).unwrap_err().to_string()
    }

    #[test]
    fn reads_a_bare_a_named_a_quoted_and_an_encoded_address() {
        assert_eq!(key("Ada@Example.COM"), "ada@example.com");
        assert_eq!(key("Ada Lovelace <ada@example.com>"), "ada@example.com");
        assert_eq!(key("\"Lovelace, Ada\" <ada@example.com>"), "ada@example.com");
        assert_eq!(key("=?UTF-8?Q?Ad=C3=A1?= <ada@example.com>"), "ada@example.com");
        assert_eq!(key("<ada+tag@example.com>"), "ada+tag@example.com");
        assert_eq!(key("\"a b\"@example.com"), "\"a b\"@example.com");
    }

    #[test]
    fn keeps_the_text_as_it_was_sent() {
        let mailbox = Mailbox::parse("Ada <Ada@EXAMPLE.com>").unwrap();
        assert_eq!(mailbox.given, "Ada <Ada@EXAMPLE.com>");
        assert_eq!(mailbox.bare(), "Ada@example.com");
    }

    #[test]
    fn refuses_an_invalid_address() {
        assert_eq!(refusal("ada"), "Missing final '@domain'");
        assert_eq!(refusal(""), "Missing final '@domain'");
        assert_eq!(refusal("@example.com"), "Missing local name");
        assert_eq!(refusal("ada@example..com"), "Domain contains dot-dot");
        assert_eq!(refusal("ada@.example.com"), "Domain starts with dot");
        assert_eq!(refusal("ada@exa_mple.com"), "Domain contains illegal character");
        assert_eq!(
            refusal("a da@example.com"),
            "Local address contains control or whitespace"
        );
        assert_eq!(refusal("a@b@example.com"), "Local address contains illegal character");
        assert_eq!(
            refusal("Doe, Ada <ada@example.com>"),
            "Illegal address in the display name"
        );
        assert_eq!(refusal("\"Ada <ada@example.com>"), "Missing '\"'");
    }

    #[test]
    fn refuses_letters_outside_ascii_and_line_breaks() {
        for given in ["josé@example.com", "ada@bücher.example", "Adá <ada@example.com>"] {
            assert!(refusal(given).contains("non-ASCII"), "{given}");
        }
        assert!(refusal("ada@example.com\r\nBcc: eve@example.com").contains("control"));
    }
}
