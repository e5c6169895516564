//! The `SendEmail` request, and the checks that need nothing but the request.
//!
//! [`check`] turns a request into a [`Mail`] or returns the limit that it breaks. `Content.Simple` is read here, and
//! `Content.Raw` in [`super::raw`]; `Template` is refused by name. An accepted mail is kept as it was sent: its
//! subject, bodies and addresses reach the outbox unchanged. Members that change nothing on one machine are ignored,
//! such as `ListManagementOptions` and `TenantName`.
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>

use serde::Deserialize;
use serde_json::Value;

use super::attachment::Attachment;
use super::error::{SesError, bad};
use super::mail::{Mail, Recipients, Tag, TrackingOverrides, check_length};
use super::mailbox::Mailbox;
use super::raw;

const MAX_RECIPIENTS: usize = 50;
const MAX_HEADERS: usize = 15;
/// The request in JSON.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SendEmailRequest {
    from_email_address: Option<String>,
    destination: Destination,
    reply_to_addresses: Vec<String>,
    feedback_forwarding_email_address: Option<String>,
    configuration_set_name: Option<String>,
    email_tags: Vec<Pair>,
    content: Content,
    configuration_overrides: ConfigurationOverrides,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ConfigurationOverrides {
    tracking: Option<Tracking>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Tracking {
    open_tracking_enabled: Option<String>,
    click_tracking_enabled: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Destination {
    #[serde(rename = "ToAddresses")]
    to: Vec<String>,
    #[serde(rename = "CcAddresses")]
    cc: Vec<String>,
    #[serde(rename = "BccAddresses")]
    bcc: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Content {
    simple: Option<Simple>,
    raw: Option<Raw>,
    template: Option<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Simple {
    subject: Option<Text>,
    body: Body,
    headers: Vec<Pair>,
    attachments: Vec<Attachment>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    /// The MIME message in base64.
    data: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    text: Option<Text>,
    html: Option<Text>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    data: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pair {
    name: String,
    value: String,
}

fn overrides(overrides: ConfigurationOverrides) -> Result<TrackingOverrides, SesError> {
    let Tracking {
        open_tracking_enabled,
        click_tracking_enabled,
    } = overrides.tracking.unwrap_or_default();
    let status = |status: Option<String>| match status.as_deref() {
        None => Ok(None),
        Some("ENABLED") => Ok(Some(true)),
        Some("DISABLED") => Ok(Some(false)),
        Some(_) => Err(bad("Tracking must be ENABLED or DISABLED.")),
    };
    Ok(TrackingOverrides {
        opens: status(open_tracking_enabled)?,
        clicks: status(click_tracking_enabled)?,
    })
}

/// Checks a request.
///
/// # Errors
/// Returns a `BadRequestException` with the limit that it breaks.
pub(super) fn check(request: SendEmailRequest) -> Result<Mail, SesError> {
    let feedback = request.feedback_forwarding_email_address.as_deref();
    let feedback = feedback.map(Mailbox::parse).transpose()?;
    let to = Recipients {
        to: mailboxes(&request.destination.to)?,
        cc: mailboxes(&request.destination.cc)?,
        bcc: mailboxes(&request.destination.bcc)?,
    };
    let from = request.from_email_address.as_deref();
    let from = from.map(Mailbox::parse).transpose()?;
    let tags = tags(request.email_tags)?;
    let tracking = overrides(request.configuration_overrides)?;
    let configuration_set = request.configuration_set_name;
    let mut mail = match request.content {
        Content {
            simple: Some(simple),
            raw: None,
            template: None,
        } => Mail {
            from: from.ok_or_else(|| bad("FromEmailAddress is required."))?,
            other_senders: Vec::new(),
            to: to.to,
            cc: to.cc,
            bcc: to.bcc,
            reply_to: mailboxes(&request.reply_to_addresses)?,
            subject: subject(simple.subject)?,
            text: simple.body.text.map(|text| text.data),
            html: simple.body.html.map(|html| html.data),
            headers: headers(simple.headers)?,
            attachments: simple.attachments,
            tags,
            configuration_set,
            tracking: TrackingOverrides::default(),
            raw: None,
        },
        Content {
            simple: None,
            raw: Some(Raw { data }),
            template: None,
        } => raw::read(&data, from, to, tags, configuration_set)?,
        Content {
            simple: None,
            raw: None,
            template: None,
        } => return Err(bad("Content is required.")),
        Content { template: Some(_), .. } => {
            return Err(bad(
                "The simulator handles Content.Simple and Content.Raw, not Template.",
            ));
        }
        _ => return Err(bad("Content must hold one of Simple, Raw and Template.")),
    };
    mail.other_senders.extend(feedback);
    mail.tracking = tracking;
    match mail.recipients().count() {
        0 => return Err(bad("At least one recipient is required.")),
        count if count > MAX_RECIPIENTS => return Err(bad("Recipient count exceeds 50.")),
        _ => {}
    }
    if mail.raw.is_none() {
        if mail.text.is_none() && mail.html.is_none() {
            return Err(bad("Body must hold Text, Html or both."));
        }
        check_size(&mail)?;
    }
    Ok(mail)
}

fn mailboxes(addresses: &[String]) -> Result<Vec<Mailbox>, SesError> {
    addresses.iter().map(|given| Mailbox::parse(given)).collect()
}

fn subject(subject: Option<Text>) -> Result<String, SesError> {
    let subject = subject.ok_or_else(|| bad("Subject is required."))?.data;
    if subject.contains(['\r', '\n', '\0']) {
        return Err(bad("Subject contains a control character."));
    }
    Ok(subject)
}

fn headers(headers: Vec<Pair>) -> Result<Vec<(String, String)>, SesError> {
    if headers.len() > MAX_HEADERS {
        return Err(bad("A mail can have at most 15 headers."));
    }
    headers
        .into_iter()
        .map(|Pair { name, value }| {
            let legal_name = (1..=126).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
            if !legal_name {
                return Err(bad(
                    "A header's name must have 1 to 126 printable characters, without colon or space.",
                ));
            }
            let legal_value =
                (1..=995).contains(&value.len()) && value.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
            if !legal_value {
                return Err(bad(&format!(
                    "The value of header {name} must have 1 to 995 printable ASCII characters."
                )));
            }
            if name.len() + value.len() > 996 {
                return Err(bad(&format!(
                    "Name and value of header {name} have more than 996 characters."
                )));
            }
            Ok((name, value))
        })
        .collect()
}

fn tags(tags: Vec<Pair>) -> Result<Vec<Tag>, SesError> {
    tags.into_iter()
        .map(|Pair { name, value }| Tag::new(name, value))
        .collect()
}

fn check_size(mail: &Mail) -> Result<(), SesError> {
    let bodies = [&mail.text, &mail.html].into_iter().flatten();
    let mut size = mail.subject.len() + bodies.map(String::len).sum::<usize>();
    for attachment in &mail.attachments {
        size += attachment.check()?;
    }
    check_length(size)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::mail::MAX_SIZE;
    use super::*;

    fn request() -> Value {
        json!({
            "FromEmailAddress": "Ada <ada@example.com>",
            "Destination": {"ToAddresses": ["bob@example.net"]},
            "Content": {"Simple": {
                "Subject": {"Data": "Hi", "Charset": "UTF-8"},
                "Body": {"Text": {"Data": "Hello", "Charset": "UTF-8"}},
            }},
        })
    }

    /// Checks the usual request with one value put elsewhere.
    fn with(pointer: &str, value: Value) -> Result<Mail, String> {
        let mut request = request();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        request.pointer_mut(parent).unwrap()[member] = value;
        let request: SendEmailRequest = serde_json::from_value(request).unwrap();
        check(request).map_err(|error| {
            assert_eq!(error.code(), "BadRequestException");
            error.to_string()
        })
    }

    #[test]
    fn takes_a_simple_mail_as_it_was_sent() {
        let mail = check(serde_json::from_value(request()).unwrap()).unwrap();
        assert_eq!(mail.from.given, "Ada <ada@example.com>");
        assert_eq!(mail.subject, "Hi");
        assert_eq!(mail.text.as_deref(), Some("Hello"));
        assert_eq!(mail.html, None);
    }

    #[test]
    fn takes_fifty_recipients_and_refuses_none_and_fifty_one() {
        let addresses = |n: usize| -> Value { (0..n).map(|i| format!("r{i}@example.net")).collect() };
        assert!(with("/Destination/ToAddresses", addresses(50)).is_ok());
        assert!(with("/Destination/BccAddresses", addresses(50)).is_err());
        assert!(with("/Destination/ToAddresses", addresses(0)).is_err());
    }

    #[test]
    fn takes_a_mail_with_blind_copies_only() {
        let destination = json!({"BccAddresses": ["bob@example.net"]});
        assert!(with("/Destination", destination).is_ok());
    }

    #[test]
    fn refuses_templates_by_name_and_anything_but_one_content() {
        let refusal = with("/Content", json!({ "Template": {} })).unwrap_err();
        assert!(refusal.contains("not Template"), "{refusal}");
        assert!(with("/Content", json!({})).is_err());
        let refusal = with("/Content/Raw", json!({"Data": "QQ=="})).unwrap_err();
        assert!(refusal.contains("one of"), "{refusal}");
    }

    #[test]
    fn ignores_members_that_change_nothing_here_and_checks_where_bounces_go() {
        for (member, value) in [
            ("ListManagementOptions", json!({"ContactListName": "news"})),
            ("TenantName", json!("shop")),
            ("ConfigurationOverrides", json!({"Tracking": {}})),
            ("EndpointId", json!("abc.def")),
        ] {
            assert!(with(&format!("/{member}"), value).is_ok(), "{member}");
        }
        let forwarding = |address: &str| with("/FeedbackForwardingEmailAddress", json!(address));
        assert_eq!(
            forwarding("b@example.org").unwrap().other_senders[0].domain,
            "example.org"
        );
        assert!(forwarding("bounces").is_err());
    }

    #[test]
    fn refuses_a_mail_without_body_or_subject_and_a_subject_of_two_lines() {
        assert!(with("/Content/Simple/Body", json!({})).is_err());
        assert!(with("/Content/Simple/Subject", json!(null)).is_err());
        let injected = json!({"Data": "Hi\r\nBcc: eve@example.net"});
        assert!(with("/Content/Simple/Subject", injected).is_err());
    }

    #[test]
    fn keeps_the_limits_of_headers() {
        let check = |name: &str, value: &str| with("/Content/Simple/Headers", json!([{"Name": name, "Value": value}]));
        assert!(check("X-A", "v").is_ok());
        assert!(check(&"a".repeat(126), "v").is_ok());
        assert!(check(&"a".repeat(127), "v").is_err());
        assert!(check("X", &"v".repeat(995)).is_ok());
        assert!(check("XY", &"v".repeat(995)).is_err());
        assert!(check("X", &"v".repeat(996)).is_err());
        assert!(check("X-A", "").is_err());
        assert!(check("X-A", "é").is_err());
        assert!(check("X-A", "a\r\nb").is_err());
        assert!(check("X:A", "v").is_err());
        assert!(check("X A", "v").is_err());
        let many = |n: usize| -> Value {
            (0..n)
                .map(|i| json!({"Name": format!("X-{i}"), "Value": "v"}))
                .collect()
        };
        assert!(with("/Content/Simple/Headers", many(15)).is_ok());
        assert!(with("/Content/Simple/Headers", many(16)).is_err());
    }

    #[test]
    fn keeps_the_letters_of_tags() {
        let check = |name: &str, value: &str| with("/EmailTags", json!([{"Name": name, "Value": value}]));
        assert!(check("shop_id", "0198-a_B").is_ok());
        assert!(check("ses:x", "v").is_err());
        assert!(check("n", "a b").is_err());
        assert!(check("n", "").is_err());
        assert!(check("n", &"v".repeat(257)).is_err());
        assert!(check(&"n".repeat(256), &"v".repeat(256)).is_ok());
    }

    #[test]
    fn refuses_more_than_forty_megabytes_of_base64() {
        let attachments = |size: usize| {
            json!([{
                "FileName": "a.bin",
                "RawContent": "A".repeat(size),
                "ContentTransferEncoding": "BASE64",
            }])
        };
        assert!(with("/Content/Simple/Attachments", attachments(MAX_SIZE - 8)).is_ok());
        assert!(with("/Content/Simple/Attachments", attachments(MAX_SIZE)).is_err());
    }

    #[test]
    fn refuses_bad_addresses_wherever_they_stand() {
        for pointer in [
            "/Destination/ToAddresses",
            "/Destination/CcAddresses",
            "/Destination/BccAddresses",
            "/ReplyToAddresses",
        ] {
            assert!(with(pointer, json!(["bob@bücher.example"])).is_err(), "{pointer}");
        }
        assert!(with("/FromEmailAddress", json!("ada")).is_err());
        assert!(with("/FromEmailAddress", json!(null)).is_err());
    }
}
