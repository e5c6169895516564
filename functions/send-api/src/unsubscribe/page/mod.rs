//! The page of an unsubscribe link as HTML: no script, no file from anywhere, nothing that is kept.

mod language;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::unsubscribe::Topic;
use sha2::{Digest, Sha256};

pub(super) use language::Language;

use super::form::COME_BACK;

/// The style of the page. The policy names its hash, so no other style applies.
const STYLE: &str = include_str!("page.css");

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
    /// A store is down. The person should try again.
    Unavailable,
}

impl UnsubscribePage {
    /// Returns the status of the answer.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Ask { .. } | Self::Left { .. } | Self::CameBack { .. } => 200,
            Self::CannotComeBack { .. } => 409,
            Self::WrongRequest { .. } => 400,
            Self::WrongLink => 404,
            Self::Unavailable => 503,
        }
    }
}

/// Returns the content security policy of the page.
pub(super) fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// Returns the page as HTML.
pub(super) fn render(page: &UnsubscribePage, language: Language) -> String {
    // A topic has letters, digits and hyphens alone, so nothing needs to be escaped.
    let leave = "<form method=\"post\"><input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\
                 <button>Unsubscribe</button></form>";
    let (name, value) = COME_BACK;
    let come_back = format!(
        "<form method=\"post\"><input type=\"hidden\" name=\"{name}\" value=\"{value}\">\
         <button>Subscribe again</button></form>"
    );
    let (title, text, form) = match page {
        UnsubscribePage::Ask { topic } | UnsubscribePage::WrongRequest { topic } => (
            "Unsubscribe",
            format!("Do you want to receive no more mail about <b>{topic}</b>?"),
            leave,
        ),
        UnsubscribePage::Left { topic } => (
            "You are unsubscribed",
            format!("You will receive no more mail about <b>{topic}</b>. Mail that is on its way may still arrive."),
            come_back.as_str(),
        ),
        UnsubscribePage::CameBack { topic } => (
            "You are subscribed again",
            format!("You will receive mail about <b>{topic}</b>."),
            leave,
        ),
        UnsubscribePage::CannotComeBack { topic } => (
            "You are still unsubscribed",
            format!(
                "You have unsubscribed from so many topics that <b>{topic}</b> cannot be added again here. Please ask \
                 the sender."
            ),
            "",
        ),
        UnsubscribePage::WrongLink => (
            "This link does not work",
            "Open the link in the mail itself, or copy it in full.".to_owned(),
            "",
        ),
        UnsubscribePage::Unavailable => (
            "Please try again",
            "Your choice could not be saved. Please try again in some minutes.".to_owned(),
            "",
        ),
    };
    format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <main>\n<h1>{title}</h1>\n<p>{text}</p>\n{form}\n</main>\n</body>\n</html>\n",
        lang = language.tag(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        Topic::parse("news").unwrap()
    }

    fn pages() -> [UnsubscribePage; 7] {
        [
            UnsubscribePage::Ask { topic: topic() },
            UnsubscribePage::Left { topic: topic() },
            UnsubscribePage::CameBack { topic: topic() },
            UnsubscribePage::CannotComeBack { topic: topic() },
            UnsubscribePage::WrongRequest { topic: topic() },
            UnsubscribePage::WrongLink,
            UnsubscribePage::Unavailable,
        ]
    }

    #[test]
    fn no_page_has_a_script_or_more_than_one_button_or_asks_another_server() {
        for page in pages() {
            let html = render(&page, Language::English);
            assert!(html.matches("<button>").count() <= 1, "{page:?}");
            for forbidden in ["<script", "http://", "https://", "style=", "src=", "href="] {
                assert!(!html.contains(forbidden), "{page:?}: {forbidden}");
            }
            assert!(html.contains("<html lang=\"en\">") && html.contains("<h1>"), "{page:?}");
        }
    }

    #[test]
    fn the_buttons_say_what_the_form_reads() {
        use super::super::form::{FormChoice, choice};
        for (page, expected) in [
            (UnsubscribePage::Ask { topic: topic() }, FormChoice::Leave),
            (UnsubscribePage::Left { topic: topic() }, FormChoice::ComeBack),
            (UnsubscribePage::CameBack { topic: topic() }, FormChoice::Leave),
        ] {
            let html = render(&page, Language::English);
            let between = |begin: &str| {
                let (_, rest) = html.split_once(begin).unwrap();
                rest.split_once('"').unwrap().0.to_owned()
            };
            let body = format!("{}={}", between("type=\"hidden\" name=\""), between("value=\""));
            assert_eq!(choice(None, body.as_bytes()), Some(expected), "{page:?}");
        }
    }

    #[test]
    fn the_policy_allows_the_style_and_nothing_else() {
        let policy = policy();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
