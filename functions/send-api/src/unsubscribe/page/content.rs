//! What the page says and offers in each state.

use domain::unsubscribe::Topic;

use super::super::form::{COME_BACK, ONE_CLICK};
use super::UnsubscribePage;
use super::html::Html;
use super::words::{About, Message, Words};

/// The path of each icon, in a square of 24.
mod icon {
    pub(super) const ENVELOPE: &str = "M3 6h18v12H3zM3 7l9 7 9-7";
    pub(super) const TICK: &str = "M4 12.5l5.5 5.5L20 7";
    pub(super) const BROKEN_LINK: &str = "M9 8H7a4 4 0 0 0 0 8h2M15 8h2a4 4 0 0 1 0 8h-2M12 3v2M12 19v2";
    pub(super) const CLOCK: &str = "M12 3a9 9 0 1 0 .01 0zM12 7v5l3.5 2";
}

/// What the page of one state says and offers.
pub(super) struct Content<'a> {
    /// The topic, if the page names it.
    pub(super) topic: Option<&'a Topic>,
    pub(super) icon: &'static str,
    pub(super) message: &'static Message,
    /// Whether the page tells the result of a request, which a screen reader reads out.
    pub(super) is_result: bool,
    pub(super) form: Option<Form>,
}

/// A form with one button.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// A sentence above the button; empty if there is none.
    above: &'static str,
    label: &'static str,
    /// The name and value that the button posts; none if it asks for the page again.
    field: Option<(&'static str, &'static str)>,
    /// Whether the button is what the page is for. Otherwise it takes a choice back.
    is_main: bool,
}

impl<'a> Content<'a> {
    pub(super) fn of(page: &'a UnsubscribePage, words: &'static Words) -> Self {
        let main = |label, field| {
            Some(Form {
                above: "",
                label,
                field,
                is_main: true,
            })
        };
        let undo = |label, field| {
            Some(Form {
                above: words.mistake,
                label,
                field: Some(field),
                is_main: false,
            })
        };
        let (icon, message, form) = match page {
            UnsubscribePage::Ask { topic } | UnsubscribePage::WrongRequest { topic } => {
                let form = main(words.unsubscribe, Some(ONE_CLICK));
                return Self {
                    is_result: false,
                    ..Self::about(topic, icon::ENVELOPE, &words.ask, form)
                };
            }
            UnsubscribePage::Left { topic } => {
                let form = undo(words.resubscribe, COME_BACK);
                return Self::about(topic, icon::TICK, &words.left, form);
            }
            UnsubscribePage::CameBack { topic } => {
                let form = undo(words.unsubscribe, ONE_CLICK);
                return Self::about(topic, icon::TICK, &words.came_back, form);
            }
            UnsubscribePage::CannotComeBack { topic } => {
                return Self::about(topic, icon::ENVELOPE, &words.cannot_come_back, None);
            }
            UnsubscribePage::WrongLink => (icon::BROKEN_LINK, &words.wrong_link, None),
            UnsubscribePage::Unavailable => (icon::CLOCK, &words.unavailable, main(words.try_again, None)),
            UnsubscribePage::Unknown => (icon::CLOCK, &words.unknown, main(words.try_again, None)),
        };
        Self {
            topic: None,
            icon,
            message,
            is_result: true,
            form,
        }
    }

    fn about(topic: &'a Topic, icon: &'static str, about: &'static About, form: Option<Form>) -> Self {
        // The topic of mail whose caller named none is a word of ours, which would tell a person nothing.
        let topic = (topic.as_str() != Topic::DEFAULT).then_some(topic);
        Self {
            topic,
            icon,
            message: if topic.is_some() { &about.named } else { &about.unnamed },
            is_result: true,
            form,
        }
    }
}

impl Form {
    /// Writes the form. It has no `action`, so a browser sends it to the URL of the page.
    pub(super) fn write(self, html: &mut Html) {
        html.raw(match self.field {
            Some(_) => "<form method=\"post\">\n",
            None => "<form>\n",
        });
        if !self.above.is_empty() {
            html.raw("<p class=\"quiet\">").raw(self.above).raw("</p>\n");
        }
        html.raw(if self.is_main {
            "<button"
        } else {
            "<button class=\"second\""
        });
        if let Some((name, value)) = self.field {
            html.raw(" name=\"").raw(name).raw("\" value=\"").raw(value).raw("\"");
        }
        html.raw(">").raw(self.label).raw("</button>\n</form>\n");
    }
}
