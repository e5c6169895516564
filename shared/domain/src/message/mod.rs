//! A valid outgoing email: [`Email::new`] lets through what SES's `SendEmail` (`Content.Simple`) can take.
//!
//! Every limit that SES documents is checked here, so that a caller learns the cause and the remedy in
//! plain words instead of an SES error about a field it never wrote. Limits:
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>.

mod attachment;
mod header;
mod header_tags;
mod plain_text;
mod tag;

use std::collections::HashSet;

pub use attachment::{Attachment, Disposition};
pub use header::Header;
pub use tag::Tag;

use crate::address::Mailbox;

/// The most recipients one message may have, over To, Cc and Bcc.
pub const RECIPIENTS_MAX: usize = 50;
/// The most addresses that answers may go to. SES documents no limit; this one keeps a message's row small.
const REPLY_TO_MAX: usize = 50;
/// The most extra headers `Content.Simple` takes.
pub const HEADERS_MAX: usize = 15;
/// The most tags a message may carry, ours included.
const TAGS_MAX: usize = 50;
/// The tags that Okite adds to every mail.
pub const OWN_TAGS: usize = 3;
/// The longest subject line that mail can carry, less the field's name (RFC 5322, 2.1.1).
const SUBJECT_MAX: usize = 998 - "Subject: ".len();

/// Why something is not an email that can be sent; says which field, what is wrong and what to do, and repeats nothing
/// that the caller wrote there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEmail {
    /// A required field is not there.
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
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// An attachment has no name or content, or one that cannot be sent.
    #[error("`{field}`: {problem}.")]
    Attachment {
        /// The attachment, with its place in the list.
        field: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
}

impl InvalidEmail {
    /// A field, by its name, and what is wrong with it.
    #[must_use]
    pub fn field(name: &str, problem: impl std::fmt::Display) -> Self {
        Self::Field {
            field: name.to_owned(),
            problem: problem.to_string(),
        }
    }

    /// An attachment, and what is wrong with it.
    #[must_use]
    pub fn attachment(problem: impl std::fmt::Display) -> Self {
        Self::Attachment {
            field: "attachments".to_owned(),
            problem: problem.to_string(),
        }
    }

    /// Says more exactly which field it is about.
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

/// What an email is made of, before the checks that need all of it.
#[derive(Clone, Debug)]
pub struct EmailParts {
    /// Who it is from.
    pub from: Mailbox,
    /// Its recipients on the To line; at least one.
    pub to: Vec<Mailbox>,
    /// Its recipients on the Cc line.
    pub cc: Vec<Mailbox>,
    /// Its recipients that no other recipient sees.
    pub bcc: Vec<Mailbox>,
    /// Where answers go, if not to From.
    pub reply_to: Vec<Mailbox>,
    /// The subject line, in Unicode.
    pub subject: String,
    /// The HTML body.
    pub html: Option<String>,
    /// The plain-text body; one that is missing is made of the HTML, an empty one is none.
    pub text: Option<String>,
    /// Further header fields.
    pub headers: Vec<Header>,
    /// The caller's tags, with those that headers ask for.
    pub tags: Vec<Tag>,
    /// Files.
    pub attachments: Vec<Attachment>,
}

/// A valid outgoing email.
#[derive(Clone, Debug)]
pub struct Email(EmailParts);

impl Email {
    /// Checks the parts against each other.
    ///
    /// An address that appears more than once, in any spelling, stays where it stands first (To, then Cc, then Bcc): one
    /// person gets one copy, and one copy is what the quota is charged.
    ///
    /// # Errors
    /// [`InvalidEmail`] with the first problem found.
    pub fn new(mut parts: EmailParts) -> Result<Self, InvalidEmail> {
        if parts.to.is_empty() {
            return Err(InvalidEmail::field("to", "name at least one recipient"));
        }
        let recipients = parts.to.len() + parts.cc.len() + parts.bcc.len();
        if recipients > RECIPIENTS_MAX {
            return Err(InvalidEmail::Whole(format!(
                "The email has {recipients} recipients; Amazon SES takes at most {RECIPIENTS_MAX} over `to`, `cc` and \
                 `bcc`. Send several emails."
            )));
        }
        if parts.reply_to.len() > REPLY_TO_MAX {
            return Err(InvalidEmail::field(
                "reply_to",
                format_args!("name at most {REPLY_TO_MAX} addresses"),
            ));
        }
        if parts.subject.chars().any(char::is_control) {
            return Err(InvalidEmail::field(
                "subject",
                "remove the line breaks and control characters",
            ));
        }
        if parts.subject.len() > SUBJECT_MAX {
            return Err(InvalidEmail::field(
                "subject",
                format_args!("shorten it to {SUBJECT_MAX} bytes"),
            ));
        }
        // SES is not sent empty parts. An empty text beside an HTML body is a caller's wish for no text part.
        parts.html = parts.html.filter(|html| !html.is_empty());
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
                format_args!("Amazon SES takes at most {HEADERS_MAX}"),
            ));
        }
        let mut names = HashSet::new();
        if !parts
            .headers
            .iter()
            .all(|header| names.insert(header.name().to_ascii_lowercase()))
        {
            return Err(InvalidEmail::field("headers", "the same header is given twice"));
        }
        if parts.tags.len() > TAGS_MAX - OWN_TAGS {
            return Err(InvalidEmail::field(
                "tags",
                format_args!("at most {} are possible", TAGS_MAX - OWN_TAGS),
            ));
        }
        let mut names = HashSet::new();
        if !parts.tags.iter().all(|tag| names.insert(tag.name())) {
            return Err(InvalidEmail::field("tags", "the same tag is given twice"));
        }
        let room = TAGS_MAX - OWN_TAGS - parts.tags.len();
        let made = header_tags::header_tags(&parts.headers, &parts.tags, room);
        parts.tags.extend(made);
        let mut seen = HashSet::new();
        for list in [&mut parts.to, &mut parts.cc, &mut parts.bcc] {
            list.retain(|mailbox| seen.insert(mailbox.address().normalised().to_owned()));
        }
        Ok(Self(parts))
    }
}

impl std::ops::Deref for Email {
    type Target = EmailParts;

    fn deref(&self) -> &EmailParts {
        &self.0
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
    fn keeps_a_repeated_address_once_where_it_stands_first() {
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
    fn takes_fifty_recipients_over_all_lists_and_not_one_more() {
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
    }

    #[test]
    fn refuses_an_email_without_content_or_recipient() {
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
    fn a_missing_text_is_made_of_the_html() {
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
        // The HTML is sent all the same.
        assert_eq!(of("<img src='cid:a'>"), None);
    }

    #[test]
    fn refuses_line_breaks_in_the_subject() {
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
    fn refuses_the_same_header_or_tag_twice() {
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
    fn refuses_more_headers_than_ses_takes() {
        let headers = (0..16).map(|n| Header::new(&format!("X-{n}"), "v").unwrap()).collect();
        assert!(problem(EmailParts { headers, ..parts() }).contains("15"));
    }
}
