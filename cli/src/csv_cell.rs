//! Cells of a CSV file that a spreadsheet would run as formulas.
//!
//! Mail servers and callers write the texts of some cells, and an operator opens the file in a spreadsheet. An
//! apostrophe before a cell makes it text there: <https://owasp.org/www-community/attacks/CSV_Injection>

/// The characters that begin a formula, in half width and full width.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Returns whether a cell, without the apostrophes at its beginning, may not stand as it is. White space at an end
/// would be trimmed, and a formula may stand behind it.
fn needs_apostrophe(cell: &str) -> bool {
    let text = cell.trim_start_matches('\'');
    text.starts_with(FORMULA)
        || text.starts_with(char::is_whitespace)
        || text.starts_with(char::is_control)
        || text.ends_with(char::is_whitespace)
}

/// Disarms a cell.
pub(crate) fn disarmed(cell: String) -> String {
    if needs_apostrophe(&cell) {
        format!("'{cell}")
    } else {
        cell
    }
}

/// Returns the text of a cell that [`disarmed`] may have made, and that of any other cell without white space around
/// it.
pub(crate) fn text_of(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if needs_apostrophe(text) => text,
        _ => cell.trim(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_formula_becomes_text() {
        for cell in [
            "=HYPERLINK(\"https://example.org\")",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            " =1",
            "\u{ff1d}1",
            "'=1",
        ] {
            assert_eq!(disarmed(cell.to_owned()), format!("'{cell}"), "{cell:?}");
        }
        for cell in ["", "550 5.1.1 unknown", "anna@example.org", "'quoted'", "1-2"] {
            assert_eq!(disarmed(cell.to_owned()), cell, "{cell:?}");
        }
    }

    #[test]
    fn white_space_around_a_cell_of_another_program_does_not_count() {
        assert_eq!(text_of(" anna@example.org "), "anna@example.org");
        assert_eq!(text_of("'anna@example.org"), "'anna@example.org");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "['=+@ \t\r\na-]{0,6}|\\PC{0,20}") {
            let cell = disarmed(text.clone());
            prop_assert_eq!(text_of(&cell), text);
        }

        #[test]
        fn no_cell_begins_with_a_formula(text in "['=+@ \t\ra-]{0,6}") {
            let cell = disarmed(text);
            prop_assert!(!cell.starts_with(FORMULA) && !cell.starts_with(char::is_whitespace));
        }
    }
}
