//! `Content.Raw`: a MIME message that the caller built.
//!
//! SES sends its bytes, without `Bcc` and its own `X-SES-…` fields. Addresses outside the message are the envelope. If
//! there are none, the recipients in the header receive it. The simulator reads the rest for events, and for the page.
//! Not simulated: `Message-ID` and `Date`, which SES replaces, and the fields that SES adds.

mod header;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{ContentType, Message, MessageParser, MimeHeaders, PartType};
use serde_json::Value;

use self::header::Field;
use super::attachment::Attachment;
use super::error::{SesError, bad};
use super::mail::{Mail, RawMail, Recipients, Tag, TrackingOverrides, check_length};
use super::mailbox::Mailbox;

const CONFIGURATION_SET: &str = "X-SES-CONFIGURATION-SET";
const MESSAGE_TAGS: &str = "X-SES-MESSAGE-TAGS";

/// Reads a message in base64. `from` and `recipients` are those beside the message.
///
/// # Errors
/// Returns a `BadRequestException` with the rule that the message breaks.
pub(super) fn read(
    data: &str,
    from: Option<Mailbox>,
    recipients: Recipients,
    tags: Vec<Tag>,
    configuration_set: Option<String>,
) -> Result<Mail, SesError> {
    let bytes = decode(data)?;
    check_length(bytes.len())?;
    let missing_from = || bad("Missing required header 'From'.");
    let message = MessageParser::default().parse(&bytes).ok_or_else(missing_from)?;
    let fields = header::fields(&message);
    header::check(&fields)?;

    let mut senders = header::mailboxes(message.from())?;
    if senders.is_empty() {
        return Err(missing_from());
    }
    senders.extend(header::mailboxes(message.sender())?);
    senders.extend(return_path(&fields)?);
    let from = from.unwrap_or_else(|| senders[0].clone());
    let Recipients {
        mut to,
        mut cc,
        mut bcc,
    } = recipients;
    if to.is_empty() && cc.is_empty() && bcc.is_empty() {
        to = header::mailboxes(message.all_to())?;
        cc = header::mailboxes(message.all_cc())?;
        bcc = header::mailboxes(message.all_bcc())?;
    }
    let kept = fields.iter().filter(|field| !field.is("Bcc"));
    Ok(Mail {
        from,
        other_senders: senders,
        to,
        cc,
        bcc,
        reply_to: Vec::new(),
        subject: message.subject().unwrap_or_default().to_owned(),
        text: body(&message, &message.text_body, |part| match part {
            PartType::Text(text) => Some(text),
            _ => None,
        }),
        html: body(&message, &message.html_body, |part| match part {
            PartType::Html(html) => Some(html),
            _ => None,
        }),
        headers: kept.map(|field| (field.name.clone(), field.value.clone())).collect(),
        attachments: attachments(&message)?,
        tags: if tags.is_empty() { header_tags(&fields)? } else { tags },
        configuration_set: configuration_set.or_else(|| value_of(&fields, CONFIGURATION_SET)),
        tracking: TrackingOverrides::default(),
        raw: Some(RawMail {
            from: header::shown(message.from()),
            sender: header::shown(message.sender()),
            to: header::shown(message.all_to()),
            cc: header::shown(message.all_cc()),
            reply_to: header::shown(message.reply_to()),
            date: value_of(&fields, "Date"),
            source: without_fields_of_ses(&bytes, &fields),
        }),
    })
}

/// Returns the sender's address and the configuration set of a request with a raw mail; nothing for other requests. It
/// checks nothing.
pub(super) fn permission_inputs(request: &Value) -> Option<(String, Option<String>)> {
    let bytes = decode(request["Content"]["Raw"]["Data"].as_str()?).unwrap_or_default();
    let message = MessageParser::default().parse_headers(&bytes);
    let (of_header, set_of_header) = message.map_or_else(Default::default, |message| {
        let sender = header::shown(message.from()).into_iter().next();
        (sender, value_of(&header::fields(&message), CONFIGURATION_SET))
    });
    let own = |member: &str| request[member].as_str().map(str::to_owned);
    Some((
        own("FromEmailAddress").or(of_header).unwrap_or_default(),
        own("ConfigurationSetName").or(set_of_header),
    ))
}

fn decode(data: &str) -> Result<Vec<u8>, SesError> {
    let bytes = STANDARD.decode(data);
    bytes.map_err(|_| SesError::Serialization("Data of a raw mail is not base64.".to_owned()))
}

fn value_of(fields: &[Field], name: &str) -> Option<String> {
    let field = fields.iter().find(|field| field.is(name) && !field.value.is_empty());
    field.map(|field| field.value.clone())
}

/// Reads the address to which the header sends bounces. SES requires that it is verified, like a sender.
fn return_path(fields: &[Field]) -> Result<Option<Mailbox>, SesError> {
    match value_of(fields, "Return-Path") {
        Some(path) if path != "<>" => Mailbox::parse(&path).map(Some),
        _ => Ok(None),
    }
}

/// Reads the tags of the header: `name=value, name=value`. SES uses them only if the request has none.
fn header_tags(fields: &[Field]) -> Result<Vec<Tag>, SesError> {
    let values = fields.iter().filter(|field| field.is(MESSAGE_TAGS));
    let pairs = values.flat_map(|field| field.value.split(',')).map(str::trim);
    pairs
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Tag::new(name.trim().to_owned(), value.trim().to_owned())
        })
        .collect()
}

fn without_fields_of_ses(bytes: &[u8], fields: &[Field]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for field in fields.iter().filter(|field| field.is_for_ses()) {
        kept.extend_from_slice(bytes.get(copied..field.place.start).unwrap_or_default());
        copied = field.place.end;
    }
    kept.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    kept
}

/// Joins the parts of a body that are of one type; nothing if there are none.
fn body<'m>(
    message: &'m Message<'m>,
    parts: &[u32],
    text: impl Fn(&'m PartType<'m>) -> Option<&'m std::borrow::Cow<'m, str>>,
) -> Option<String> {
    let parts = parts.iter().filter_map(|&part| text(&message.part(part)?.body));
    let texts: Vec<&str> = parts.map(AsRef::as_ref).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// Lists the parts that are neither a body nor a container of parts.
fn attachments(message: &Message<'_>) -> Result<Vec<Attachment>, SesError> {
    let is_attachment = |(index, body): (usize, &PartType<'_>)| match body {
        PartType::Multipart(_) => false,
        PartType::Text(_) | PartType::Html(_) => message.attachments.iter().any(|&part| part as usize == index),
        PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Message(_) => true,
    };
    let parts = message.parts.iter().enumerate();
    let parts = parts.filter(|(index, part)| is_attachment((*index, &part.body)));
    parts
        .map(|(_, part)| {
            let content_type = |kind: &ContentType<'_>| match kind.subtype() {
                Some(subtype) => format!("{}/{subtype}", kind.ctype()),
                None => kind.ctype().to_owned(),
            };
            Attachment::of_part(
                part.attachment_name(),
                part.content_type().map(content_type),
                part.content_id(),
                part.contents(),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
