//! The headers that the events of a mail repeat: django-anymail reads the tags and the metadata of a mail from them.

use std::collections::BTreeMap;

/// The names of the headers, as events spell them.
pub const EVENT_HEADERS: [&str; 2] = ["X-Tags", "X-Metadata"];
/// The most bytes of a value. A raw mail may have a longer one, and part of it would be no JSON.
const VALUE_MAX: usize = 2_048;

/// Finds the headers that events repeat, by their names in [`EVENT_HEADERS`]. `value_of` returns the value of a header
/// in Unicode.
pub(super) fn event_headers(value_of: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let found = EVENT_HEADERS.into_iter().filter_map(|name| {
        let value = value_of(name).filter(|value| value.len() <= VALUE_MAX)?;
        Some((name.to_owned(), value))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_too_long_is_left_out() {
        let of_length = |length: usize| event_headers(|name| (name == "X-Tags").then(|| "a".repeat(length)));
        assert_eq!(of_length(VALUE_MAX).len(), 1);
        assert_eq!(of_length(VALUE_MAX + 1).len(), 0);
    }
}
