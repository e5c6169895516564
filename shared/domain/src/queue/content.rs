//! The stored content of a waiting mail.

use uuid::Uuid;

use crate::address::{EmailAddress, Mailbox};
use crate::message::raw::RawEmail;
use crate::message::{Email, EmailParts, Mail, MailContent};
use crate::recipient::OnSuppressed;

/// The parts of a mail that the table keeps while it waits, so that a worker can send it later.
#[derive(Clone, Debug)]
pub struct QueuedContent {
    /// The mail.
    pub mail: Mail,
    /// The consequence of a recipient that is suppressed when the mail is sent.
    pub on_suppressed: OnSuppressed,
}

/// The rest of a content without an address.
#[derive(Clone, Debug)]
pub enum WithoutAddress {
    /// The content does not name the address.
    Unnamed,
    /// Nobody is left on the To line. Such a mail is sent to no one, as when its recipients are suppressed.
    Nobody,
    /// The address is the sender's, and no mail is sent without one.
    Sender,
    /// The content without the address.
    Rest(Box<QueuedContent>),
}

impl QueuedContent {
    /// Takes an address out of the recipients and the Reply-To addresses. Subject, bodies, headers, tags and files
    /// stay: what they say about a person is not known. The bytes of a raw mail stay too, with the lines that name its
    /// recipients, because another byte would break a signature over them.
    #[must_use]
    pub fn without(&self, address: &EmailAddress) -> WithoutAddress {
        if self.mail.senders().any(|sender| sender == address) {
            return WithoutAddress::Sender;
        }
        let content = match &self.mail.content {
            MailContent::Simple(email) => simple_without(email, address),
            MailContent::Raw(email) => raw_without(email, address),
        };
        match content {
            Remainder::Some(content) => WithoutAddress::Rest(Box::new(Self {
                mail: Mail {
                    content,
                    options: self.mail.options.clone(),
                    topic: self.mail.topic.clone(),
                },
                on_suppressed: self.on_suppressed,
            })),
            Remainder::Nobody => WithoutAddress::Nobody,
            Remainder::Unnamed => WithoutAddress::Unnamed,
        }
    }
}

/// The rest of a mail without an address.
enum Remainder {
    /// The mail does not name the address.
    Unnamed,
    /// No recipient is left on the To line, or in the envelope.
    Nobody,
    /// The mail without the address.
    Some(MailContent),
}

impl From<Option<MailContent>> for Remainder {
    fn from(rest: Option<MailContent>) -> Self {
        rest.map_or(Self::Nobody, Self::Some)
    }
}

/// Takes an address out of a simple mail.
fn simple_without(email: &Email, address: &EmailAddress) -> Remainder {
    let mut parts = EmailParts::clone(email);
    let mut lists = [&mut parts.to, &mut parts.cc, &mut parts.bcc, &mut parts.reply_to];
    let count = |lists: &[&mut Vec<Mailbox>; 4]| lists.iter().map(|list| list.len()).sum::<usize>();
    let before = count(&lists);
    for list in &mut lists {
        list.retain(|mailbox| mailbox.address() != address);
    }
    if count(&lists) == before {
        return Remainder::Unnamed;
    }
    // An email without a text part has said so; another text would be made from the HTML.
    parts.text.get_or_insert_default();
    // With fewer addresses, only the To line can be at fault.
    Email::new(parts).ok().map(Box::new).map(MailContent::Simple).into()
}

/// Takes an address out of the envelope of a raw mail.
fn raw_without(email: &RawEmail, address: &EmailAddress) -> Remainder {
    let is_named = email
        .recipients()
        .iter()
        .any(|recipient| recipient.address() == address);
    if is_named {
        email
            .without_recipient(address)
            .map(Box::new)
            .map(MailContent::Raw)
            .into()
    } else {
        Remainder::Unnamed
    }
}

/// How the bytes of a stored content are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncoding {
    /// [`QueuedContent`] as JSON, deflated (RFC 1951).
    DeflatedJson,
}

impl ContentEncoding {
    /// Returns the name in items.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeflatedJson => "json+deflate",
        }
    }

    /// Reads the name in items.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        (name == Self::DeflatedJson.as_str()).then_some(Self::DeflatedJson)
    }
}

/// Where the content of a waiting mail is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRef {
    /// A random value that the sort keys of the parts begin with. A new content has a new one.
    pub nonce: Uuid,
    /// The number of parts, one at least.
    pub parts: u32,
    /// The bytes of all parts together.
    pub size: u64,
    /// How the bytes are to be read.
    pub encoding: ContentEncoding,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::SesOptions;
    use crate::message::raw::{RawEnvelope, RawMessage};

    type List = fn(&mut EmailParts) -> &mut Vec<Mailbox>;

    fn content(change: impl FnOnce(&mut EmailParts)) -> QueuedContent {
        let mut all = EmailParts {
            from: Mailbox::parse("hello@example.com").unwrap(),
            to: mailboxes(&["anna@example.org"]),
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: Vec::new(),
            subject: "Hello".to_owned(),
            html: Some("<p>Hi</p>".to_owned()),
            text: Some(String::new()),
            headers: Vec::new(),
            tags: Vec::new(),
            attachments: Vec::new(),
        };
        change(&mut all);
        QueuedContent {
            mail: Email::new(all).unwrap().into(),
            on_suppressed: OnSuppressed::Reject,
        }
    }

    fn mailboxes(addresses: &[&str]) -> Vec<Mailbox> {
        addresses.iter().map(|one| Mailbox::parse(one).unwrap()).collect()
    }

    fn rest(content: &QueuedContent) -> QueuedContent {
        match content.without(&EmailAddress::parse("Anna@Example.org").unwrap()) {
            WithoutAddress::Rest(rest) => *rest,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_address_is_taken_out_of_every_list_and_nothing_else_changes() {
        let named = content(|parts| {
            parts.to = mailboxes(&["Bob <bob@example.org>", "Anna <ANNA@example.org>"]);
            parts.reply_to = mailboxes(&["anna@example.org", "care@example.com"]);
        });
        let expected = content(|parts| {
            parts.to = mailboxes(&["Bob <bob@example.org>"]);
            parts.reply_to = mailboxes(&["care@example.com"]);
        });
        assert_eq!(format!("{:?}", rest(&named)), format!("{expected:?}"));
        let lists: [List; 3] = [
            |parts| &mut parts.cc,
            |parts| &mut parts.bcc,
            |parts| &mut parts.reply_to,
        ];
        for list in lists {
            let named = content(|parts| {
                parts.to = mailboxes(&["bob@example.org"]);
                *list(parts) = mailboxes(&["anna@example.org"]);
            });
            let rest = rest(&named);
            let MailContent::Simple(email) = &rest.mail.content else {
                panic!("a simple mail")
            };
            assert!(list(&mut EmailParts::clone(email)).is_empty());
        }
    }

    #[test]
    fn a_mail_whose_to_line_would_be_empty_goes_to_nobody() {
        let anna = EmailAddress::parse("anna@example.org").unwrap();
        let with_cc = content(|parts| parts.cc = mailboxes(&["bob@example.org"]));
        for content in [content(|_| {}), with_cc] {
            assert!(matches!(content.without(&anna), WithoutAddress::Nobody));
        }
    }

    #[test]
    fn the_sender_stays_and_who_is_not_named_changes_nothing() {
        let of = |address: &str| content(|_| {}).without(&EmailAddress::parse(address).unwrap());
        assert!(matches!(of("hello@example.com"), WithoutAddress::Sender));
        assert!(matches!(of("carol@example.org"), WithoutAddress::Unnamed));
    }

    #[test]
    fn an_address_leaves_the_envelope_of_a_raw_mail_and_the_bytes_stay() {
        let raw = |destinations: &[&str]| {
            let mime = b"From: hello@example.com\nTo: anna@example.org, bob@example.org\n\nHi".to_vec();
            let envelope = RawEnvelope {
                destinations: destinations.iter().map(|text| (*text).to_owned()).collect(),
                ..RawEnvelope::default()
            };
            QueuedContent {
                mail: Mail {
                    content: MailContent::Raw(Box::new(
                        RawEmail::new(RawMessage::read(mime).unwrap(), envelope).unwrap(),
                    )),
                    options: SesOptions::default(),
                    topic: None,
                },
                on_suppressed: OnSuppressed::Skip,
            }
        };
        let both = raw(&[]);
        let rest = rest(&both);
        let (MailContent::Raw(before), MailContent::Raw(after)) = (&both.mail.content, &rest.mail.content) else {
            panic!("raw mails")
        };
        assert_eq!(after.recipients(), mailboxes(&["bob@example.org"]));
        assert_eq!(after.message().bytes(), before.message().bytes());
        let anna = EmailAddress::parse("anna@example.org").unwrap();
        assert!(matches!(
            raw(&["anna@example.org"]).without(&anna),
            WithoutAddress::Nobody
        ));
        assert!(matches!(
            raw(&["bob@example.org"]).without(&anna),
            WithoutAddress::Unnamed
        ));
        let sender = EmailAddress::parse("hello@example.com").unwrap();
        assert!(matches!(both.without(&sender), WithoutAddress::Sender));
    }
}
