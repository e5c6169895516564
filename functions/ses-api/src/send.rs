//! The mail that a request of either version asks to send.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::address::{AddressError, Mailbox};
use domain::message::raw::{RawEmail, RawEnvelope, RawMessage};
use domain::message::{Attachment, Email, EmailParts, Header, Mail, MailContent, RECIPIENTS_MAX, SesOptions, Tag};

use crate::fault::{ApiFault, FaultKind, kind_of};

/// The most bytes of a raw mail in version 1. Its form encodes base64 in percent signs, and the HTTP API encodes the
/// form in base64 once more. Lambda takes 6 MB of that.
pub const V1_MIME_MAX: usize = 3_300_000;
/// The most bytes of a raw mail in version 2, whose JSON Lambda takes as it is.
pub const V2_MIME_MAX: usize = 4_400_000;

/// A mail to send, and the configuration set to send it with.
#[derive(Clone, Debug)]
pub struct SendMail {
    /// The mail.
    pub mail: Mail,
    /// The name of a configuration set. Okite sends with its own, so another one is refused.
    pub configuration_set: Option<String>,
}

impl SendMail {
    /// Refuses another configuration set than `own`: its events would not reach Okite.
    ///
    /// # Errors
    /// [`FaultKind::NoConfigurationSet`].
    pub fn check_configuration_set(&self, own: &str) -> Result<(), ApiFault> {
        match &self.configuration_set {
            Some(other) if other != own => Err(ApiFault::new(
                FaultKind::NoConfigurationSet,
                format!(
                    "Okite sends every mail with the configuration set <{own}>, because the events of another one would \
                     not reach Okite. Leave the configuration set out of the request."
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// The options of a request beside the mail itself.
#[derive(Debug, Default)]
pub(crate) struct SendOptions {
    pub(crate) configuration_set: Option<String>,
    pub(crate) ses: SesOptions,
}

/// The parts of a raw mail in a request.
#[derive(Debug, Default)]
pub(crate) struct RawParts {
    /// The message in base64.
    pub(crate) data: String,
    pub(crate) source: Option<String>,
    pub(crate) destinations: Vec<String>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) options: SendOptions,
}

impl RawParts {
    /// Reads a mail of at most `most` bytes.
    pub(crate) fn read(self, most: usize) -> Result<SendMail, ApiFault> {
        let SendOptions { configuration_set, ses } = self.options;
        let message = blob("RawMessage.Data", &self.data)?;
        if message.len() > most {
            return Err(ApiFault::too_large(most, message.len()));
        }
        let message = RawMessage::read(message)?;
        let email = RawEmail::new(
            message,
            RawEnvelope {
                source: self.source,
                destinations: self.destinations,
                tags: self.tags,
                configuration_set,
                tenant: ses.tenant,
                list_management: ses.list_management,
            },
        )?;
        Ok(SendMail {
            configuration_set: email.configuration_set().map(str::to_owned),
            mail: Mail {
                options: SesOptions {
                    tenant: email.tenant().map(str::to_owned),
                    list_management: email.list_management().cloned(),
                    feedback_address: ses.feedback_address,
                    tracking: ses.tracking,
                },
                content: MailContent::Raw(Box::new(email)),
                topic: None,
            },
        })
    }
}

/// The parts of a simple mail in a request.
#[derive(Debug, Default)]
pub(crate) struct SimpleParts {
    pub(crate) source: Option<String>,
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
    pub(crate) bcc: Vec<String>,
    pub(crate) reply_to: Vec<String>,
    pub(crate) subject: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    pub(crate) headers: Vec<Header>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) options: SendOptions,
}

impl SimpleParts {
    pub(crate) fn read(self) -> Result<SendMail, ApiFault> {
        let source = self.source.ok_or_else(|| missing("Source"))?;
        match self.to.len() + self.cc.len() + self.bcc.len() {
            0 => return Err(missing("Destination")),
            1..=RECIPIENTS_MAX if self.to.is_empty() => {
                return Err(ApiFault::invalid(
                    "Destination.ToAddresses is empty: a simple mail needs a recipient there. Send a mail with copies \
                     alone as Raw.",
                ));
            }
            1..=RECIPIENTS_MAX => {}
            _ => return Err(ApiFault::invalid(format!("Recipient count exceeds {RECIPIENTS_MAX}."))),
        }
        if self.text.is_none() && self.html.is_none() {
            return Err(missing("Message.Body"));
        }
        let email = Email::new(EmailParts {
            from: sender("Source", &source)?,
            to: mailboxes("Destination.ToAddresses", &self.to)?,
            cc: mailboxes("Destination.CcAddresses", &self.cc)?,
            bcc: mailboxes("Destination.BccAddresses", &self.bcc)?,
            reply_to: mailboxes("ReplyToAddresses", &self.reply_to)?,
            subject: self.subject.ok_or_else(|| missing("Message.Subject"))?,
            html: self.html,
            // SES adds no text to a mail of HTML alone, and neither does Okite where the caller speaks to SES.
            text: Some(self.text.unwrap_or_default()),
            headers: self.headers,
            tags: self.tags,
            attachments: self.attachments,
        })?;
        Ok(SendMail {
            mail: Mail {
                content: MailContent::Simple(Box::new(email)),
                options: self.options.ses,
                topic: None,
            },
            configuration_set: self.options.configuration_set,
        })
    }
}

/// Makes the error of a missing value.
pub(crate) fn missing(name: &str) -> ApiFault {
    ApiFault::invalid(format!("Missing required parameter: {name}."))
}

/// Reads a blob: base64.
pub(crate) fn blob(name: &str, data: &str) -> Result<Vec<u8>, ApiFault> {
    STANDARD
        .decode(data)
        .map_err(|_| ApiFault::new(FaultKind::Malformed, format!("{name} is not valid base64.")))
}

/// Reads tags from pairs of name and value.
pub(crate) fn tags(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Vec<Tag>, ApiFault> {
    let tag = |(name, value): (String, String)| {
        Tag::new(&name, &value).map_err(|error| ApiFault::invalid(format!("Invalid tag: {error}")))
    };
    pairs.into_iter().map(tag).collect()
}

/// Reads an address, with or without a name.
pub(crate) fn mailbox(place: &str, text: &str) -> Result<Mailbox, ApiFault> {
    Mailbox::parse(text).map_err(|error| address_fault(place, error))
}

/// Reads a sender: see [`domain::address::EmailAddress::parse_sender`].
fn sender(place: &str, text: &str) -> Result<Mailbox, ApiFault> {
    Mailbox::parse_sender(text).map_err(|error| address_fault(place, error))
}

/// Makes the error of an invalid address.
pub(crate) fn address_fault(place: &str, error: AddressError) -> ApiFault {
    let words = match error {
        AddressError::NotAnAddress => "Missing final '@domain'".to_owned(),
        other => format!("Illegal address: {other}"),
    };
    ApiFault::new(kind_of(error), format!("{words} ({place})"))
}

fn mailboxes(place: &str, texts: &[String]) -> Result<Vec<Mailbox>, ApiFault> {
    texts.iter().map(|text| mailbox(place, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simple() -> SimpleParts {
        SimpleParts {
            source: Some("Ada <ada@example.com>".to_owned()),
            to: vec!["b@example.net".to_owned()],
            subject: Some("Hi".to_owned()),
            text: Some("Hello".to_owned()),
            ..SimpleParts::default()
        }
    }

    fn problem(parts: SimpleParts) -> String {
        parts.read().unwrap_err().message
    }

    #[test]
    fn names_what_a_simple_mail_lacks() {
        assert!(simple().read().is_ok());
        for (parts, words) in [
            (
                SimpleParts {
                    source: None,
                    ..simple()
                },
                "Missing required parameter: Source.",
            ),
            (
                SimpleParts {
                    to: Vec::new(),
                    ..simple()
                },
                "Missing required parameter: Destination.",
            ),
            (
                SimpleParts {
                    bcc: simple().to,
                    to: Vec::new(),
                    ..simple()
                },
                "Destination.ToAddresses is empty: a simple mail needs a recipient there. Send a mail with copies alone \
                 as Raw.",
            ),
            (
                SimpleParts { text: None, ..simple() },
                "Missing required parameter: Message.Body.",
            ),
            (
                SimpleParts {
                    subject: None,
                    ..simple()
                },
                "Missing required parameter: Message.Subject.",
            ),
            (
                SimpleParts {
                    to: vec!["bob".to_owned()],
                    ..simple()
                },
                "Missing final '@domain' (Destination.ToAddresses)",
            ),
            (
                SimpleParts {
                    bcc: vec!["a@example.net".to_owned(); 50],
                    ..simple()
                },
                "Recipient count exceeds 50.",
            ),
        ] {
            assert_eq!(problem(parts), words);
        }
    }

    #[test]
    fn a_mail_of_html_alone_stays_one() {
        let parts = SimpleParts {
            text: None,
            html: Some("<p>Hi".to_owned()),
            ..simple()
        };
        let MailContent::Simple(email) = parts.read().unwrap().mail.content else {
            panic!("a simple mail");
        };
        assert_eq!((email.text.as_deref(), email.html.as_deref()), (None, Some("<p>Hi")));
    }

    #[test]
    fn a_raw_mail_takes_its_options_from_its_header() {
        let message = "From: a@example.com\nTo: b@example.net\nX-SES-CONFIGURATION-SET: main\n\nHi";
        let parts = RawParts {
            data: STANDARD.encode(message),
            ..RawParts::default()
        };
        let mail = parts.read(message.len()).unwrap();
        assert_eq!(mail.configuration_set.as_deref(), Some("main"));
        assert!(mail.check_configuration_set("main").is_ok());
        let fault = mail.check_configuration_set("own").unwrap_err();
        assert_eq!(fault.kind, FaultKind::NoConfigurationSet);
        let broken = RawParts {
            data: "%".to_owned(),
            ..RawParts::default()
        };
        assert_eq!(broken.read(V1_MIME_MAX).unwrap_err().kind, FaultKind::Malformed);
    }

    #[test]
    fn a_raw_mail_that_no_request_can_carry_is_refused_with_both_sizes() {
        let message = "From: a@example.com\nTo: b@example.net\n\nHi";
        let parts = || RawParts {
            data: STANDARD.encode(message),
            ..RawParts::default()
        };
        assert!(parts().read(message.len()).is_ok());
        let fault = parts().read(message.len() - 1).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid);
        assert!(
            fault
                .message
                .starts_with("Message length is more than 40 bytes long: '41'."),
            "{}",
            fault.message
        );
    }
}
