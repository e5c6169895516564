//! The HTML of a mail as a page shows it: in a frame that lets it do nothing.
//!
//! The sandbox of the answer and of the frame makes the HTML harmless, not this module. There is one exception: for
//! `<link>` (`dns-prefetch`, `preconnect`) a browser may look up names and open connections, which no policy of a page
//! forbids. So `<link>` becomes an element without a meaning.
//!
//! Nothing else is removed. An attached image takes its place in the HTML. A link opens in a window of its own, which
//! the sandbox refuses; otherwise the linked site would replace the mail. The links are listed beside the mail, and can
//! be opened from there. The HTML is read once, as the tokens of [`html5gum`], and copied where it does not change.

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};
use serde::Serialize;

/// The largest number of listed links.
const LINKS_MAX: usize = 500;

/// An attached image: the id by which HTML names it, and its content as a `data:` URL.
#[derive(Clone, Debug)]
pub(crate) struct InlineImage {
    pub(crate) content_id: String,
    pub(crate) data_url: String,
}

/// The links and remote images of a mail's HTML.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct OutsideReferences {
    /// The links to web sites and mail addresses, in their order.
    pub(crate) links: Vec<Link>,
    /// The number of images that it would load from other servers.
    pub(crate) remote_images: usize,
}

/// A link of a mail.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Link {
    pub(crate) text: String,
    pub(crate) href: String,
}

/// Puts attached images in their places, and keeps linked sites from replacing the mail.
pub(crate) fn for_the_frame(html: &str, images: &[InlineImage]) -> String {
    let mut shown = String::with_capacity(html.len() + images.iter().map(|image| image.data_url.len()).sum::<usize>());
    let mut copied = 0;
    let mut put = |from: usize, to: usize, text: &str| {
        shown.push_str(html.get(copied..from).unwrap_or_default());
        shown.push_str(text);
        copied = to;
    };
    let mut attribute = Vec::new();
    walk(html, |event, span| match event {
        CallbackEvent::OpenStartTag {
            name: name @ (b"a" | b"area" | b"form"),
        } => {
            let end = span.start + 1 + name.len();
            let opens = html.as_bytes().get(span.start..end);
            // Of two attributes with one name, a browser takes the first.
            if opens.is_some_and(|opens| opens[0] == b'<' && opens[1..].eq_ignore_ascii_case(name)) {
                put(end, end, " target=\"_blank\"");
            }
        }
        CallbackEvent::OpenStartTag { name: name @ b"link" } => {
            let (start, end) = (span.start + 1, span.start + 1 + name.len());
            let opens = html.as_bytes().get(start..end);
            if opens.is_some_and(|opens| opens.eq_ignore_ascii_case(name)) {
                put(start, end, "x-link");
            }
        }
        CallbackEvent::AttributeName { name } => attribute = name.to_vec(),
        CallbackEvent::AttributeValue { value } if matches!(attribute.as_slice(), b"src" | b"background") => {
            let is_verbatim = html.as_bytes().get(span.start..span.end) == Some(value);
            if let Some(image) = attached(value, images).filter(|_| is_verbatim) {
                put(span.start, span.end, &image.data_url);
            }
        }
        _ => {}
    });
    put(html.len(), html.len(), "");
    shown
}

/// Lists the links and remote images of HTML.
pub(crate) fn outside(html: &str) -> OutsideReferences {
    let mut outside = OutsideReferences::default();
    let (mut tag, mut attribute) = (Vec::new(), Vec::new());
    let mut open = None;
    walk(html, |event, _| match event {
        CallbackEvent::OpenStartTag { name } => tag = name.to_vec(),
        CallbackEvent::AttributeName { name } => attribute = name.to_vec(),
        CallbackEvent::AttributeValue { value } => match (tag.as_slice(), attribute.as_slice()) {
            (b"img", b"src") if is_remote(value) => outside.remote_images += 1,
            (b"a" | b"area", b"href") if leads_out(value) && outside.links.len() < LINKS_MAX => {
                let href = String::from_utf8_lossy(value).trim().to_owned();
                outside.links.push(Link {
                    text: String::new(),
                    href,
                });
                open = (tag == b"a").then_some(outside.links.len() - 1);
            }
            _ => {}
        },
        CallbackEvent::String { value } => {
            if let Some(index) = open {
                outside.links[index].text.push_str(&String::from_utf8_lossy(value));
            }
        }
        CallbackEvent::EndTag { name: b"a" } => open = None,
        _ => {}
    });
    for link in &mut outside.links {
        link.text = link.text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    outside
}

pub(super) fn walk(html: &str, mut see: impl FnMut(CallbackEvent<'_>, Span<usize>)) {
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, span: Span<usize>| {
        see(event, span);
        None::<Infallible>
    });
    // Otherwise the tokenizer would read the text of a script as HTML.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).for_each(drop);
}

/// Finds the attached image that `cid:…` names.
fn attached<'a>(value: &[u8], images: &'a [InlineImage]) -> Option<&'a InlineImage> {
    let value = std::str::from_utf8(value).ok()?;
    let (scheme, id) = value.trim().split_once(':')?;
    let is_named = |image: &&InlineImage| scheme.eq_ignore_ascii_case("cid") && image.content_id == id;
    images.iter().find(is_named)
}

fn begins_with(value: &[u8], schemes: &[&str]) -> bool {
    let value = value.trim_ascii_start();
    let begins = |scheme: &&str| {
        value
            .get(..scheme.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    schemes.iter().any(begins)
}

fn is_remote(value: &[u8]) -> bool {
    begins_with(value, &["http:", "https:", "//"])
}

fn leads_out(value: &[u8]) -> bool {
    begins_with(value, &["http://", "https://", "mailto:"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logo() -> [InlineImage; 1] {
        [InlineImage {
            content_id: "logo".to_owned(),
            data_url: "data:image/png;base64,AAAA".to_owned(),
        }]
    }

    #[test]
    fn puts_attached_images_in_their_places() {
        for (html, shown) in [
            (
                "<p>é<img src=\"cid:logo\" alt='x'>ü",
                "<p>é<img src=\"data:image/png;base64,AAAA\" alt='x'>ü",
            ),
            ("<IMG SRC='CID:logo'/>", "<IMG SRC='data:image/png;base64,AAAA'/>"),
            (
                "<img src=cid:logo width=1>",
                "<img src=data:image/png;base64,AAAA width=1>",
            ),
            (
                "<td background = \"cid:logo\">&amp;</td>",
                "<td background = \"data:image/png;base64,AAAA\">&amp;</td>",
            ),
            (
                "<img alt=\"cid:logo\" src=\"cid:other\">",
                "<img alt=\"cid:logo\" src=\"cid:other\">",
            ),
        ] {
            assert_eq!(for_the_frame(html, &logo()), shown);
        }
    }

    #[test]
    fn links_to_resources_mean_nothing() {
        let html = r#"<link rel=preconnect href=https://a.example><LINK/rel="dns-prefetch"><p>link <linked></link>"#;
        let shown =
            r#"<x-link rel=preconnect href=https://a.example><x-link/rel="dns-prefetch"><p>link <linked></link>"#;
        assert_eq!(for_the_frame(html, &[]), shown);
    }

    #[test]
    fn aims_links_and_forms_at_windows_that_do_not_open() {
        for (html, shown) in [
            (
                "&lt;<a href=x target=_top>t</a>",
                "&lt;<a target=\"_blank\" href=x target=_top>t</a>",
            ),
            ("<A\nHREF='x'>", "<A target=\"_blank\"\nHREF='x'>"),
            (
                "<form action=x><a/>",
                "<form target=\"_blank\" action=x><a target=\"_blank\"/>",
            ),
            ("<abbr><address></a>", "<abbr><address></a>"),
        ] {
            assert_eq!(for_the_frame(html, &[]), shown);
        }
    }

    #[test]
    fn leaves_everything_else_as_it_is() {
        for html in [
            "",
            "<!DOCTYPE html><html><head><style>a > b { color: red }</style></head><body>&nbsp;<!-- <a> --> ünï",
            "<script>document.write('<a href=x>')</script><textarea><a></textarea><title><a></title>",
            "<p",
            "<img src=\"cid:logo",
            "a < b & c",
        ] {
            assert_eq!(for_the_frame(html, &logo()), html);
        }
    }

    #[test]
    fn lists_links_with_their_texts_and_counts_remote_images() {
        let html = "<a href='https://example.com/?a=1&amp;b=2'> Reset \n <b>it</b></a><a href='javascript:alert(1)'>no</a>\
                    <a href=' mailto:a@b.example'>Mail</a><a href=#top>top</a>\
                    <img src=https://example.com/x.gif><img src='//example.com/y'><img src=cid:logo><img src=data:,>";
        let link = |text: &str, href: &str| Link {
            text: text.to_owned(),
            href: href.to_owned(),
        };
        assert_eq!(
            outside(html),
            OutsideReferences {
                links: vec![
                    link("Reset it", "https://example.com/?a=1&b=2"),
                    link("Mail", "mailto:a@b.example")
                ],
                remote_images: 2,
            }
        );
    }

    #[test]
    fn lists_no_more_links_than_a_person_reads() {
        let html = "<a href=https://example.com>x</a>".repeat(LINKS_MAX + 1);
        assert_eq!(outside(&html).links.len(), LINKS_MAX);
    }
}
