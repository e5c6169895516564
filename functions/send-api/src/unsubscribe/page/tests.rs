//! What every page has in common, in each state and language.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

const LANGUAGES: [Language; 3] = [Language::English, Language::Japanese, Language::Korean];

fn states(topic: &str) -> [UnsubscribePage; 8] {
    let topic = || Topic::parse(topic).unwrap();
    [
        UnsubscribePage::Ask { topic: topic() },
        UnsubscribePage::WrongRequest { topic: topic() },
        UnsubscribePage::Left { topic: topic() },
        UnsubscribePage::CameBack { topic: topic() },
        UnsubscribePage::CannotComeBack { topic: topic() },
        UnsubscribePage::WrongLink,
        UnsubscribePage::Unavailable,
        UnsubscribePage::Unknown,
    ]
}

/// Every page about a topic, with its state and language.
fn pages(topic: &str, sender: Option<&str>) -> Vec<(UnsubscribePage, Language, String)> {
    let in_each_language =
        |page: UnsubscribePage| LANGUAGES.map(|language| (page.clone(), language, render(&page, sender, language)));
    states(topic).into_iter().flat_map(in_each_language).collect()
}

fn ask(topic: &str, sender: Option<&str>, language: Language) -> String {
    let topic = Topic::parse(topic).unwrap();
    render(&UnsubscribePage::Ask { topic }, sender, language)
}

/// Returns the text between two markers, of which each must be there once.
fn between<'a>(html: &'a str, start: &str, end: &str) -> &'a str {
    assert_eq!(html.matches(start).count(), 1, "{start} in {html}");
    let (_, rest) = html.split_once(start).unwrap();
    rest.split_once(end).unwrap().0
}

#[test]
fn the_policy_allows_the_style_of_every_page_and_its_form() {
    for (page, _, html) in pages("weekly-news", Some("Pinewood")) {
        let style = between(&html, "<style>", "</style>");
        let hash = STANDARD.encode(Sha256::digest(style));
        let expected = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        assert_eq!(POLICY, expected, "{page:?}");
    }
}

#[test]
fn a_page_needs_nothing_that_the_policy_forbids() {
    const ELEMENTS: [&str; 15] = [
        "!doctype", "html", "head", "meta", "title", "style", "body", "main", "svg", "path", "h1", "p", "bdi", "form",
        "button",
    ];
    for (page, _, html) in pages("weekly-news", Some("Pinewood")) {
        for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
            let element = tag.trim_start_matches('/').split(' ').next().unwrap();
            assert!(ELEMENTS.contains(&element), "<{tag}> in {page:?}");
            for attribute in [" style=", " on", " src", " href", " action", " target"] {
                assert!(!tag.contains(attribute), "<{tag}> in {page:?}");
            }
        }
        for forbidden in ["url(", "@import", "//"] {
            assert!(!html.contains(forbidden), "{forbidden} in {page:?}");
        }
    }
}

#[test]
fn a_page_is_small_and_written_in_one_allocation() {
    for (page, language, html) in pages(&"w".repeat(32), Some(&"&".repeat(64))) {
        assert_eq!(
            html.capacity(),
            CAPACITY,
            "{page:?} in {language:?} has {} bytes",
            html.len()
        );
    }
}

#[test]
fn a_page_has_one_heading_that_is_its_title_and_says_its_language() {
    for (page, language, html) in pages("weekly-news", Some("Pinewood")) {
        let heading = between(&html, "<h1>", "</h1>");
        assert_eq!(between(&html, "<title>", "</title>"), heading, "{page:?}");
        assert!(!heading.contains("Pinewood"), "{page:?}");
        assert_eq!(between(&html, "<html lang=\"", "\""), language.tag());
    }
}

#[test]
fn what_became_of_a_request_is_a_status() {
    for (page, _, html) in pages("weekly-news", None) {
        let asks = matches!(page, UnsubscribePage::Ask { .. } | UnsubscribePage::WrongRequest { .. });
        assert_eq!(
            html.matches("<p role=\"status\">").count(),
            usize::from(!asks),
            "{page:?}"
        );
    }
}

#[test]
fn a_page_has_at_most_one_button_and_it_posts_the_choice() {
    for (page, _, html) in pages("weekly-news", None) {
        let (form, button) = match page {
            UnsubscribePage::Ask { .. } | UnsubscribePage::WrongRequest { .. } | UnsubscribePage::CameBack { .. } => (
                "<form method=\"post\">",
                " name=\"List-Unsubscribe\" value=\"One-Click\">",
            ),
            UnsubscribePage::Left { .. } => ("<form method=\"post\">", " name=\"okite\" value=\"resubscribe\">"),
            UnsubscribePage::Unavailable | UnsubscribePage::Unknown => ("<form>", "<button>"),
            UnsubscribePage::CannotComeBack { .. } | UnsubscribePage::WrongLink => ("", ""),
        };
        let count = usize::from(!form.is_empty());
        assert_eq!(html.matches("<form").count(), count, "{page:?}");
        assert_eq!(html.matches("<button").count(), count, "{page:?}");
        assert!(html.contains(form) && html.contains(button), "{page:?}: {html}");
    }
}

#[test]
fn a_topic_is_shown_as_words() {
    for (topic, shown) in [
        ("weekly-news", "“weekly news”"),
        ("news", "“news”"),
        ("2026-11--sale-", "“2026 11 sale”"),
        ("-", "“-”"),
        ("---", "“---”"),
    ] {
        let html = ask(topic, None, Language::English);
        assert_eq!(between(&html, "<h1>", "</h1>"), format!("Unsubscribe from {shown}?"));
    }
    for (language, heading) in [
        (Language::Japanese, "「weekly news」の配信を停止しますか？"),
        (Language::Korean, "‘weekly news’ 메일 수신을 거부하시겠습니까?"),
    ] {
        assert_eq!(between(&ask("weekly-news", None, language), "<h1>", "</h1>"), heading);
    }
}

#[test]
fn the_topic_that_nobody_named_is_not_shown() {
    for (page, _, html) in pages(Topic::DEFAULT, Some("Pinewood")) {
        for quoted in ["“", "「", "‘"] {
            assert!(!html.contains(quoted), "{page:?}: {html}");
        }
    }
    let html = ask(Topic::DEFAULT, None, Language::English);
    assert_eq!(between(&html, "<h1>", "</h1>"), "Unsubscribe from these emails?");
}

#[test]
fn a_sentence_reads_well_with_and_without_a_sender() {
    let lead = |language, sender| {
        let topic = Topic::parse("news").unwrap();
        let html = render(&UnsubscribePage::Left { topic }, sender, language);
        between(&html, "<p role=\"status\">", "</p>").to_owned()
    };
    for (language, with, without) in [
        (
            Language::English,
            "You will no longer receive “news” emails from <bdi>Pinewood</bdi>.",
            "You will no longer receive “news” emails.",
        ),
        (
            Language::Japanese,
            "今後、<bdi>Pinewood</bdi>からの「news」のメールは届きません。",
            "今後、「news」のメールは届きません。",
        ),
        (
            Language::Korean,
            "앞으로 <bdi>Pinewood</bdi>에서 보내는 ‘news’ 메일을 받지 않게 됩니다.",
            "앞으로 ‘news’ 메일을 받지 않게 됩니다.",
        ),
    ] {
        assert_eq!(lead(language, Some("Pinewood")), with);
        assert_eq!(lead(language, None), without);
    }
}

#[test]
fn every_placeholder_is_known_and_stands_where_it_has_a_name() {
    let placeholders = |sentence: &'static str| -> Vec<&str> {
        let parts = sentence.split('{').skip(1);
        parts.map(|part| part.split_once('}').unwrap().0).collect()
    };
    for words in LANGUAGES.map(Language::words) {
        let about = [&words.ask, &words.left, &words.came_back, &words.cannot_come_back];
        let named = about.map(|about| (&about.named, true));
        let unnamed = about.map(|about| (&about.unnamed, false));
        let others = [&words.wrong_link, &words.unavailable, &words.unknown].map(|message| (message, false));
        for (message, has_topic) in [&named[..], &unnamed[..], &others[..]].concat() {
            for sentence in [message.heading, message.lead, message.note] {
                for name in placeholders(sentence) {
                    assert!(name == "sender" || (name == "topic" && has_topic), "{sentence}");
                }
            }
            assert!(!message.heading.contains("{sender}"), "{}", message.heading);
            assert_eq!(message.lead.contains("{topic}"), has_topic, "{}", message.lead);
        }
        for label in [words.mistake, words.unsubscribe, words.resubscribe, words.try_again] {
            assert!(!label.is_empty() && !label.contains(['{', '<', '&']), "{label}");
        }
    }
}

#[test]
fn the_name_of_a_sender_is_escaped() {
    let html = ask("news", Some("<b>\"Ross\" & 'Sons'</b> {topic}"), Language::English);
    assert_eq!(
        between(&html, "<bdi>", "</bdi>"),
        "&lt;b&gt;&quot;Ross&quot; &amp; &#39;Sons&#39;&lt;/b&gt; {topic}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the sender is called, the page is what it is with any other name.
    #[test]
    fn no_name_adds_markup(sender in "\\PC{0,60}|[<>&\"'{}/a-z -]{0,60}", topic in "[a-z0-9-]{1,32}") {
        let escaped = sender.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let escaped = escaped.replace('"', "&quot;").replace('\'', "&#39;");
        let plain = pages(&topic, Some("Pinewood"));
        for ((page, _, html), (_, _, plain)) in pages(&topic, Some(&sender)).into_iter().zip(plain) {
            let renamed = plain.replace("<bdi>Pinewood</bdi>", &format!("<bdi>{escaped}</bdi>"));
            prop_assert_eq!(html, renamed, "{:?}", page);
        }
    }
}
