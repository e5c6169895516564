//! The fields of one email: JSON values into a valid [`Email`].
//!
//! A field that is `null` counts as absent, because SDKs in languages without optional fields send such fields. Others
//! send an empty text; in `from`, `to`, `subject`, the times and Okite's own fields that is a mistake. Unknown fields
//! are ignored. Fields that Okite knows but does not support are rejected, so that no email goes out in a way that its
//! caller did not mean.

use domain::message::{Attachment, Email, EmailParts, Header, InvalidEmail, UNSUBSCRIBE_FIELD};

use super::addresses::{mailboxes, optional_mailboxes, sender};
use super::field::{Object, is_blank, optional_text, required, text};
use super::labels::{headers, tags};
use super::wishes::{self, StatedWishes};
use super::{attachments, on_suppressed, track, when_busy};
use crate::error::ApiError;
use crate::spelling;

/// Fields that Okite does not support, and what to do instead.
const NOT_SUPPORTED: [(&str, &str); 2] = [
    (
        "template",
        "Render the template before sending and use `html` and `text`.",
    ),
    (
        "topic_id",
        "Set `okite_unsubscribe` to the name of the topic. Okite then sends nothing to people who left that topic.",
    ),
];

/// The fields of an email that Okite knows.
pub(super) const FIELDS: [&str; 19] = [
    "from",
    "to",
    "cc",
    "bcc",
    "reply_to",
    "subject",
    "html",
    "text",
    "headers",
    "tags",
    "attachments",
    wishes::SCHEDULED_AT,
    "template",
    "topic_id",
    on_suppressed::FIELD,
    when_busy::FIELD,
    track::FIELD,
    wishes::DEADLINE,
    UNSUBSCRIBE_FIELD,
];

/// An email, and what its fields state about how it is to be sent.
#[derive(Debug)]
pub(in super::super) struct ParsedBody {
    pub(in super::super) email: Email,
    pub(in super::super) wishes: StatedWishes,
    /// Notes for the caller about parts of the email that Okite left out.
    pub(in super::super) notes: Vec<String>,
}

/// Reads one email from the fields of an object.
pub(in super::super) fn email(mut object: Object) -> Result<ParsedBody, ApiError> {
    object.retain(|_, value| !value.is_null());
    for (field, remedy) in NOT_SUPPORTED {
        if object.get(field).is_some_and(|value| !is_blank(value)) {
            return Err(ApiError::not_supported(field, remedy));
        }
    }
    spelling::check(&object, &FIELDS, "")?;
    let wishes = wishes::fields(&mut object)?;
    let attachments = attachments::attachments(&mut object)?;
    let (headers, notes) = headers(object.remove("headers"))?;
    Ok(ParsedBody {
        email: Email::new(parts(&mut object, headers, attachments)?)?,
        wishes,
        notes,
    })
}

fn parts(object: &mut Object, headers: Vec<Header>, attachments: Vec<Attachment>) -> Result<EmailParts, InvalidEmail> {
    let from = required(object, "from")?;
    Ok(EmailParts {
        from: sender("from", &text("from", from)?)?,
        to: mailboxes("to", Some(required(object, "to")?))?,
        cc: optional_mailboxes("cc", object.remove("cc"))?,
        bcc: optional_mailboxes("bcc", object.remove("bcc"))?,
        reply_to: optional_mailboxes("reply_to", object.remove("reply_to"))?,
        subject: required(object, "subject").and_then(|subject| text("subject", subject))?,
        html: optional_text(object, "html")?,
        text: optional_text(object, "text")?,
        headers,
        tags: tags(object.remove("tags"))?,
        attachments,
    })
}
