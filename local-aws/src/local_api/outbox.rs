//! `/_local/outbox`: the mails that SES accepted, as lists, one by one, and in parts that a browser can be given.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{LocalApi, Refused};
use crate::page::html::{self, Inline, Outside};
use crate::ses::{OutboxAttachment, OutboxMail, Shown, Summary};

/// What the HTML of a mail may do: have colours and the images that came with it. The sandbox takes everything else, even
/// from a mail that is opened outside of the page's frame.
const HTML_POLICY: &str = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'self'";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Whether bodies and files are left out.
    #[serde(default)]
    summary: bool,
}

/// A mail with what its HTML leads to.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    shown: Shown<'a>,
    #[serde(flatten)]
    outside: Outside,
}

pub(super) async fn list(
    State(api): State<Arc<LocalApi>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refused> {
    let Query(Wanted { summary }) = wanted.map_err(Refused::bad_request)?;
    let mails = api.ses.outbox();
    Ok(if summary {
        axum::Json(mails.iter().map(Summary::new).collect::<Vec<_>>()).into_response()
    } else {
        axum::Json(mails.iter().map(Shown::new).collect::<Vec<_>>()).into_response()
    })
}

pub(super) async fn one(State(api): State<Arc<LocalApi>>, Path(id): Path<String>) -> Result<Response, Refused> {
    let mail = find(&api, &id)?;
    let detail = Detail {
        shown: Shown::new(&mail),
        outside: mail.html.as_deref().map(html::outside).unwrap_or_default(),
    };
    Ok(axum::Json(detail).into_response())
}

/// The HTML of a mail, in which it can do nothing.
pub(super) async fn html(State(api): State<Arc<LocalApi>>, Path(id): Path<String>) -> Result<Response, Refused> {
    let mail = find(&api, &id)?;
    let html = mail.html.as_deref().ok_or_else(|| not_found("this mail has no HTML"))?;
    let images: Vec<Inline> = mail.attachments.iter().filter_map(inline).collect();
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, HTML_POLICY),
        (HeaderName::from_static("x-dns-prefetch-control"), "off"),
    ];
    Ok((headers, html::for_the_frame(html, &images)).into_response())
}

/// A file of a mail, to be saved and never to be shown: its type is the sender's word.
pub(super) async fn attachment(
    State(api): State<Arc<LocalApi>>,
    Path((id, index)): Path<(String, usize)>,
) -> Result<Response, Refused> {
    let mail = find(&api, &id)?;
    let file = mail.attachments.get(index);
    let file = file.ok_or_else(|| not_found("this mail has no such attachment; they are counted from 0"))?;
    let content = STANDARD
        .decode(&file.content)
        .map_err(|error| Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let disposition = format!("attachment; filename*=UTF-8''{}", percent_encoded(&file.filename));
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (CONTENT_DISPOSITION, disposition.as_str()),
    ];
    Ok((headers, content).into_response())
}

fn find(api: &LocalApi, id: &str) -> Result<OutboxMail, Refused> {
    let mail = api.ses.mail(id);
    mail.ok_or_else(|| not_found("there is no mail with this id in the outbox: name SES's id of it, or Okite's"))
}

fn not_found(message: &str) -> Refused {
    Refused(StatusCode::NOT_FOUND, message.to_owned())
}

/// An attachment that HTML can show by its id.
fn inline(attachment: &OutboxAttachment) -> Option<Inline> {
    let content_type = attachment.content_type.as_deref()?;
    let content_type = content_type.split(';').next()?.trim().to_ascii_lowercase();
    let subtype = content_type.strip_prefix("image/")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if subtype.is_empty() || !subtype.bytes().all(is_plain) {
        return None;
    }
    // Encoded anew, so that nothing but base64 comes into the HTML.
    let content = STANDARD.decode(&attachment.content).ok()?;
    let id = attachment.content_id.as_deref()?;
    Some(Inline {
        content_id: id.trim_start_matches('<').trim_end_matches('>').to_owned(),
        data_url: format!("data:{content_type};base64,{}", STANDARD.encode(content)),
    })
}

/// Writes a file name as a header's parameter can hold it.
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
        let attachment = OutboxAttachment {
            filename: "a.png".to_owned(),
            content_type: Some(content_type.to_owned()),
            content_id: Some(content_id.to_owned()),
            content: "AAAA".to_owned(),
        };
        inline(&attachment).map(|inline| (inline.content_id, inline.data_url))
    }

    #[test]
    fn shows_attached_images_and_nothing_that_calls_itself_one() {
        let png = Some(("logo".to_owned(), "data:image/png;base64,AAAA".to_owned()));
        assert_eq!(image("image/png", "logo"), png);
        assert_eq!(image("Image/PNG; name=a.png", "<logo>"), png);
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
