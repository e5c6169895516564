//! Counted nouns: `1 line`, `2 lines`.

use std::fmt::Display;

/// Returns a count with the singular or plural of its noun.
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, singular: &str, plural: &str) -> String {
    let noun = if count == N::from(1) { singular } else { plural };
    format!("{count} {noun}")
}

/// Writes a number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        let numbers = [0, 12, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "12", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn one_is_singular_and_every_other_count_plural() {
        let lines = [0_u64, 1, 2].map(|count| counted(count, "line", "lines"));
        assert_eq!(lines, ["0 lines", "1 line", "2 lines"]);
    }
}
