//! A date on the command line.

use jiff::civil::Date;

/// Parses a date such as `2026-01-31`.
///
/// # Errors
/// The message for a text that is not a date.
pub(crate) fn parse_date(text: &str) -> Result<Date, String> {
    text.parse()
        .map_err(|_| "a date has the form 2026-01-31 and must exist".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_date_and_rejects_everything_else() {
        assert_eq!(parse_date("2026-01-31").unwrap().to_string(), "2026-01-31");
        for wrong in ["yesterday", "2026-02-30", ""] {
            assert!(parse_date(wrong).unwrap_err().contains("2026-01-31"), "{wrong}");
        }
    }
}
