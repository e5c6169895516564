//! The bytes of a raw email, and what their header says.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::addresses::{Found, addresses, sender, senders};
use super::error::InvalidRaw;
use super::fields::{Field, fields};
use super::ses_fields::{Instructions, instructions, is_instruction};
use crate::address::{EmailAddress, Mailbox};
use crate::encoded_words;
use crate::message::event_headers::event_headers;

/// The most bytes of a message, as SES accepts.
/// <https://docs.aws.amazon.com/ses/latest/dg/quotas.html>
pub(super) const BYTES_MAX: usize = 40 * 1024 * 1024;

/// A message in MIME, whose header was read.
#[derive(Clone)]
pub struct RawMessage {
    bytes: Vec<u8>,
    from: Mailbox,
    /// The addresses of all other fields that name a sender.
    other_senders: Vec<EmailAddress>,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    bcc: Vec<Mailbox>,
    /// The first recipient that cannot be read.
    pub(super) unreadable_recipient: Option<InvalidRaw>,
    message_id: Option<String>,
    subject: Option<String>,
    pub(super) instructions: Instructions,
    /// The texts of the fields `X-Tag`.
    pub(super) tag_texts: Vec<String>,
    /// The object in the field `X-Metadata`.
    pub(super) metadata: Map<String, Value>,
    event_headers: BTreeMap<String, String>,
}

impl RawMessage {
    /// Reads the header of a message, and leaves the fields out that recipients must not see: `Bcc`, `Resent-Bcc` and
    /// the instructions to SES. All other bytes stay as they are.
    ///
    /// A recipient that cannot be read is left out of the lists. It is a problem only where the header is the envelope:
    /// some versions of mail libraries fold a long list of recipients so that nobody can read it.
    ///
    /// # Errors
    /// [`InvalidRaw`] with the first problem found.
    pub fn read(bytes: Vec<u8>) -> Result<Self, InvalidRaw> {
        if bytes.len() > BYTES_MAX {
            return Err(InvalidRaw::TooLarge {
                most: BYTES_MAX,
                bytes: bytes.len(),
            });
        }
        let fields = fields(&bytes)?;
        let header = HeaderFields(&fields);
        let from = header.one("From")?.ok_or(InvalidRaw::MissingField("From"))?;
        let from = sender(from, "From")?;
        let (to, cc) = (header.recipients("To")?, header.recipients("Cc")?);
        let bcc = header.hidden_recipients();
        let read = Self {
            from,
            other_senders: header.other_senders()?,
            to: to.mailboxes,
            cc: cc.mailboxes,
            bcc: bcc.mailboxes,
            unreadable_recipient: to.problem.or(cc.problem).or(bcc.problem),
            message_id: header.any("Message-ID").map(|field| message_id(&field.value())),
            subject: header.one("Subject")?.map(|field| decoded(&field.value())),
            instructions: instructions(&fields)?,
            tag_texts: header.all("X-Tag").map(|field| decoded(&field.value())).collect(),
            metadata: header.metadata(),
            event_headers: event_headers(|name| header.any(name).map(|field| decoded(&field.value()))),
            bytes: Vec::new(),
        };
        let bytes = shown(&bytes, &fields).unwrap_or(bytes);
        Ok(Self { bytes, ..read })
    }

    /// Returns the bytes to send.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes without the fields `Received`. A relay that passes a mail on again writes others, and it is
    /// the same mail.
    pub(super) fn bytes_without_trace(&self) -> Vec<u8> {
        // The fields were read once, so they can be read again.
        fields(&self.bytes).map_or_else(
            |_| self.bytes.clone(),
            |fields| without(&self.bytes, &fields, |field| field.is("Received")).concat(),
        )
    }

    /// Returns the address of the field `From`.
    #[must_use]
    pub fn from(&self) -> &Mailbox {
        &self.from
    }

    /// Lists every address that the message names as a sender: those of `From`, `Sender`, `Resent-From`,
    /// `Resent-Sender` and `Return-Path`.
    pub fn senders(&self) -> impl Iterator<Item = &EmailAddress> {
        std::iter::once(self.from.address()).chain(&self.other_senders)
    }

    /// Returns the recipients in the field `To`.
    #[must_use]
    pub fn to(&self) -> &[Mailbox] {
        &self.to
    }

    /// Returns the recipients in the field `Cc`.
    #[must_use]
    pub fn cc(&self) -> &[Mailbox] {
        &self.cc
    }

    /// Returns the recipients in the field `Bcc`, which is left out of [`Self::bytes`].
    #[must_use]
    pub fn bcc(&self) -> &[Mailbox] {
        &self.bcc
    }

    /// Returns the id that the caller gave the message, without angle brackets. SES replaces it.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.message_id.as_deref()
    }

    /// Returns the headers that events repeat: see [`Mail::event_headers`](crate::message::Mail::event_headers).
    pub(crate) fn event_headers(&self) -> &BTreeMap<String, String> {
        &self.event_headers
    }

    /// Returns the subject in Unicode.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }
}

/// Shows neither the mail nor its people.
impl fmt::Debug for RawMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMessage")
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// The fields of a message, by name.
struct HeaderFields<'a>(&'a [Field<'a>]);

impl<'a> HeaderFields<'a> {
    fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a Field<'a>> + use<'a, 'n> {
        let fields = self.0;
        fields.iter().filter(move |field| field.is(name))
    }

    fn any(&self, name: &str) -> Option<&'a Field<'a>> {
        self.all(name).next()
    }

    /// Returns a field that may stand only once.
    fn one(&self, name: &'static str) -> Result<Option<&'a Field<'a>>, InvalidRaw> {
        let mut all = self.all(name);
        match (all.next(), all.next()) {
            (_, Some(_)) => Err(InvalidRaw::DuplicateField(name)),
            (one, None) => Ok(one),
        }
    }

    fn recipients(&self, name: &'static str) -> Result<Found, InvalidRaw> {
        let field = self.one(name)?;
        Ok(field.map_or_else(Found::default, |field| addresses(field, name)))
    }

    /// Returns the recipients of `Bcc`, which some libraries write once for each.
    fn hidden_recipients(&self) -> Found {
        let lists = self.all("Bcc").map(|field| addresses(field, "Bcc"));
        lists.fold(Found::default(), Found::and)
    }

    fn other_senders(&self) -> Result<Vec<EmailAddress>, InvalidRaw> {
        let mut found = Vec::new();
        if let Some(field) = self.one("Sender")? {
            found.push(sender(field, "Sender")?);
        }
        for name in ["Resent-From", "Resent-Sender"] {
            for field in self.all(name) {
                found.extend(senders(field, name).all()?);
            }
        }
        // `<>` asks for no bounces and names nobody.
        for field in self.all("Return-Path").filter(|field| field.value() != "<>") {
            found.extend(senders(field, "Return-Path").all()?);
        }
        Ok(found.iter().map(|mailbox| mailbox.address().clone()).collect())
    }

    /// Returns the object in `X-Metadata`; an empty one if there is none.
    fn metadata(&self) -> Map<String, Value> {
        let field = self.any("X-Metadata");
        let object = field.and_then(|field| serde_json::from_str(&decoded(&field.value())).ok());
        object.unwrap_or_default()
    }
}

/// Returns the bytes without the fields that recipients must not see; nothing if there are none.
fn shown(bytes: &[u8], fields: &[Field<'_>]) -> Option<Vec<u8>> {
    let is_hidden = |field: &Field<'_>| field.is("Bcc") || field.is("Resent-Bcc") || is_instruction(field);
    let has_hidden = fields.iter().any(is_hidden);
    has_hidden.then(|| without(bytes, fields, is_hidden).concat())
}

/// Returns the stretches of a message between the fields that are left out.
fn without<'b>(bytes: &'b [u8], fields: &[Field<'_>], is_left_out: impl Fn(&Field<'_>) -> bool) -> Vec<&'b [u8]> {
    let (mut kept, mut kept_from) = (Vec::new(), 0);
    for field in fields.iter().filter(|field| is_left_out(field)) {
        kept.push(&bytes[kept_from..field.range.start]);
        kept_from = field.range.end;
    }
    kept.push(&bytes[kept_from..]);
    kept
}

fn message_id(value: &str) -> String {
    let bare = value.trim_start_matches('<').trim_end_matches('>');
    bare.to_owned()
}

fn decoded(value: &str) -> String {
    encoded_words::decode(value).unwrap_or_else(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(message: &str) -> Result<RawMessage, InvalidRaw> {
        RawMessage::read(message.as_bytes().to_vec())
    }

    fn problem(message: &str) -> String {
        read(message).unwrap_err().to_string()
    }

    fn given(list: &[Mailbox]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn reads_what_the_header_says() {
        let message = read(
            "From: Ada <ada@example.com>\r\nTo: b@example.net,\r\n Carol <c@example.net>\r\nCC: d@example.net\r\n\
             bcc: e@example.net\r\nBcc: f@example.net\r\nMessage-ID: <1@example.com>\r\n\
             Subject: =?utf-8?q?Z=C3=BCrich?=\r\nX-Tag: a\r\nX-Tag: b\r\nX-Metadata: {\"order\":\r\n 17}\r\n\r\nHi",
        )
        .unwrap();
        assert_eq!(message.from().to_string(), "Ada <ada@example.com>");
        assert_eq!(given(message.to()), ["b@example.net", "Carol <c@example.net>"]);
        assert_eq!(given(message.cc()), ["d@example.net"]);
        assert_eq!(given(message.bcc()), ["e@example.net", "f@example.net"]);
        assert_eq!(message.message_id(), Some("1@example.com"));
        assert_eq!(message.subject(), Some("Zürich"));
        assert_eq!(message.tag_texts, ["a", "b"]);
        assert_eq!(message.metadata["order"], 17);
    }

    #[test]
    fn lists_every_sender() {
        let message = read(
            "From: a@example.com\nSender: b@example.com\nResent-From: c@example.com, d@example.com\n\
             Return-Path: <e@example.com>\nReturn-Path: <>\nResent-Sender: f@example.com\nReply-To: g@example.com\n",
        )
        .unwrap();
        let senders: Vec<_> = message.senders().map(EmailAddress::as_given).collect();
        let expected = ["a", "b", "c", "d", "f", "e"].map(|name| format!("{name}@example.com"));
        assert_eq!(senders, expected);
    }

    #[test]
    fn leaves_out_only_what_recipients_must_not_see() {
        for (message, shown) in [
            (
                "From: a@example.com\nBcc: b@example.net\nX: 1\n\nBcc: body",
                "From: a@example.com\nX: 1\n\nBcc: body",
            ),
            (
                "bcc: b@example.net,\r\n\tc@example.net\r\nFrom: a@example.com\r\n\r\n",
                "From: a@example.com\r\n\r\n",
            ),
            ("From: a@example.com\nBCC : b@example.net", "From: a@example.com\n"),
            (
                "From: a@example.com\nX-SES-Message-Tags: a=b\nResent-Bcc: x\n\nö",
                "From: a@example.com\n\nö",
            ),
            ("From: a@example.com\r\nX: 1", "From: a@example.com\r\nX: 1"),
        ] {
            assert_eq!(read(message).unwrap().bytes(), shown.as_bytes(), "{message}");
        }
    }

    #[test]
    fn says_what_is_wrong_in_the_words_of_ses() {
        for (message, words) in [
            ("", "Missing required header 'From'."),
            (
                "To: a@example.net\n\nFrom: a@example.com",
                "Missing required header 'From'.",
            ),
            ("From: a@example.com\nfrom: b@example.com\n", "Duplicate header 'From'."),
            (
                "From: a@example.com\nTo: b@example.net\nTo: c@example.net\n",
                "Duplicate header 'To'.",
            ),
            (
                "From: a@example.com\nSubject: 1\nSubject: 2\n",
                "Duplicate header 'Subject'.",
            ),
            ("From: ada\n", "Missing final '@domain' (From)"),
            (
                "From: a@example.com, b@example.com\n",
                "Header 'From' must have exactly one address.",
            ),
            ("From:\n", "Header 'From' must have exactly one address."),
            (
                "From: a@example.com\nReturn-Path: bob\n",
                "Missing final '@domain' (Return-Path)",
            ),
        ] {
            assert_eq!(problem(message), words, "{message}");
        }
    }

    #[test]
    fn takes_forty_megabytes() {
        let of = |bytes: usize| {
            let mut message = b"From: a@example.com\n\n".to_vec();
            message.resize(bytes, b'x');
            RawMessage::read(message)
        };
        assert!(of(BYTES_MAX).is_ok());
        let words = of(BYTES_MAX + 1).unwrap_err().to_string();
        assert_eq!(words, "Message length is more than 41943040 bytes long: '41943041'.");
    }

    fn line_end() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just("\n"), Just("\r\n")]
    }

    /// A field with its bytes, and whether recipients may see it.
    fn any_field() -> impl Strategy<Value = (String, bool)> {
        let name = prop_oneof![
            Just(("Bcc", false)),
            Just(("bCC ", false)),
            Just(("X-SES-OTHER", false)),
            Just(("x-ses-", false)),
            Just(("X-SESAME", true)),
            Just(("Bcc2", true)),
            Just(("DKIM-Signature", true)),
        ];
        let value = prop_oneof![Just(" x@example.net".to_owned()), Just(String::new())];
        (name, value, line_end(), prop::option::of(line_end())).prop_map(|((name, shown), value, end, fold)| {
            let fold = fold.map(|end| format!("{end}\t,y@example.net")).unwrap_or_default();
            (format!("{name}:{value}{fold}{end}"), shown)
        })
    }

    proptest! {
        #[test]
        fn all_bytes_that_recipients_may_see_stay(
            before in prop::collection::vec(any_field(), 0..5),
            after in prop::collection::vec(any_field(), 0..5),
            body in prop::option::of((line_end(), prop::collection::vec(any::<u8>(), 0..60))),
        ) {
            let from = ("From: a@example.com\r\n".to_owned(), true);
            let (mut message, mut shown) = (Vec::new(), Vec::new());
            for (field, is_shown) in before.iter().chain([&from]).chain(&after) {
                message.extend_from_slice(field.as_bytes());
                if *is_shown {
                    shown.extend_from_slice(field.as_bytes());
                }
            }
            if let Some((end, body)) = body {
                for bytes in [&mut message, &mut shown] {
                    bytes.extend_from_slice(end.as_bytes());
                    bytes.extend_from_slice(&body);
                }
            }
            let read = RawMessage::read(message).unwrap();
            prop_assert_eq!(read.bytes(), &shown[..]);
            // What is left has nothing to leave out.
            let again = RawMessage::read(shown.clone()).unwrap();
            prop_assert_eq!(again.bytes(), &shown[..]);
            prop_assert!(again.bcc().is_empty());
        }

        /// Otherwise a key could send from domains that it may not use, or a recipient could see the hidden ones.
        #[test]
        fn another_reader_sees_the_same_senders(text in "(From:|from :|Sender:|Bcc:|X:|Hi| |\t|\r?\n|\r| ?<?[ab]@(c|d)\\.example>?|\"|\\\\|,|\\(|\\)|:|;|=\\?utf-8\\?q\\?b=40d\\?=){2,14}") {
            let text = format!("From: a@c.example{text}\n");
            let Ok(read) = RawMessage::read(text.clone().into_bytes()) else { return Ok(()) };
            // The other reader takes an empty line before white space for a part of the header, against the standard,
            // and joins the addresses around a fold.
            let lines = text.replace("\r\n", "\n");
            prop_assume!(!lines.contains("\n\n ") && !lines.contains("\n\n\t"));
            let unfolded = lines.replace("\n ", " ").replace("\n\t", "\t");
            let senders: Vec<&str> = read.senders().map(EmailAddress::as_given).collect();
            for text in [&text, &unfolded] {
                let other = mail_parser::MessageParser::default().parse(text.as_bytes()).unwrap();
                let all = other.headers().iter();
                prop_assert_eq!(all.clone().filter(|header| header.name().eq_ignore_ascii_case("From")).count(), 1);
                for header in all.filter(|header| ["From", "Sender"].contains(&header.name())) {
                    let seen = header.value().as_address().into_iter().flat_map(mail_parser::Address::iter);
                    for address in seen.filter_map(|seen| seen.address()) {
                        prop_assert!(*text != unfolded || senders.contains(&address), "{address} in {text:?}");
                    }
                }
            }
            let shown = mail_parser::MessageParser::default().parse(read.bytes()).unwrap();
            prop_assert!(shown.bcc().is_none(), "{text:?}");
        }

        #[test]
        fn no_bytes_make_the_reader_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            text in "((From|To|Bcc|X-SES-MESSAGE-TAGS|X-Metadata|[a-z]{0,3}):?[ \\t]?[a-z@<>\",;:()\\\\=?*\u{e4}.]{0,14}[\\r]?\\n?){0,6}",
        ) {
            let _ = RawMessage::read(bytes);
            let _ = RawMessage::read(text.into_bytes());
        }
    }
}
