//! The form of a raw mail: the bytes that are sent, and the envelope.
//!
//! JSON holds text, and a message may have any bytes. So each byte is the character with its number: ASCII stays as it
//! is and deflates as well as the message itself, which base64 would not.

use serde::{Deserialize, Serialize};

use domain::address::Mailbox;
use domain::message::Tag;
use domain::message::raw::{RawEmail, RawEnvelope, RawMessage};

use super::mailbox::StoredMailbox;

#[derive(Serialize, Deserialize)]
pub(super) struct StoredRaw {
    source: Option<StoredMailbox>,
    recipients: Vec<String>,
    /// The caller's own tags. The others are made from the header again.
    tags: Vec<(String, String)>,
    message: String,
}

impl StoredRaw {
    pub(super) fn of(email: &RawEmail) -> Self {
        let address = |mailbox: &Mailbox| mailbox.address().as_given().to_owned();
        let pair = |tag: &Tag| (tag.name().to_owned(), tag.value().to_owned());
        Self {
            source: email.source().map(StoredMailbox::of),
            recipients: email.recipients().iter().map(address).collect(),
            tags: email.given_tags().iter().map(pair).collect(),
            message: email.message().bytes().iter().map(|byte| char::from(*byte)).collect(),
        }
    }

    pub(super) fn read(self) -> Option<RawEmail> {
        let message = self.message.chars().map(|char| u8::try_from(char).ok());
        let message = RawMessage::read(message.collect::<Option<_>>()?).ok()?;
        let source = match self.source {
            Some(source) => Some(source.read()?.to_wire()),
            None => None,
        };
        let envelope = RawEnvelope {
            source,
            destinations: self.recipients,
            tags: self
                .tags
                .iter()
                .map(|(name, value)| Tag::new(name, value).ok())
                .collect::<Option<_>>()?,
            ..RawEnvelope::default()
        };
        RawEmail::new(message, envelope).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn email(header: &str, body: &[u8], envelope: RawEnvelope) -> RawEmail {
        let message = [b"From: ada@example.com\r\n", header.as_bytes(), b"\r\n", body].concat();
        RawEmail::new(RawMessage::read(message).unwrap(), envelope).unwrap()
    }

    fn read_back(email: &RawEmail) -> RawEmail {
        let json = serde_json::to_string(&StoredRaw::of(email)).unwrap();
        serde_json::from_str::<StoredRaw>(&json).unwrap().read().unwrap()
    }

    /// The parts that decide what SES gets.
    fn sent(email: &RawEmail) -> impl PartialEq + std::fmt::Debug + use<> {
        let pair = |tag: &Tag| (tag.name().to_owned(), tag.value().to_owned());
        (
            email.message().bytes().to_vec(),
            email.source().map(Mailbox::to_wire),
            email.recipients().iter().map(Mailbox::to_wire).collect::<Vec<_>>(),
            email.tags().iter().map(pair).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn a_mail_with_everything_is_read_as_it_was_written() {
        let header = "To: Bob <b@example.net>\r\nBcc: c@example.net\r\nX-Tag: shop\r\n\
                      X-SES-MESSAGE-TAGS: campaign=spring\r\n";
        let whole = email(
            header,
            b"Gr\xfc\xdfe\0",
            RawEnvelope {
                source: Some("Ünï <shop@Example.com>".to_owned()),
                ..RawEnvelope::default()
            },
        );
        assert_eq!((whole.tags().len(), whole.recipients().len()), (2, 2));
        assert_eq!(sent(&read_back(&whole)), sent(&whole));
        let to_others = RawEnvelope {
            destinations: vec!["d@example.net".to_owned()],
            tags: vec![Tag::new("a", "b").unwrap()],
            ..RawEnvelope::default()
        };
        let to_others = email(header, b"Hi", to_others);
        assert_eq!(sent(&read_back(&to_others)), sent(&to_others));
    }

    proptest! {
        #[test]
        fn any_bytes_survive(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let whole = email("To: b@example.net\r\n", &body, RawEnvelope::default());
            prop_assert_eq!(sent(&read_back(&whole)), sent(&whole));
        }
    }
}
