//! `List-Unsubscribe`: whether a mailbox provider can offer unsubscribing with one click.
//!
//! RFC 8058 asks for two fields: `List-Unsubscribe` with an https URI, and `List-Unsubscribe-Post`, which says that a
//! POST of that URI unsubscribes. A DKIM signature has to cover both.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Finding, Level, link};

const FIELD: &str = "List-Unsubscribe";
const POST_FIELD: &str = "List-Unsubscribe-Post";
const POST_VALUE: &str = "List-Unsubscribe=One-Click";

/// Whether and how recipients can unsubscribe by their mail program.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct UnsubscribeCheck {
    /// The worst of the findings.
    level: Level,
    /// Whether the fields are those of RFC 8058.
    one_click: bool,
    /// The URIs of the field.
    uris: Vec<String>,
    findings: Vec<Finding>,
}

pub(super) fn check(headers: &BTreeMap<String, String>) -> UnsubscribeCheck {
    let field = |wanted: &str| {
        let is_named = |(name, _): &(&String, &String)| name.eq_ignore_ascii_case(wanted);
        headers.iter().find(is_named).map(|(_, value)| value.as_str())
    };
    let (list, post) = (field(FIELD), field(POST_FIELD));
    let uris = uris(list.unwrap_or_default());
    let mut findings = Vec::new();
    match (list, post) {
        (None, None) => findings.push(Finding::new(
            Level::Note,
            "The mail has no List-Unsubscribe. Gmail and Yahoo require it of bulk mail, and Gmail with one click. \
             Outlook recommends a link in the mail. A receipt or a mail about a password needs none.",
        )),
        (None, Some(_)) => findings.push(fault(
            "There is a List-Unsubscribe-Post without a List-Unsubscribe. Add List-Unsubscribe with an https URI.",
        )),
        (Some(_), post) => {
            findings.extend(of_uris(&uris));
            findings.push(of_post(post));
        }
    }
    let one_click = list.is_some() && findings.iter().all(|finding| finding.level < Level::Warning);
    if list.is_some() {
        findings.push(of_signature(field("DKIM-Signature")));
    }
    let worst = findings.iter().map(|finding| finding.level).max();
    UnsubscribeCheck {
        level: worst.unwrap_or(Level::Good),
        one_click: one_click && worst != Some(Level::Fault),
        uris,
        findings,
    }
}

/// Lists the URIs of the field, which stand in angle brackets.
fn uris(value: &str) -> Vec<String> {
    let behind = value.split('<').skip(1);
    let inside = behind.filter_map(|rest| rest.split_once('>')).map(|(uri, _)| uri);
    // A long URI may be folded.
    inside.map(|uri| uri.split_whitespace().collect()).collect()
}

fn of_uris(uris: &[String]) -> Vec<Finding> {
    if uris.is_empty() {
        return vec![fault(
            "List-Unsubscribe has no URI in angle brackets. Write <https://…>, and more URIs with commas between them.",
        )];
    }
    if uris.iter().any(|uri| is_local(uri)) {
        return vec![Finding::new(
            Level::Good,
            "List-Unsubscribe has a link of this okite up. On AWS such a link begins with https.",
        )];
    }
    let of = |wanted: &'static [&'static str]| {
        uris.iter().filter(move |uri| {
            let scheme = link::scheme(uri).map(|(scheme, _)| scheme.to_ascii_lowercase());
            scheme.is_some_and(|scheme| wanted.contains(&scheme.as_str()))
        })
    };
    let mut findings = Vec::new();
    if of(&["http"]).next().is_some() {
        findings.push(fault(
            "One click needs https. Mailbox providers pass a URI with http over.",
        ));
    }
    if of(&["https"]).next().is_none() {
        let message = if of(&["mailto"]).next().is_some() {
            "List-Unsubscribe has only a mailto URI, the older way (RFC 2369). One click needs an https URI too."
        } else {
            "List-Unsubscribe has no https URI, and one click needs one."
        };
        findings.push(fault(message));
    }
    for uri in of(&["https"]) {
        let judged = link::judge(uri);
        if judged.level > Level::Note {
            findings.push(judged);
        }
    }
    if findings.is_empty() {
        findings.push(Finding::new(Level::Good, "List-Unsubscribe has an https URI."));
    }
    findings
}

/// Whether a URI is the unsubscribe link of an `okite up`.
fn is_local(uri: &str) -> bool {
    let port = uri.strip_prefix("http://127.0.0.1:").unwrap_or_default();
    let path = port.trim_start_matches(|c: char| c.is_ascii_digit());
    path.len() < port.len() && path.starts_with("/unsubscribe/")
}

fn of_post(post: Option<&str>) -> Finding {
    match post {
        Some(value) if value.trim() == POST_VALUE => {
            Finding::new(Level::Good, "List-Unsubscribe-Post says that one click is enough.")
        }
        Some(_) => fault("List-Unsubscribe-Post must be exactly List-Unsubscribe=One-Click."),
        None => fault(
            "There is no List-Unsubscribe-Post, so the link opens a page. Add it with the value \
             List-Unsubscribe=One-Click.",
        ),
    }
}

/// Judges the signature of the caller, if there is one: SES signs after the simulator's work.
fn of_signature(signature: Option<&str>) -> Finding {
    let Some(signature) = signature else {
        return Finding::new(
            Level::Note,
            "A DKIM signature has to cover both fields (RFC 8058, 4). SES signs here only on AWS: look at h= of the \
             DKIM-Signature in a mail that arrived.",
        );
    };
    let covers = |part: &str| {
        let Some((name, fields)) = part.split_once('=') else {
            return false;
        };
        let has = |wanted: &str| fields.split(':').any(|field| field.trim().eq_ignore_ascii_case(wanted));
        name.trim().eq_ignore_ascii_case("h") && has(FIELD) && has(POST_FIELD)
    };
    if signature.split([';', ',']).any(covers) {
        Finding::new(Level::Good, "The DKIM signature of the sender covers both fields.")
    } else {
        fault("The DKIM signature of the sender does not cover both fields (h=). Sign them too.")
    }
}

fn fault(message: &str) -> Finding {
    Finding::new(Level::Fault, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_okite_up_is_as_good_as_one_with_https() {
        for (uri, is_good) in [
            ("http://127.0.0.1:3000/unsubscribe/x", true),
            ("http://127.0.0.1:3000/u/x", false),
            ("http://127.0.0.1/unsubscribe/x", false),
            ("http://127.0.0.1:3000@example.com/unsubscribe/x", false),
            ("http://127.0.0.1.example.com:80/unsubscribe/x", false),
            ("http://example.com/unsubscribe/x", false),
        ] {
            let list = format!("<{uri}>");
            let headers = [
                ("List-Unsubscribe", list.as_str()),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ];
            assert_eq!(checked(&headers).one_click, is_good, "{uri}");
        }
    }

    fn checked(headers: &[(&str, &str)]) -> UnsubscribeCheck {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        check(&headers.iter().map(owned).collect())
    }

    #[test]
    fn one_click_needs_both_fields_as_the_rfc_has_them() {
        let post = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
        let https = "<https://shop.example.com/u/7>";
        for (one_click, level, list, post) in [
            (true, Level::Note, Some(https), Some(post)),
            (
                true,
                Level::Note,
                Some("<mailto:u@example.com>, <https://a.example/u>"),
                Some(post),
            ),
            (true, Level::Note, Some("<https://a.example/\r\n u>"), Some(post)),
            (
                true,
                Level::Note,
                Some(https),
                Some(("list-unsubscribe-post", " List-Unsubscribe=One-Click ")),
            ),
            (false, Level::Note, None, None),
            (false, Level::Fault, None, Some(post)),
            (false, Level::Fault, Some(https), None),
            (
                false,
                Level::Fault,
                Some(https),
                Some(("List-Unsubscribe-Post", "One-Click")),
            ),
            (
                false,
                Level::Fault,
                Some(https),
                Some(("List-Unsubscribe-Post", "list-unsubscribe=one-click")),
            ),
            (false, Level::Fault, Some("<http://shop.example.com/u/7>"), Some(post)),
            (false, Level::Fault, Some("<mailto:u@example.com>"), Some(post)),
            (false, Level::Fault, Some("https://shop.example.com/u/7"), Some(post)),
            (false, Level::Fault, Some("<https://localhost:3000/u/7>"), Some(post)),
            (false, Level::Fault, Some("<https://a.example/u/{{token}}>"), Some(post)),
            (false, Level::Fault, Some(""), Some(post)),
        ] {
            let list = list.map(|list| ("List-Unsubscribe", list));
            let headers: Vec<_> = list.into_iter().chain(post).collect();
            let found = checked(&headers);
            assert_eq!(
                (found.one_click, found.level),
                (one_click, level),
                "{headers:?} {found:?}"
            );
        }
    }

    #[test]
    fn the_senders_own_signature_has_to_cover_both() {
        let fields = [
            ("List-Unsubscribe", "<https://shop.example.com/u/7>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ];
        for (signature, level) in [
            (
                "v=1; d=example.com; h=From:list-unsubscribe : List-Unsubscribe-Post; b=x",
                Level::Good,
            ),
            ("v=1; h=From:List-Unsubscribe; b=x", Level::Fault),
            ("v=1; b=h", Level::Fault),
        ] {
            let found = checked(&[fields.as_slice(), &[("DKIM-Signature", signature)]].concat());
            assert_eq!(
                (found.level, found.one_click),
                (level, level == Level::Good),
                "{signature}"
            );
        }
    }
}
