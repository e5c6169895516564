//! A raw email: a message with its envelope and its tags.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::error::InvalidRaw;
use super::message::RawMessage;
use super::ses_fields::ListManagement;
use crate::address::{EmailAddress, Mailbox};
use crate::message::header_tags::made_tags;
use crate::message::{OWN_TAGS, RECIPIENTS_MAX, TAGS_MAX, Tag};

/// The values that a request gives beside the message.
#[derive(Clone, Debug, Default)]
pub struct RawEnvelope {
    /// The sender that replaces the one of the message: `Source` or `FromEmailAddress`.
    pub source: Option<String>,
    /// The recipients, who replace those of the header. If empty, the header names them.
    pub destinations: Vec<String>,
    /// The caller's tags, which replace those of the field `X-SES-MESSAGE-TAGS`.
    pub tags: Vec<Tag>,
    /// The name of a configuration set, which replaces the one of the field `X-SES-CONFIGURATION-SET`.
    pub configuration_set: Option<String>,
    /// The name of a tenant, which replaces the one of the field `X-SES-TENANT-NAME`.
    pub tenant: Option<String>,
    /// The contact list, which replaces the one of the field `X-SES-LIST-MANAGEMENT-OPTIONS`.
    pub list_management: Option<ListManagement>,
}

/// A raw email that SES accepts.
#[derive(Clone, Debug)]
pub struct RawEmail {
    message: RawMessage,
    source: Option<Mailbox>,
    recipients: Vec<Mailbox>,
    tags: Vec<Tag>,
    /// How many of the tags are the caller's own. The others are made from headers.
    given_tags: usize,
    configuration_set: Option<String>,
    tenant: Option<String>,
    list_management: Option<ListManagement>,
}

impl RawEmail {
    /// Joins a message and its envelope. An address that appears more than once, in any spelling, counts once.
    ///
    /// # Errors
    /// [`InvalidRaw`] with the first problem found.
    pub fn new(message: RawMessage, envelope: RawEnvelope) -> Result<Self, InvalidRaw> {
        let source = envelope
            .source
            .map(|source| parse_sender(&source, "Source"))
            .transpose()?;
        let recipients = recipients(&message, &envelope.destinations)?;
        let instructions = &message.instructions;
        let given = match envelope.tags {
            tags if tags.is_empty() => instructions.tags.clone(),
            tags => tags,
        };
        let given_tags = given.len();
        let tags = with_made_tags(given, &message)?;
        Ok(Self {
            source,
            recipients,
            tags,
            given_tags,
            configuration_set: envelope
                .configuration_set
                .or_else(|| instructions.configuration_set.clone()),
            tenant: envelope.tenant.or_else(|| instructions.tenant.clone()),
            list_management: envelope
                .list_management
                .or_else(|| instructions.list_management.clone()),
            message,
        })
    }

    /// Returns the message.
    #[must_use]
    pub fn message(&self) -> &RawMessage {
        &self.message
    }

    /// Returns the sender that the request names, if it names one.
    #[must_use]
    pub fn source(&self) -> Option<&Mailbox> {
        self.source.as_ref()
    }

    /// Returns the sender: the one that the request names, or else the one of the message.
    #[must_use]
    pub fn from(&self) -> &Mailbox {
        self.source.as_ref().unwrap_or_else(|| self.message.from())
    }

    /// Lists every address that the request or the message names as a sender. The API key must be allowed to send from
    /// each of them.
    pub fn senders(&self) -> impl Iterator<Item = &EmailAddress> {
        self.source.iter().map(Mailbox::address).chain(self.message.senders())
    }

    /// Returns the recipients of the envelope: 1 to 50, without names.
    #[must_use]
    pub fn recipients(&self) -> &[Mailbox] {
        &self.recipients
    }

    /// Returns the email without a recipient; `None` if that was the only one.
    #[must_use]
    pub fn without_recipient(&self, address: &EmailAddress) -> Option<Self> {
        let mut rest = self.clone();
        rest.recipients.retain(|recipient| recipient.address() != address);
        Some(rest).filter(|rest| !rest.recipients.is_empty())
    }

    /// Returns the tags: the caller's own, and those that Okite makes from headers.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// Returns the caller's own tags, without those that Okite makes from headers.
    #[must_use]
    pub fn given_tags(&self) -> &[Tag] {
        &self.tags[..self.given_tags]
    }

    /// Returns the configuration set that the caller names. Okite sends with its own only.
    #[must_use]
    pub fn configuration_set(&self) -> Option<&str> {
        self.configuration_set.as_deref()
    }

    /// Returns the tenant that the caller names.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Returns the contact list that the caller names.
    #[must_use]
    pub fn list_management(&self) -> Option<&ListManagement> {
        self.list_management.as_ref()
    }

    /// Adds the email to a hash, by which a repeated request is recognised. What Okite makes by itself is left out, and
    /// so are the marks of relays.
    pub(crate) fn add_to(&self, hash: &mut Sha256) {
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        add(&self.message.bytes_without_trace());
        add(self
            .source
            .as_ref()
            .map_or("", |source| source.address().as_wire())
            .as_bytes());
        add(&self.recipients.len().to_be_bytes());
        for recipient in &self.recipients {
            add(recipient.address().as_wire().as_bytes());
        }
        let mut tags: Vec<[&str; 2]> = self.given_tags().iter().map(|tag| [tag.name(), tag.value()]).collect();
        tags.sort_unstable();
        for text in tags.concat() {
            add(text.as_bytes());
        }
    }
}

fn parse_sender(text: &str, place: &'static str) -> Result<Mailbox, InvalidRaw> {
    Mailbox::parse_sender(text).map_err(|problem| InvalidRaw::Address { place, problem })
}

fn parse(text: &str, place: &'static str) -> Result<Mailbox, InvalidRaw> {
    Mailbox::parse(text).map_err(|problem| InvalidRaw::Address { place, problem })
}

fn recipients(message: &RawMessage, destinations: &[String]) -> Result<Vec<Mailbox>, InvalidRaw> {
    let mut recipients: Vec<EmailAddress> = if destinations.is_empty() {
        if let Some(problem) = &message.unreadable_recipient {
            return Err(problem.clone());
        }
        let lists = [message.to(), message.cc(), message.bcc()];
        lists.concat().iter().map(|mailbox| mailbox.address().clone()).collect()
    } else {
        let parsed = destinations.iter().map(|text| parse(text, "Destination"));
        parsed
            .map(|parsed| parsed.map(|mailbox| mailbox.address().clone()))
            .collect::<Result<_, _>>()?
    };
    let mut seen = HashSet::new();
    recipients.retain(|address| seen.insert(address.normalised().to_owned()));
    match recipients.len() {
        0 => Err(InvalidRaw::NoRecipients),
        1..=RECIPIENTS_MAX => Ok(recipients.into_iter().map(Mailbox::from).collect()),
        _ => Err(InvalidRaw::TooManyRecipients(RECIPIENTS_MAX)),
    }
}

/// Adds the tags that Okite makes from the headers `X-Tag` and `X-Metadata`.
fn with_made_tags(mut tags: Vec<Tag>, message: &RawMessage) -> Result<Vec<Tag>, InvalidRaw> {
    let most = TAGS_MAX - OWN_TAGS;
    let room = most.checked_sub(tags.len()).ok_or(InvalidRaw::TooManyTags(most))?;
    let mut names = HashSet::new();
    if !tags.iter().all(|tag| names.insert(tag.name())) {
        return Err(InvalidRaw::DuplicateTag);
    }
    tags.extend(made_tags(message.metadata.clone(), &message.tag_texts, &tags, room));
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "From: ada@example.com\nTo: b@example.net\nCc: c@example.net\nBcc: d@example.net, B@EXAMPLE.net\n";

    fn email(header: &str, envelope: RawEnvelope) -> Result<RawEmail, InvalidRaw> {
        RawEmail::new(RawMessage::read(format!("{header}\nHi").into_bytes())?, envelope)
    }

    fn to(destinations: &[&str]) -> RawEnvelope {
        RawEnvelope {
            destinations: destinations.iter().map(|text| (*text).to_owned()).collect(),
            ..RawEnvelope::default()
        }
    }

    fn tag(name: &str) -> Tag {
        Tag::new(name, "given").unwrap()
    }

    fn tags(email: &RawEmail) -> Vec<(&str, &str)> {
        email.tags().iter().map(|tag| (tag.name(), tag.value())).collect()
    }

    #[test]
    fn the_header_names_the_recipients_unless_the_request_does() {
        let given = |envelope| {
            let email = email(HEADER, envelope).unwrap();
            email
                .recipients()
                .iter()
                .map(|recipient| recipient.address().as_given().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            given(RawEnvelope::default()),
            ["b@example.net", "c@example.net", "d@example.net"]
        );
        assert_eq!(given(to(&["Eve <e@example.net>", "E@example.net"])), ["e@example.net"]);
    }

    #[test]
    fn an_unreadable_recipient_matters_only_where_the_header_is_the_envelope() {
        let header = "From: a@example.com\nTo: b@example.net, bob\nCc: c@example.net =?utf-8?q?=2C?= d@example.net\n";
        let error = email(header, RawEnvelope::default()).unwrap_err();
        assert_eq!(error.to_string(), "Missing final '@domain' (To)");
        let named = email(header, to(&["e@example.net"])).unwrap();
        assert_eq!(named.recipients().len(), 1);
        assert_eq!(named.message().to().len(), 1);
    }

    #[test]
    fn counts_the_recipients() {
        let header = |n: usize| {
            let addresses: Vec<String> = (0..n).map(|n| format!("u{n}@example.net")).collect();
            format!("From: a@example.com\nTo: {}\n", addresses.join(",\n "))
        };
        assert!(email(&header(50), RawEnvelope::default()).is_ok());
        let error = email(&header(51), RawEnvelope::default()).unwrap_err();
        assert_eq!(error.to_string(), "Recipient count exceeds 50.");
        // The header may name more people than the envelope.
        assert!(email(&header(51), to(&["a@example.net"])).is_ok());
        assert_eq!(
            email(
                "From: a@example.com\nTo: undisclosed-recipients:;\n",
                RawEnvelope::default()
            )
            .unwrap_err(),
            InvalidRaw::NoRecipients
        );
    }

    #[test]
    fn every_sender_is_listed() {
        let envelope = RawEnvelope {
            source: Some("Bot <bot@example.org>".to_owned()),
            ..RawEnvelope::default()
        };
        let email = email(HEADER, envelope).unwrap();
        assert_eq!(email.from().to_string(), "Bot <bot@example.org>");
        let senders: Vec<_> = email.senders().map(EmailAddress::as_given).collect();
        assert_eq!(senders, ["bot@example.org", "ada@example.com"]);
    }

    #[test]
    fn an_invalid_address_of_the_request_is_refused_by_name() {
        let source = RawEnvelope {
            source: Some("bot".to_owned()),
            ..RawEnvelope::default()
        };
        for (envelope, place) in [(source, "(Source)"), (to(&["a@example.net", "b"]), "(Destination)")] {
            let error = email(HEADER, envelope).unwrap_err().to_string();
            assert_eq!(error, format!("Missing final '@domain' {place}"));
        }
    }

    #[test]
    fn the_tags_of_the_request_replace_those_of_the_header() {
        let header =
            format!("{HEADER}X-SES-MESSAGE-TAGS: shop=17\nX-Tag: welcome\nX-Metadata: {{\"order\": 1, \"shop\": 2}}\n");
        let of_header = email(&header, RawEnvelope::default()).unwrap();
        assert_eq!(tags(&of_header), [("shop", "17"), ("order", "1"), ("tag", "welcome")]);
        let envelope = RawEnvelope {
            tags: vec![tag("campaign")],
            ..RawEnvelope::default()
        };
        let of_request = email(&header, envelope).unwrap();
        assert_eq!(
            tags(&of_request),
            [("campaign", "given"), ("order", "1"), ("shop", "2"), ("tag", "welcome")]
        );
    }

    #[test]
    fn limits_the_tags() {
        let with = |n: usize| RawEnvelope {
            tags: (0..n).map(|n| tag(&format!("t{n}"))).collect(),
            ..RawEnvelope::default()
        };
        let header = format!("{HEADER}X-Tag: welcome\n");
        assert_eq!(email(&header, with(47)).unwrap().tags().len(), 47);
        assert_eq!(email(HEADER, with(48)).unwrap_err(), InvalidRaw::TooManyTags(47));
        let twice = RawEnvelope {
            tags: vec![tag("a"), tag("a")],
            ..RawEnvelope::default()
        };
        assert_eq!(email(HEADER, twice).unwrap_err(), InvalidRaw::DuplicateTag);
    }

    #[test]
    fn the_request_replaces_the_instructions_of_the_header() {
        let header =
            format!("{HEADER}X-SES-CONFIGURATION-SET: a\nX-SES-TENANT-NAME: b\nX-SES-LIST-MANAGEMENT-OPTIONS: c\n");
        let of_header = email(&header, RawEnvelope::default()).unwrap();
        assert_eq!(
            (of_header.configuration_set(), of_header.tenant()),
            (Some("a"), Some("b"))
        );
        assert_eq!(of_header.list_management().unwrap().contact_list_name, "c");
        let envelope = RawEnvelope {
            configuration_set: Some("x".to_owned()),
            tenant: Some("y".to_owned()),
            ..RawEnvelope::default()
        };
        let of_request = email(&header, envelope).unwrap();
        assert_eq!(
            (of_request.configuration_set(), of_request.tenant()),
            (Some("x"), Some("y"))
        );
    }

    #[test]
    fn every_part_changes_the_fingerprint_but_what_okite_makes() {
        let of = |header: &str, envelope| {
            let mut hash = Sha256::new();
            email(header, envelope).unwrap().add_to(&mut hash);
            hash.finalize().to_vec()
        };
        let source = RawEnvelope {
            source: Some("bot@example.org".to_owned()),
            ..RawEnvelope::default()
        };
        let tagged = RawEnvelope {
            tags: vec![tag("a")],
            ..RawEnvelope::default()
        };
        let all = [
            of(HEADER, RawEnvelope::default()),
            of(&format!("{HEADER}X: 1\n"), RawEnvelope::default()),
            of(HEADER, source),
            of(HEADER, to(&["x@example.net"])),
            of(HEADER, tagged),
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        let named = to(&["b@example.net", "c@example.net", "d@example.net"]);
        assert_eq!(of(HEADER, RawEnvelope::default()), of(HEADER, named));
    }

    #[test]
    fn a_mail_that_a_relay_passes_on_again_is_the_same_mail() {
        let hash = |header: &str| {
            let mut hash = Sha256::new();
            email(header, RawEnvelope::default()).unwrap().add_to(&mut hash);
            hash.finalize()
        };
        let received = |id: &str| format!("Received: from a.example\n by b.example id {id}\n{HEADER}");
        assert_eq!(hash(&received("1")), hash(&received("2")));
        assert_eq!(hash(&received("1")), hash(HEADER));
        assert_ne!(hash(&format!("X-Received: 1\n{HEADER}")), hash(HEADER));
    }
}
