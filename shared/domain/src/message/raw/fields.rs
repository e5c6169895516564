//! The header fields of a message, as ranges of its bytes.
//!
//! A line ends with LF, with or without a CR before it; a CR elsewhere and a NUL are refused. Otherwise a reader that
//! takes a CR for the end of a line would see fields that this one does not, such as a second `From`.

use std::borrow::Cow;
use std::ops::Range;

use super::error::InvalidRaw;

/// The most fields. SES documents no limit; a mail that passed many relays and filters has some hundred.
const FIELDS_MAX: usize = 1_000;
/// The most bytes of all fields together.
const BYTES_MAX: usize = 512 * 1024;

/// A header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// The name, without white space around it.
    pub(super) name: &'a str,
    /// The value as it stands there, folded.
    raw: &'a [u8],
    /// The bytes of the field in the message, with the end of its last line.
    pub(super) range: Range<usize>,
}

impl Field<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Returns the value in one line: the ends of lines are left out. Bytes that are not UTF-8 are replaced.
    pub(super) fn value(&self) -> String {
        let text = String::from_utf8_lossy(self.raw);
        let line = if text.contains('\n') {
            Cow::Owned(text.replace("\r\n", "").replace('\n', ""))
        } else {
            text
        };
        line.trim_matches([' ', '\t']).to_owned()
    }
}

/// Lists the fields of a message, up to its first empty line or its end.
pub(super) fn fields(message: &[u8]) -> Result<Vec<Field<'_>>, InvalidRaw> {
    let too_large = InvalidRaw::HeaderTooLarge {
        fields: FIELDS_MAX,
        bytes: BYTES_MAX,
    };
    let mut fields: Vec<Field<'_>> = Vec::new();
    let mut start = 0;
    for (index, line) in message.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let end = start + line.len();
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        if content.is_empty() {
            break;
        }
        if end > BYTES_MAX {
            return Err(too_large);
        }
        let invalid = InvalidRaw::InvalidLine(index + 1);
        if content.contains(&b'\r') || content.contains(&0) {
            return Err(invalid);
        }
        if matches!(content[0], b' ' | b'\t') {
            // The field goes on.
            let field = fields.last_mut().ok_or(invalid)?;
            field.raw = &message[end_of_name(message, &field.range)..end - (line.len() - content.len())];
            field.range.end = end;
        } else {
            if fields.len() == FIELDS_MAX {
                return Err(too_large);
            }
            let colon = content.iter().position(|byte| *byte == b':').ok_or(invalid.clone())?;
            fields.push(Field {
                name: name(&content[..colon]).ok_or(invalid)?,
                raw: &content[colon + 1..],
                range: start..end,
            });
        }
        start = end;
    }
    Ok(fields)
}

/// Returns the place after a field's colon.
fn end_of_name(message: &[u8], range: &Range<usize>) -> usize {
    let colon = message[range.clone()].iter().position(|byte| *byte == b':');
    range.start + colon.map_or(0, |colon| colon + 1)
}

/// Reads a name: printable ASCII. Old mail has white space before the colon (RFC 5322, 4.5).
fn name(bytes: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(bytes).ok()?.trim_end_matches([' ', '\t']);
    (!name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8]) -> Vec<(String, String)> {
        let fields = fields(message).unwrap();
        fields
            .iter()
            .map(|field| (field.name.to_owned(), field.value()))
            .collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn reads_fields_with_both_ends_of_lines_and_none() {
        for message in [
            &b"From: a\r\nTo: b\r\n\r\nX: body"[..],
            b"From: a\nTo: b\n\nX: body",
            b"From: a\r\nTo: b\n\r\nX: body",
            b"From: a\nTo: b\r\n",
            b"From: a\nTo: b",
            b"From: a\nTo : b\n\nX: body",
        ] {
            assert_eq!(read(message), [pair("From", "a"), pair("To", "b")], "{message:?}");
        }
        assert_eq!(read(b"\r\nFrom: a"), []);
        assert_eq!(read(b""), []);
    }

    #[test]
    fn joins_folded_lines() {
        for message in [
            &b"To:\r\n a,\r\n\tb\r\nX:\r\n"[..],
            b"To: a,\n\tb\nX: \n",
            b"To: a,\n\tb\n \nX:",
        ] {
            let found = read(message);
            assert_eq!(found[0].1.replace(' ', ""), "a,\tb", "{message:?}");
            assert_eq!(found[1], pair("X", ""));
        }
    }

    #[test]
    fn keeps_the_ranges_of_the_bytes() {
        let message = b"A: 1\r\nB: 2\n 3\nC: 4\n\nbody";
        let ranges: Vec<_> = fields(message).unwrap().into_iter().map(|field| field.range).collect();
        assert_eq!(ranges, [0..6, 6..14, 14..19]);
    }

    #[test]
    fn refuses_lines_that_readers_understand_in_different_ways() {
        for (message, line) in [
            (&b"A: 1\rFrom: b\n"[..], 1),
            (b"A: 1\n2\0\n", 2),
            (b"A: 1\nno field\n", 2),
            (b" A: 1\n", 1),
            (b": 1\n", 1),
            (b"A B: 1\n", 1),
            ("Ä: 1\n".as_bytes(), 1),
            (b"A: 1\n \r 2\n", 2),
        ] {
            assert_eq!(fields(message), Err(InvalidRaw::InvalidLine(line)), "{message:?}");
        }
    }

    #[test]
    fn limits_the_header_and_not_the_body() {
        let of = |n: usize| b"A: 1\n".repeat(n);
        assert!(fields(&of(FIELDS_MAX)).is_ok());
        assert!(matches!(
            fields(&of(FIELDS_MAX + 1)),
            Err(InvalidRaw::HeaderTooLarge { .. })
        ));
        let long = [&b"A: "[..], &b"x".repeat(BYTES_MAX)].concat();
        assert!(matches!(fields(&long), Err(InvalidRaw::HeaderTooLarge { .. })));
        assert!(fields(&[&b"A: 1\n\n"[..], &long].concat()).is_ok());
    }
}
