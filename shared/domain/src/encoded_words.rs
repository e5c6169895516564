//! Encoded words (RFC 2047): how a header of ASCII holds other text.

use email_encoding::headers::{rfc2047, writer::EmailWriter};
use mail_parser::MessageParser;

/// Encodes a text in encoded words, which are separated by one space and have at most 75 characters each.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    let written = rfc2047::encode(text, &mut EmailWriter::new(&mut encoded, 0, 0, true));
    debug_assert!(written.is_ok(), "writing into a String cannot fail");
    // The encoder folds long lines. The SES API takes one line and folds it itself.
    encoded.replace("\r\n ", " ")
}

/// Decodes the encoded words in a text, as a mail program decodes a subject. Returns `None` if it holds none.
pub(crate) fn decode(text: &str) -> Option<String> {
    if !text.contains("=?") || !text.contains("?=") {
        return None;
    }
    let header = format!("Subject: {}\r\n\r\n", text.replace(char::is_control, " "));
    let message = MessageParser::new().header_text("Subject").parse(header.as_bytes())?;
    message.subject().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_ascii_in_words_of_the_legal_length_and_comes_back(text in "[a-zü漢🎉=?_ ]{1,120}") {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_graphic() || b == b' '));
            prop_assert!(encoded.split(' ').all(|word| word.len() <= 75), "{}", encoded);
            prop_assert_eq!(decode(&encoded), Some(text));
        }
    }
}
