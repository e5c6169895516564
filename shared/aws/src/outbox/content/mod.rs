//! The bytes of a content: a submission as JSON with its members in a fixed order, deflated.
//!
//! | module | concept |
//! |---|---|
//! | `simple` | the form of a simple mail |
//! | `raw` | the form of a raw mail |
//! | `mailbox` | the form of an address with its name |
//!
//! The form is ours alone and says its version, because a mail may wait for a month while a new version of Okite is
//! deployed. A version of Okite that comes upon a newer form lets the mail wait: a newer function will read it. An
//! email is put together again by the checks that it passed when it was accepted.

mod mailbox;
mod raw;
mod simple;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};
use serde::{Deserialize, Serialize};

use domain::message::raw::ListManagement;
use domain::message::{Mail, MailContent, SesOptions, Tracking};
use domain::queue::QueuedContent;
use domain::recipient::OnSuppressed;
use domain::unsubscribe::Topic;

use mailbox::StoredMailbox;
use raw::StoredRaw;
use simple::StoredSimple;

/// The most bytes of a content before it is deflated. SES takes 40 MB, of which an invocation of the API can receive 6.
pub const CONTENT_MAX: usize = 24 * 1024 * 1024;
/// The version of the form.
const VERSION: u32 = 1;
/// How hard the content is deflated, from 1 to 10. More costs time and saves little.
const LEVEL: u8 = 3;

/// The version, which every form states.
#[derive(Deserialize)]
struct StoredVersion {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredForm {
    version: u32,
    on_suppressed: String,
    options: StoredOptions,
    /// The topic, which most mails do not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic: Option<Topic>,
    mail: StoredMail,
}

/// The options of SES, of which most mails have none.
#[derive(Serialize, Deserialize)]
struct StoredOptions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// The contact list, and the topic within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list_management: Option<(String, Option<String>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    feedback_address: Option<StoredMailbox>,
    /// Whether openings and clicks are tracked, if either is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tracking: Option<(bool, bool)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredMail {
    Simple(StoredSimple),
    Raw(StoredRaw),
}

/// Writes a content. Returns `None` if it is larger than [`CONTENT_MAX`].
pub(super) fn encode(content: &QueuedContent) -> Option<Vec<u8>> {
    let stored = StoredForm {
        version: VERSION,
        on_suppressed: content.on_suppressed.as_str().to_owned(),
        options: stored_options(&content.mail.options),
        topic: content.mail.topic.clone(),
        mail: match &content.mail.content {
            MailContent::Simple(email) => StoredMail::Simple(StoredSimple::of(email)),
            MailContent::Raw(email) => StoredMail::Raw(StoredRaw::of(email)),
        },
    };
    let json = serde_json::to_vec(&stored)
        .ok()
        .filter(|json| json.len() <= CONTENT_MAX)?;
    Some(compress_to_vec(&json, LEVEL))
}

/// Why bytes are not read as a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undecoded {
    /// Inflated they are larger than the caller wants them.
    TooLarge,
    /// A newer version of Okite wrote them.
    Newer,
    /// Nobody wrote them so.
    Broken,
}

/// Reads a content that has at most `most` bytes when it is inflated. Returns it with the number of these bytes.
pub(super) fn decode(bytes: &[u8], most: usize) -> Result<(QueuedContent, usize), Undecoded> {
    let json = decompress_to_vec_with_limit(bytes, most.min(CONTENT_MAX)).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput if most < CONTENT_MAX => Undecoded::TooLarge,
        _ => Undecoded::Broken,
    })?;
    let form: StoredVersion = serde_json::from_slice(&json).map_err(|_| Undecoded::Broken)?;
    if form.version > VERSION {
        return Err(Undecoded::Newer);
    }
    let content = read(&json).filter(|_| form.version == VERSION);
    content.map(|content| (content, json.len())).ok_or(Undecoded::Broken)
}

fn read(json: &[u8]) -> Option<QueuedContent> {
    let stored: StoredForm = serde_json::from_slice(json).ok()?;
    Some(QueuedContent {
        mail: Mail {
            content: match stored.mail {
                StoredMail::Simple(simple) => MailContent::Simple(Box::new(simple.read()?)),
                StoredMail::Raw(raw) => MailContent::Raw(Box::new(raw.read()?)),
            },
            options: options(stored.options)?,
            topic: stored.topic,
        },
        on_suppressed: OnSuppressed::parse(&stored.on_suppressed)?,
    })
}

fn stored_options(options: &SesOptions) -> StoredOptions {
    let list = options.list_management.clone();
    StoredOptions {
        tenant: options.tenant.clone(),
        list_management: list.map(|list| (list.contact_list_name, list.topic_name)),
        feedback_address: options.feedback_address.as_ref().map(StoredMailbox::of),
        tracking: Some(options.tracking)
            .filter(|tracking| tracking.is_asked_for())
            .map(|Tracking { opens, clicks }| (opens, clicks)),
    }
}

fn options(stored: StoredOptions) -> Option<SesOptions> {
    let feedback_address = match stored.feedback_address {
        Some(stored) => Some(stored.read()?),
        None => None,
    };
    let list = |(contact_list_name, topic_name)| ListManagement {
        contact_list_name,
        topic_name,
    };
    Some(SesOptions {
        tenant: stored.tenant,
        list_management: stored.list_management.map(list),
        feedback_address,
        tracking: stored
            .tracking
            .map(|(opens, clicks)| Tracking { opens, clicks })
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use domain::address::{EmailAddress, Mailbox};
    use domain::message::{Attachment, Email, EmailParts, Header, Tag};

    use super::*;

    fn parts() -> EmailParts {
        EmailParts {
            from: Mailbox::parse("Acme <acme@example.com>").unwrap(),
            to: vec![Mailbox::parse("anna@example.org").unwrap()],
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

    fn content(parts: EmailParts) -> QueuedContent {
        QueuedContent {
            mail: Email::new(parts).unwrap().into(),
            on_suppressed: OnSuppressed::Reject,
        }
    }

    fn read_back(content: &QueuedContent) -> QueuedContent {
        decode(&encode(content).unwrap(), CONTENT_MAX).unwrap().0
    }

    #[test]
    fn the_choice_of_tracking_comes_back_and_an_older_content_has_none() {
        for tracking in [(false, false), (true, false), (false, true), (true, true)] {
            let (opens, clicks) = tracking;
            let mut content = content(parts());
            content.mail.options.tracking = Tracking { opens, clicks };
            assert_eq!(read_back(&content).mail.options.tracking, content.mail.options.tracking);
            // A mail that is not tracked is written as it was before there was tracking.
            let bytes = encode(&content).unwrap();
            let json = decompress_to_vec_with_limit(&bytes, CONTENT_MAX).unwrap();
            let json = String::from_utf8(json).unwrap();
            assert_eq!(json.contains("tracking"), opens || clicks, "{json}");
        }
    }

    #[test]
    fn the_topic_comes_back_and_an_older_content_has_none() {
        for topic in [None, Some("news")] {
            let topic = topic.map(|topic| Topic::parse(topic).unwrap());
            let mut content = content(parts());
            content.mail.topic.clone_from(&topic);
            assert_eq!(read_back(&content).mail.topic, topic);
            let bytes = encode(&content).unwrap();
            let json = decompress_to_vec_with_limit(&bytes, CONTENT_MAX).unwrap();
            assert_eq!(String::from_utf8(json).unwrap().contains("topic"), topic.is_some());
        }
    }

    fn email(content: &QueuedContent) -> &Email {
        match &content.mail.content {
            MailContent::Simple(email) => email,
            MailContent::Raw(_) => panic!("a simple mail"),
        }
    }

    /// Addresses are equal in any spelling, so the texts are compared. The parts are what is sent. Which of them Okite
    /// made matters only when a request is compared with another.
    fn shown(content: &QueuedContent) -> String {
        let parts: &EmailParts = email(content);
        format!("{parts:?} {:?} {:?}", content.mail.options, content.on_suppressed)
    }

    #[test]
    fn a_content_is_read_as_it_was_written() {
        let names_anything = Mailbox::from_parts(
            Some("a@b, c <d>; \"e\"".to_owned()),
            EmailAddress::parse("Bob@Bücher.example").unwrap(),
        );
        let full = content(EmailParts {
            to: vec![
                Mailbox::parse("Ünï <Anna@Example.org>").unwrap(),
                names_anything.unwrap(),
            ],
            bcc: vec![Mailbox::parse("carol@example.org").unwrap()],
            html: Some("<p>Grüße</p>".to_owned()),
            text: None,
            headers: vec![
                Header::new("X-Tags", r#"["a","b"]"#).unwrap(),
                Header::new("List-Unsubscribe", "<https://example.com>").unwrap(),
            ],
            tags: vec![Tag::new("campaign", "spring").unwrap()],
            attachments: vec![
                Attachment::new("a.pdf", vec![0, 255, 1], None, None).unwrap(),
                Attachment::new(
                    "b.png",
                    vec![7; 1_000],
                    Some("image/png".to_owned()),
                    Some("logo".to_owned()),
                )
                .unwrap(),
            ],
            ..parts()
        });
        assert_eq!(shown(&read_back(&full)), shown(&full));
        let without_text = content(EmailParts {
            html: Some("<p>Hi</p>".to_owned()),
            text: Some(String::new()),
            ..parts()
        });
        assert_eq!(email(&read_back(&without_text)).text, None);
    }

    #[test]
    fn equal_contents_have_equal_bytes_and_a_repetitive_one_is_small() {
        let long = || {
            content(EmailParts {
                text: Some("Hello ".repeat(10_000)),
                ..parts()
            })
        };
        let bytes = encode(&long()).unwrap();
        assert_eq!(bytes, encode(&long()).unwrap());
        assert!(bytes.len() < 2_000, "{}", bytes.len());
    }

    #[test]
    fn a_content_that_is_too_large_is_not_written_and_one_that_grows_too_large_is_not_read() {
        let large = content(EmailParts {
            text: Some("a".repeat(CONTENT_MAX)),
            ..parts()
        });
        assert!(encode(&large).is_none());
        let bomb = compress_to_vec(&vec![b' '; CONTENT_MAX + 1], LEVEL);
        assert!(bomb.len() < 200_000);
        assert_eq!(decode(&bomb, usize::MAX).unwrap_err(), Undecoded::Broken);
    }

    #[test]
    fn a_content_is_read_with_its_bytes_if_it_is_as_small_as_wanted() {
        let bytes = encode(&content(parts())).unwrap();
        let (_, inflated) = decode(&bytes, CONTENT_MAX).unwrap();
        assert_eq!(decode(&bytes, inflated).unwrap().1, inflated);
        assert_eq!(decode(&bytes, inflated - 1).unwrap_err(), Undecoded::TooLarge);
        assert_eq!(decode(&bytes, 0).unwrap_err(), Undecoded::TooLarge);
    }

    #[test]
    fn what_was_not_written_so_is_not_read() {
        let json = |json: &str| compress_to_vec(json.as_bytes(), LEVEL);
        for bytes in [Vec::new(), b"{}".to_vec(), json(""), json("{}"), json("[]")] {
            assert_eq!(decode(&bytes, CONTENT_MAX).unwrap_err(), Undecoded::Broken);
        }
        let whole = encode(&content(parts())).unwrap();
        let cut = decode(&whole[..whole.len() - 1], CONTENT_MAX);
        assert_eq!(cut.unwrap_err(), Undecoded::Broken);
        let text = String::from_utf8(decompress_to_vec_with_limit(&whole, CONTENT_MAX).unwrap()).unwrap();
        assert!(decode(&json(&text), CONTENT_MAX).is_ok());
        for (text, error) in [
            (text.replace("\"version\":1", "\"version\":2"), Undecoded::Newer),
            // Its other members may be of another kind.
            (r#"{"version":2,"mail":7}"#.to_owned(), Undecoded::Newer),
            (text.replace("\"version\":1", "\"version\":0"), Undecoded::Broken),
            (text.replace("anna@example.org", "anna"), Undecoded::Broken),
        ] {
            assert_eq!(decode(&json(&text), CONTENT_MAX).unwrap_err(), error, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(name in "\\PC{0,40}", subject in "\\PC{0,100}", html in prop::option::of("\\PC{0,200}"), text in "\\PC{1,200}") {
            let name = Some(name).filter(|name| !name.is_empty() && name.len() < 320);
            let from = Mailbox::from_parts(name, EmailAddress::parse("acme@example.com").unwrap()).unwrap();
            let Ok(email) = Email::new(EmailParts { from, subject, html, text: Some(text), ..parts() }) else { return Ok(()) };
            let content = QueuedContent { mail: email.into(), on_suppressed: OnSuppressed::Skip };
            prop_assert_eq!(shown(&read_back(&content)), shown(&content));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes, CONTENT_MAX);
        }
    }
}
