//! Base64 as programs write it: the standard and the URL-safe alphabet, with or without padding, on one line or
//! several, bare or behind `data:…;base64,`.
//!
//! None of these forms can be taken for another. Everything else is refused, such as bits at the end that are not
//! zero, which show that the content was cut off.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode::Indifferent;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

const UNPADDED: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(Indifferent),
);

/// Decodes a text, or returns `None` if it is not base64.
pub(super) fn decode(text: String) -> Option<Vec<u8>> {
    // Most clients write it like this, and it needs no copy.
    if let Ok(bytes) = STANDARD.decode(&text) {
        return Some(bytes);
    }
    let mut encoded = text.into_bytes();
    if encoded
        .get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:"))
    {
        let comma = encoded.iter().position(|byte| *byte == b',')?;
        if !encoded[..comma].to_ascii_lowercase().ends_with(b";base64") {
            return None;
        }
        encoded.drain(..=comma);
    }
    encoded.retain(|byte| !byte.is_ascii_whitespace());
    for byte in &mut encoded {
        match *byte {
            b'-' => *byte = b'+',
            b'_' => *byte = b'/',
            _ => {}
        }
    }
    UNPADDED.decode(encoded).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decodes_every_form_that_means_one_thing() {
        let bytes = [0xfb, 0xff, 0xbf, 0xfe];
        for text in [
            "+/+//g==",
            "-_-__g==",
            "+/+//g",
            "-_-__g",
            "+/+//g=",
            " +/+/\r\n/g==\r\n",
            "+/+/\n/g\n==\n",
            "+ / + / / g = =",
            "\t-_-_\t_g",
            "data:;base64,+/+//g==",
            "data:image/png;base64,+/+//g==",
            "DATA:text/plain;charset=utf-8;BASE64,\n-_-__g",
        ] {
            assert_eq!(decode(text.to_owned()).as_deref(), Some(&bytes[..]), "{text:?}");
        }
        assert_eq!(decode(String::new()), Some(Vec::new()));
    }

    #[test]
    fn refuses_what_is_no_base64() {
        for text in [
            "%%%",
            "a",
            "aGk=aGk=",
            "aGk===",
            "=aGk",
            "aGl=",
            "aG\u{a0}k=",
            "aGk,",
            "data:text/plain,hi",
            "data:image/png;base64",
            "image/png;base64,aGk=",
            "aGk\0",
            "äöü",
        ] {
            assert_eq!(decode(text.to_owned()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back_whatever_the_line_length(bytes in proptest::collection::vec(any::<u8>(), 0..200), length in 1_usize..80) {
            let encoded = STANDARD.encode(&bytes);
            let lines: Vec<&str> = encoded.as_bytes().chunks(length).map(|line| std::str::from_utf8(line).unwrap()).collect();
            for text in [lines.join("\n"), lines.join("\r\n"), encoded.replace('+', "-").replace('/', "_"), encoded.trim_end_matches('=').to_owned()] {
                prop_assert_eq!(decode(text), Some(bytes.clone()));
            }
        }
    }
}
