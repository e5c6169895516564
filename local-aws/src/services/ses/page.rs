//! Lists in pages.
//!
//! The token of a page is the key of its last entry. Entries that come or go between two pages therefore neither repeat
//! nor hide others.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::error::SesError;

/// The most entries of a page.
const PAGE_SIZE_MAX: usize = 1_000;
/// The entries of a page for which the request gives no number.
const PAGE_SIZE_DEFAULT: usize = 100;

/// One page of entries.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Page {
    pub(super) entries: Vec<Value>,
    pub(super) next_token: Option<String>,
}

/// The page that a request asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct PageRequest {
    pub(super) token: Option<String>,
    pub(super) size: Option<usize>,
}

/// Takes a page out of entries that are sorted by their keys.
pub(super) fn page(sorted: impl Iterator<Item = (String, Value)>, asked: &PageRequest) -> Result<Page, SesError> {
    let size = asked.size.unwrap_or(PAGE_SIZE_DEFAULT);
    if !(1..=PAGE_SIZE_MAX).contains(&size) {
        return Err(SesError::BadRequest(format!(
            "PageSize must be between 1 and {PAGE_SIZE_MAX}."
        )));
    }
    let after = asked.token.as_deref().map(decode).transpose()?;
    let mut rest = sorted.filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let mut entries = Vec::new();
    let mut last = None;
    for (key, entry) in rest.by_ref().take(size) {
        entries.push(entry);
        last = Some(key);
    }
    let next_token = rest.next().and(last).map(|key| URL_SAFE_NO_PAD.encode(key));
    Ok(Page { entries, next_token })
}

fn decode(token: &str) -> Result<String, SesError> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or(SesError::InvalidNextToken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cut(keys: &[&str], token: Option<String>, size: usize) -> Result<Page, SesError> {
        let entries = keys.iter().map(|&key| (key.to_owned(), json!(key)));
        let size = Some(size);
        page(entries, &PageRequest { token, size })
    }

    #[test]
    fn goes_through_all_entries_once() {
        let first = cut(&["a", "b", "c"], None, 2).unwrap();
        assert_eq!(first.entries, ["a", "b"]);
        let second = cut(&["a", "b", "c"], first.next_token, 2).unwrap();
        assert_eq!(second.entries, ["c"]);
        assert_eq!(second.next_token, None);
    }

    #[test]
    fn has_no_token_when_the_page_ends_with_the_list() {
        assert_eq!(cut(&["a", "b"], None, 2).unwrap().next_token, None);
    }

    #[test]
    fn skips_nothing_when_an_entry_went_away_between_pages() {
        let first = cut(&["a", "b", "c"], None, 1).unwrap();
        let second = cut(&["b", "c"], first.next_token, 1).unwrap();
        assert_eq!(second.entries, ["b"]);
    }

    #[test]
    fn refuses_foreign_tokens_and_impossible_sizes() {
        let foreign = cut(&["a"], Some("?".to_owned()), 1).unwrap_err();
        assert_eq!(foreign.code(), "InvalidNextTokenException");
        assert_eq!(cut(&["a"], None, 0).unwrap_err().code(), "BadRequestException");
        assert!(cut(&["a"], None, 1_001).is_err());
    }
}
