//! Tags made from the headers `X-Tags` (a JSON array of strings) and `X-Metadata` (a JSON object).
//!
//! django-anymail can pass the tags and the metadata of a mail only in these headers. Okite sends the headers
//! unchanged. It also adds each value that SES accepts as a tag, so that SES repeats it in events. Metadata keeps its
//! names. Tags become `tag`, `tag_2`, `tag_3` and so on, because SES requires a name for each. Values that SES does
//! not accept stay in the headers only, without an error.

use serde_json::{Map, Value};

use super::{Header, Tag};

/// Makes at most `room` tags from the headers. No tag repeats a name in `given`.
pub(super) fn header_tags(headers: &[Header], given: &[Tag], room: usize) -> Vec<Tag> {
    let metadata = json(headers, "x-metadata").unwrap_or_default();
    let texts: Vec<String> = json(headers, "x-tags").unwrap_or_default();
    made_tags(metadata, &texts, given, room)
}

/// Makes at most `room` tags from metadata and the texts of tags. No tag repeats a name in `given`.
pub(super) fn made_tags(metadata: Map<String, Value>, texts: &[String], given: &[Tag], room: usize) -> Vec<Tag> {
    let mut made: Vec<Tag> = Vec::new();
    for tag in of_metadata(metadata).into_iter().chain(of_texts(texts)) {
        let is_new = |tags: &[Tag]| tags.iter().all(|other| other.name() != tag.name());
        if made.len() < room && is_new(given) && is_new(&made) {
            made.push(tag);
        }
    }
    made
}

fn of_metadata(metadata: Map<String, Value>) -> Vec<Tag> {
    let tag = |(name, value): (String, Value)| {
        let value = match value {
            Value::String(text) => text,
            plain @ (Value::Number(_) | Value::Bool(_)) => plain.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Tag::new(&name, &value).ok()
    };
    metadata.into_iter().filter_map(tag).collect()
}

fn of_texts(texts: &[String]) -> Vec<Tag> {
    let fitting = texts.iter().filter_map(|text| Tag::new("tag", text).ok());
    let numbered = |(index, tag): (usize, Tag)| match index {
        0 => Ok(tag),
        _ => Tag::new(&format!("tag_{}", index + 1), tag.value()),
    };
    fitting.enumerate().map(numbered).filter_map(Result::ok).collect()
}

fn json<T: serde::de::DeserializeOwned>(headers: &[Header], name: &str) -> Option<T> {
    let header = headers.iter().find(|header| header.name().eq_ignore_ascii_case(name))?;
    serde_json::from_str(header.text()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(headers: &[(&str, &str)], given: &[&str], room: usize) -> Vec<String> {
        let headers: Vec<Header> = headers
            .iter()
            .map(|(name, value)| Header::new(name, value).unwrap())
            .collect();
        let given: Vec<Tag> = given.iter().map(|name| Tag::new(name, "given").unwrap()).collect();
        header_tags(&headers, &given, room)
            .iter()
            .map(|tag| format!("{}={}", tag.name(), tag.value()))
            .collect()
    }

    #[test]
    fn metadata_keeps_its_names_and_tags_are_numbered() {
        let headers = [
            ("X-Metadata", r#"{"order": 17, "plan": "pro", "trial": true}"#),
            ("x-tags", r#"["welcome", "spring", "b"]"#),
        ];
        let expected = [
            "order=17",
            "plan=pro",
            "trial=true",
            "tag=welcome",
            "tag_2=spring",
            "tag_3=b",
        ];
        assert_eq!(made(&headers, &[], 47), expected);
        assert_eq!(made(&headers, &[], 4), &expected[..4]);
        assert_eq!(
            made(&headers, &["plan", "tag"], 47),
            ["order=17", "trial=true", "tag_2=spring", "tag_3=b"]
        );
    }

    #[test]
    fn a_header_that_goes_out_encoded_still_gives_its_tags() {
        assert_eq!(
            made(&[("X-Metadata", r#"{"name": "Zoë", "order": 17}"#)], &[], 47),
            ["order=17"]
        );
    }

    #[test]
    fn values_that_ses_rejects_stay_in_the_header_only() {
        let headers = [
            (
                "X-Metadata",
                r#"{"a b": "1", "c": "d e", "okite_id": "1", "n": null, "l": [], "o": {}, "r": 1.5, "f": "x@y"}"#,
            ),
            ("X-Tags", r#"["two words", "\u00fc", "", "fits"]"#),
        ];
        assert_eq!(made(&headers, &[], 47), ["tag=fits"]);
        for value in ["welcome, spring", "{}", "[1]", "[", "\"welcome\"", &"[".repeat(900)] {
            assert!(
                made(&[("X-Tags", value), ("X-Metadata", value)], &[], 47).is_empty(),
                "{value}"
            );
        }
    }

    proptest! {
        #[test]
        fn tags_of_any_headers_are_few_and_have_different_names(
            metadata in " {0,3}[!-~][ -~]{0,56}|\\{(\"[a-z ]{1,3}\":(1|\"x\"|null),){0,9}\"a\":1\\}",
            tags in " {0,3}[!-~][ -~]{0,56}|\\[(\"[a-z ]{1,3}\",){0,9}\"a\"\\]",
            room in 0_usize..9,
        ) {
            let tags = made(&[("X-Metadata", &metadata), ("X-Tags", &tags)], &["a"], room);
            let mut names: Vec<_> = tags.iter().map(|tag| tag.split('=').next().unwrap()).collect();
            prop_assert!(names.len() <= room && !names.contains(&"a"));
            names.sort_unstable();
            names.dedup();
            prop_assert_eq!(names.len(), tags.len());
        }
    }
}
