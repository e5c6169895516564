//! The header of a MIME message: its fields, its addresses, and the rules of SES for it.

use std::ops::Range;

use mail_parser::{Addr, Address, Header, Message};

use crate::services::ses::error::{SesError, bad};
use crate::services::ses::mailbox::Mailbox;

/// The fields that SES allows once, in lower case.
/// <https://docs.aws.amazon.com/ses/latest/dg/header-fields.html>
const ONCE: &str = "accept-language acceptlanguage archived-at auto-submitted bounces-to comments content-alternative \
    content-base content-class content-description content-disposition content-duration content-id content-language \
    content-length content-location content-md5 content-transfer-encoding content-type date delivered-to \
    disposition-notification-options disposition-notification-to dkim-signature domainkey-signature errors-to from \
    importance in-reply-to keywords list-archive list-help list-id list-owner list-post list-subscribe \
    list-unsubscribe list-unsubscribe-post message-context message-id mime-version organization original-from \
    original-message-id original-recipient original-subject precedence priority references reply-to return-path \
    return-receipt-to sender solicitation sensitivity subject thread-index thread-topic user-agent vbr-info";

/// A field as it stands in the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    /// The value in one line, with its encoded words.
    pub(super) value: String,
    /// The place of the field in the message, with its line end.
    pub(super) place: Range<usize>,
}

impl Field {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Returns whether the field stays with SES: blind copies, and what a sender tells SES.
    pub(super) fn is_for_ses(&self) -> bool {
        let prefix = self.name.get(..6);
        self.is("Bcc") || prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case("X-SES-"))
    }
}

/// Lists the fields of a message.
pub(super) fn fields(message: &Message<'_>) -> Vec<Field> {
    let field = |header: &Header<'_>| {
        let bytes = |from: u32, to: u32| message.raw_message.get(from as usize..to as usize).unwrap_or_default();
        let name = String::from_utf8_lossy(bytes(header.offset_field, header.offset_start));
        let value = String::from_utf8_lossy(bytes(header.offset_start, header.offset_end));
        Field {
            name: name.trim_end().trim_end_matches(':').trim_end().to_owned(),
            value: unfolded(&value),
            place: header.offset_field as usize..header.offset_end as usize,
        }
    };
    message.headers().iter().map(field).collect()
}

/// Joins the lines of a value.
fn unfolded(value: &str) -> String {
    let value = value.replace("\r\n", "\n");
    value.trim().replace('\n', "")
}

/// Refuses a header that SES refuses.
pub(super) fn check(fields: &[Field]) -> Result<(), SesError> {
    for (index, field) in fields.iter().enumerate() {
        let is_repeated = fields[..index].iter().any(|earlier| earlier.is(&field.name));
        if is_repeated && ONCE.split_whitespace().any(|name| field.is(name)) {
            return Err(bad(&format!("Duplicate header '{}'.", field.name)));
        }
    }
    if fields.iter().any(|field| field.is("From") && !field.value.is_empty()) {
        return Ok(());
    }
    Err(bad("Missing required header 'From'."))
}

/// Writes the addresses of a field for people: with decoded names.
pub(super) fn shown<'a>(addresses: impl IntoIterator<Item = &'a Address<'a>>) -> Vec<String> {
    let all = addresses.into_iter().flat_map(Address::iter);
    all.filter(|addr| addr.address.is_some()).map(shown_address).collect()
}

/// Reads the addresses of a field as those of an envelope.
pub(super) fn mailboxes<'a>(addresses: impl IntoIterator<Item = &'a Address<'a>>) -> Result<Vec<Mailbox>, SesError> {
    let all = addresses.into_iter().flat_map(Address::iter);
    all.filter(|addr| addr.address.is_some() || addr.name.is_some())
        .map(mailbox)
        .collect()
}

/// Reads an address. It keeps its name if that is ASCII: the name is decoded here, and SES takes no other letters.
fn mailbox(addr: &Addr<'_>) -> Result<Mailbox, SesError> {
    let given = shown_address(addr);
    if given.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Mailbox::parse(&given);
    }
    Mailbox::parse(addr.address.as_deref().unwrap_or_default())
}

fn shown_address(addr: &Addr<'_>) -> String {
    let address = addr.address.as_deref().unwrap_or_default();
    match addr.name.as_deref().map(str::trim) {
        None | Some("") => address.to_owned(),
        Some(name) => {
            let is_plain = |c: char| c.is_alphanumeric() || " !#$%&'*+-/^_`{|}~".contains(c);
            if name.chars().all(is_plain) {
                return format!("{name} <{address}>");
            }
            let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{escaped}\" <{address}>")
        }
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;
    use proptest::prelude::*;

    use super::*;
    use crate::services::ses::person::Person;

    fn read(header: &str) -> Vec<Field> {
        let source = format!("{header}\r\n\r\nbody");
        fields(&MessageParser::new().parse(source.as_bytes()).unwrap())
    }

    fn checked(header: &str) -> Result<(), String> {
        check(&read(header)).map_err(|error| error.to_string())
    }

    #[test]
    fn joins_folded_lines_and_knows_the_place_of_a_field() {
        let fields = read("Subject: one\r\n two\r\nX-A:b\nFROM : c@example.com");
        let pairs: Vec<_> = fields.iter().map(|f| (f.name.as_str(), f.value.as_str())).collect();
        assert_eq!(pairs, [("Subject", "one two"), ("X-A", "b"), ("FROM", "c@example.com")]);
        assert_eq!(fields[0].place, 0..20);
        assert_eq!(fields[1].place, 20..26);
    }

    #[test]
    fn requires_from_and_refuses_some_fields_twice() {
        assert_eq!(
            checked("From: a@example.com\r\nX-Tag: a\r\nX-Tag: b\r\nReceived: a\r\nReceived: b"),
            Ok(())
        );
        let missing = Err("Missing required header 'From'.".to_owned());
        assert_eq!(checked("To: a@example.com"), missing);
        assert_eq!(checked("From:\r\nTo: a@example.com"), missing);
        for name in ["From", "Subject", "DKIM-Signature", "list-unsubscribe", "MIME-Version"] {
            let error = checked(&format!("From: a@example.com\r\n{name}: a\r\n{name}: b")).unwrap_err();
            assert_eq!(error, format!("Duplicate header '{name}'."));
        }
    }

    #[test]
    fn tells_the_fields_of_ses_from_the_others() {
        for (name, expected) in [
            ("bcc", true),
            ("X-SES-MESSAGE-TAGS", true),
            ("x-ses-tenant", true),
            ("X-SES", false),
            ("Resent-Bcc", false),
            ("To", false),
        ] {
            let fields = read(&format!("{name}: a"));
            assert_eq!(fields[0].is_for_ses(), expected, "{name}");
        }
    }

    #[test]
    fn reads_names_for_people_and_addresses_for_the_envelope() {
        let source = "To: =?utf-8?Q?Zo=C3=AB?= <zoe@example.net>, \"Lovelace, Ada\" <ada@example.net>,\r\n \
            bob@example.net\r\n\r\n";
        let message = MessageParser::new().parse(source.as_bytes()).unwrap();
        assert_eq!(
            shown(message.to()),
            [
                "Zoë <zoe@example.net>",
                "\"Lovelace, Ada\" <ada@example.net>",
                "bob@example.net"
            ]
        );
        let given: Vec<String> = mailboxes(message.to()).unwrap().into_iter().map(|m| m.given).collect();
        assert_eq!(
            given,
            [
                "zoe@example.net",
                "\"Lovelace, Ada\" <ada@example.net>",
                "bob@example.net"
            ]
        );
        let group = MessageParser::new()
            .parse("To: all: a@example.net, b@example.net;\r\n\r\n")
            .unwrap();
        assert_eq!(shown(group.to()), ["a@example.net", "b@example.net"]);
        let nobody = MessageParser::new()
            .parse("To: undisclosed-recipients:;\r\n\r\n")
            .unwrap();
        assert!(mailboxes(nobody.to()).unwrap().is_empty());
        let broken = MessageParser::new().parse("To: bob\r\n\r\n").unwrap();
        assert!(mailboxes(broken.to()).is_err());
    }

    proptest! {
        #[test]
        fn a_shown_name_is_read_back(name in "[a-zé \"\\\\,<>@=?]{1,12}") {
            let name = name.trim();
            let addr = Addr::new(Some(name), "a@example.net");
            let person = Person::read(&shown_address(&addr));
            prop_assert_eq!(person.name.as_deref().unwrap_or_default(), name);
            prop_assert_eq!(person.email, "a@example.net");
        }

        #[test]
        fn fields_lie_within_the_message_and_do_not_overlap(
            source in "([A-Za-z-]{0,8}:? ?[a-z<>@,\"]{0,12}(\r\n|\n| ){0,2}){0,8}",
        ) {
            if let Some(message) = MessageParser::new().parse(source.as_bytes()) {
                let mut end = 0;
                for field in fields(&message) {
                    prop_assert!(field.place.start >= end && field.place.end >= field.place.start);
                    end = field.place.end;
                }
                prop_assert!(end <= source.len());
            }
        }
    }
}
