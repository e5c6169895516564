//! The content of a mail: its end, and the dots that the client doubled (RFC 5321, 4.5.2).
//!
//! Only CR LF `.` CR LF ends a mail. A server that takes another sequence for the end, such as LF `.` LF, reads the
//! rest of the content as commands. The author of the content could then send mails in the name of others ("SMTP
//! smuggling").
//! All other bytes belong to the mail, lone CRs and LFs too, and stay as they are.

/// The place in a line, of which a receiver must know only its beginning and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// After CR LF, or before the first byte.
    LineStart,
    /// In a line.
    Line,
    /// After a CR.
    Cr,
    /// After a dot at the start of a line, which is not content.
    Dot,
    /// After the dot and a CR, which is not content yet.
    DotCr,
}

/// A reader of the content of one mail.
#[derive(Clone, Debug)]
pub struct DataReceiver {
    place: Place,
}

impl Default for DataReceiver {
    fn default() -> Self {
        Self {
            place: Place::LineStart,
        }
    }
}

/// The result of reading some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The number of bytes that belong to the mail or its end.
    pub bytes: usize,
    /// Whether the mail has ended.
    pub is_end: bool,
}

impl DataReceiver {
    /// Reads bytes until the end of the mail, and hands its content over in pieces.
    pub fn receive(&mut self, bytes: &[u8], mut content: impl FnMut(&[u8])) -> Received {
        let mut at = 0;
        // The content that was read and not handed over.
        let mut start = 0;
        while let Some(&byte) = bytes.get(at) {
            self.place = match (self.place, byte) {
                (Place::LineStart, b'.') => {
                    content(&bytes[start..at]);
                    start = at + 1;
                    Place::Dot
                }
                (Place::Dot, b'\r') => {
                    start = at + 1;
                    Place::DotCr
                }
                (Place::DotCr, b'\n') => {
                    return Received {
                        bytes: at + 1,
                        is_end: true,
                    };
                }
                (Place::DotCr, byte) => {
                    content(b"\r");
                    start = at;
                    if byte == b'\r' { Place::Cr } else { Place::Line }
                }
                (Place::Cr, b'\n') => Place::LineStart,
                (_, b'\r') => Place::Cr,
                (..) => {
                    // Nothing before the next CR matters.
                    let rest = bytes.get(at..).unwrap_or_default();
                    let line = rest.iter().position(|byte| *byte == b'\r').unwrap_or(rest.len());
                    at += line.saturating_sub(1);
                    Place::Line
                }
            };
            at += 1;
        }
        content(&bytes[start..]);
        Received {
            bytes: bytes.len(),
            is_end: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads pieces up to the end of the mail; nothing without an end. Returns the content and the rest.
    fn receive(pieces: &[&[u8]]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (mut data, mut content) = (DataReceiver::default(), Vec::new());
        for (nth, piece) in pieces.iter().enumerate() {
            let received = data.receive(piece, |bytes| content.extend_from_slice(bytes));
            if received.is_end {
                let rest = [&[&piece[received.bytes..]], &pieces[nth + 1..]].concat().concat();
                return Some((content, rest));
            }
            assert_eq!(received.bytes, piece.len());
        }
        None
    }

    /// The standard, read literally.
    fn expected(input: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        const END: &[u8] = b"\r\n.\r\n";
        // The line end of the command DATA begins the first line.
        let whole = [b"\r\n", input].concat();
        let end = whole.windows(END.len()).position(|window| window == END)?;
        let mut content = Vec::new();
        let mut rest = &whole[..end + 2];
        while let Some(at) = rest.windows(3).position(|window| window == b"\r\n.") {
            content.extend_from_slice(&rest[..at + 2]);
            rest = &rest[at + 3..];
            // The dot itself does not begin another line.
            if rest.is_empty() {
                break;
            }
        }
        content.extend_from_slice(rest);
        Some((content[2..].to_vec(), whole[end + END.len()..].to_vec()))
    }

    #[test]
    fn only_one_sequence_ends_a_mail() {
        for not_an_end in [
            "\n.\n",
            "\n.\r\n",
            "\r\n.\n",
            "\r.\r",
            "\r.\r\n",
            "\r\n.\r",
            "\r\n.\r\r\n",
            "\n.\r",
            "\r\r.\r\r",
            "\r\n.\0\r\n",
            "\r\n..\r\n",
            "\r\n. \r\n",
            "\n\r\n\r.\r\n",
        ] {
            let smuggled = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n";
            let input = format!("Hi{not_an_end}{smuggled}x\r\n.\r\nQUIT\r\n");
            let (content, rest) = receive(&[input.as_bytes()]).unwrap();
            assert!(
                String::from_utf8_lossy(&content).contains("MAIL FROM"),
                "{not_an_end:?}"
            );
            assert_eq!(rest, b"QUIT\r\n", "{not_an_end:?}");
        }
    }

    #[test]
    fn a_mail_may_be_empty_or_begin_with_a_dot() {
        assert_eq!(receive(&[b".\r\nQUIT"]), Some((Vec::new(), b"QUIT".to_vec())));
        assert_eq!(
            receive(&[b"..a\r\n", b".\r", b"\n"]),
            Some((b".a\r\n".to_vec(), Vec::new()))
        );
        assert_eq!(
            receive(&[b".\r", b"x\r\n.\r\n"]),
            Some((b"\rx\r\n".to_vec(), Vec::new()))
        );
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a'), any::<u8>()];
        let piece = prop_oneof![
            3 => byte.prop_map(|byte| vec![byte]),
            1 => Just(b"\r\n".to_vec()),
            1 => Just(b"\r\n.".to_vec()),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    fn cut<'a>(input: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        at.extend([0, input.len()]);
        at.sort_unstable();
        at.windows(2).map(|ends| &input[ends[0]..ends[1]]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn reads_as_the_standard_says_wherever_packets_are_cut(
            input in bytes(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let input = [input, b"\r\n.\r\nQUIT\r\n".to_vec()].concat();
            prop_assert_eq!(receive(&cut(&input, &cuts)), expected(&input));
        }

        #[test]
        fn a_mail_survives_its_way(
            mail in bytes(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            // As clients do: each line that begins with a dot gets another one.
            let mail = [mail, b"\r\n".to_vec()].concat();
            let mut stuffed = Vec::new();
            for (nth, byte) in mail.iter().enumerate() {
                if *byte == b'.' && (nth == 0 || mail[..nth].ends_with(b"\r\n")) {
                    stuffed.push(b'.');
                }
                stuffed.push(*byte);
            }
            stuffed.extend_from_slice(b".\r\n");
            prop_assert_eq!(receive(&cut(&stuffed, &cuts)), Some((mail, Vec::new())));
        }
    }
}
