//! One-click unsubscribe in a mail: the headers of RFC 8058, and the link in the bodies.
//!
//! Each person needs a link of their own, so only a mail to one recipient gets one.

use super::{Email, EmailParts, HEADERS_MAX, Header, InvalidEmail};
use crate::address::EmailAddress;
use crate::unsubscribe::Topic;

/// The text that stands for the link in the bodies of a mail.
pub const UNSUBSCRIBE_PLACEHOLDER: &str = "{{{UNSUBSCRIBE_URL}}}";
/// How often that text may stand in a body. A link is longer than the text, so a body with very many would grow beyond
/// what a function can hold.
const PLACEHOLDERS_MAX: usize = 100;
/// The field of a mail that asks for the link.
pub const UNSUBSCRIBE_FIELD: &str = "okite_unsubscribe";

const LIST_UNSUBSCRIBE: &str = "List-Unsubscribe";
const LIST_UNSUBSCRIBE_POST: &str = "List-Unsubscribe-Post";
/// The value that tells mailbox providers to send a POST (RFC 8058, 3.1).
const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

/// What a mail asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnsubscribeWish {
    /// A link, for the topic of the API key or else the default topic.
    Link,
    /// A link for this topic.
    LinkFor(Topic),
}

impl UnsubscribeWish {
    /// Returns the text by which a repeated request is recognised.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Link => "true",
            Self::LinkFor(topic) => topic.as_str(),
        }
    }
}

/// What a mail gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsubscribePlan {
    /// The topic of the mail.
    pub topic: Topic,
    /// The only recipient, for whom the link is made. Without one, the mail gets none.
    pub recipient: Option<EmailAddress>,
    /// Whether Okite adds the headers. A mail whose caller wrote them keeps those.
    pub adds_headers: bool,
    /// What the caller should hear of it.
    pub note: Option<&'static str>,
}

impl UnsubscribePlan {
    /// Decides what `email` gets. Its API key sends mail of `key_topic`, if that is given. Returns `None` for a mail
    /// without a topic.
    ///
    /// # Errors
    /// [`InvalidEmail`] if the mail cannot have what it asks for, or would show the placeholder to its readers.
    pub fn of(
        email: &Email,
        wish: Option<&UnsubscribeWish>,
        key_topic: Option<&Topic>,
    ) -> Result<Option<Self>, InvalidEmail> {
        if email.has_too_many_placeholders() {
            return Err(InvalidEmail::Whole(format!(
                "The email has the text `{UNSUBSCRIBE_PLACEHOLDER}` more than {PLACEHOLDERS_MAX} times in its `html` or \
                 `text`: leave it where readers look for the link."
            )));
        }
        let topic = match (wish, key_topic) {
            (Some(UnsubscribeWish::LinkFor(topic)), _) | (Some(UnsubscribeWish::Link) | None, Some(topic)) => topic,
            (Some(UnsubscribeWish::Link), None) => &Topic::default(),
            (None, None) if email.has_placeholder() => {
                return Err(unreplaced(format_args!(
                    "set `{UNSUBSCRIBE_FIELD}` to true or to a topic, or send with an API key that has a topic"
                )));
            }
            (None, None) => return Ok(None),
        };
        let asks = wish.is_some();
        let mut recipients = email.to.iter().chain(&email.cc).chain(&email.bcc);
        let (first, another) = (recipients.next(), recipients.next());
        let own_header = email.headers.iter().any(|header| {
            [LIST_UNSUBSCRIBE, LIST_UNSUBSCRIBE_POST]
                .iter()
                .any(|name| header.name().eq_ignore_ascii_case(name))
        });
        let plan = |recipient: Option<EmailAddress>, adds_headers: bool, note: Option<&'static str>| {
            Ok(Some(Self {
                topic: topic.clone(),
                recipient,
                adds_headers,
                note,
            }))
        };
        if another.is_some() {
            if asks {
                return Err(InvalidEmail::field(
                    UNSUBSCRIBE_FIELD,
                    "each person needs a link of their own: send one email for each recipient, for example with POST \
                     /emails/batch",
                ));
            }
            if email.has_placeholder() {
                return Err(unreplaced("send one email for each recipient"));
            }
            return plan(
                None,
                false,
                Some(
                    "The email has several recipients, so Okite added no unsubscribe link: each person needs a link of \
                     their own. Send one email for each recipient.",
                ),
            );
        }
        let recipient = first.map(|mailbox| mailbox.address().clone());
        if own_header {
            if asks {
                return Err(InvalidEmail::field(
                    UNSUBSCRIBE_FIELD,
                    format_args!(
                        "the email has a header `{LIST_UNSUBSCRIBE}` or `{LIST_UNSUBSCRIBE_POST}` of its own; remove \
                         the header or the field"
                    ),
                ));
            }
            return plan(
                recipient,
                false,
                Some(
                    "The email has an unsubscribe header of its own, so Okite added none. Its links must unsubscribe \
                     the recipient by themselves.",
                ),
            );
        }
        if email.headers.len() + 2 > HEADERS_MAX {
            return Err(InvalidEmail::field(
                "headers",
                format_args!(
                    "Amazon SES accepts at most {HEADERS_MAX} headers, and the unsubscribe link needs two of them: give \
                     at most {}",
                    HEADERS_MAX.saturating_sub(2)
                ),
            ));
        }
        plan(recipient, true, None)
    }
}

fn unreplaced(remedy: impl std::fmt::Display) -> InvalidEmail {
    InvalidEmail::Whole(format!(
        "The email has the text `{UNSUBSCRIBE_PLACEHOLDER}`, and gets no unsubscribe link: its reader would see this \
         text. To get the link, {remedy}."
    ))
}

impl Email {
    fn has_placeholder(&self) -> bool {
        // A text that Okite made has it only if the HTML has it.
        let has = |body: &Option<String>| body.as_ref().is_some_and(|body| body.contains(UNSUBSCRIBE_PLACEHOLDER));
        has(&self.html) || has(&self.text)
    }

    fn has_too_many_placeholders(&self) -> bool {
        let in_body = |body: &String| body.matches(UNSUBSCRIBE_PLACEHOLDER).nth(PLACEHOLDERS_MAX).is_some();
        [&self.html, &self.text].into_iter().flatten().any(in_body)
    }

    /// Puts the link `url` into the bodies, and into the headers that mailbox providers read if `adds_headers`.
    ///
    /// # Errors
    /// [`InvalidEmail`] if `url` is no value of a header, or if the mail has too many headers.
    pub fn with_unsubscribe_link(self, url: &str, adds_headers: bool) -> Result<Self, InvalidEmail> {
        let (derives_text, given_tags) = (self.derives_text, self.given_tags);
        let mut parts: EmailParts = self.parts;
        // Okite makes its own parts again.
        parts.tags.truncate(given_tags);
        parts.text = if derives_text {
            None
        } else {
            Some(parts.text.unwrap_or_default())
        };
        for body in [&mut parts.html, &mut parts.text].into_iter().flatten() {
            if body.contains(UNSUBSCRIBE_PLACEHOLDER) {
                *body = body.replace(UNSUBSCRIBE_PLACEHOLDER, url);
            }
        }
        if adds_headers {
            parts.headers.push(Header::new(LIST_UNSUBSCRIBE, &format!("<{url}>"))?);
            parts.headers.push(Header::new(LIST_UNSUBSCRIBE_POST, ONE_CLICK)?);
        }
        Self::new(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Tag;
    use crate::message::tests::{mailboxes, parts};

    const URL: &str = "https://mail.example.com/unsubscribe/TOKEN";

    fn topic(text: &str) -> Topic {
        Topic::parse(text).unwrap()
    }

    fn plan(
        parts: EmailParts,
        wish: impl Into<Option<UnsubscribeWish>>,
        key_topic: Option<&str>,
    ) -> Result<Option<UnsubscribePlan>, InvalidEmail> {
        let key_topic = key_topic.map(topic);
        UnsubscribePlan::of(&Email::new(parts).unwrap(), wish.into().as_ref(), key_topic.as_ref())
    }

    fn headers(count: usize) -> Vec<Header> {
        (0..count)
            .map(|number| Header::new(&format!("X-{number}"), "1").unwrap())
            .collect()
    }

    fn link_for(name: &str) -> UnsubscribeWish {
        UnsubscribeWish::LinkFor(topic(name))
    }

    #[test]
    fn the_field_decides_about_the_topic_then_the_key_then_the_default() {
        for (wish, key_topic, expected) in [
            (None, None, None),
            (None, Some("news"), Some("news")),
            (Some(UnsubscribeWish::Link), None, Some("default")),
            (Some(UnsubscribeWish::Link), Some("news"), Some("news")),
            (Some(link_for("sale")), None, Some("sale")),
            (Some(link_for("sale")), Some("news"), Some("sale")),
        ] {
            let plan = plan(parts(), wish, key_topic).unwrap();
            assert_eq!(plan.as_ref().map(|plan| plan.topic.as_str()), expected);
            if let Some(plan) = plan {
                let recipient = plan.recipient.unwrap();
                assert_eq!(
                    (recipient.as_given(), plan.adds_headers, plan.note),
                    ("anna@example.org", true, None)
                );
            }
        }
    }

    #[test]
    fn a_body_has_a_hundred_links_at_most() {
        let of = |count| EmailParts {
            html: Some(UNSUBSCRIBE_PLACEHOLDER.repeat(count)),
            ..parts()
        };
        assert!(plan(of(100), UnsubscribeWish::Link, None).is_ok());
        let error = plan(of(101), UnsubscribeWish::Link, None).unwrap_err().to_string();
        assert!(error.contains("more than 100 times"), "{error}");
    }

    #[test]
    fn a_mail_to_several_people_gets_no_link() {
        for several in [
            EmailParts {
                cc: mailboxes(&["b@example.org"]),
                ..parts()
            },
            EmailParts {
                bcc: mailboxes(&["b@example.org"]),
                ..parts()
            },
            EmailParts {
                to: mailboxes(&["anna@example.org", "b@example.org"]),
                ..parts()
            },
        ] {
            let error = plan(several.clone(), link_for("news"), None).unwrap_err().to_string();
            assert!(
                error.contains("`okite_unsubscribe`") && error.contains("/emails/batch"),
                "{error}"
            );
            let by_key = plan(several.clone(), None, Some("news")).unwrap().unwrap();
            assert_eq!((by_key.recipient, by_key.adds_headers), (None, false));
            assert!(by_key.note.unwrap().contains("several recipients"));
            let shows = EmailParts {
                text: Some("Leave: {{{UNSUBSCRIBE_URL}}}".to_owned()),
                ..several
            };
            assert!(
                plan(shows, None, Some("news")).is_err(),
                "the readers would see the placeholder"
            );
        }
        let twice = EmailParts {
            to: mailboxes(&["anna@example.org", "ANNA@example.org"]),
            ..parts()
        };
        assert!(
            plan(twice, link_for("news"), None)
                .unwrap()
                .unwrap()
                .recipient
                .is_some()
        );
    }

    #[test]
    fn a_header_of_the_callers_own_wins_over_the_key_and_contradicts_the_field() {
        for name in ["List-Unsubscribe", "list-unsubscribe", "List-Unsubscribe-Post"] {
            let own = EmailParts {
                headers: vec![Header::new(name, "<https://example.com>").unwrap()],
                ..parts()
            };
            let error = plan(own.clone(), link_for("news"), None).unwrap_err().to_string();
            assert!(error.contains("of its own"), "{error}");
            let by_key = plan(own, None, Some("news")).unwrap().unwrap();
            assert_eq!(
                (by_key.recipient.is_some(), by_key.adds_headers),
                (true, false),
                "{name}"
            );
            assert!(by_key.note.unwrap().contains("header of its own"));
        }
    }

    #[test]
    fn the_two_headers_need_room() {
        for (count, fits) in [(0, true), (13, true), (14, false), (15, false)] {
            let full = || EmailParts {
                headers: headers(count),
                ..parts()
            };
            for (wish, key_topic) in [(Some(link_for("news")), None), (None, Some("news"))] {
                let plan = plan(full(), wish, key_topic);
                assert_eq!(plan.is_ok(), fits, "{count}");
                if let Err(error) = plan {
                    assert!(error.to_string().contains("give at most 13"), "{error}");
                }
            }
            assert_eq!(
                plan(full(), None, None),
                Ok(None),
                "without a topic, all 15 are the caller's"
            );
        }
    }

    #[test]
    fn a_placeholder_that_nobody_would_replace_is_a_mistake() {
        let text = "Leave: {{{UNSUBSCRIBE_URL}}}".to_owned();
        for shows in [
            EmailParts {
                text: Some(text.clone()),
                ..parts()
            },
            EmailParts {
                html: Some(text.clone()),
                ..parts()
            },
            EmailParts {
                html: Some(text.clone()),
                text: None,
                ..parts()
            },
        ] {
            let error = plan(shows.clone(), None, None).unwrap_err().to_string();
            assert!(error.contains("`okite_unsubscribe`"), "{error}");
            assert!(plan(shows, None, Some("news")).unwrap().is_some());
        }
    }

    #[test]
    fn the_link_is_in_the_headers_and_wherever_the_placeholder_was() {
        let email = Email::new(EmailParts {
            html: Some("<a href=\"{{{UNSUBSCRIBE_URL}}}\">Leave</a> {{{UNSUBSCRIBE_URL}}}".to_owned()),
            text: Some("Leave: {{{UNSUBSCRIBE_URL}}}".to_owned()),
            headers: headers(1),
            ..parts()
        });
        let email = email.unwrap().with_unsubscribe_link(URL, true).unwrap();
        assert_eq!(
            email.html.as_deref(),
            Some(&*format!("<a href=\"{URL}\">Leave</a> {URL}"))
        );
        assert_eq!(email.text.as_deref(), Some(&*format!("Leave: {URL}")));
        let headers: Vec<_> = email
            .headers
            .iter()
            .map(|header| (header.name(), header.value()))
            .collect();
        assert_eq!(
            headers,
            [
                ("X-0", "1"),
                ("List-Unsubscribe", &*format!("<{URL}>")),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ]
        );
        let own = Email::new(parts()).unwrap().with_unsubscribe_link(URL, false).unwrap();
        assert!(own.headers.is_empty());
    }

    /// Okite makes the text of the HTML again, and nothing twice.
    #[test]
    fn what_okite_made_of_the_mail_is_made_again() {
        let of = |html: &str, text: Option<&str>| EmailParts {
            html: Some(html.to_owned()),
            text: text.map(str::to_owned),
            headers: vec![Header::new("X-Tags", r#"["a"]"#).unwrap()],
            tags: vec![Tag::new("campaign", "spring").unwrap()],
            ..parts()
        };
        let before = "<p>Hello</p><p>{{{UNSUBSCRIBE_URL}}}</p>";
        let after = before.replace(UNSUBSCRIBE_PLACEHOLDER, URL);
        for text in [None, Some(""), Some("Hello")] {
            let linked = Email::new(of(before, text))
                .unwrap()
                .with_unsubscribe_link(URL, false)
                .unwrap();
            let expected = Email::new(of(&after, text)).unwrap();
            assert_eq!(format!("{linked:?}"), format!("{expected:?}"), "{text:?}");
        }
    }
}
