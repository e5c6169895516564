//! Writes HTML. Names that the page did not write itself are escaped here.

/// A document that grows.
#[derive(Debug)]
pub(super) struct Html(String);

/// The names that a sentence may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    /// The topic. `{topic}` stands for it.
    pub(super) topic: &'a str,
    /// The sender, if its name is known. `{sender}` stands for it and the words around it, or for nothing.
    pub(super) sender: Option<&'a str>,
    /// The words before and behind the sender.
    pub(super) around_sender: (&'static str, &'static str),
}

impl Html {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(String::with_capacity(capacity))
    }

    /// Writes markup as it is.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Writes a sentence, with the names in the place of `{topic}` and `{sender}`.
    pub(super) fn sentence(&mut self, sentence: &str, names: &Names<'_>) -> &mut Self {
        let mut rest = sentence;
        while let Some((before, (name, after))) = next_name(rest) {
            self.raw(before);
            match (name, names.sender) {
                ("topic", _) => self.topic(names.topic),
                (_, Some(sender)) => self.sender(sender, names.around_sender),
                (_, None) => self,
            };
            rest = after;
        }
        self.raw(rest)
    }

    /// Writes a topic as the words that it is made of: `weekly-news` reads `weekly news`.
    fn topic(&mut self, topic: &str) -> &mut Self {
        let mut words = topic.split('-').filter(|word| !word.is_empty()).peekable();
        if words.peek().is_none() {
            return self.text(topic);
        }
        while let Some(word) = words.next() {
            self.text(word);
            if words.peek().is_some() {
                self.raw(" ");
            }
        }
        self
    }

    /// Writes the name of a sender. A `bdi` keeps a name that is written from right to left from turning the sentence.
    fn sender(&mut self, sender: &str, (before, behind): (&str, &str)) -> &mut Self {
        self.raw(before).raw("<bdi>").text(sender).raw("</bdi>").raw(behind)
    }

    /// Writes a text, escaped for elements and attributes.
    fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Returns the text before the next name in braces, the name, and the text behind it.
fn next_name(sentence: &str) -> Option<(&str, (&str, &str))> {
    let (before, rest) = sentence.split_once('{')?;
    Some((before, rest.split_once('}')?))
}
