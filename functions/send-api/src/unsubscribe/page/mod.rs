//! The page that a person sees who follows the unsubscribe link of a mail.
//!
//! | module | concept |
//! |---|---|
//! | `language` | the languages of the page, and the choice of one by `Accept-Language` |
//! | `words` | the sentences, in each language |
//! | `content` | what the page says and offers in each state |
//! | `html` | writes HTML, and escapes names |
//!
//! The page has no script, no cookie and nothing from elsewhere: its policy forbids them. It has neither an address nor
//! the token: a browser posts its form to the page's own URL. So the page of one address is like that of any other.

mod content;
mod html;
mod language;
#[cfg(test)]
mod tests;
mod words;

use domain::unsubscribe::Topic;

use content::Content;
use html::{Html, Names};
pub(super) use language::Language;

/// The content security policy of the page. It allows the page's own style, by its hash, and its form.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'sha256-2PDe/HRNd5+3IPQgniHY+oYmfyoqysRSJnBxm0xY6LI='; form-action 'self'; \
                                 base-uri 'none'; frame-ancestors 'none'";

/// The beginning of the page, from the language to the title.
const HEAD: &str = "\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>";
/// The style. The policy has its hash.
const STYLE: &str = include_str!("page.css");
/// The room for a page, so that writing one allocates once.
const CAPACITY: usize = 4 * 1024;

/// What the page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UnsubscribePage {
    /// Asks whether to leave the topic.
    Ask {
        /// The topic.
        topic: Topic,
    },
    /// The person has left the topic.
    Left {
        /// The topic.
        topic: Topic,
    },
    /// The person has come back to the topic.
    CameBack {
        /// The topic.
        topic: Topic,
    },
    /// The person wants to come back, and there is no room for the choice.
    CannotComeBack {
        /// The topic.
        topic: Topic,
    },
    /// The request has no choice. The page asks again.
    WrongRequest {
        /// The topic.
        topic: Topic,
    },
    /// The link is wrong. The page does not say in which way.
    WrongLink,
    /// A store is down, and nothing was written. The person should try again.
    Unavailable,
    /// The choice may or may not have been recorded. The person should try again.
    Unknown,
}

impl UnsubscribePage {
    /// Returns the status of the answer.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Ask { .. } | Self::Left { .. } | Self::CameBack { .. } => 200,
            Self::CannotComeBack { .. } => 409,
            Self::WrongRequest { .. } => 400,
            Self::WrongLink => 404,
            Self::Unavailable | Self::Unknown => 503,
        }
    }
}

/// Returns the page as HTML. It names the sender of the mail, if the stack has a name for it.
pub(super) fn render(page: &UnsubscribePage, sender: Option<&str>, language: Language) -> String {
    let words = language.words();
    let content = Content::of(page, words);
    let names = Names {
        topic: content.topic.map_or("", Topic::as_str),
        sender,
        around_sender: words.around_sender,
    };
    let message = content.message;
    let mut html = Html::with_capacity(CAPACITY);
    html.raw("<!doctype html>\n<html lang=\"")
        .raw(language.tag())
        .raw(HEAD)
        .sentence(message.heading, &names)
        .raw("</title>\n<style>")
        .raw(STYLE)
        .raw("</style>\n</head>\n<body>\n<main>\n")
        .raw("<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path d=\"")
        .raw(content.icon)
        .raw("\"/></svg>\n<h1>")
        .sentence(message.heading, &names)
        .raw("</h1>\n<p")
        .raw(if content.is_result { " role=\"status\">" } else { ">" })
        .sentence(message.lead, &names)
        .raw("</p>\n");
    if !message.note.is_empty() {
        html.raw("<p class=\"quiet\">")
            .sentence(message.note, &names)
            .raw("</p>\n");
    }
    if let Some(form) = content.form {
        form.write(&mut html);
    }
    html.raw("</main>\n</body>\n</html>\n");
    html.finish()
}
