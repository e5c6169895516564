//! The topics of bulk mail.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest topic, in characters.
const LENGTH_MAX: usize = 32;

/// The subject of a series of bulk mail, such as `news`: 1 to 32 of `a` to `z`, `0` to `9` and `-`.
///
/// A person unsubscribes from one topic, and goes on receiving the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(String);

/// The text is not a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a topic has {}", Topic::FORM)]
pub struct InvalidTopic;

impl Topic {
    /// The topic of a mail whose caller asks for one-click unsubscribe and names no topic.
    pub const DEFAULT: &str = "default";

    /// The form of a topic, for errors.
    pub const FORM: &str = "1 to 32 characters out of a to z, 0 to 9 and -, such as `product-news`";

    /// Reads a topic.
    ///
    /// # Errors
    /// [`InvalidTopic`] if the text has other characters, or not 1 to 32 of them.
    pub fn parse(text: &str) -> Result<Self, InvalidTopic> {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_topic = (1..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_allowed);
        is_topic.then(|| Self(text.to_owned())).ok_or(InvalidTopic)
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Topic {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for Topic {
    type Err = InvalidTopic;

    fn from_str(text: &str) -> Result<Self, InvalidTopic> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Topic {
    type Error = InvalidTopic;

    fn try_from(text: String) -> Result<Self, InvalidTopic> {
        Self::parse(&text)
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_32_letters_digits_and_hyphens_are_a_topic() {
        let longest = "a".repeat(32);
        for text in ["news", "a", "-", "2026-sale", &longest, Topic::DEFAULT] {
            assert_eq!(Topic::parse(text).unwrap().as_str(), text);
        }
        let too_long = "a".repeat(33);
        for text in ["", "News", "a b", "a_b", "news\r\n", "é", "*", "a#b", &too_long] {
            assert_eq!(Topic::parse(text), Err(InvalidTopic), "{text:?}");
        }
        assert_eq!(Topic::default().as_str(), Topic::DEFAULT);
    }
}
