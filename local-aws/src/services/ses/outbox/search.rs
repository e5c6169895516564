//! What a person types to find mails: words, phrases in quotes, and filters such as `state:bounced`.
//!
//! A mail is found if every term matches it. Upper and lower case are the same. A backslash in quotes takes the meaning
//! of the character behind it: `"the \"new\" one"`.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::state::MailState;

/// The longest search, in characters.
const LENGTH_MAX: usize = 1_000;
const FILTERS: &str = "`from:`, `to:`, `subject:`, `tag:`, `state:`, `has:`, `is:`, `before:` and `after:`";

/// The terms of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Search(Vec<Term>);

/// One term of a search. Texts are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Text(String),
    From(String),
    To(String),
    Subject(String),
    Tag(String),
    State(MailState),
    HasAttachment,
    IsRead(bool),
    Before(Timestamp),
    /// At this time or later.
    After(Timestamp),
}

/// Why a search cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SearchError {
    #[error("the search is too long: {LENGTH_MAX} characters are allowed")]
    TooLong,
    #[error("a quotation mark is open: close it, or write \\\" for the character")]
    OpenQuote,
    #[error("there is no filter `{0}:`; the filters are {FILTERS}; put quotes around a text with a colon")]
    UnknownFilter(String),
    #[error("the filter `{0}:` has no value: put one behind the colon, without a space")]
    NoValue(String),
    #[error("`{0}:` has no value {value:?}; it takes {values}", value = .1, values = .2)]
    UnknownValue(&'static str, String, String),
    #[error("{1:?} in `{0}:` is no date: write a day, such as 2026-11-28, or a time, such as 2026-11-28T17:30:00Z")]
    WrongDate(&'static str, String),
}

/// The texts of a mail in which a search looks, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SearchedTexts {
    pub(crate) from: String,
    /// All recipients.
    pub(crate) to: String,
    pub(crate) subject: String,
    /// Each tag as `name:value`.
    pub(crate) tags: Vec<String>,
    /// The ids and the beginning of the text.
    pub(crate) rest: String,
}

/// A mail that a search looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SearchedMail<'a> {
    pub(crate) texts: &'a SearchedTexts,
    pub(crate) state: MailState,
    pub(crate) is_read: bool,
    pub(crate) has_attachment: bool,
    pub(crate) at: Timestamp,
}

impl Search {
    /// Reads what a person typed.
    pub(crate) fn parse(typed: &str) -> Result<Self, SearchError> {
        if typed.chars().count() > LENGTH_MAX {
            return Err(SearchError::TooLong);
        }
        let mut terms = Vec::new();
        let mut rest = typed.trim_start();
        while !rest.is_empty() {
            let (key, behind) = key(rest);
            let (value, behind) = value(behind)?;
            rest = behind.trim_start();
            terms.push(match key {
                None if value.is_empty() => continue,
                None => Term::Text(value.to_lowercase()),
                Some(key) if value.is_empty() => return Err(SearchError::NoValue(key.to_owned())),
                Some(key) => Term::of(key, &value)?,
            });
        }
        Ok(Self(terms))
    }

    /// Returns whether every mail matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, mail: SearchedMail<'_>) -> bool {
        self.0.iter().all(|term| term.matches(mail))
    }
}

/// Splits a filter's name and its colon off; nothing if the text begins with none.
fn key(text: &str) -> (Option<&str>, &str) {
    match text.split_once(':') {
        Some((key, rest)) if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') => {
            (Some(key), rest)
        }
        _ => (None, text),
    }
}

/// Splits a value off, which ends at a space or with its closing quote.
fn value(text: &str) -> Result<(String, &str), SearchError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        return Ok((value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => return Ok((value, chars.as_str())),
            '\\' => value.push(chars.next().ok_or(SearchError::OpenQuote)?),
            other => value.push(other),
        }
    }
    Err(SearchError::OpenQuote)
}

impl Term {
    fn of(key: &str, value: &str) -> Result<Self, SearchError> {
        let text = value.to_lowercase();
        let unknown =
            |key: &'static str, values: &str| SearchError::UnknownValue(key, value.to_owned(), values.to_owned());
        Ok(match key.to_ascii_lowercase().as_str() {
            "from" => Self::From(text),
            "to" => Self::To(text),
            "subject" => Self::Subject(text),
            "tag" => Self::Tag(text),
            "state" => {
                let named = MailState::ALL.into_iter().find(|state| state.name() == text);
                Self::State(named.ok_or_else(|| {
                    let known: Vec<String> = MailState::ALL
                        .iter()
                        .map(|state| format!("`{}`", state.name()))
                        .collect();
                    unknown("state", &known.join(", "))
                })?)
            }
            "has" if text == "attachment" => Self::HasAttachment,
            "has" => return Err(unknown("has", "`attachment`")),
            "is" if text == "unread" => Self::IsRead(false),
            "is" if text == "read" => Self::IsRead(true),
            "is" => return Err(unknown("is", "`read` and `unread`")),
            "before" => Self::Before(time("before", value)?),
            "after" => Self::After(time("after", value)?),
            _ => return Err(SearchError::UnknownFilter(key.to_owned())),
        })
    }

    fn matches(&self, mail: SearchedMail<'_>) -> bool {
        let texts = mail.texts;
        match self {
            Self::Text(text) => {
                let has = |each: &String| each.contains(text.as_str());
                let fields = [&texts.subject, &texts.to, &texts.from, &texts.rest];
                fields.into_iter().chain(&texts.tags).any(has)
            }
            Self::From(text) => texts.from.contains(text.as_str()),
            Self::To(text) => texts.to.contains(text.as_str()),
            Self::Subject(text) => texts.subject.contains(text.as_str()),
            Self::Tag(text) => texts.tags.iter().any(|tag| match tag.strip_prefix(text.as_str()) {
                // A name, or a name with its value.
                Some(rest) => rest.is_empty() || rest.starts_with(':'),
                None => false,
            }),
            Self::State(state) => mail.state == *state,
            Self::HasAttachment => mail.has_attachment,
            Self::IsRead(is_read) => mail.is_read == *is_read,
            Self::Before(time) => mail.at < *time,
            Self::After(time) => mail.at >= *time,
        }
    }
}

/// Reads a time, or the beginning of a day in UTC.
fn time(key: &'static str, value: &str) -> Result<Timestamp, SearchError> {
    let wrong = || SearchError::WrongDate(key, value.to_owned());
    // A date with anything behind it is a time with its offset, or nothing.
    if value.len() == "2026-11-28".len() {
        let date: Date = value.parse().map_err(|_| wrong())?;
        let zoned = date.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
        return Ok(zoned.timestamp());
    }
    let time: Timestamp = value.parse().map_err(|_| wrong())?;
    // The edge of what can be written is of no use.
    time.checked_add(SignedDuration::ZERO).map_err(|_| wrong())
}

/// Writes a search as it can be typed.
impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        for (index, term) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match term {
                Term::Text(text) => f.write_str(&quoted(text))?,
                Term::From(text) => write!(f, "from:{}", quoted(text))?,
                Term::To(text) => write!(f, "to:{}", quoted(text))?,
                Term::Subject(text) => write!(f, "subject:{}", quoted(text))?,
                Term::Tag(text) => write!(f, "tag:{}", quoted(text))?,
                Term::State(state) => write!(f, "state:{}", state.name())?,
                Term::HasAttachment => f.write_str("has:attachment")?,
                Term::IsRead(true) => f.write_str("is:read")?,
                Term::IsRead(false) => f.write_str("is:unread")?,
                Term::Before(time) => write!(f, "before:{time}")?,
                Term::After(time) => write!(f, "after:{time}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn texts() -> SearchedTexts {
        SearchedTexts {
            from: "pinewood hello@example.com".to_owned(),
            to: "zoë lindqvist zoe@example.net\norders@example.org".to_owned(),
            subject: "your \"new\" order: 20-1187".to_owned(),
            tags: vec!["kind:order".to_owned(), "stream:bulk".to_owned()],
            rest: "0100-id\nthank you, zoë".to_owned(),
        }
    }

    fn finds(typed: &str) -> bool {
        Search::parse(typed).unwrap().matches(SearchedMail {
            texts: &texts(),
            state: MailState::Bounced,
            is_read: false,
            has_attachment: true,
            at: at("2026-11-28T10:00:00Z"),
        })
    }

    #[test]
    fn finds_a_mail_that_every_term_matches() {
        for typed in [
            "",
            "   ",
            "order",
            "ZOË thank",
            "\"thank you, zoë\"",
            "from:hello@EXAMPLE.com",
            "from:pinewood to:orders@",
            "subject:\"order: 20\"",
            r#"subject:"your \"new\"""#,
            "tag:kind",
            "tag:kind:order",
            "TAG:stream:BULK",
            "\"kind:order\"",
            "state:bounced is:unread has:attachment",
            "before:2026-11-29 after:2026-11-28",
            "before:2026-11-28T10:00:01Z after:2026-11-28T11:00:00+01:00",
            "0100-id",
            "\"\"",
        ] {
            assert!(finds(typed), "{typed}");
        }
        for typed in [
            "order nothing",
            "\"zoë thank\"",
            "from:zoe",
            "to:pinewood",
            "subject:thank",
            "tag:kin",
            "tag:kind:ord",
            "tag:order",
            "state:delivered",
            "is:read",
            "before:2026-11-28",
            "after:2026-11-29",
            "before:2026-11-28T10:00:00Z",
        ] {
            assert!(!finds(typed), "{typed}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (typed, part) in [
            ("sender:anna", "there is no filter `sender:`"),
            ("https://example.com", "put quotes around"),
            ("from:", "`from:` has no value"),
            ("from: anna", "`from:` has no value"),
            (
                "state:lost",
                "`state:` has no value \"lost\"; it takes `sent`, `delivered`",
            ),
            ("has:link", "it takes `attachment`"),
            ("is:new", "it takes `read` and `unread`"),
            ("before:yesterday", "\"yesterday\" in `before:` is no date"),
            ("before:2026-02-30", "is no date"),
            ("after:2026-11-28T10:00", "is no date"),
            ("\"open", "a quotation mark is open"),
            ("subject:\"open\\\"", "a quotation mark is open"),
            ("subject:\"open\\", "a quotation mark is open"),
            (&"x".repeat(LENGTH_MAX + 1), "too long"),
        ] {
            let error = Search::parse(typed).unwrap_err().to_string();
            assert!(error.contains(part), "{typed:.40}: {error}");
        }
    }

    fn typed_search() -> impl Strategy<Value = String> {
        let word = "[a-zA-ZëÉ0-9@.\\\\-]{1,6}";
        let phrase = "\"[a-zë :@.-]{0,8}\"";
        let key = prop_oneof![Just("from:"), Just("to:"), Just("SUBJECT:"), Just("tag:"), Just("")];
        let term = prop_oneof![
            (key, prop_oneof![word, phrase]).prop_map(|(key, value)| format!("{key}{value}")),
            Just("is:unread".to_owned()),
            Just("state:bounced".to_owned()),
            Just("has:attachment".to_owned()),
            Just("before:2026-11-29".to_owned()),
        ];
        proptest::collection::vec(term, 0..6).prop_map(|terms| terms.join(" "))
    }

    proptest! {
        #[test]
        fn anything_can_be_typed(typed in any::<String>()) {
            let _ = Search::parse(&typed);
        }

        #[test]
        fn a_search_reads_back_as_it_is_written(typed in prop_oneof![typed_search(), any::<String>()]) {
            if let Ok(search) = Search::parse(&typed) {
                prop_assert_eq!(Search::parse(&search.to_string()), Ok(search));
            }
        }

        #[test]
        fn a_quoted_text_is_one_term(text in "[^\u{0}]{1,20}") {
            let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(Search::parse(&quoted), Ok(Search(vec![Term::Text(text.to_lowercase())])));
        }

        #[test]
        fn another_term_never_finds_more(one in typed_search(), other in typed_search()) {
            if Search::parse(&one).is_ok() && Search::parse(&other).is_ok() && finds(&format!("{one} {other}")) {
                prop_assert!(finds(&one) && finds(&other));
            }
        }
    }
}
