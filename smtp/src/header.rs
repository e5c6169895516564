//! The header fields that identify a mail. The reader takes any bytes: Okite itself refuses a header that is not valid.

use std::ops::Range;

/// The parts of a mail that an idempotency key is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The value of the first `Message-ID` that has one.
    pub message_id: Option<Vec<u8>>,
    /// Whether there is a `Date` with a value.
    pub has_date: bool,
    /// The places of the fields `Received`, which differ when a relay gets a mail a second time.
    pub received: Vec<Range<usize>>,
}

impl Identity {
    /// Reads the header of a mail.
    #[must_use]
    pub fn read(mail: &[u8]) -> Self {
        let mut identity = Self::default();
        let mut field: Option<Range<usize>> = None;
        let mut start = 0;
        for line in mail.split_inclusive(|byte| *byte == b'\n') {
            let end = start + line.len();
            let is_empty = line.trim_ascii_end().is_empty() && !line.starts_with(b" ") && !line.starts_with(b"\t");
            if is_empty {
                break;
            }
            match &mut field {
                Some(field) if line.starts_with(b" ") || line.starts_with(b"\t") => field.end = end,
                field => {
                    if let Some(whole) = field.replace(start..end) {
                        identity.add(mail, whole);
                    }
                }
            }
            start = end;
        }
        if let Some(whole) = field {
            identity.add(mail, whole);
        }
        identity
    }

    fn add(&mut self, mail: &[u8], range: Range<usize>) {
        let field = mail.get(range.clone()).unwrap_or_default();
        let Some(colon) = field.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = field.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = name.trim_ascii_end();
        if name.eq_ignore_ascii_case(b"Message-ID") && !value.is_empty() {
            self.message_id.get_or_insert_with(|| value.to_vec());
        } else if name.eq_ignore_ascii_case(b"Date") && !value.is_empty() {
            self.has_date = true;
        } else if name.eq_ignore_ascii_case(b"Received") {
            self.received.push(range);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_fields_that_identify_a_mail() {
        let mail =
            b"Received: from a\r\n\tby b; now\r\nMessage-Id:\r\n <1@example.com>\r\nReceived: c\r\nDATE: now\r\n\r\n\
                     Message-ID: <body>\r\nReceived: body\r\n";
        let identity = Identity::read(mail);
        assert_eq!(identity.message_id.as_deref(), Some(&b"<1@example.com>"[..]));
        assert!(identity.has_date);
        let received: Vec<_> = identity.received.iter().map(|range| &mail[range.clone()]).collect();
        assert_eq!(
            received,
            [&b"Received: from a\r\n\tby b; now\r\n"[..], b"Received: c\r\n"]
        );
    }

    #[test]
    fn an_empty_value_identifies_nothing() {
        for mail in [
            &b"Message-ID: \r\nDate:\r\n\r\n"[..],
            b"",
            b"\r\nMessage-ID: <1>",
            b"Message-ID",
            b":",
        ] {
            assert_eq!(Identity::read(mail), Identity::default());
        }
        assert_eq!(
            Identity::read(b"Message-ID:\nMessage-ID: <2>").message_id.as_deref(),
            Some(&b"<2>"[..])
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            text in "((Received|Message-ID|Date|[ \t])?:?[ a]{0,3}[\r]?\n?){0,12}",
        ) {
            for mail in [bytes, text.into_bytes()] {
                let identity = Identity::read(&mail);
                prop_assert!(identity.received.iter().all(|range| mail.get(range.clone()).is_some()));
                prop_assert!(identity.received.windows(2).all(|pair| pair[0].end <= pair[1].start));
            }
        }
    }
}
