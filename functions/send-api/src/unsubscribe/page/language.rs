//! The languages of the page, and the choice of one by `Accept-Language` (RFC 9110, 12.5.4).

/// The longest header that is read, in bytes. Browsers send some fifty.
const LENGTH_MAX: usize = 512;
/// The highest weight of a language, in thousandths.
const WEIGHT_MAX: u16 = 1000;

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    Japanese,
    Korean,
}

/// The languages, in the order in which `*` stands for them.
const LANGUAGES: [Language; 3] = [Language::English, Language::Japanese, Language::Korean];

impl Language {
    /// Returns the tag of the language in HTML (BCP 47).
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
            Self::Korean => "ko",
        }
    }

    /// Returns the language that the header prefers, and English where it prefers none of ours.
    ///
    /// Of languages with the same weight, the first counts. An entry that is malformed is passed over.
    pub(crate) fn of(accept_language: Option<&str>) -> Self {
        let header = accept_language.unwrap_or_default();
        // What a longer header has behind its last comma may be half an entry.
        let header = match header.as_bytes().get(..LENGTH_MAX) {
            Some(start) if header.len() > LENGTH_MAX => cut_at_comma(header, start),
            _ => header,
        };
        let entries = || header.split(',').filter_map(entry);
        let mut best = (0, Self::default());
        for (range, weight) in entries() {
            let is_named = |language: &&Language| entries().any(|(range, _)| is_of(range, language.tag()));
            let language = match range {
                "*" => LANGUAGES.iter().find(|language| !is_named(language)),
                _ => LANGUAGES.iter().find(|language| is_of(range, language.tag())),
            };
            if let Some(language) = language
                && weight > best.0
            {
                best = (weight, *language);
            }
        }
        best.1
    }
}

/// Returns the entries of a header that `start`, its beginning, has whole.
fn cut_at_comma<'a>(header: &'a str, start: &[u8]) -> &'a str {
    let end = start.iter().rposition(|byte| *byte == b',').unwrap_or_default();
    header.get(..end).unwrap_or_default()
}

/// Whether a range, such as `ja-JP`, is of the language with the tag.
fn is_of(range: &str, tag: &str) -> bool {
    let primary = range.split('-').next().unwrap_or_default();
    primary.eq_ignore_ascii_case(tag)
}

/// Reads an entry, such as `ko;q=0.8`: the range, and its weight in thousandths.
fn entry(entry: &str) -> Option<(&str, u16)> {
    let (range, weight) = match entry.split_once(';') {
        Some((range, parameter)) => (range, weight(parameter)?),
        None => (entry, WEIGHT_MAX),
    };
    let range = range.trim_matches([' ', '\t']);
    let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (range == "*" || range.split('-').all(is_subtag)).then_some((range, weight))
}

/// Reads `q=0.8`: at most three digits behind the point, and at most 1.
fn weight(parameter: &str) -> Option<u16> {
    let parameter = parameter.trim_matches([' ', '\t']);
    let value = parameter.strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // `5` behind the point is 500 thousandths.
    let thousandths = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", _) => Some(thousandths),
        ("1", 0) => Some(WEIGHT_MAX),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Language::{English, Japanese, Korean};

    #[test]
    fn prefers_the_language_with_the_greatest_weight() {
        for (header, expected) in [
            ("ja", Japanese),
            ("ko", Korean),
            ("en", English),
            ("ja-JP", Japanese),
            ("JA-jp", Japanese),
            ("ko-Kore-KR", Korean),
            ("ja,en-US;q=0.9,en;q=0.8", Japanese),
            ("en-US,en;q=0.9,ja;q=0.8", English),
            ("en;q=0.5, ko;q=0.501", Korean),
            ("ko ; q=0.4 ,\tja;q=0.7", Japanese),
            ("ja;Q=1.000, ko", Japanese),
            // Of equal ones, the first.
            ("ko,ja", Korean),
            ("ja;q=0.3, ko;q=0.3", Japanese),
            // None of ours.
            ("de-CH, fr;q=0.9", English),
            ("zh-CN,zh;q=0.9,ja;q=0.1", Japanese),
            // No wish.
            ("", English),
            (" , ,", English),
            // Another language whose tag only begins like ours.
            ("kok", English),
            ("jam, ko", Korean),
            // Any language: the first of ours that the header does not name.
            ("*", English),
            ("ja;q=0.5, *;q=0.1", Japanese),
            ("ja;q=0.5, *;q=0.9", English),
            ("en;q=0, *", Japanese),
            ("en;q=0, ja;q=0, *;q=0.2", Korean),
            ("en;q=0.2, *;q=0.9, ja;q=0", Korean),
            // Not wanted.
            ("ja;q=0", English),
            ("ja;q=0, ko;q=0.1", Korean),
            ("en;q=0", English),
        ] {
            assert_eq!(Language::of(Some(header)), expected, "{header:?}");
        }
        assert_eq!(Language::of(None), English);
    }

    #[test]
    fn passes_over_malformed_entries() {
        for entry in [
            "ja;q=2",
            "ja;q=1.001",
            "ja;q=-1",
            "ja;q=0.1234",
            "ja;q=",
            "ja;q",
            "ja;",
            "ja;q=0.5;q=1",
            "ja;x=1",
            "ja;q=.5",
            "ja;q=1e0",
            "ja;q=0.+5",
            "ja-",
            "-ja",
            "ja--JP",
            "ja_JP",
            "ja JP",
            "ja-abcdefghi",
            "*-ja",
            "日本語",
            "\"ja\"",
            "ja;q=NaN",
            "ja\0",
        ] {
            assert_eq!(Language::of(Some(entry)), English, "{entry:?}");
            let with_others = format!("{entry}, ko;q=0.1, {entry}");
            assert_eq!(Language::of(Some(&with_others)), Korean, "{with_others:?}");
        }
    }

    #[test]
    fn reads_the_first_512_bytes() {
        let others = "de,".repeat(169);
        assert_eq!(Language::of(Some(&format!("{others}ko,ja"))), Korean);
        let others = "de,".repeat(170);
        assert_eq!(Language::of(Some(&format!("{others}ko"))), Korean, "512 bytes");
        assert_eq!(
            Language::of(Some(&format!("{others}ko;q=0.3"))),
            English,
            "half an entry"
        );
        assert_eq!(Language::of(Some(&"ja".repeat(100_000))), English);
        assert_eq!(Language::of(Some(&format!("ja,{}", "é".repeat(500)))), Japanese);
    }

    proptest! {
        #[test]
        fn any_text_has_a_language(text in "\\PC{0,700}|[jakoen*;q=01.,\\- ]{0,700}") {
            let language = Language::of(Some(&text));
            let is_named = |tag: &str| text.to_ascii_lowercase().contains(tag) || text.contains('*');
            prop_assert!(language != Japanese || is_named("ja"));
            prop_assert!(language != Korean || is_named("ko"));
        }

        #[test]
        fn the_greatest_weight_counts_in_any_order(mut weights in Just([1u16, 2, 3]).prop_shuffle(), swapped: bool) {
            // Distinct weights, one of them the greatest.
            if swapped {
                weights = weights.map(|weight| weight * 300);
            }
            let entries: Vec<String> = ["en-GB", "ja", "ko-KR"]
                .iter()
                .zip(weights)
                .map(|(range, weight)| format!("{range};q=0.{weight:03}"))
                .collect();
            let languages = [English, Japanese, Korean];
            let greatest = weights.iter().position(|weight| weight == weights.iter().max().unwrap()).unwrap();
            prop_assert_eq!(Language::of(Some(&entries.join(", "))), languages[greatest]);
            let reversed: Vec<&str> = entries.iter().rev().map(String::as_str).collect();
            prop_assert_eq!(Language::of(Some(&reversed.join(","))), languages[greatest]);
        }
    }
}
