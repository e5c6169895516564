//! The HTML of a mail as the page shows it: in a frame where it can do nothing.
//!
//! What makes it harmless is the sandbox that it is served in and the frame is, not this module, but for one thing: a browser
//! may look names up and open connections for `<link>` (`dns-prefetch`, `preconnect`), which no policy of a page forbids. So
//! links to resources become elements that mean nothing. Else nothing is taken out; it is only made to look right: an image that is attached is put in its place, and a link aims at a window of
//! its own, which the sandbox does not open, where it would take the place of the mail otherwise. Links are listed beside
//! it, to be opened from there. One pass over the tokens, as [`html5gum`] sees them; what is not changed is copied.

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};
use serde::Serialize;

/// The most links that are listed.
const LINKS_MAX: usize = 500;

/// An image that is attached: the id by which HTML names it, and what it is as a `data:` URL.
#[derive(Clone, Debug)]
pub(crate) struct Inline {
    pub(crate) content_id: String,
    pub(crate) data_url: String,
}

/// What HTML leads to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Outside {
    /// The links to web sites and addresses, in order.
    pub(crate) links: Vec<Link>,
    /// How many images it would load from elsewhere.
    pub(crate) remote_images: usize,
}

/// A link.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Link {
    pub(crate) text: String,
    pub(crate) href: String,
}

/// Puts attached images in their places, and keeps links from taking the place of the mail.
pub(crate) fn for_the_frame(html: &str, images: &[Inline]) -> String {
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
            // Of two attributes of one name a browser takes the first.
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

/// Lists what HTML leads to.
pub(crate) fn outside(html: &str) -> Outside {
    let mut outside = Outside::default();
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

fn walk(html: &str, mut see: impl FnMut(CallbackEvent<'_>, Span<usize>)) {
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, span: Span<usize>| {
        see(event, span);
        None::<Infallible>
    });
    // Otherwise the text of a script would be read as HTML.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).for_each(drop);
}

/// The attached image that `cid:…` names.
fn attached<'a>(value: &[u8], images: &'a [Inline]) -> Option<&'a Inline> {
    let value = std::str::from_utf8(value).ok()?;
    let (scheme, id) = value.trim().split_once(':')?;
    let is_named = |image: &&Inline| scheme.eq_ignore_ascii_case("cid") && image.content_id == id;
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

    fn logo() -> [Inline; 1] {
        [Inline {
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
            Outside {
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
