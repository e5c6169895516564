//! A mail as bytes. A raw mail has its own; of any other, this module builds a message as SES would, more or less:
//! SES's boundaries, its encodings and the fields that it adds are its own.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::fmt::rfc2822;

use super::percent_encoded;
use crate::services::ses::{OutboxAttachment, OutboxMail};

/// The length at which a line is broken, in characters (RFC 5322, 2.1.1).
const LINE: usize = 76;
/// The bytes of text in one encoded word, which has 75 characters at most (RFC 2047, 2).
const WORD_BYTES: usize = 45;

/// Returns the bytes of a mail, as recipients receive them.
pub(super) fn source(mail: &OutboxMail) -> Cow<'_, [u8]> {
    match &mail.source {
        Some(source) => Cow::Borrowed(source),
        None => Cow::Owned(built(mail).into_bytes()),
    }
}

/// A part of a message: its own fields, and its content in the encoding that they name.
enum Part {
    Leaf { fields: String, content: String },
    Several { kind: &'static str, parts: Vec<Part> },
}

fn built(mail: &OutboxMail) -> String {
    let mut message = String::new();
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = write!(message, "{name}: {value}\r\n");
        }
    };
    field(
        "Date",
        &rfc2822::to_string(&mail.at.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default(),
    );
    field("Message-ID", &format!("<{}@email.amazonses.com>", mail.ses_message_id));
    field("From", &value(&mail.from));
    field("To", &people(&mail.to));
    field("Cc", &people(&mail.cc));
    field("Reply-To", &people(&mail.reply_to));
    field("Subject", &value(&mail.subject));
    for (name, own) in &mail.headers {
        field(name, &value(own));
    }
    field("MIME-Version", "1.0");
    put(&body(mail), &mail.ses_message_id, &mut message);
    message
}

/// Puts the parts of a mail together: alternatives, the files that the HTML shows, and the other files.
fn body(mail: &OutboxMail) -> Part {
    let text = mail.text.as_deref().map(|text| text_part("plain", text));
    let html = mail.html.as_deref().map(|html| text_part("html", html));
    let words: Vec<Part> = text.into_iter().chain(html).collect();
    let is_shown = |file: &&OutboxAttachment| mail.html.is_some() && file.content_id.is_some();
    let (shown, others): (Vec<_>, Vec<_>) = mail.attachments.iter().partition(is_shown);
    let words = several("alternative", words);
    let shown = several(
        "related",
        words.into_iter().chain(shown.into_iter().map(file_part)).collect(),
    );
    let all = several(
        "mixed",
        shown.into_iter().chain(others.into_iter().map(file_part)).collect(),
    );
    all.unwrap_or_else(|| text_part("plain", ""))
}

/// Joins parts. One part needs no others around it.
fn several(kind: &'static str, mut parts: Vec<Part>) -> Option<Part> {
    if parts.len() < 2 {
        return parts.pop();
    }
    Some(Part::Several { kind, parts })
}

fn put(part: &Part, id: &str, message: &mut String) {
    match part {
        Part::Leaf { fields, content } => {
            message.push_str(fields);
            message.push_str("\r\n");
            message.push_str(content);
            message.push_str("\r\n");
        }
        Part::Several { kind, parts } => {
            // No sender can know the id, so no content has the boundary.
            let boundary = format!("{kind}_{id}");
            let _ = write!(
                message,
                "Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n"
            );
            for part in parts {
                let _ = write!(message, "--{boundary}\r\n");
                put(part, id, message);
            }
            let _ = write!(message, "--{boundary}--\r\n");
        }
    }
}

fn text_part(kind: &str, text: &str) -> Part {
    let is_plain = |line: &str| line.is_ascii() && line.len() <= LINE && !line.contains('\r');
    let lines = || text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let (encoding, lines): (_, Vec<Cow<'_, str>>) = if lines().all(is_plain) {
        ("7bit", lines().map(Cow::Borrowed).collect())
    } else {
        (
            "quoted-printable",
            lines().map(|line| Cow::Owned(quoted_printable(line))).collect(),
        )
    };
    Part::Leaf {
        fields: format!("Content-Type: text/{kind}; charset=UTF-8\r\nContent-Transfer-Encoding: {encoding}\r\n"),
        content: lines.join("\r\n"),
    }
}

fn file_part(file: &OutboxAttachment) -> Part {
    let guessed = mime_guess::from_path(&file.filename);
    let kind = file.content_type.as_deref().or(guessed.first_raw());
    let kind = value(kind.unwrap_or("application/octet-stream"));
    let name = match file.filename.as_str() {
        "" => String::new(),
        name => format!("; filename*=UTF-8''{}", percent_encoded(name)),
    };
    let (disposition, id) = match &file.content_id {
        Some(id) => {
            let id = value(id.trim_start_matches('<').trim_end_matches('>'));
            ("inline", format!("Content-ID: <{id}>\r\n"))
        }
        None => ("attachment", String::new()),
    };
    // Decoded and encoded, because the content may have line breaks of its own.
    let content = STANDARD.encode(STANDARD.decode(&file.content).unwrap_or_default());
    let lines: Vec<&str> = content
        .as_bytes()
        .chunks(LINE)
        .filter_map(|line| str::from_utf8(line).ok())
        .collect();
    Part::Leaf {
        fields: format!(
            "Content-Type: {kind}\r\n{id}Content-Disposition: {disposition}{name}\r\nContent-Transfer-Encoding: base64\r\n"
        ),
        content: lines.join("\r\n"),
    }
}

/// Encodes a line as quoted-printable (RFC 2045, 6.7).
fn quoted_printable(line: &str) -> String {
    let mut encoded = String::new();
    let mut width = 0_usize;
    let last = line.len().saturating_sub(1);
    for (index, byte) in line.bytes().enumerate() {
        let is_literal = (b'!'..=b'~').contains(&byte) && byte != b'=' || (byte == b' ' && index < last);
        let piece = if is_literal {
            char::from(byte).to_string()
        } else {
            format!("={byte:02X}")
        };
        if width.saturating_add(piece.len()) >= LINE {
            encoded.push_str("=\r\n");
            width = 0;
        }
        width = width.saturating_add(piece.len());
        encoded.push_str(&piece);
    }
    encoded
}

/// Writes the value of a field: on one line, and in encoded words if it has other characters than ASCII.
fn value(text: &str) -> String {
    let text = text.replace(['\r', '\n'], " ");
    if text.is_ascii() {
        return text;
    }
    let mut words: Vec<String> = vec![String::new()];
    for char in text.chars() {
        if words
            .last()
            .is_some_and(|word| word.len().saturating_add(char.len_utf8()) > WORD_BYTES)
        {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(char);
        }
    }
    let words: Vec<String> = words
        .iter()
        .map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word)))
        .collect();
    words.join("\r\n ")
}

fn people(given: &[String]) -> String {
    let given: Vec<String> = given.iter().map(|given| given.replace(['\r', '\n'], " ")).collect();
    given.join(",\r\n ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mail_parser::{MessageParser, MimeHeaders};
    use proptest::prelude::*;

    use super::*;

    fn mail(
        subject: &str,
        text: Option<String>,
        html: Option<String>,
        files: &[(String, Vec<u8>, bool)],
    ) -> OutboxMail {
        OutboxMail {
            ses_message_id: "0100-7".to_owned(),
            raw: false,
            envelope: None,
            from: "Ada <ada@example.com>".to_owned(),
            to: vec!["bob@example.net".to_owned(), "Eve <eve@example.net>".to_owned()],
            cc: Vec::new(),
            bcc: vec!["hidden@example.net".to_owned()],
            reply_to: Vec::new(),
            subject: subject.to_owned(),
            text,
            html,
            headers: BTreeMap::from([("X-Kind".to_owned(), "receipt".to_owned())]),
            attachments: files
                .iter()
                .map(|(name, content, is_shown)| OutboxAttachment {
                    filename: name.clone(),
                    content_type: None,
                    content_id: is_shown.then(|| "dot".to_owned()),
                    content: STANDARD.encode(content),
                })
                .collect(),
            tags: Vec::new(),
            at: jiff::Timestamp::UNIX_EPOCH,
            source: None,
        }
    }

    #[test]
    fn writes_a_message_that_a_person_can_read() {
        let mail = mail(
            "Hello",
            Some("It works.\n".to_owned()),
            Some("<p>It works.</p>".to_owned()),
            &[],
        );
        let source = String::from_utf8(source(&mail).into_owned()).unwrap();
        let expected = "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <0100-7@email.amazonses.com>\r\n\
            From: Ada <ada@example.com>\r\nTo: bob@example.net,\r\n Eve <eve@example.net>\r\nSubject: Hello\r\n\
            X-Kind: receipt\r\nMIME-Version: 1.0\r\n\
            Content-Type: multipart/alternative; boundary=\"alternative_0100-7\"\r\n\r\n--alternative_0100-7\r\n\
            Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nIt works.\r\n\r\n\
            --alternative_0100-7\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
            <p>It works.</p>\r\n--alternative_0100-7--\r\n";
        assert_eq!(source, expected);
    }

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec("[ -~äß€🎉]{0,120}x", 1..4).prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn a_mail_program_reads_the_same_mail(
            subject in "[a-zA-Zäß€🎉]([ -~äß€🎉]{0,80}[a-zA-Zäß€🎉])?",
            text in proptest::option::of(text()),
            html in proptest::option::of(text()),
            files in proptest::collection::vec(("[a-zäß ]{1,20}\\.bin", any::<Vec<u8>>(), any::<bool>()), 0..3),
        ) {
            prop_assume!(text.is_some() || html.is_some());
            let mail = mail(&subject, text.clone(), html.clone(), &files);
            let bytes = source(&mail);
            prop_assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 998));
            let message = MessageParser::default().parse(bytes.as_ref()).unwrap();
            prop_assert_eq!(message.subject().unwrap(), subject.split_whitespace().collect::<Vec<_>>().join(" "));
            // A message that is one part ends with a line break.
            let plain = |text: &str| text.replace("\r\n", "\n").trim_end_matches('\n').to_owned();
            if let Some(text) = &text {
                prop_assert_eq!(plain(&message.body_text(0).unwrap()), text.as_str());
            }
            if let Some(html) = &html {
                prop_assert_eq!(plain(&message.body_html(0).unwrap()), html.as_str());
            }
            let mut read: Vec<_> = message.attachments()
                .map(|file| (file.attachment_name().unwrap_or_default().to_owned(), file.contents().to_vec())).collect();
            let mut given: Vec<_> = files.iter().map(|(name, content, _)| (name.clone(), content.clone())).collect();
            read.sort();
            given.sort();
            prop_assert_eq!(read, given);
            prop_assert!(!String::from_utf8_lossy(&bytes).contains("hidden@"));
        }
    }
}
