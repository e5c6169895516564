//! Writes XML. Texts are escaped here and nowhere else.

/// The namespace of version 1 of the API, which every document names.
pub(crate) const NAMESPACE: &str = "http://ses.amazonaws.com/doc/2010-12-01/";

/// A document that grows.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// Writes an element around what `content` writes.
    pub(crate) fn element(mut self, name: &str, content: impl FnOnce(Self) -> Self) -> Self {
        self.tag("<", name);
        let mut written = content(self);
        // The name of an element ends before its attributes.
        written.tag("</", name.split(' ').next().unwrap_or(name));
        written
    }

    /// Writes an element with a text.
    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        self.element(name, |mut xml| {
            text.chars().for_each(|c| xml.push(c));
            xml
        })
    }

    /// Writes something for each item.
    pub(crate) fn each<T>(self, items: &[T], write: impl FnMut(Self, &T) -> Self) -> Self {
        items.iter().fold(self, write)
    }

    /// Writes something if there is a value.
    pub(crate) fn maybe<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => write(self, value),
            None => self,
        }
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn tag(&mut self, opening: &str, name: &str) {
        self.0.extend([opening, name, ">"]);
    }

    fn push(&mut self, c: char) {
        match c {
            '&' => self.0 += "&amp;",
            '<' => self.0 += "&lt;",
            '>' => self.0 += "&gt;",
            '"' => self.0 += "&quot;",
            // Readers would turn it into a line feed.
            '\r' => self.0 += "&#13;",
            '\n' | '\t' => self.0.push(c),
            // XML 1.0 has no way to write them.
            c if c.is_ascii_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => self.0.push('\u{fffd}'),
            c => self.0.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> String {
        Xml::default().text("A", text).finish()
    }

    #[test]
    fn writes_elements_within_elements() {
        let xml = Xml::default().element("A xmlns=\"x\"", |xml| {
            let list = xml.element("L", |xml| xml.each(&["1", "2"], |xml, item| xml.text("m", item)));
            list.maybe(Some("t"), |xml, t| xml.text("N", t))
                .maybe(None::<&str>, |xml, t| xml.text("O", t))
        });
        assert_eq!(xml.finish(), "<A xmlns=\"x\"><L><m>1</m><m>2</m></L><N>t</N></A>");
    }

    #[test]
    fn escapes_what_xml_would_understand() {
        assert_eq!(text("<b>&\"]]>"), "<A>&lt;b&gt;&amp;&quot;]]&gt;</A>");
        assert_eq!(
            text("a\r\n\tb\0\u{1b}\u{ffff}"),
            "<A>a&#13;\n\tb\u{fffd}\u{fffd}\u{fffd}</A>"
        );
    }

    proptest! {
        #[test]
        fn a_text_comes_back(given in "[\\PC\r\n\t]{0,40}") {
            let written = text(&given);
            let inner = written.strip_prefix("<A>").and_then(|rest| rest.strip_suffix("</A>")).unwrap();
            prop_assert!(!inner.contains(['<', '>', '\r']));
            let read = inner.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#13;", "\r");
            prop_assert_eq!(read.replace("&amp;", "&"), given);
        }
    }
}
