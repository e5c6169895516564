//! The body of `SendEmail`.
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>
//!
//! `Template` is refused by name, and so are the ARNs of other accounts' identities. The charsets of a simple mail are
//! ignored: its texts are Unicode, and SES chooses the charset in which it sends them.

use domain::message::raw::ListManagement;
use domain::message::{Attachment, Header, InvalidEmail, SesOptions, Tracking};
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::json;
use crate::answer::ApiAnswer;
use crate::fault::ApiFault;
use crate::send::{RawParts, SendMail, SendOptions, SimpleParts, V2_MIME_MAX, blob, mailbox, missing, tags};

/// A list that may be absent or `null`.
type List<T> = Option<Vec<T>>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    from_email_address: Option<String>,
    from_email_address_identity_arn: Option<IgnoredAny>,
    destination: Option<Destination>,
    reply_to_addresses: List<String>,
    feedback_forwarding_email_address: Option<String>,
    feedback_forwarding_email_address_identity_arn: Option<IgnoredAny>,
    content: Option<Content>,
    email_tags: List<Pair>,
    configuration_set_name: Option<String>,
    endpoint_id: Option<IgnoredAny>,
    tenant_name: Option<String>,
    list_management_options: Option<ListManagementOptions>,
    configuration_overrides: Option<ConfigurationOverrides>,
}

#[derive(Default, Deserialize)]
struct Destination {
    #[serde(rename = "ToAddresses")]
    to: List<String>,
    #[serde(rename = "CcAddresses")]
    cc: List<String>,
    #[serde(rename = "BccAddresses")]
    bcc: List<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    raw: Option<Raw>,
    simple: Option<Simple>,
    template: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    data: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Option<Text>,
    body: Option<Body>,
    headers: List<Pair>,
    attachments: List<File>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    text: Option<Text>,
    html: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pair {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    #[serde(rename = "FileName")]
    name: Option<String>,
    raw_content: Option<String>,
    content_type: Option<String>,
    content_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListManagementOptions {
    contact_list_name: String,
    topic_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigurationOverrides {
    tracking: Option<TrackingOverrides>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrackingOverrides {
    open_tracking_enabled: Option<String>,
    click_tracking_enabled: Option<String>,
}

/// Reads the mail that a request asks to send.
///
/// # Errors
/// A [`ApiFault`] with the first problem found.
pub fn send_email(body: &[u8]) -> Result<SendMail, ApiFault> {
    let request: Request = json::read(body)?;
    for (name, is_given) in [
        (
            "FromEmailAddressIdentityArn",
            request.from_email_address_identity_arn.is_some(),
        ),
        (
            "FeedbackForwardingEmailAddressIdentityArn",
            request.feedback_forwarding_email_address_identity_arn.is_some(),
        ),
        ("EndpointId", request.endpoint_id.is_some()),
    ] {
        if is_given {
            return Err(ApiFault::invalid(format!(
                "{name} is not supported: the mail is sent with the permission of this deployment, in its region."
            )));
        }
    }
    let content = request.content.ok_or_else(|| missing("Content"))?;
    let feedback = request.feedback_forwarding_email_address;
    let options = SendOptions {
        configuration_set: request.configuration_set_name,
        ses: SesOptions {
            tenant: request.tenant_name,
            list_management: request.list_management_options.map(|options| ListManagement {
                contact_list_name: options.contact_list_name,
                topic_name: options.topic_name,
            }),
            feedback_address: feedback
                .map(|address| mailbox("FeedbackForwardingEmailAddress", &address))
                .transpose()?,
            tracking: tracking(request.configuration_overrides)?,
        },
    };
    let tags = tags(
        request
            .email_tags
            .into_iter()
            .flatten()
            .map(|tag| (tag.name, tag.value)),
    )?;
    let Destination { to, cc, bcc } = request.destination.unwrap_or_default();
    let [to, cc, bcc] = [to, cc, bcc].map(Option::unwrap_or_default);
    match content {
        Content { template: Some(_), .. } => Err(ApiFault::invalid(
            "Content.Template is not supported: render the mail in the application and send it as Simple or Raw.",
        )),
        Content {
            raw: Some(raw),
            simple: None,
            ..
        } => RawParts {
            data: raw.data.ok_or_else(|| missing("Content.Raw.Data"))?,
            source: request.from_email_address,
            destinations: [to, cc, bcc].concat(),
            tags,
            options,
        }
        .read(V2_MIME_MAX),
        Content {
            raw: None,
            simple: Some(simple),
            ..
        } => {
            let body = simple.body.unwrap_or_default();
            SimpleParts {
                source: request.from_email_address,
                to,
                cc,
                bcc,
                reply_to: request.reply_to_addresses.unwrap_or_default(),
                subject: simple.subject.map(|text| text.data),
                text: body.text.map(|text| text.data),
                html: body.html.map(|text| text.data),
                headers: headers(simple.headers)?,
                tags,
                attachments: attachments(simple.attachments)?,
                options,
            }
            .read()
        }
        _ => Err(ApiFault::invalid("Content must have one of Simple and Raw.")),
    }
}

/// Reads what is to be tracked. A part that the request does not name is not tracked, whatever the configuration set
/// would do.
fn tracking(overrides: Option<ConfigurationOverrides>) -> Result<Tracking, ApiFault> {
    let Some(tracking) = overrides.and_then(|overrides| overrides.tracking) else {
        return Ok(Tracking::default());
    };
    let is_enabled = |name: &str, status: Option<String>| match status.as_deref() {
        Some("ENABLED") => Ok(true),
        Some("DISABLED") | None => Ok(false),
        Some(_) => Err(ApiFault::invalid(format!(
            "ConfigurationOverrides.Tracking.{name} must be ENABLED or DISABLED."
        ))),
    };
    Ok(Tracking {
        opens: is_enabled("OpenTrackingEnabled", tracking.open_tracking_enabled)?,
        clicks: is_enabled("ClickTrackingEnabled", tracking.click_tracking_enabled)?,
    })
}

fn headers(pairs: List<Pair>) -> Result<Vec<Header>, InvalidEmail> {
    let pairs = pairs.into_iter().flatten();
    pairs.map(|pair| Header::new(&pair.name, &pair.value)).collect()
}

fn attachments(files: List<File>) -> Result<Vec<Attachment>, ApiFault> {
    let files = files.into_iter().flatten().enumerate();
    files
        .map(|(index, file)| {
            let place = format!("Content.Simple.Attachments[{index}]");
            let name = file.name.ok_or_else(|| missing(&format!("{place}.FileName")))?;
            let content = file
                .raw_content
                .ok_or_else(|| missing(&format!("{place}.RawContent")))?;
            let content = blob(&format!("{place}.RawContent"), &content)?;
            let read = Attachment::new(&name, content, file.content_type, file.content_id);
            read.map_err(|invalid| invalid.at(&place).into())
        })
        .collect()
}

/// Answers `SendEmail` with the id of the mail.
#[must_use]
pub fn sent(message_id: &str, request_id: Uuid) -> ApiAnswer {
    json::answer(request_id, &serde_json::json!({ "MessageId": message_id }))
}

#[cfg(test)]
mod tests {
    use domain::message::Email;
    use domain::message::raw::RawEmail;
    use serde_json::{Value, json};

    use super::*;
    use crate::fault::FaultKind;
    use domain::message::MailContent;

    fn read(body: &Value) -> Result<SendMail, ApiFault> {
        send_email(body.to_string().as_bytes())
    }

    fn problem(body: &Value) -> String {
        read(body).unwrap_err().message
    }

    fn raw(body: &Value) -> RawEmail {
        match read(body).unwrap().mail.content {
            MailContent::Raw(email) => *email,
            MailContent::Simple(_) => panic!("a raw mail"),
        }
    }

    fn simple(body: &Value) -> Email {
        match read(body).unwrap().mail.content {
            MailContent::Simple(email) => *email,
            MailContent::Raw(_) => panic!("a simple mail"),
        }
    }

    /// `From: a@example.com`, `To: b@example.net`, `Hi`.
    const DATA: &str = "RnJvbTogYUBleGFtcGxlLmNvbQpUbzogYkBleGFtcGxlLm5ldAoKSGk=";

    fn a_simple_mail() -> Value {
        json!({
            "FromEmailAddress": "Ada <ada@example.com>",
            "Destination": {"ToAddresses": ["b@example.net"], "CcAddresses": null},
            "Content": {"Simple": {
                "Subject": {"Data": "Hi", "Charset": "UTF-8"},
                "Body": {"Text": {"Data": "Hello"}, "Html": {"Data": "<p>Hello"}},
            }},
        })
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut body = a_simple_mail();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[member] = value;
        body
    }

    #[test]
    fn the_overrides_of_tracking_are_those_of_the_mail() {
        let read = |overrides: Value| {
            let mut body = a_simple_mail();
            body["ConfigurationOverrides"] = overrides;
            read(&body)
        };
        for (overrides, opens, clicks) in [
            (
                json!({"Tracking": {"OpenTrackingEnabled": "ENABLED", "ClickTrackingEnabled": "DISABLED"}}),
                true,
                false,
            ),
            (json!({"Tracking": {"ClickTrackingEnabled": "ENABLED"}}), false, true),
            (json!({"Tracking": {}}), false, false),
            (json!({"Tracking": null}), false, false),
            (Value::Null, false, false),
        ] {
            let mail = read(overrides).unwrap().mail;
            assert_eq!(mail.options.tracking, Tracking { opens, clicks });
        }
        let fault = read(json!({"Tracking": {"OpenTrackingEnabled": "true"}})).unwrap_err();
        assert!(fault.message.contains("OpenTrackingEnabled"), "{}", fault.message);
        let mut raw = json!({"Content": {"Raw": {"Data": DATA}}});
        raw["ConfigurationOverrides"] = json!({"Tracking": {"OpenTrackingEnabled": "ENABLED"}});
        assert!(
            super::send_email(raw.to_string().as_bytes())
                .unwrap()
                .mail
                .options
                .tracking
                .opens
        );
    }

    #[test]
    fn all_addresses_of_the_destination_are_the_envelope_of_a_raw_mail() {
        let email = raw(&json!({
            "Destination": {"ToAddresses": ["c@example.net"], "BccAddresses": ["d@example.net"]},
            "Content": {"Raw": {"Data": DATA}},
            "EmailTags": [{"Name": "shop", "Value": "17"}],
        }));
        let given: Vec<_> = email
            .recipients()
            .iter()
            .map(|recipient| recipient.address().as_given())
            .collect();
        assert_eq!(given, ["c@example.net", "d@example.net"]);
        assert_eq!(email.tags()[0].name(), "shop");
        assert_eq!(email.from().to_string(), "a@example.com");
        let alone = raw(&json!({"Content": {"Raw": {"Data": DATA}}}));
        assert_eq!(alone.recipients()[0].address().as_given(), "b@example.net");
    }

    /// The mail by which nodemailer tries its credentials. It must be rejected in these words of SES.
    #[test]
    fn the_mail_of_nodemailers_verify_is_rejected() {
        let fault = read(&json!({
            "Content": {"Raw": {"Data": "RnJvbTogPGludmFsaWRAaW52YWxpZD4NClRvOiA8aW52YWxpZEBpbnZhbGlkPg0KIFN1YmplY3Q6IEludmFsaWQNCg0KSW52YWxpZA=="}},
            "FromEmailAddress": "invalid@invalid",
            "Destination": {"ToAddresses": ["invalid@invalid"]},
        }))
        .unwrap_err();
        assert_eq!(fault.kind, FaultKind::MessageRejected);
    }

    #[test]
    fn reads_a_simple_mail() {
        let body = with(
            "/Content/Simple/Attachments",
            json!([{"FileName": "a.txt", "RawContent": "aGk=", "ContentType": "text/plain", "ContentDisposition": "ATTACHMENT"}]),
        );
        let email = simple(&body);
        assert_eq!(email.attachments[0].content(), b"hi");
        assert_eq!((email.subject.as_str(), email.text.as_deref()), ("Hi", Some("Hello")));
        let email = simple(&with("/Content/Simple/Headers", json!([{"Name": "X-A", "Value": "1"}])));
        assert_eq!(email.headers[0].name(), "X-A");
    }

    #[test]
    fn reads_the_options() {
        let mut body = a_simple_mail();
        body["ConfigurationSetName"] = json!("main");
        body["TenantName"] = json!("t");
        body["FeedbackForwardingEmailAddress"] = json!("f@example.com");
        body["ListManagementOptions"] = json!({"ContactListName": "news"});
        let mail = read(&body).unwrap();
        assert_eq!(mail.configuration_set.as_deref(), Some("main"));
        let options = mail.mail.options;
        assert_eq!(options.tenant.as_deref(), Some("t"));
        assert_eq!(options.list_management.unwrap().contact_list_name, "news");
        assert_eq!(options.feedback_address.unwrap().to_string(), "f@example.com");
    }

    #[test]
    fn refuses_by_name_what_it_does_not_do() {
        for (pointer, value, words) in [
            ("/Content/Template", json!({"TemplateName": "x"}), "Content.Template"),
            (
                "/FromEmailAddressIdentityArn",
                json!("arn"),
                "FromEmailAddressIdentityArn",
            ),
            ("/EndpointId", json!("x"), "EndpointId"),
            ("/Content", json!({}), "one of Simple and Raw"),
            ("/Content/Raw", json!({"Data": DATA}), "one of Simple and Raw"),
            ("/Content", Value::Null, "Content"),
            ("/Content", json!({"Raw": {}}), "Content.Raw.Data"),
            ("/EmailTags", json!([{"Name": "a b", "Value": "1"}]), "Invalid tag"),
            ("/FromEmailAddress", json!("ada"), "Missing final '@domain'"),
            (
                "/Content/Simple/Headers",
                json!([{"Name": "From", "Value": "1"}]),
                "`From`",
            ),
            (
                "/Content/Simple/Attachments",
                json!([{"FileName": "a.txt"}]),
                "Attachments[0].RawContent",
            ),
            (
                "/Content/Simple/Attachments",
                json!([{"FileName": "a.exe", "RawContent": "aGk="}]),
                "Attachments[0]",
            ),
        ] {
            let problem = problem(&with(pointer, value));
            assert!(problem.contains(words), "{pointer}: {problem}");
        }
    }

    #[test]
    fn says_where_the_body_is_not_in_the_apis_form_and_repeats_nothing() {
        for (body, words) in [
            ("{", "not valid JSON"),
            ("[]", "another type"),
            (r#"{"FromEmailAddress": ["secret"]}"#, "line 1, column"),
            (
                r#"{"FromEmailAddress": "secret", "FromEmailAddress": "secret"}"#,
                "another type",
            ),
            (r#"{"Destination": "secret"}"#, "another type"),
        ] {
            let fault = send_email(body.as_bytes()).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Malformed, "{body}");
            assert!(
                fault.message.contains(words) && !fault.message.contains("secret"),
                "{}",
                fault.message
            );
        }
        assert_eq!(send_email(b"").unwrap_err().kind, FaultKind::Invalid);
        assert_eq!(
            problem(&json!({"Content": {"Raw": {"Data": "%"}}})),
            "RawMessage.Data is not valid base64."
        );
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(
            member in "FromEmailAddress|Destination|Content|EmailTags|ReplyToAddresses",
            value in "null|1|\"[ -~]{0,9}\"|\\[(\"[a-z@.]{0,9}\")?\\]|\\{\"(Raw|Simple|ToAddresses)\":(\\{\\}|\\[\"a@b\"\\]|\\{\"Data\":\"RnJvbTo=\"\\})\\}",
        ) {
            let _ = send_email(format!("{{\"{member}\":{value}}}").as_bytes());
        }
    }
}
