//! A look at a mail before other people get it: size, links, images and unsubscribing.
//!
//! Nothing is fetched. Links are judged by their form alone.

mod link;
mod unsubscribe;

use html5gum::emitters::callback::CallbackEvent;
use serde::Serialize;

use self::unsubscribe::UnsubscribeCheck;
use super::html::walk;
use crate::services::ses::OutboxMail;

/// The size at which Gmail cuts the HTML of a mail off, in bytes.
const GMAIL_MAX: usize = 102 * 1024;
/// The largest number of listed links, and of listed images.
const LISTED_MAX: usize = 500;
/// The longest address of an image that is shown, in characters. An image may hold its content in its address.
const SHOWN_MAX: usize = 200;

/// The gravity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// All is well.
    Good,
    /// It may be meant so.
    Note,
    /// Some recipients will not see what was meant.
    Warning,
    /// It does not work.
    Fault,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) message: String,
}

impl Finding {
    pub(super) fn new(level: Level, message: impl Into<String>) -> Self {
        Self {
            level,
            message: message.into(),
        }
    }
}

/// Everything that was found in a mail.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Checks {
    size: SizeCheck,
    unsubscribe: UnsubscribeCheck,
    links: Vec<LinkCheck>,
    images: ImagesCheck,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct SizeCheck {
    html_bytes: usize,
    message_bytes: usize,
    #[serde(flatten)]
    finding: Finding,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct LinkCheck {
    text: String,
    href: String,
    #[serde(flatten)]
    finding: Finding,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct ImagesCheck {
    total: usize,
    /// The addresses of images without a text for people who do not see them.
    without_alt: Vec<String>,
    findings: Vec<Finding>,
}

/// Looks at a mail, whose message has so many bytes.
pub(super) fn check(mail: &OutboxMail, message_bytes: usize) -> Checks {
    let html = mail.html.as_deref().unwrap_or_default();
    let Parts { links, images } = parts(html);
    Checks {
        size: size(html.len(), message_bytes),
        unsubscribe: unsubscribe::check(&mail.headers),
        links: links
            .into_iter()
            .map(|(text, href)| LinkCheck {
                finding: link::judge(&href),
                text,
                href: shortened(&href),
            })
            .collect(),
        images: self::images(&images),
    }
}

fn size(html_bytes: usize, message_bytes: usize) -> SizeCheck {
    let finding = if html_bytes > GMAIL_MAX {
        Finding::new(
            Level::Warning,
            "Gmail cuts HTML of more than 102 KB off, with the links at its end. Make it smaller.",
        )
    } else if html_bytes > GMAIL_MAX / 10 * 9 {
        Finding::new(
            Level::Note,
            "The HTML is close to the 102 KB at which Gmail cuts it off. Links that SES tracks make it longer.",
        )
    } else {
        Finding::new(Level::Good, "Gmail shows HTML of up to 102 KB whole.")
    };
    SizeCheck {
        html_bytes,
        message_bytes,
        finding,
    }
}

fn images(images: &[Image]) -> ImagesCheck {
    let without_alt: Vec<String> = images
        .iter()
        .filter(|image| !image.has_alt)
        .map(|image| shortened(&image.src))
        .collect();
    let starts = |scheme: &'static str| {
        move |image: &&Image| {
            let src = image.src.trim_start().get(..scheme.len());
            src.is_some_and(|src| src.eq_ignore_ascii_case(scheme))
        }
    };
    let mut findings = Vec::new();
    if !without_alt.is_empty() {
        findings.push(Finding::new(
            Level::Warning,
            "An image without a text says nothing to people who do not see it. Describe it in alt, or write alt=\"\" if it is \
             only decoration.",
        ));
    }
    if images.iter().any(|image| image.src.trim().is_empty()) {
        findings.push(Finding::new(Level::Fault, "An image has no address."));
    }
    if images.iter().any(|image| starts("data:")(&image)) {
        findings.push(Finding::new(
            Level::Warning,
            "Gmail and Outlook do not show images that are written into the HTML (data:). Attach them and name them by \
             cid:.",
        ));
    }
    if images.iter().any(|image| starts("http:")(&image)) {
        findings.push(Finding::new(
            Level::Warning,
            "An image is loaded over http, which some mail programs refuse. Use https.",
        ));
    }
    ImagesCheck {
        total: images.len(),
        without_alt,
        findings,
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) if text.starts_with("data:") => format!("{}…", text.get(..end).unwrap_or_default()),
        _ => text.to_owned(),
    }
}

#[derive(Debug, Default)]
struct Parts {
    /// The texts and addresses of links.
    links: Vec<(String, String)>,
    images: Vec<Image>,
}

#[derive(Debug, Default)]
struct Image {
    src: String,
    has_alt: bool,
}

/// Lists the links and images of HTML.
fn parts(html: &str) -> Parts {
    let mut parts = Parts::default();
    let (mut tag, mut attribute) = (Vec::new(), Vec::new());
    let mut image = Image::default();
    let mut href = None;
    let mut open = None;
    walk(html, |event, _| match event {
        CallbackEvent::OpenStartTag { name } => {
            tag = name.to_vec();
            image = Image::default();
            href = None;
        }
        CallbackEvent::AttributeName { name } => {
            attribute = name.to_vec();
            match (tag.as_slice(), name) {
                (b"img", b"alt") => image.has_alt = true,
                (b"a" | b"area", b"href") => href = Some(String::new()),
                _ => {}
            }
        }
        CallbackEvent::AttributeValue { value } => {
            let value = || String::from_utf8_lossy(value).into_owned();
            match (tag.as_slice(), attribute.as_slice()) {
                (b"img", b"src") => image.src = value(),
                (b"a" | b"area", b"href") => href = Some(value()),
                _ => {}
            }
        }
        CallbackEvent::CloseStartTag { .. } => match tag.as_slice() {
            b"img" if parts.images.len() < LISTED_MAX => parts.images.push(std::mem::take(&mut image)),
            b"a" | b"area" if parts.links.len() < LISTED_MAX => {
                if let Some(href) = href.take() {
                    parts.links.push((String::new(), href));
                    open = (tag == b"a").then(|| parts.links.len().saturating_sub(1));
                }
            }
            _ => {}
        },
        CallbackEvent::String { value } => {
            if let Some((text, _)) = open.and_then(|index: usize| parts.links.get_mut(index)) {
                text.push_str(&String::from_utf8_lossy(value));
            }
        }
        CallbackEvent::EndTag { name: b"a" } => open = None,
        _ => {}
    });
    for (text, _) in &mut parts.links {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_links_and_images() {
        let html = "<a href='https://example.com/?a=1&amp;b=2'> Reset \n <b>it</b></a><A HREF>empty</A><a name=top>no link</a>\
                    <area href=/map><img src=a.png><img alt src='data:image/png;base64,AA'><IMG ALT='x' SRC=b.png/>";
        let Parts { links, images } = parts(html);
        let links: Vec<_> = links
            .iter()
            .map(|(text, href)| (text.as_str(), href.as_str()))
            .collect();
        assert_eq!(
            links,
            [
                ("Reset it", "https://example.com/?a=1&b=2"),
                ("empty", ""),
                ("", "/map")
            ]
        );
        let images: Vec<_> = images.iter().map(|image| (image.src.as_str(), image.has_alt)).collect();
        assert_eq!(
            images,
            [("a.png", false), ("data:image/png;base64,AA", true), ("b.png/", true)]
        );
    }

    #[test]
    fn tells_of_images_that_some_people_do_not_see() {
        let found = |html: &str| {
            let found = images(&parts(html).images);
            (found.total, found.without_alt.len(), found.findings.len())
        };
        for (html, expected) in [
            ("<p>", (0, 0, 0)),
            ("<img src=https://example.com/a.png alt=''>", (1, 0, 0)),
            ("<img src=cid:logo>", (1, 1, 1)),
            (
                "<img src='' alt=x><img src=data:x alt=x><img src=' HTTP://x/y' alt=x>",
                (3, 0, 3),
            ),
        ] {
            assert_eq!(found(html), expected, "{html}");
        }
    }

    #[test]
    fn knows_where_gmail_cuts() {
        for (bytes, level) in [
            (0, Level::Good),
            (GMAIL_MAX / 10 * 9 + 1, Level::Note),
            (GMAIL_MAX, Level::Note),
            (GMAIL_MAX + 1, Level::Warning),
        ] {
            assert_eq!(size(bytes, bytes).finding.level, level, "{bytes}");
        }
    }

    #[test]
    fn a_long_image_is_shown_in_short() {
        assert_eq!(
            shortened(&format!("data:{}", "é".repeat(1_000))).chars().count(),
            SHOWN_MAX + 1
        );
        let link = format!("https://example.com/{}", "x".repeat(1_000));
        assert_eq!(shortened(&link), link);
    }

    proptest! {
        #[test]
        fn any_html_can_be_looked_at(html in "(<a href=|<img src=|alt|'|\"|>|</a>|é| |javascript:|//|:){0,40}") {
            for (_, href) in parts(&html).links {
                link::judge(&href);
            }
            images(&parts(&html).images);
        }
    }
}
