//! Tags: the names and values that SES repeats in every event about a mail.

use super::InvalidEmail;

/// The longest name or value that SES accepts.
const LENGTH_MAX: usize = 256;
/// The prefix of the names of Okite's own tags.
const OWN_PREFIX: &str = "okite_";

/// A tag that a caller adds to an email.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    name: String,
    value: String,
}

impl Tag {
    /// Checks a name and a value against SES's limits.
    ///
    /// # Errors
    /// [`InvalidEmail::Field`] if a character is not one of `A-Z a-z 0-9 _ -`, a length is wrong, or the name is
    /// reserved for Okite.
    pub fn new(name: &str, value: &str) -> Result<Self, InvalidEmail> {
        if !is_tag_text(name) || !is_tag_text(value) {
            return Err(InvalidEmail::field(
                "tags",
                format_args!("names and values must be 1 to {LENGTH_MAX} ASCII letters, digits, `_` or `-`"),
            ));
        }
        if name.to_ascii_lowercase().starts_with(OWN_PREFIX) {
            return Err(InvalidEmail::field(
                "tags",
                "names that begin with `okite_` are reserved for Okite; choose another name",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }

    /// Returns the name, 1 to 256 characters.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value, 1 to 256 characters.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

fn is_tag_text(text: &str) -> bool {
    (1..=LENGTH_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_tags_that_ses_accepts() {
        assert!(Tag::new("campaign", "spring_2026-A").is_ok());
        assert!(Tag::new("a", &"v".repeat(256)).is_ok());
        for (name, value) in [
            ("", "v"),
            ("a", ""),
            ("a b", "v"),
            ("a", "ü"),
            ("a", "b.c"),
            ("ses:x", "v"),
        ] {
            assert!(Tag::new(name, value).is_err(), "{name}={value}");
        }
        assert!(Tag::new("a", &"v".repeat(257)).is_err());
    }

    #[test]
    fn rejects_the_names_of_okites_own_tags() {
        assert!(Tag::new("okite_id", "1").is_err());
        assert!(Tag::new("OKITE_ID", "1").is_err());
        assert!(Tag::new("okite", "1").is_ok());
    }
}
