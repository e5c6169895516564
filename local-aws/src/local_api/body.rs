//! Why a body or a query of `/_local/` cannot be read, in words for the person who wrote it.

use axum::extract::rejection::QueryRejection;
use serde_json::error::Category;

/// Says what is wrong with a body.
pub(super) fn unreadable(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof if error.line() <= 1 && error.column() == 0 => "the body is empty: send JSON".to_owned(),
        Category::Eof => "the body is not JSON: it ends too early".to_owned(),
        Category::Syntax | Category::Io => format!("the body is not JSON: look at {place}"),
        Category::Data => {
            let text = error.to_string();
            let (text, is_placed) = match text.rsplit_once(" at line ") {
                Some((text, _)) => (text, true),
                None => (text.as_str(), false),
            };
            match reworded(text) {
                Some(text) if is_placed => format!("{text} ({place})"),
                Some(text) => text,
                // A check of our own speaks for itself.
                None => text.to_owned(),
            }
        }
    }
}

/// Says what is wrong with a query.
pub(super) fn unreadable_query(error: &QueryRejection) -> String {
    let text = error.body_text();
    let (_, text) = text.split_once(": ").unwrap_or(("", &text));
    let unknown = text.split_once("unknown field ");
    if let Some((name, known)) = unknown.and_then(|(_, unknown)| expectation(unknown)) {
        return format!("there is no parameter {name}; the parameters are {}", listed(known));
    }
    match text.split_once(": ") {
        Some((name, _)) => format!("the parameter `{name}` has a value that cannot be read"),
        None => "the query cannot be read".to_owned(),
    }
}

/// Rewords a fault that the parser found in a value; `None` if the text is not the parser's.
fn reworded(text: &str) -> Option<String> {
    if let Some(name) = text.strip_prefix("missing field ") {
        return Some(format!("the field {name} is missing"));
    }
    if let Some(name) = text.strip_prefix("duplicate field ") {
        return Some(format!("the field {name} is there twice"));
    }
    if let Some((name, known)) = text.strip_prefix("unknown field ").and_then(expectation) {
        return Some(format!("there is no field {name}; the fields are {}", listed(known)));
    }
    if let Some((name, known)) = text.strip_prefix("unknown variant ").and_then(expectation) {
        return Some(format!("{name} is no value here; the values are {}", listed(known)));
    }
    let wrong = ["invalid type: ", "invalid value: "];
    let wrong = wrong.iter().find_map(|prefix| text.strip_prefix(prefix));
    if let Some((found, wanted)) = wrong.and_then(expectation) {
        return Some(format!("there is {}, and there must be {}", value(found), kind(wanted)));
    }
    None
}

fn expectation(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once(", expected ")
}

/// Returns a list of names, each in backquotes, with commas.
fn listed(known: &str) -> String {
    let names: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        names => format!("`{}`", names.join("`, `")),
    }
}

/// Returns the value that was found, without the parser's name of its type.
fn value(found: &str) -> &str {
    match found {
        "map" => "an object",
        "sequence" => "an array",
        found => {
            let kinds = ["string ", "integer ", "floating point ", "boolean "];
            let shown = kinds.iter().find_map(|kind| found.strip_prefix(kind));
            shown.unwrap_or(found)
        }
    }
}

/// Returns the kind of a value that is wanted.
fn kind(wanted: &str) -> &str {
    match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" => "a text",
        "a map" | "a JSON object" => "an object",
        wanted if wanted.starts_with("struct ") => "an object",
        wanted => wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::fault::Fault;
    use crate::services::ses::{AccountPatch, IdentityPatch};

    fn told<T: for<'a> Deserialize<'a>>(body: &str) -> String {
        unreadable(&serde_json::from_str::<T>(body).err().unwrap())
    }

    #[test]
    fn says_what_is_wrong_with_a_query() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Asked {
            #[expect(dead_code, reason = "only read")]
            copies: usize,
        }
        for (query, wanted) in [
            ("copy=1", "there is no parameter `copy`; the parameters are `copies`"),
            ("copies=x", "the parameter `copies` has a value that cannot be read"),
        ] {
            let uri = format!("http://x/?{query}").parse().unwrap();
            let error = axum::extract::Query::<Asked>::try_from_uri(&uri).unwrap_err();
            assert_eq!(unreadable_query(&error), wanted);
        }
    }

    #[test]
    fn says_what_is_wrong_in_plain_words() {
        for (told, wanted) in [
            (told::<AccountPatch>(""), "the body is empty: send JSON"),
            (told::<AccountPatch>("{"), "the body is not JSON: it ends too early"),
            (
                told::<AccountPatch>("{a"),
                "the body is not JSON: look at line 1, column 2",
            ),
            (
                told::<AccountPatch>(r#"{"max_send_rate": "fast"}"#),
                "there is \"fast\", and there must be a number (line 1, column 24)",
            ),
            (
                told::<AccountPatch>(r#"{"sending_enabled": 1}"#),
                "there is `1`, and there must be `true` or `false` (line 1, column 21)",
            ),
            (
                told::<IdentityPatch>(r#"{"dkims": "SUCCESS"}"#),
                "there is no field `dkims`; the fields are `verified`, `dkim`, `mail_from` (line 1, column 8)",
            ),
            (
                told::<IdentityPatch>(r#"{"mail_from": {"domain": "bounce.example.com"}}"#),
                "the field `status` is missing (line 1, column 46)",
            ),
            (
                told::<IdentityPatch>(r#"{"dkim": "FINE"}"#),
                "`FINE` is no value here; the values are `NOT_STARTED`, `PENDING`, `SUCCESS`, `TEMPORARY_FAILURE`, \
                 `FAILED` (line 1, column 15)",
            ),
            (
                told::<Fault>("{}"),
                "the field `operation` is missing (line 1, column 2)",
            ),
            (
                told::<Fault>(r#"{"operation": "SendEmail", "times": 1, "for_ms": 1}"#),
                "set `times` or `for_ms`, not both",
            ),
        ] {
            assert_eq!(told, wanted);
        }
    }
}
