//! An answer to a command, with its status code (RFC 5321) and its enhanced status code (RFC 2034).

use std::borrow::Cow;
use std::fmt;

/// The most bytes of a line's text. RFC 5321 allows 512 for the whole line.
const TEXT_MAX: usize = 480;

/// An answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub code: u16,
    /// The enhanced status code. The greeting and the answers to EHLO, AUTH and DATA have none.
    pub status: Option<&'static str>,
    /// The lines of text, at least one.
    lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// Makes an answer.
    #[must_use]
    pub fn new(code: u16, status: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            status: Some(status),
            lines: vec![text.into()],
        }
    }

    /// Makes an answer without an enhanced status code.
    #[must_use]
    pub fn plain(code: u16, lines: Vec<Cow<'static, str>>) -> Self {
        Self {
            code,
            status: None,
            lines,
        }
    }

    /// Returns whether the command was carried out.
    #[cfg(test)]
    pub(crate) fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Returns the first line of the text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.lines.first().map_or("", |line| line)
    }

    /// Writes the answer as it goes over the wire. Only printable ASCII is written, because text of others may be in
    /// it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        for (nth, line) in self.lines.iter().enumerate() {
            let separator = if nth + 1 == self.lines.len() { ' ' } else { '-' };
            out.extend_from_slice(format!("{}{separator}", self.code).as_bytes());
            if let Some(status) = self.status {
                out.extend_from_slice(format!("{status} ").as_bytes());
            }
            let printable = |c: char| if matches!(c, ' '..='~') { c as u8 } else { b'?' };
            out.extend(line.chars().map(printable).take(TEXT_MAX));
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// The answer as it goes over the wire, without the end of its last line.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut wire = Vec::new();
        self.write_to(&mut wire);
        f.write_str(String::from_utf8_lossy(&wire).trim_end_matches("\r\n"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn has_the_form_of_the_standards() {
        let ok = Reply::new(250, "2.1.5", "Recipient ok");
        assert_eq!(ok.to_string(), "250 2.1.5 Recipient ok");
        let lines = Reply::plain(250, vec!["okite".into(), "PIPELINING".into(), "SIZE 1".into()]);
        assert_eq!(lines.to_string(), "250-okite\r\n250-PIPELINING\r\n250 SIZE 1");
    }

    proptest! {
        /// Otherwise the text of somebody else could be read as an answer to the next command.
        #[test]
        fn no_text_makes_a_second_line(text in any::<String>(), long in "[a\r\n]{0,2000}") {
            for text in [text, long] {
                let mut wire = Vec::new();
                Reply::new(554, "5.6.0", text).write_to(&mut wire);
                prop_assert!(wire.len() <= 512);
                prop_assert!(wire.ends_with(b"\r\n"));
                let line = &wire[..wire.len() - 2];
                prop_assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)));
            }
        }
    }
}
