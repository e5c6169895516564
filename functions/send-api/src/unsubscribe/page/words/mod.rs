//! The sentences of the page, in each language.
//!
//! `{topic}` stands for a topic. `{sender}` stands for the name of the sender with the language's words around it, or
//! for nothing, so a sentence must read well without it. A heading has no sender: it is the page's title too.

mod english;
mod japanese;
mod korean;

use super::Language;

/// All sentences of a language.
#[derive(Debug)]
pub(super) struct Words {
    /// The words before and behind the name of the sender.
    pub(super) around_sender: (&'static str, &'static str),
    pub(super) ask: About,
    pub(super) left: About,
    pub(super) came_back: About,
    pub(super) cannot_come_back: About,
    pub(super) wrong_link: Message,
    pub(super) unavailable: Message,
    /// The message about a choice of which nobody knows whether it was recorded.
    pub(super) unknown: Message,
    /// The sentence above the button that takes a choice back.
    pub(super) mistake: &'static str,
    /// The labels of the buttons.
    pub(super) unsubscribe: &'static str,
    pub(super) resubscribe: &'static str,
    pub(super) try_again: &'static str,
}

/// A message about a topic.
#[derive(Debug)]
pub(super) struct About {
    /// The message that names the topic.
    pub(super) named: Message,
    /// The message about mail whose sender named no topic.
    pub(super) unnamed: Message,
}

/// A heading and the sentences below it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) heading: &'static str,
    pub(super) lead: &'static str,
    /// A further sentence, in quieter letters; empty if there is none.
    pub(super) note: &'static str,
}

impl Language {
    /// Returns the sentences of the language.
    pub(super) const fn words(self) -> &'static Words {
        match self {
            Self::English => &english::WORDS,
            Self::Japanese => &japanese::WORDS,
            Self::Korean => &korean::WORDS,
        }
    }
}
