//! Tables and escaped text in Markdown.

use std::fmt::{self, Display, Write};

/// Writes the header of a table.
pub(super) fn head(text: &mut String, cells: &[&str]) -> fmt::Result {
    writeln!(text, "| {} |", cells.join(" | "))?;
    writeln!(text, "|{}", "---|".repeat(cells.len()))
}

/// Writes a row of a table. The cells must be escaped.
pub(super) fn row(text: &mut String, cells: &[&dyn Display]) -> fmt::Result {
    text.push('|');
    for cell in cells {
        write!(text, " {cell} |")?;
    }
    writeln!(text)
}

/// Escapes a text that others chose, such as a name or a tag, and puts it on one line.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => safe.push(' '),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_contain_markdown() {
        assert_eq!(escaped("a|b`c`<b>[x](y)\n# _"), "a\\|b\\`c\\`\\<b\\>\\[x\\](y) \\# \\_");
    }
}
