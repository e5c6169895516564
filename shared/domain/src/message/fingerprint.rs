//! The fingerprint of an email: two requests that say the same mail in different words have the same one.
//!
//! What Okite makes by itself is left out: the text from the HTML, the tags from headers, the content type from a file
//! name, and encoded words. So a release that makes them in another way still recognises a repeated request.

use sha2::{Digest, Sha256};

use super::Email;
use crate::address::Mailbox;

impl Email {
    /// Adds the email to a hash.
    pub(crate) fn add_to(&self, hash: &mut Sha256) {
        let text = self.text.as_deref().filter(|_| !self.derives_text);
        add_mailbox(hash, &self.from);
        for list in [&self.to, &self.cc, &self.bcc, &self.reply_to] {
            hash.update((list.len() as u64).to_be_bytes());
            for mailbox in list {
                add_mailbox(hash, mailbox);
            }
        }
        add(hash, self.subject.as_bytes());
        add_all(hash, self.html.iter());
        add_all(hash, text.iter());
        hash.update([u8::from(self.derives_text)]);
        // JSON objects have no order, and SES keeps none of tags.
        let mut headers: Vec<[String; 2]> = self
            .headers
            .iter()
            .map(|header| [header.name().to_ascii_lowercase(), header.text().to_owned()])
            .collect();
        headers.sort_unstable();
        add_all(hash, headers.concat().iter());
        let given_tags = self.tags.iter().take(self.given_tags);
        let mut tags: Vec<[&str; 2]> = given_tags.map(|tag| [tag.name(), tag.value()]).collect();
        tags.sort_unstable();
        add_all(hash, tags.concat().iter());
        hash.update(self.attachments.len().to_be_bytes());
        for file in &self.attachments {
            add(hash, file.filename().as_bytes());
            add(hash, file.content());
            add_all(hash, file.given_type().iter());
            add_all(hash, file.content_id().iter());
        }
    }
}

/// Adds bytes behind their length, so that no two lists of texts give the same hash.
fn add(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

fn add_mailbox(hash: &mut Sha256, mailbox: &Mailbox) {
    add_all(hash, mailbox.name().iter());
    add(hash, mailbox.address().as_wire().as_bytes());
}

fn add_all(hash: &mut Sha256, texts: impl ExactSizeIterator<Item = impl AsRef<str>>) {
    hash.update((texts.len() as u64).to_be_bytes());
    for text in texts {
        add(hash, text.as_ref().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::message::tests::{mailboxes, parts};
    use crate::message::{Attachment, EmailParts, Header, Tag};

    fn of(parts: EmailParts) -> Vec<u8> {
        let mut hash = Sha256::new();
        Email::new(parts).unwrap().add_to(&mut hash);
        hash.finalize().to_vec()
    }

    fn file(name: &str, content: &str, content_id: Option<&str>) -> Attachment {
        let content_id = content_id.map(str::to_owned);
        Attachment::new(name, content.as_bytes().to_vec(), None, content_id).unwrap()
    }

    /// A new version of a library may encode text, or guess the type of a file, in another way.
    #[test]
    fn what_okite_makes_is_no_part_of_a_fingerprint() {
        let mail = |name: &str| EmailParts {
            from: Mailbox::parse(&format!("{name} <acme@example.com>")).unwrap(),
            headers: vec![Header::new("X-A", name).unwrap()],
            attachments: vec![file("a.pdf", "1", None)],
            ..parts()
        };
        let given = Attachment::new("a.pdf", b"1".to_vec(), Some("application/pdf".to_owned()), None).unwrap();
        assert_eq!(given.content_type(), file("a.pdf", "1", None).content_type());
        let with_a_type = EmailParts {
            attachments: vec![given],
            ..mail("Zoë")
        };
        assert_ne!(of(with_a_type), of(mail("Zoë")));
        // This is the hash of what the caller wrote. A change of it turns requests that are repeated across a
        // deployment into conflicts.
        let hash = crate::hex::hex(&of(mail("Zoë")));
        assert_eq!(hash, "2ae22187ab25fdf68265f01b1efb43ee6d75e213a7129c29ca182c924b5c0c02");
    }

    #[test]
    fn the_same_mail_in_other_words_has_the_same_fingerprint() {
        let header = |name, value| Header::new(name, value).unwrap();
        let tag = |name| Tag::new(name, "v").unwrap();
        let one = EmailParts {
            from: Mailbox::parse("Zoë <zoe@example.com>").unwrap(),
            to: mailboxes(&["anna@example.org", "b@example.org"]),
            headers: vec![header("X-A", "a b"), header("X-B", "ü")],
            tags: vec![tag("a"), tag("b")],
            ..parts()
        };
        let other = EmailParts {
            from: Mailbox::parse("\"=?UTF-8?Q?Zo=C3=AB?=\" <zoe@EXAMPLE.com>").unwrap(),
            to: mailboxes(&[" anna@example.org ", "b@example.org", "ANNA@example.org"]),
            headers: vec![header("x-b", "ü "), header("x-a", "a\r\n b")],
            tags: vec![tag("b"), tag("a")],
            ..parts()
        };
        assert_eq!(of(one), of(other));
    }

    #[test]
    fn every_part_of_a_mail_changes_its_fingerprint() {
        let html = || Some("<p>Hello".to_owned());
        let list = || mailboxes(&["b@example.org"]);
        let mails = [
            parts(),
            EmailParts {
                from: Mailbox::parse("acme@example.com").unwrap(),
                ..parts()
            },
            EmailParts {
                to: mailboxes(&["Anna@example.org"]),
                ..parts()
            },
            EmailParts {
                to: mailboxes(&["anna@example.org", "b@example.org"]),
                ..parts()
            },
            EmailParts { cc: list(), ..parts() },
            EmailParts { bcc: list(), ..parts() },
            EmailParts {
                reply_to: list(),
                ..parts()
            },
            EmailParts {
                subject: "Hello!".to_owned(),
                ..parts()
            },
            EmailParts {
                text: Some("Hello!".to_owned()),
                ..parts()
            },
            EmailParts {
                html: html(),
                ..parts()
            },
            EmailParts {
                html: html(),
                text: None,
                ..parts()
            },
            EmailParts {
                html: html(),
                text: Some(String::new()),
                ..parts()
            },
            EmailParts {
                headers: vec![Header::new("X-A", "1").unwrap()],
                ..parts()
            },
            EmailParts {
                headers: vec![Header::new("X-A", "2").unwrap()],
                ..parts()
            },
            EmailParts {
                tags: vec![Tag::new("X-A", "1").unwrap()],
                ..parts()
            },
            EmailParts {
                attachments: vec![file("a.txt", "1", None)],
                ..parts()
            },
            EmailParts {
                attachments: vec![file("b.txt", "1", None)],
                ..parts()
            },
            EmailParts {
                attachments: vec![file("a.txt", "2", None)],
                ..parts()
            },
            EmailParts {
                attachments: vec![file("a.txt", "1", Some("a"))],
                ..parts()
            },
        ];
        let all = mails.len();
        assert_eq!(mails.into_iter().map(of).collect::<HashSet<_>>().len(), all);
    }
}
