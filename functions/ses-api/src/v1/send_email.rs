//! The mails of `SendEmail` and `SendRawEmail`.
//! <https://docs.aws.amazon.com/ses/latest/APIReference/API_SendRawEmail.html>

use domain::message::SesOptions;

use super::form::Form;
use crate::fault::ApiFault;
use crate::send::{RawParts, SendMail, SendOptions, SimpleParts, V1_MIME_MAX, mailbox, missing, tags};

/// The parameters that ask to send with the permission of another account.
const ARNS: [&str; 3] = ["FromArn", "SourceArn", "ReturnPathArn"];

pub(super) fn send_raw_email(mut form: Form) -> Result<SendMail, ApiFault> {
    check(&form)?;
    RawParts {
        data: form.take("RawMessage.Data").ok_or_else(|| missing("RawMessage.Data"))?,
        source: form.take("Source"),
        destinations: form.take_list("Destinations"),
        tags: tags(form.take_pairs("Tags"))?,
        options: options(&mut form)?,
    }
    .read(V1_MIME_MAX)
}

pub(super) fn send_email(mut form: Form) -> Result<SendMail, ApiFault> {
    check(&form)?;
    SimpleParts {
        source: form.take("Source"),
        to: form.take_list("Destination.ToAddresses"),
        cc: form.take_list("Destination.CcAddresses"),
        bcc: form.take_list("Destination.BccAddresses"),
        reply_to: form.take_list("ReplyToAddresses"),
        subject: form.take_text("Message.Subject.Data"),
        text: form.take_text("Message.Body.Text.Data"),
        html: form.take_text("Message.Body.Html.Data"),
        tags: tags(form.take_pairs("Tags"))?,
        options: options(&mut form)?,
        ..SimpleParts::default()
    }
    .read()
}

fn check(form: &Form) -> Result<(), ApiFault> {
    match ARNS.iter().find(|name| form.has(name)) {
        Some(name) => Err(ApiFault::invalid(format!(
            "{name} is not supported: the mail is sent with the permission of this deployment."
        ))),
        None => Ok(()),
    }
}

fn options(form: &mut Form) -> Result<SendOptions, ApiFault> {
    let return_path = form.take("ReturnPath");
    Ok(SendOptions {
        configuration_set: form.take("ConfigurationSetName"),
        ses: SesOptions {
            feedback_address: return_path.map(|address| mailbox("ReturnPath", &address)).transpose()?,
            ..SesOptions::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::message::MailContent;

    fn raw(body: &str) -> Result<SendMail, ApiFault> {
        send_raw_email(Form::read(body.as_bytes()).unwrap())
    }

    /// `From: a@example.com`, `To: b@example.net`, `Hi`.
    const DATA: &str = "RawMessage.Data=RnJvbTogYUBleGFtcGxlLmNvbQpUbzogYkBleGFtcGxlLm5ldAoKSGk%3D";

    #[test]
    fn reads_a_raw_mail() {
        let mail = raw(&format!(
            "{DATA}&Source=c%40example.com&Destinations.member.1=d%40example.net&Tags.member.1.Name=shop&\
             Tags.member.1.Value=17&ConfigurationSetName=main"
        ))
        .unwrap();
        let MailContent::Raw(email) = mail.mail.content else {
            panic!("a raw mail")
        };
        assert_eq!(email.message().bytes(), b"From: a@example.com\nTo: b@example.net\n\nHi");
        assert_eq!(email.recipients()[0].address().as_given(), "d@example.net");
        assert_eq!(email.from().to_string(), "c@example.com");
        assert_eq!(email.tags()[0].value(), "17");
        assert_eq!(mail.configuration_set.as_deref(), Some("main"));
    }

    #[test]
    fn reads_a_simple_mail() {
        let body = "Source=a%40example.com&Destination.ToAddresses.member.1=b%40example.net&Message.Subject.Data=&\
                    Message.Body.Text.Data=a+%2B+b&ReturnPath=r%40example.com";
        let mail = send_email(Form::read(body.as_bytes()).unwrap()).unwrap();
        let MailContent::Simple(email) = mail.mail.content else {
            panic!("a simple mail")
        };
        assert_eq!((email.subject.as_str(), email.text.as_deref()), ("", Some("a + b")));
        assert_eq!(mail.mail.options.feedback_address.unwrap().to_string(), "r@example.com");
    }

    #[test]
    fn says_what_is_wrong() {
        for (body, words) in [
            ("Source=a", "Missing required parameter: RawMessage.Data."),
            (&format!("{DATA}&SourceArn=arn"), "SourceArn is not supported"),
            (&format!("{DATA}&Source=a"), "Missing final '@domain' (Source)"),
            (&format!("{DATA}&Tags.member.1.Name=a"), "Invalid tag"),
            ("RawMessage.Data=SGk%3D", "Line 1 of the header is not valid"),
            (
                "RawMessage.Data=VG86IGJAZXhhbXBsZS5uZXQK",
                "Missing required header 'From'.",
            ),
        ] {
            let message = raw(body).unwrap_err().message;
            assert!(message.contains(words), "{body}: {message}");
        }
    }
}
