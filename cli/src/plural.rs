//! Counted nouns: `1 line`, `2 lines`.

use std::fmt::Display;

/// Returns a count with the singular or plural of its noun.
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, singular: &str, plural: &str) -> String {
    let noun = if count == N::from(1) { singular } else { plural };
    format!("{count} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_every_other_count_plural() {
        let lines = [0_u64, 1, 2].map(|count| counted(count, "line", "lines"));
        assert_eq!(lines, ["0 lines", "1 line", "2 lines"]);
    }
}
