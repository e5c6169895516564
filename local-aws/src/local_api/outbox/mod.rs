//! `/_local/outbox`: the mails that SES accepted, as lists, one by one, and in parts for a browser.

pub(super) mod checks;
mod html;
pub(super) mod list;
mod mime;

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use self::html::{InlineImage, OutsideReferences};
use super::{LocalApi, LocalApiError};
use crate::services::ses::{MailDetail, OutboxAttachment, OutboxEntry};

/// The policy of a mail's HTML: it may have styles and the images that came with it. The sandbox forbids everything
/// else, even when the mail is opened outside the page's frame.
const HTML_POLICY: &str = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'self'";

/// A mail with the links and remote images of its HTML.
#[derive(Serialize)]
struct MailWithReferences<'a> {
    #[serde(flatten)]
    mail: MailDetail<'a>,
    /// Whether SES lets the sender send now.
    is_sender_verified: bool,
    #[serde(flatten)]
    outside: OutsideReferences,
}

pub(super) async fn one(State(api): State<Arc<LocalApi>>, Path(id): Path<String>) -> Result<Response, LocalApiError> {
    let entry = find(&api, &id)?;
    let detail = MailWithReferences {
        mail: MailDetail::new(&entry, api.ses.id_tag()),
        is_sender_verified: api.ses.is_sender_verified(&entry.mail),
        outside: entry.mail.html.as_deref().map(html::outside).unwrap_or_default(),
    };
    Ok(axum::Json(detail).into_response())
}

/// Returns the HTML of a mail in a form that can do nothing.
pub(super) async fn html(State(api): State<Arc<LocalApi>>, Path(id): Path<String>) -> Result<Response, LocalApiError> {
    let mail = find(&api, &id)?.mail;
    let html = mail.html.as_deref().ok_or_else(|| not_found("this mail has no HTML"))?;
    let images: Vec<InlineImage> = mail.attachments.iter().filter_map(inline).collect();
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, HTML_POLICY),
        (HeaderName::from_static("x-dns-prefetch-control"), "off"),
    ];
    Ok((headers, html::for_the_frame(html, &images)).into_response())
}

/// Returns a file of a mail, to be saved and never shown, because only the sender vouches for its type.
pub(super) async fn attachment(
    State(api): State<Arc<LocalApi>>,
    Path((id, index)): Path<(String, usize)>,
) -> Result<Response, LocalApiError> {
    let mail = find(&api, &id)?.mail;
    let file = mail.attachments.get(index);
    let file = file.ok_or_else(|| not_found("this mail has no such attachment; the first one has the index 0"))?;
    let content = STANDARD
        .decode(&file.content)
        .map_err(|error| LocalApiError(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let disposition = format!("attachment; filename*=UTF-8''{}", percent_encoded(&file.filename));
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (CONTENT_DISPOSITION, disposition.as_str()),
    ];
    Ok((headers, content).into_response())
}

/// Returns a mail's bytes as text: those of a raw mail, or those that SES would build, more or less.
pub(super) async fn source(
    State(api): State<Arc<LocalApi>>,
    Path(id): Path<String>,
) -> Result<Response, LocalApiError> {
    let entry = find(&api, &id)?;
    Ok((
        [(CONTENT_TYPE, "text/plain; charset=utf-8")],
        mime::source(&entry.mail).into_owned(),
    )
        .into_response())
}

/// Returns a mail as a file, which mail programs open.
pub(super) async fn message(
    State(api): State<Arc<LocalApi>>,
    Path(id): Path<String>,
) -> Result<Response, LocalApiError> {
    let entry = find(&api, &id)?;
    let disposition = format!("attachment; filename=\"{}.eml\"", entry.mail.ses_message_id);
    let headers = [
        (CONTENT_TYPE, "message/rfc822"),
        (CONTENT_DISPOSITION, disposition.as_str()),
    ];
    Ok((headers, mime::source(&entry.mail).into_owned()).into_response())
}

/// Returns what a look at the mail finds.
pub(super) async fn checks(
    State(api): State<Arc<LocalApi>>,
    Path(id): Path<String>,
) -> Result<Response, LocalApiError> {
    let entry = find(&api, &id)?;
    let source = mime::source(&entry.mail);
    Ok(axum::Json(checks::check(&entry.mail, source.len())).into_response())
}

pub(super) fn find(api: &LocalApi, id: &str) -> Result<OutboxEntry, LocalApiError> {
    let entry = api.ses.mail(id);
    entry.ok_or_else(|| {
        not_found("the outbox has no mail with this id: use the id that SES gave it, or the sender's own")
    })
}

fn not_found(message: &str) -> LocalApiError {
    LocalApiError(StatusCode::NOT_FOUND, message.to_owned())
}

/// Reads an attached image that HTML can show by its id.
fn inline(attachment: &OutboxAttachment) -> Option<InlineImage> {
    // Without a type, SES takes that of the file name.
    let guessed = mime_guess::from_path(&attachment.filename);
    let content_type = attachment.content_type.as_deref().or(guessed.first_raw())?;
    let content_type = content_type.split(';').next()?.trim().to_ascii_lowercase();
    let subtype = content_type.strip_prefix("image/")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if subtype.is_empty() || !subtype.bytes().all(is_plain) {
        return None;
    }
    // Encoded again, so that nothing but base64 gets into the HTML.
    let content = STANDARD.decode(&attachment.content).ok()?;
    let id = attachment.content_id.as_deref()?;
    Some(InlineImage {
        content_id: id.trim_start_matches('<').trim_end_matches('>').to_owned(),
        data_url: format!("data:{content_type};base64,{}", STANDARD.encode(content)),
    })
}

/// Encodes a file name for the parameter of a header.
/// <https://datatracker.ietf.org/doc/html/rfc8187#section-3.2>
fn percent_encoded(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(content_type: &str, content_id: &str) -> Option<(String, String)> {
        named("a.png", Some(content_type), content_id)
    }

    fn named(filename: &str, content_type: Option<&str>, content_id: &str) -> Option<(String, String)> {
        let attachment = OutboxAttachment {
            filename: filename.to_owned(),
            content_type: content_type.map(str::to_owned),
            content_id: Some(content_id.to_owned()),
            content: "AAAA".to_owned(),
        };
        inline(&attachment).map(|inline| (inline.content_id, inline.data_url))
    }

    #[test]
    fn shows_attached_images_and_nothing_else() {
        let png = Some(("logo".to_owned(), "data:image/png;base64,AAAA".to_owned()));
        assert_eq!(image("image/png", "logo"), png);
        assert_eq!(image("Image/PNG; name=a.png", "<logo>"), png);
        assert_eq!(named("a.PNG", None, "logo"), png);
        for filename in ["a.html", "a", "a.png.pdf"] {
            assert_eq!(named(filename, None, "logo"), None, "{filename}");
        }
        for content_type in [
            "text/html",
            "image/",
            "image/png\" onerror=\"x",
            "image/a,b",
            "images/png",
        ] {
            assert_eq!(image(content_type, "logo"), None, "{content_type}");
        }
    }

    #[test]
    fn writes_file_names_that_cannot_leave_their_header() {
        assert_eq!(percent_encoded("Rechnung März.pdf"), "Rechnung%20M%C3%A4rz.pdf");
        assert_eq!(percent_encoded("a\"; x=\r\n.pdf"), "a%22%3B%20x%3D%0D%0A.pdf");
    }
}
