//! Why a body is no JSON, in the words of what clients do: they compress bodies, and write them in other encodings.
//!
//! A gateway may have replaced bytes that are not UTF-8 by U+FFFD, so the signs are looked for in that form too.

use crate::error::{ApiError, Problem};
use crate::request::Request;

/// The first bytes of a compressed body, and the name of the compression.
const COMPRESSED: [(&[u8], &str); 3] = [
    (b"\x1f\x8b", "gzip"),
    ("\x1f\u{fffd}".as_bytes(), "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
];
/// The mark at the beginning of UTF-8 that some programs write.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Returns the answer to a body that the parser rejected with `problem`.
pub(crate) fn error(request: &Request, problem: &str) -> ApiError {
    let body = request.body.as_slice();
    if let Some(compression) = compression(request) {
        return ApiError::compressed(compression);
    }
    if body.starts_with(BYTE_ORDER_MARK.as_bytes()) {
        let problem = "it begins with a byte order mark (U+FEFF). Write it as UTF-8 without this mark";
        return ApiError::not_json(problem);
    }
    if has_wide_characters(body) || body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff") {
        return ApiError::not_json("it is in UTF-16 or UTF-32. Write it in UTF-8");
    }
    let is = |kind: &str| {
        let found = request.header("content-type").unwrap_or_default();
        found.trim_start().to_ascii_lowercase().starts_with(kind)
    };
    if is("multipart/")
        || (is("application/x-www-form-urlencoded") && body.first().is_some_and(u8::is_ascii_alphabetic))
    {
        return Problem::FormBody.into();
    }
    if let Err(error) = std::str::from_utf8(body) {
        let at = error.valid_up_to();
        return ApiError::not_json(format_args!(
            "it is not UTF-8: byte {at} (the first is 0) begins no character. Write it in UTF-8"
        ));
    }
    ApiError::not_json(problem)
}

/// Returns whether a body begins as UTF-16 and UTF-32 do. The first character of JSON is an ASCII one, and the second
/// one nearly always, so every second byte is a NUL there.
fn has_wide_characters(body: &[u8]) -> bool {
    // A gateway has replaced the byte order mark.
    let mut start = body;
    while let Some(rest) = start.strip_prefix("\u{fffd}".as_bytes()) {
        start = rest;
    }
    matches!(start, [0, _, 0, _, ..] | [_, 0, _, 0, ..])
}

/// Returns the name of the compression of a body, by the header that states it or by its first bytes.
fn compression(request: &Request) -> Option<&'static str> {
    let stated = request
        .header("content-encoding")
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let known = ["gzip", "x-gzip", "deflate", "br", "zstd", "compress"];
    let found = known
        .into_iter()
        .find(|name| stated.split(',').any(|part| part.trim() == *name));
    found.or_else(|| {
        let mut compressed = COMPRESSED.iter();
        compressed
            .find(|(first, _)| request.body.starts_with(first))
            .map(|(_, name)| *name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &[u8], headers: &[(&'static str, &'static str)]) -> (u16, String) {
        let mut request = Request::with_body(body);
        for (name, value) in headers {
            request.set_header(name, value);
        }
        let error = crate::json::read(&request).unwrap_err();
        assert_eq!(error.name, "validation_error");
        (error.status, error.message)
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2], mark: &[u8]) -> Vec<u8> {
        let units = text.encode_utf16().flat_map(bytes);
        mark.iter().copied().chain(units).collect()
    }

    #[test]
    fn names_the_compression_of_a_body() {
        for (body, headers, name) in [
            (&b"\x1f\x8b\x08\x00"[..], &[][..], "gzip"),
            ("\x1f\u{fffd}\x08\0".as_bytes(), &[], "gzip"),
            (b"\x28\xb5\x2f\xfd\x04", &[], "zstd"),
            (b"\x78\x9c\xab", &[("content-encoding", "deflate")], "deflate"),
            (b"\x8b\x02\x80", &[("content-encoding", " BR ")], "br"),
            (b"\x8b", &[("content-encoding", "aws-chunked, <b>, gzip")], "gzip"),
        ] {
            let (status, message) = of(body, headers);
            assert_eq!(status, 415);
            assert!(!message.contains("<b>"), "{message}");
            assert!(message.contains(name) && message.contains("without"), "{message}");
        }
    }

    #[test]
    fn a_body_that_is_json_is_read_whatever_a_header_says() {
        let mut request = Request::with_body(b"{}");
        request.set_header("content-encoding", "gzip");
        assert!(crate::json::read(&request).is_ok());
    }

    #[test]
    fn names_the_encoding_of_a_body() {
        let text = r#"{"from":"a@example.com"}"#;
        for (body, cause) in [
            (format!("\u{feff}{text}").into_bytes(), "byte order mark"),
            (utf16(text, u16::to_le_bytes, b"\xff\xfe"), "UTF-16"),
            (utf16(text, u16::to_be_bytes, b"\xfe\xff"), "UTF-16"),
            (utf16(text, u16::to_le_bytes, b""), "UTF-16"),
            (utf16(text, u16::to_be_bytes, b""), "UTF-16"),
            (utf16(text, u16::to_le_bytes, "\u{fffd}\u{fffd}".as_bytes()), "UTF-16"),
            (
                text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
                "UTF-16",
            ),
            (b"{\"subject\":\"Gr\xfc\xdfe\"}".to_vec(), "byte 14"),
            (b"{\"from\"".to_vec(), "EOF"),
            (b"{\"subject\":\"a\0b\"}".to_vec(), "control character"),
            (b"{\0\"subject\":\"a\"}".to_vec(), "line 1"),
        ] {
            let (status, message) = of(&body, &[]);
            assert_eq!(status, 400);
            assert!(message.contains(cause), "{cause}: {message}");
        }
    }

    #[test]
    fn names_a_form() {
        for (body, content_type) in [
            (&b"from=a%40example.com&to=b"[..], "application/x-www-form-urlencoded"),
            (
                b"--x\r\ncontent-disposition: form-data",
                "multipart/form-data; boundary=x",
            ),
        ] {
            let (status, message) = of(body, &[("content-type", content_type)]);
            assert_eq!(status, 415);
            assert!(message.contains("form"), "{message}");
        }
        // curl says so of whatever it posts.
        let (status, message) = of(b"{", &[("content-type", "application/x-www-form-urlencoded")]);
        assert_eq!(status, 400, "{message}");
    }
}
