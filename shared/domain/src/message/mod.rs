//! A valid outgoing email: [`Email::new`] accepts what SES's `SendEmail` (`Content.Simple`) accepts. A mail that the
//! caller wrote as MIME is a [`raw::RawEmail`]. A [`Mail`] is either of them.
//!
//! This module checks every limit that SES documents. So the caller reads the cause and the remedy in plain words,
//! and not an SES error about a field that the caller never wrote. The limits:
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>.

mod attachment;
mod event_headers;
mod fingerprint;
mod header;
mod header_tags;
mod mail;
mod plain_text;
pub mod raw;
mod tag;
mod tracking;
mod unsubscribe;

use std::collections::HashSet;

pub use attachment::{Attachment, Disposition};
pub use event_headers::EVENT_HEADERS;
pub use header::{Header, WRITTEN_BY_SES};
pub use mail::{HeaderLines, Mail, MailContent, SesOptions};
pub use tag::Tag;
pub use tracking::{InvalidTrackingEvents, NotTracked, Tracking, TrackingEvents};
pub use unsubscribe::{UNSUBSCRIBE_FIELD, UNSUBSCRIBE_PLACEHOLDER, UnsubscribePlan, UnsubscribeWish};

use crate::address::Mailbox;

/// The most recipients of one message, in To, Cc and Bcc together.
pub const RECIPIENTS_MAX: usize = 50;
/// The most reply-to addresses. SES documents no limit; this one keeps the row of a message small.
const REPLY_TO_MAX: usize = 50;
/// The most extra headers that `Content.Simple` accepts.
pub const HEADERS_MAX: usize = 15;
/// The most tags of a message, including Okite's own.
pub const TAGS_MAX: usize = 50;
/// The number of tags that Okite adds to every mail. A mail with a topic gets one more, if there is room.
pub const OWN_TAGS: usize = 3;
/// The longest subject, in characters: the longest line (RFC 5322, 2.1.1) without the name of the field. SES encodes
/// and folds the subject by itself and documents no limit, so bytes do not count.
pub(crate) const SUBJECT_MAX: usize = 998 - "Subject: ".len();

/// The reason that an email cannot be sent. It names the field, the problem and the remedy.
///
/// It repeats no value that the caller wrote in the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEmail {
    /// A required field is missing.
    #[error("{0}")]
    Missing(String),
    /// The email as a whole cannot be sent.
    #[error("{0}")]
    Whole(String),
    /// A field has a value that cannot be sent.
    #[error("`{field}`: {problem}.")]
    Field {
        /// The field, with its place in a list: `to[2]`.
        field: String,
        /// The problem and the remedy.
        problem: String,
    },
    /// The name or the content of an attachment is missing or cannot be sent.
    #[error("`{field}`: {problem}.")]
    Attachment {
        /// The attachment, with its place in the list.
        field: String,
        /// The problem and the remedy.
        problem: String,
    },
}

impl InvalidEmail {
    /// Makes the error of a field from its name and the problem.
    #[must_use]
    pub fn field(name: &str, problem: impl std::fmt::Display) -> Self {
        Self::Field {
            field: name.to_owned(),
            problem: problem.to_string(),
        }
    }

    /// Makes the error of an attachment from the problem.
    #[must_use]
    pub fn attachment(problem: impl std::fmt::Display) -> Self {
        Self::Attachment {
            field: "attachments".to_owned(),
            problem: problem.to_string(),
        }
    }

    /// Replaces the name of the field by a more exact `place`, such as `to[2]`.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        let field = place.to_owned();
        match self {
            Self::Field { problem, .. } => Self::Field { field, problem },
            Self::Attachment { problem, .. } => Self::Attachment { field, problem },
            whole => whole,
        }
    }
}

/// The parts of an email, before [`Email::new`] checks them together.
#[derive(Clone, Debug)]
pub struct EmailParts {
    /// The sender.
    pub from: Mailbox,
    /// The recipients on the To line, at least one.
    pub to: Vec<Mailbox>,
    /// The recipients on the Cc line.
    pub cc: Vec<Mailbox>,
    /// The Bcc recipients, whom no other recipient sees.
    pub bcc: Vec<Mailbox>,
    /// The addresses that replies go to. If empty, replies go to the sender.
    pub reply_to: Vec<Mailbox>,
    /// The subject line, in Unicode.
    pub subject: String,
    /// The HTML body.
    pub html: Option<String>,
    /// The plain-text body. If it is `None`, Okite makes it from the HTML. If it is empty, the email has no text part.
    pub text: Option<String>,
    /// The header fields that the caller adds.
    pub headers: Vec<Header>,
    /// The caller's tags. [`Email::new`] adds the tags that it makes from the headers.
    pub tags: Vec<Tag>,
    /// The attached files.
    pub attachments: Vec<Attachment>,
}

/// A valid outgoing email.
#[derive(Clone, Debug)]
pub struct Email {
    parts: EmailParts,
    /// Whether Okite made the text from the HTML.
    derives_text: bool,
    /// How many of the tags are the caller's own. The others are made from headers.
    given_tags: usize,
}

impl Email {
    /// Checks the parts against each other.
    ///
    /// If an address appears more than once, in any spelling, only the first one stays (To, then Cc, then Bcc). So each
    /// person receives one copy, each copy is charged to the quota once, and each counts once against the limit.
    ///
    /// # Errors
    /// [`InvalidEmail`] with the first problem found.
    pub fn new(mut parts: EmailParts) -> Result<Self, InvalidEmail> {
        if parts.to.is_empty() {
            return Err(InvalidEmail::field("to", "give at least one recipient"));
        }
        let mut seen = HashSet::new();
        for list in [&mut parts.to, &mut parts.cc, &mut parts.bcc] {
            list.retain(|mailbox| seen.insert(mailbox.address().normalised().to_owned()));
        }
        let recipients = seen.len();
        if recipients > RECIPIENTS_MAX {
            return Err(InvalidEmail::Whole(format!(
                "The email has {recipients} recipients; Amazon SES accepts at most {RECIPIENTS_MAX} in `to`, `cc` and \
                `bcc` together. Send several emails."
            )));
        }
        let mut seen = HashSet::new();
        parts
            .reply_to
            .retain(|mailbox| seen.insert(mailbox.address().normalised().to_owned()));
        if parts.reply_to.len() > REPLY_TO_MAX {
            return Err(InvalidEmail::field(
                "reply_to",
                format_args!("give at most {REPLY_TO_MAX} addresses"),
            ));
        }
        if parts.subject.chars().any(char::is_control) {
            return Err(InvalidEmail::field(
                "subject",
                "remove the line breaks and control characters",
            ));
        }
        if parts.subject.chars().count() > SUBJECT_MAX {
            return Err(InvalidEmail::field(
                "subject",
                format_args!("shorten it to {SUBJECT_MAX} characters"),
            ));
        }
        // Okite sends no empty parts. With an HTML body, an empty text means that the caller wants no text part.
        parts.html = parts.html.filter(|html| !html.is_empty());
        let derives_text = parts.text.is_none();
        parts.text = match parts.text {
            Some(text) => Some(text).filter(|text| !text.is_empty()),
            None => parts.html.as_deref().and_then(plain_text::plain_text),
        };
        if parts.text.is_none() && parts.html.is_none() {
            return Err(InvalidEmail::Missing(
                "`html` or `text` is required: the email has no content.".to_owned(),
            ));
        }
        if parts.headers.len() > HEADERS_MAX {
            return Err(InvalidEmail::field(
                "headers",
                format_args!("Amazon SES accepts at most {HEADERS_MAX} headers"),
            ));
        }
        let mut names = HashSet::new();
        if !parts
            .headers
            .iter()
            .all(|header| names.insert(header.name().to_ascii_lowercase()))
        {
            return Err(InvalidEmail::field(
                "headers",
                "the same header is given twice; remove one",
            ));
        }
        if parts.tags.len() > TAGS_MAX - OWN_TAGS {
            return Err(InvalidEmail::field(
                "tags",
                format_args!("give at most {} tags", TAGS_MAX - OWN_TAGS),
            ));
        }
        let mut names = HashSet::new();
        if !parts.tags.iter().all(|tag| names.insert(tag.name())) {
            return Err(InvalidEmail::field("tags", "the same tag is given twice; remove one"));
        }
        let given_tags = parts.tags.len();
        let room = TAGS_MAX - OWN_TAGS - given_tags;
        let made = header_tags::header_tags(&parts.headers, &parts.tags, room);
        parts.tags.extend(made);
        Ok(Self {
            parts,
            derives_text,
            given_tags,
        })
    }
}

impl std::ops::Deref for Email {
    type Target = EmailParts;

    fn deref(&self) -> &EmailParts {
        &self.parts
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn mailboxes(addresses: &[&str]) -> Vec<Mailbox> {
        addresses
            .iter()
            .map(|address| Mailbox::parse(address).unwrap())
            .collect()
    }

    pub(crate) fn parts() -> EmailParts {
        EmailParts {
            from: Mailbox::parse("Acme <acme@example.com>").unwrap(),
            to: mailboxes(&["anna@example.org"]),
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: Vec::new(),
            subject: "Hello".to_owned(),
            html: None,
            text: Some("Hello".to_owned()),
            headers: Vec::new(),
            tags: Vec::new(),
            attachments: Vec::new(),
        }
    }

    fn problem(parts: EmailParts) -> String {
        Email::new(parts).unwrap_err().to_string()
    }

    #[test]
    fn keeps_only_the_first_of_repeated_addresses() {
        let email = Email::new(EmailParts {
            to: mailboxes(&["Anna@example.org", "anna@EXAMPLE.org"]),
            cc: mailboxes(&["bob@example.org", "ANNA@example.org"]),
            bcc: mailboxes(&["Bob <bob@example.org>", "carol@example.org"]),
            ..parts()
        })
        .unwrap();
        let given = |list: &[Mailbox]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(given(&email.to), ["Anna@example.org"]);
        assert_eq!(given(&email.cc), ["bob@example.org"]);
        assert_eq!(given(&email.bcc), ["carol@example.org"]);
    }

    #[test]
    fn accepts_at_most_fifty_recipients_in_all_lists_together() {
        let addresses: Vec<String> = (0..51).map(|n| format!("u{n}@example.org")).collect();
        let all: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let split = |n: usize| EmailParts {
            to: mailboxes(&all[..20]),
            cc: mailboxes(&all[20..40]),
            bcc: mailboxes(&all[40..n]),
            ..parts()
        };
        assert!(Email::new(split(50)).is_ok());
        assert!(problem(split(51)).contains("51 recipients"));
        let twice = EmailParts {
            bcc: mailboxes(&[&all[40..50], &["U0@EXAMPLE.org", "Someone <u41@example.org>"]].concat()),
            ..split(50)
        };
        assert_eq!(Email::new(twice).unwrap().bcc.len(), 10);
    }

    #[test]
    fn rejects_an_email_without_content_or_recipient() {
        assert!(matches!(
            Email::new(EmailParts { text: None, ..parts() }),
            Err(InvalidEmail::Missing(_))
        ));
        assert!(matches!(
            Email::new(EmailParts {
                text: Some(String::new()),
                ..parts()
            }),
            Err(InvalidEmail::Missing(_))
        ));
        assert!(
            problem(EmailParts {
                to: Vec::new(),
                ..parts()
            })
            .contains("at least one")
        );
    }

    #[test]
    fn an_empty_text_beside_html_means_no_text_part() {
        let email = Email::new(EmailParts {
            html: Some("<p>Hi".to_owned()),
            text: Some(String::new()),
            ..parts()
        })
        .unwrap();
        assert_eq!(email.text, None);
    }

    #[test]
    fn a_missing_text_is_made_from_the_html() {
        let of = |html: &str| {
            let html = Some(html.to_owned());
            let parts = EmailParts {
                html,
                text: None,
                ..parts()
            };
            Email::new(parts).unwrap().text.clone()
        };
        assert_eq!(of("<p>Hi").as_deref(), Some("Hi"));
        // Okite still sends the HTML.
        assert_eq!(of("<img src='cid:a'>"), None);
    }

    #[test]
    fn rejects_line_breaks_in_the_subject() {
        for subject in ["a\r\nBcc: x@example.com", "a\nb", "a\0b"] {
            assert!(
                problem(EmailParts {
                    subject: subject.to_owned(),
                    ..parts()
                })
                .contains("`subject`")
            );
        }
    }

    #[test]
    fn counts_the_characters_of_a_subject() {
        let of = |subject: String| Email::new(EmailParts { subject, ..parts() });
        assert!(of("ü".repeat(989)).is_ok());
        assert!(of("漢".repeat(980)).is_ok());
        assert!(of("a".repeat(990)).is_err());
    }

    #[test]
    fn rejects_the_same_header_or_tag_twice() {
        let header = |name| Header::new(name, "v").unwrap();
        assert!(
            problem(EmailParts {
                headers: vec![header("X-A"), header("x-a")],
                ..parts()
            })
            .contains("twice")
        );
        let tag = || Tag::new("a", "b").unwrap();
        assert!(
            problem(EmailParts {
                tags: vec![tag(), tag()],
                ..parts()
            })
            .contains("twice")
        );
    }

    #[test]
    fn rejects_more_headers_than_ses_accepts() {
        let headers = (0..16).map(|n| Header::new(&format!("X-{n}"), "v").unwrap()).collect();
        assert!(problem(EmailParts { headers, ..parts() }).contains("15"));
    }
}
