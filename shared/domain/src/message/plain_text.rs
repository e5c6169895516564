//! Makes the plain-text body of an email from its HTML body, for mail programs that show no HTML.
//!
//! It reads the tokens of the HTML in one pass and builds no tree. So nesting uses no stack, and the work grows only
//! with the length of the HTML. It leaves out everything that a browser does not show, such as styles, scripts,
//! comments and hidden elements. Blocks and table rows become lines. A link becomes its text, then its address in
//! brackets.

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

/// The longest HTML that Okite makes a text from, in bytes. Mail programs cut off far shorter HTML.
pub(super) const HTML_MAX: usize = 1_000_000;

/// Makes the text of `html`. Returns `None` if the text is empty, or if the HTML is longer than [`HTML_MAX`].
pub(super) fn plain_text(html: &str) -> Option<String> {
    if html.len() > HTML_MAX {
        return None;
    }
    let mut page = Page::default();
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| {
        page.see(&event);
        None::<Infallible>
    });
    // Without this, the tokenizer would read the text of a script as HTML.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).for_each(drop);
    page.close_link();
    page.text.truncate(page.text.trim_end().len());
    Some(page.text).filter(|text| !text.is_empty())
}

/// The separation between two pieces of text. Where two meet, the greater applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
    BlankLine,
}

/// The start tag that the tokenizer is reading.
#[derive(Debug, Default)]
struct Tag {
    name: String,
    /// The attribute that the next value belongs to.
    attribute: String,
    href: String,
    alt: String,
    is_hidden: bool,
}

/// The link that is open.
#[derive(Debug)]
struct Link {
    href: String,
    /// The byte index at which its text begins.
    start: usize,
}

/// A hidden element, and the number of open elements of its name.
#[derive(Debug)]
struct Hidden {
    name: String,
    open: usize,
}

/// The text so far, and the state that the next token needs.
#[derive(Debug, Default)]
struct Page {
    text: String,
    gap: Gap,
    /// The bullet or number of a list item that has no text yet.
    mark: String,
    tag: Tag,
    link: Option<Link>,
    hidden: Option<Hidden>,
    preformatted: usize,
    /// The open lists, each with the number of its last item if it is an ordered list.
    lists: Vec<Option<u32>>,
}

impl Page {
    fn see(&mut self, event: &CallbackEvent<'_>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match *event {
            CallbackEvent::OpenStartTag { name } => {
                let name = text(name);
                self.tag = Tag {
                    is_hidden: never_shown(&name),
                    name,
                    ..Tag::default()
                };
            }
            CallbackEvent::AttributeName { name } => {
                self.tag.attribute = text(name);
                self.tag.is_hidden |= name == b"hidden";
            }
            CallbackEvent::AttributeValue { value } => match self.tag.attribute.as_str() {
                "href" => self.tag.href = text(value),
                "alt" => self.tag.alt = text(value),
                "style" => self.tag.is_hidden |= hides(&text(value)),
                _ => {}
            },
            CallbackEvent::CloseStartTag { .. } => {
                let tag = std::mem::take(&mut self.tag);
                self.start(tag);
            }
            CallbackEvent::EndTag { name } => self.end(&text(name)),
            CallbackEvent::String { value } if self.hidden.is_none() => self.read(&String::from_utf8_lossy(value)),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag) {
        if let Some(hidden) = &mut self.hidden {
            if hidden.name != tag.name {
                return;
            }
            if !ends_by_itself(&tag.name) {
                hidden.open += 1;
                return;
            }
            self.hidden = None;
        }
        if tag.is_hidden {
            if !is_void(&tag.name) {
                self.hidden = Some(Hidden {
                    name: tag.name,
                    open: 1,
                });
            }
            return;
        }
        self.separate(gap_around(&tag.name));
        match tag.name.as_str() {
            "a" => {
                self.close_link();
                self.link = address_of(&tag.href).map(|href| Link {
                    href,
                    start: self.text.len(),
                });
            }
            "br" => self.break_line(),
            "hr" => {
                self.read("---");
                self.separate(Gap::BlankLine);
            }
            "img" => self.read(&tag.alt),
            "li" => {
                self.mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number = number.saturating_add(1);
                        format!("{number}. ")
                    }
                    _ => "- ".to_owned(),
                };
            }
            "ol" => self.lists.push(Some(0)),
            "ul" => self.lists.push(None),
            "pre" => self.preformatted += 1,
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if let Some(hidden) = &mut self.hidden {
            if hidden.name == name {
                hidden.open -= 1;
                if hidden.open == 0 {
                    self.hidden = None;
                }
            }
            return;
        }
        match name {
            "a" => self.close_link(),
            "li" => self.mark.clear(),
            "ol" | "ul" => {
                self.lists.pop();
            }
            "pre" => self.preformatted = self.preformatted.saturating_sub(1),
            _ => {}
        }
        self.separate(gap_around(name));
    }

    fn separate(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// Breaks the line. A second break in a row makes a blank line.
    fn break_line(&mut self) {
        self.gap = if self.gap >= Gap::Line {
            Gap::BlankLine
        } else {
            Gap::Line
        };
    }

    /// Appends visible text and collapses its white space, except in preformatted text.
    fn read(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\n' | '\t' | ' ' if self.preformatted > 0 => self.text.push(c),
                '\n' | '\t' | '\r' | '\x0c' | ' ' | '\u{a0}' => self.separate(Gap::Space),
                c if c.is_control() => {}
                c => self.write(c),
            }
        }
    }

    fn write(&mut self, c: char) {
        let gap = std::mem::take(&mut self.gap);
        if gap >= Gap::Line || self.text.is_empty() {
            let length = self.text.trim_end().len();
            self.text.truncate(length);
        }
        if !self.text.is_empty() {
            self.text.push_str(match gap {
                Gap::None => "",
                Gap::Space => " ",
                Gap::Line => "\n",
                Gap::BlankLine => "\n\n",
            });
        }
        self.text.push_str(&self.mark);
        self.mark.clear();
        self.text.push(c);
    }

    /// Appends the address of the link, unless the text of the link is already the address.
    fn close_link(&mut self) {
        let Some(Link { href, start }) = self.link.take() else {
            return;
        };
        let text = self.text.get(start..).unwrap_or_default().trim();
        if text.is_empty() {
            self.read(&href);
        } else if text != href && Some(text) != shortened(&href) {
            self.separate(Gap::Space);
            self.read(&format!("({href})"));
        }
    }
}

/// Returns whether the content of the element is never part of the text.
fn never_shown(name: &str) -> bool {
    matches!(
        name,
        "script"
            | "style"
            | "title"
            | "template"
            | "iframe"
            | "noscript"
            | "noembed"
            | "noframe"
            | "textarea"
            | "select"
    )
}

/// Returns whether the element has no content and no end tag.
fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area" | "base" | "br" | "col" | "embed" | "hr" | "img" | "input" | "link" | "meta" | "source" | "wbr"
    )
}

/// Returns whether the next element of the same name ends this one. The end tag of these elements is optional.
fn ends_by_itself(name: &str) -> bool {
    matches!(name, "p" | "li" | "dt" | "dd" | "a")
}

/// Returns whether a `style` attribute hides its element.
fn hides(style: &str) -> bool {
    let style: String = style.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    style.to_ascii_lowercase().split(';').any(|rule| {
        let (property, value) = rule.split_once(':').unwrap_or_default();
        matches!(
            (property, value.trim_end_matches("!important")),
            ("display", "none") | ("visibility", "hidden")
        )
    })
}

/// Returns the separation between an element and the text before and after it.
fn gap_around(name: &str) -> Gap {
    match name {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "dl" | "table" | "blockquote" | "pre" | "hr" => {
            Gap::BlankLine
        }
        "div" | "li" | "dt" | "dd" | "tr" | "body" | "header" | "footer" | "main" | "section" | "article" | "aside"
        | "nav" | "address" | "center" | "figure" | "figcaption" | "caption" | "form" | "fieldset" => Gap::Line,
        "td" | "th" => Gap::Space,
        _ => Gap::None,
    }
}

/// Returns the address of a link, if the reader can use it outside the mail.
fn address_of(href: &str) -> Option<String> {
    let href: String = href.trim().chars().filter(|c| !c.is_control()).collect();
    let (scheme, _) = href.split_once(':')?;
    ["http", "https", "mailto", "tel", "sms"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
        .then_some(href)
}

/// Returns the address without its scheme and without a slash at its end.
fn shortened(href: &str) -> Option<&str> {
    let (_, rest) = href.split_once(':')?;
    let rest = rest.trim_start_matches("//");
    Some(rest.strip_suffix('/').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn reads(html: &str, text: &str) {
        assert_eq!(plain_text(html).as_deref(), Some(text), "{html}");
    }

    #[test]
    fn blocks_become_lines_and_blank_lines_separate_paragraphs() {
        reads(
            "<p>One\n  two</p><p>Three<br>four<br><br>five",
            "One two\n\nThree\nfour\n\nfive",
        );
        reads("<h1>Title</h1>Text<div>a</div><div>b</div>", "Title\n\nText\na\nb");
        reads("a&nbsp;<b>b</b>c <i> d</i><hr>e", "a bc d\n\n---\n\ne");
    }

    #[test]
    fn list_items_have_bullets_or_numbers() {
        reads(
            "<ul><li>One<li><p>Two</p></li><li></li></ul><ol><li>First</li><li>Second<ul><li>in it</ol>end",
            "- One\n\n- Two\n\n1. First\n2. Second\n\n- in it\n\nend",
        );
    }

    #[test]
    fn a_link_keeps_its_address_unless_its_text_is_the_address() {
        for (html, text) in [
            (
                "<a href='https://example.com/a?x=1&amp;y=2'>Read</a>.",
                "Read (https://example.com/a?x=1&y=2).",
            ),
            ("<a href='https://example.com/'>example.com</a>", "example.com"),
            ("<a href='mailto:a@example.com'>a@example.com</a>", "a@example.com"),
            ("<a href='https://example.com'><img src=x></a>", "https://example.com"),
            (
                "<a href='https://example.com'><img alt=Logo></a>",
                "Logo (https://example.com)",
            ),
            (
                "<a href='#top'>Up</a> <a href='javascript:x()'>Do</a> <a>no</a>",
                "Up Do no",
            ),
            (
                "<a href='https://a.example'>A<a href='https://b.example'>B",
                "A (https://a.example)B (https://b.example)",
            ),
        ] {
            reads(html, text);
        }
    }

    #[test]
    fn leaves_out_hidden_content() {
        for html in [
            "<style>p{}</style>x<script>'<p>y</p>'</script>",
            "<head><title>y</title><meta name=y><body>x",
            "x<!-- y --><!--[if mso]><table><tr><td>y</td></tr></table><![endif]-->",
            "<div style='Display : NONE !important; max-height:0'>y<div>y</div>y</div>x",
            "<p hidden>y<p>x",
            "<span style=\"color:red;visibility:hidden\">y</span>x<input hidden>",
            "x\u{7}&#x1b;",
        ] {
            reads(html, "x");
        }
        for html in [
            "",
            " &nbsp; ",
            "<img src=x>",
            "<style>x",
            "<div hidden>x",
            "<ul><li></li></ul>",
            "<p",
        ] {
            assert_eq!(plain_text(html), None, "{html}");
        }
    }

    #[test]
    fn preformatted_text_keeps_its_spaces() {
        reads("a<pre>  x   y\n\tz\n\n</pre>b  c", "a\n\nx   y\n\tz\n\nb c");
    }

    /// A typical newsletter: nested tables, a preheader, a button and comments for Outlook.
    #[test]
    fn reads_a_newsletter() {
        let html = r#"<!DOCTYPE html><html><head><meta charset="utf-8"><title>Acme</title>
            <style>@media only screen { .c { width: 100% !important } }</style></head>
            <body style="margin:0"><div style="display:none;max-height:0;overflow:hidden">Preheader&nbsp;&zwnj;&nbsp;</div>
            <!--[if mso]><table width="600"><tr><td><![endif]-->
            <table role="presentation" width="100%"><tr><td align="center"><table class="c" width="600">
              <tr><td><a href="https://example.com"><img src="cid:logo" alt="Acme" width="120"></a></td></tr>
              <tr><td><h1>Spring &amp; summer</h1><p>Hello Anna,<br>two things are <strong>new</strong>:</p>
                <ul><li>Faster orders</li><li>A <a href="https://example.com/b">blog</a></li></ul></td></tr>
              <tr><td><table><tr><td bgcolor="green"><a class="button" href="https://example.com/go?a=1&amp;b=2"
                style="display:inline-block">See it now</a></td></tr></table></td></tr>
              <tr><td>Total</td><td align="right">12&nbsp;€</td></tr>
              <tr><td style="font-size:12px"><a href="https://example.com/u">Unsubscribe</a> · Acme, Main St. 1</td></tr>
            </table></td></tr></table><!--[if mso]></td></tr></table><![endif]--></body></html>"#;
        let text = "Acme (https://example.com)\n\nSpring & summer\n\nHello Anna,\ntwo things are new:\n\n- Faster orders\n\
                    - A blog (https://example.com/b)\n\nSee it now (https://example.com/go?a=1&b=2)\n\nTotal 12 €\n\
                    Unsubscribe (https://example.com/u) · Acme, Main St. 1";
        reads(html, text);
    }

    #[test]
    fn reads_hostile_html_to_its_end() {
        let times = |text: &str, n: usize| text.repeat(n);
        for html in [
            times("<div>", 100_000),
            times("<ul><li>", 100_000),
            times("<table><tr><td>", 60_000),
            times("<b><p>", 150_000),
            times("</div>", 150_000),
            times("</ul></pre></a>", 60_000),
            times("<a href=https://example.com>", 30_000),
            times("<div hidden>", 80_000) + &times("</div>", 1),
            times("<", 1_000_000),
            times("&", 1_000_000),
            times("&amp", 250_000),
            times("&#99999999999;", 70_000),
            times("<a ", 300_000),
            format!(
                "<a {}>",
                (0..100_000).map(|n| n.to_string()).collect::<Vec<_>>().join(" a")
            ),
            times("<pre>\n", 150_000),
            times("<!--", 200_000),
            times("<script>", 100_000),
        ] {
            // HTML of tags alone yields no text, or its own links and bullets: at most twice its length.
            let length = plain_text(&html).map_or(0, |text| text.len());
            assert!(length <= 2 * html.len(), "{length} bytes out of {html:.20}");
        }
        let deep = times("<div>", 100_000) + "x";
        assert_eq!(plain_text(&deep).as_deref(), Some("x"));
    }

    #[test]
    fn html_that_is_too_long_has_no_text() {
        assert!(plain_text(&"x".repeat(HTML_MAX)).is_some());
        assert_eq!(plain_text(&"x".repeat(HTML_MAX + 1)), None);
    }

    proptest! {
        #[test]
        fn any_html_becomes_tidy_lines_without_a_panic(
            html in "(<(/?(a|p|li|ul|ol|pre|div|td|br|script|style)|a href=https://x\\.y|div hidden|img alt=z)>|[a-c ]|\\n|&lt;|&|<|\\PC){0,60}",
        ) {
            if let Some(text) = plain_text(&html) {
                prop_assert!(!text.trim().is_empty());
                prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
                prop_assert!(html.contains("<pre") || !text.contains("\n\n\n"), "{text:?}");
                // Other spaces are part of the text, such as U+3000 at the start of a Japanese paragraph.
                prop_assert!(!text.starts_with(|c: char| c.is_ascii_whitespace()) || html.contains("<pre"), "{text:?}");
            }
        }
    }
}
