//! A mail in either of the two forms that SES takes, with the options that SES has for both.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::event_headers::event_headers;
use super::raw::{ListManagement, RawEmail};
use super::{Email, Tag, Tracking};
use crate::address::{EmailAddress, Mailbox};
use crate::unsubscribe::Topic;

/// A mail to send.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The content, with its recipients.
    pub content: MailContent,
    /// The options of SES.
    pub options: SesOptions,
    /// The topic, from which a recipient may have unsubscribed.
    pub topic: Option<Topic>,
}

/// The content of a mail, in one of two forms.
#[derive(Clone, Debug)]
pub enum MailContent {
    /// The caller gave the fields of the mail, and SES writes the MIME.
    Simple(Box<Email>),
    /// The caller wrote the MIME.
    Raw(Box<RawEmail>),
}

/// The options that SES has for a mail and that Okite only hands on.
/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SesOptions {
    /// The name of the tenant that the mail belongs to.
    pub tenant: Option<String>,
    /// The contact list that the mail belongs to.
    pub list_management: Option<ListManagement>,
    /// The address to which SES forwards bounces and complaints by mail. The API key must be allowed to send from it.
    pub feedback_address: Option<Mailbox>,
    /// The parts that SES tracks.
    pub tracking: Tracking,
}

/// The recipients on the lines of the header, as a person who reads the mail's record expects them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderLines<'a> {
    /// The recipients on the To line.
    pub to: Vec<&'a Mailbox>,
    /// The recipients on the Cc line.
    pub cc: Vec<&'a Mailbox>,
    /// The recipients whom no line of the header names.
    pub bcc: Vec<&'a Mailbox>,
    /// The addresses that replies go to. They are unknown for a raw mail.
    pub reply_to: Vec<&'a Mailbox>,
}

impl Mail {
    /// Returns the sender.
    #[must_use]
    pub fn sender(&self) -> &Mailbox {
        match &self.content {
            MailContent::Simple(email) => &email.from,
            MailContent::Raw(email) => email.from(),
        }
    }

    /// Lists every address that the mail names as a sender. The API key must be allowed to send from each of them.
    pub fn senders(&self) -> impl Iterator<Item = &EmailAddress> {
        let (simple, raw) = match &self.content {
            MailContent::Simple(email) => (Some(email.from.address()), None),
            MailContent::Raw(email) => (None, Some(email.senders())),
        };
        let feedback = self.options.feedback_address.as_ref().map(Mailbox::address);
        simple.into_iter().chain(raw.into_iter().flatten()).chain(feedback)
    }

    /// Returns the recipients as SES gets them: To, Cc and Bcc. A raw mail has one list, its envelope.
    #[must_use]
    pub fn lines(&self) -> [&[Mailbox]; 3] {
        match &self.content {
            MailContent::Simple(email) => [&email.to, &email.cc, &email.bcc],
            MailContent::Raw(email) => [email.recipients(), &[], &[]],
        }
    }

    /// Lists the recipients, in the order of [`Self::lines`].
    pub fn recipients(&self) -> impl Iterator<Item = &Mailbox> {
        self.lines().into_iter().flatten()
    }

    /// Returns the recipients as the header of the mail names them.
    #[must_use]
    pub fn header_lines(&self) -> HeaderLines<'_> {
        match &self.content {
            MailContent::Simple(email) => HeaderLines {
                to: email.to.iter().collect(),
                cc: email.cc.iter().collect(),
                bcc: email.bcc.iter().collect(),
                reply_to: email.reply_to.iter().collect(),
            },
            MailContent::Raw(email) => raw_lines(email),
        }
    }

    /// Returns the subject in Unicode; an empty text if the mail has none.
    #[must_use]
    pub fn subject(&self) -> &str {
        match &self.content {
            MailContent::Simple(email) => &email.subject,
            MailContent::Raw(email) => email.message().subject().unwrap_or_default(),
        }
    }

    /// Returns the headers that events repeat, by the names in [`EVENT_HEADERS`](super::EVENT_HEADERS).
    #[must_use]
    pub fn event_headers(&self) -> BTreeMap<String, String> {
        match &self.content {
            MailContent::Simple(email) => event_headers(|name| {
                let header = email
                    .headers
                    .iter()
                    .find(|header| header.name().eq_ignore_ascii_case(name));
                header.map(|header| header.text().to_owned())
            }),
            MailContent::Raw(email) => email.message().event_headers().clone(),
        }
    }

    /// Returns the tags: the caller's own, and those that Okite makes from headers.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        match &self.content {
            MailContent::Simple(email) => &email.tags,
            MailContent::Raw(email) => email.tags(),
        }
    }
}

/// A mail without options.
impl From<Email> for Mail {
    fn from(email: Email) -> Self {
        Self {
            content: MailContent::Simple(Box::new(email)),
            options: SesOptions::default(),
            topic: None,
        }
    }
}

impl SesOptions {
    /// Adds the options to a hash, by which a repeated request is recognised.
    pub(crate) fn add_to(&self, hash: &mut Sha256) {
        let list = self.list_management.as_ref();
        for text in [
            self.tenant.as_deref(),
            list.map(|list| list.contact_list_name.as_str()),
            list.and_then(|list| list.topic_name.as_deref()),
            self.feedback_address
                .as_ref()
                .map(|address| address.address().as_wire()),
        ] {
            hash.update([u8::from(text.is_some())]);
            let text = text.unwrap_or_default();
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        // A request without it has the hash that it had before there was tracking.
        if self.tracking.is_asked_for() {
            hash.update(b"T");
            hash.update([u8::from(self.tracking.opens), u8::from(self.tracking.clicks)]);
        }
    }
}

/// Puts every recipient of the envelope on the line of the header that names the recipient.
fn raw_lines(email: &RawEmail) -> HeaderLines<'_> {
    let mut lines = HeaderLines::default();
    for recipient in email.recipients() {
        let is_recipient = |named: &&Mailbox| named.address() == recipient.address();
        let message = email.message();
        if let Some(named) = message.to().iter().find(is_recipient) {
            lines.to.push(named);
        } else if let Some(named) = message.cc().iter().find(is_recipient) {
            lines.cc.push(named);
        } else {
            lines.bcc.push(recipient);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::raw::{RawEnvelope, RawMessage};
    use crate::message::tests::parts;

    const MIME: &str =
        "From: ada@example.com\nSender: desk@example.com\nTo: Bob <b@example.net>\nCc: c@example.net\n\nHi";

    fn raw(destinations: &[&str]) -> Mail {
        let envelope = RawEnvelope {
            source: Some("shop@example.com".to_owned()),
            destinations: destinations.iter().map(|text| (*text).to_owned()).collect(),
            ..RawEnvelope::default()
        };
        let message = RawMessage::read(MIME.as_bytes().to_vec()).unwrap();
        Mail {
            content: MailContent::Raw(Box::new(RawEmail::new(message, envelope).unwrap())),
            options: SesOptions::default(),
            topic: None,
        }
    }

    fn texts<'a>(mailboxes: impl IntoIterator<Item = &'a Mailbox>) -> Vec<String> {
        mailboxes.into_iter().map(Mailbox::to_string).collect()
    }

    #[test]
    fn every_named_sender_counts() {
        let mut mail = raw(&[]);
        mail.options.feedback_address = Some(Mailbox::parse("bounces@example.com").unwrap());
        let senders: Vec<&str> = mail.senders().map(EmailAddress::as_given).collect();
        assert_eq!(
            senders,
            [
                "shop@example.com",
                "ada@example.com",
                "desk@example.com",
                "bounces@example.com"
            ]
        );
        assert_eq!(mail.sender().address().as_given(), "shop@example.com");
        let simple = Mail::from(Email::new(parts()).unwrap());
        let senders: Vec<&EmailAddress> = simple.senders().collect();
        assert_eq!(senders, [simple.sender().address()]);
    }

    #[test]
    fn the_envelope_of_a_raw_mail_is_one_line_and_its_header_says_where_people_stand() {
        let mail = raw(&["hidden@example.net", "C@example.net", "b@example.net"]);
        let [to, cc, bcc] = mail.lines();
        assert_eq!((to.len(), cc.len(), bcc.len()), (3, 0, 0));
        let lines = mail.header_lines();
        assert_eq!(texts(lines.to), ["Bob <b@example.net>"]);
        assert_eq!(texts(lines.cc), ["c@example.net"]);
        assert_eq!(texts(lines.bcc), ["hidden@example.net"]);
        // The header names people who are not in the envelope. They get nothing.
        assert_eq!(texts(raw(&["b@example.net"]).header_lines().cc), [""; 0]);
    }

    #[test]
    fn a_simple_mail_keeps_its_lines() {
        let email = Email::new(parts()).unwrap();
        let (to, subject) = (email.to.clone(), email.subject.clone());
        let mail = Mail::from(email);
        assert_eq!(texts(mail.header_lines().to), texts(&to));
        assert_eq!(texts(mail.recipients()), texts(&to));
        assert_eq!(mail.subject(), subject);
    }

    #[test]
    fn no_two_options_have_the_same_hash() {
        let hash = |options: &SesOptions| {
            let mut hash = Sha256::new();
            options.add_to(&mut hash);
            hash.finalize()
        };
        let list = |topic: Option<&str>| SesOptions {
            list_management: Some(ListManagement {
                contact_list_name: "a".to_owned(),
                topic_name: topic.map(str::to_owned),
            }),
            ..SesOptions::default()
        };
        let tenant = SesOptions {
            tenant: Some("a".to_owned()),
            ..SesOptions::default()
        };
        let hashes = [
            SesOptions::default(),
            tenant,
            list(None),
            list(Some("")),
            list(Some("a")),
        ]
        .map(|o| hash(&o));
        let different: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(different.len(), hashes.len());
    }
}
