//! The canonical request: the one spelling of a request that both sides sign.

use std::borrow::Cow;

use memchr::memchr2;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode};

use crate::hash::sha256_hex;

/// The characters that are encoded in a query: all but the unreserved characters (RFC 3986).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The characters that are encoded in a path.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// The parts of a request that are signed, each in its canonical spelling.
#[derive(Clone, Copy, Debug)]
pub struct CanonicalRequest<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path, of [`canonical_path`].
    pub path: &'a str,
    /// The query string, of [`canonical_query`].
    pub query: &'a str,
    /// The names of the signed headers in lower case, each with the value of [`canonical_value`]. A signer sorts them
    /// by name.
    pub headers: &'a [(&'a str, Cow<'a, str>)],
    /// The SHA-256 of the body, in hexadecimal.
    pub body_hash: &'a str,
}

impl CanonicalRequest<'_> {
    /// Returns the SHA-256 of the canonical request, in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> String {
        // The session token of a role is as long as this.
        let mut text = String::with_capacity(2048);
        for part in [self.method, "\n", self.path, "\n", self.query, "\n"] {
            text.push_str(part);
        }
        for (name, value) in self.headers {
            for part in [name, ":", value, "\n"] {
                text.push_str(part);
            }
        }
        text.push('\n');
        self.push_signed_headers(&mut text);
        text.push('\n');
        text.push_str(self.body_hash);
        sha256_hex(text.as_bytes())
    }

    /// Returns the names of the signed headers, as the header `authorization` lists them.
    #[must_use]
    pub fn signed_headers(&self) -> String {
        let mut names = String::new();
        self.push_signed_headers(&mut names);
        names
    }

    fn push_signed_headers(&self, text: &mut String) {
        for (index, (name, _)) in self.headers.iter().enumerate() {
            if index > 0 {
                text.push(';');
            }
            text.push_str(name);
        }
    }
}

/// Encodes a path. Services other than S3 want the path of the wire, which is encoded already, encoded once more.
#[must_use]
pub fn canonical_path(path: &str) -> Cow<'_, str> {
    if path.is_empty() {
        Cow::Borrowed("/")
    } else {
        utf8_percent_encode(path, PATH).into()
    }
}

/// Encodes each name and value, and sorts the pairs. A plus is a plus: SDKs write a space as `%20`.
#[must_use]
pub fn canonical_query(query: &str) -> String {
    let encode = |text| percent_encode(&Cow::from(percent_decode_str(text)), QUERY).to_string();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(name), encode(value))
        })
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Returns the value of a header, with white space at the ends removed and within it reduced to one space.
#[must_use]
pub fn canonical_value(value: &str) -> Cow<'_, str> {
    // The session token of a role has a kilobyte.
    if memchr2(b' ', b'\t', value.as_bytes()).is_some() {
        value.split_ascii_whitespace().collect::<Vec<_>>().join(" ").into()
    } else {
        Cow::Borrowed(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded() {
        for (path, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("/v2/email/account", "/v2/email/account"),
            ("/x/a@b", "/x/a%40b"),
            ("/x/a%40b", "/x/a%2540b"),
            ("/x/\u{fc} ~", "/x/%C3%BC%20~"),
        ] {
            assert_eq!(canonical_path(path), canonical);
        }
    }

    #[test]
    fn the_pairs_of_a_query_are_encoded_and_sorted() {
        for (given, canonical) in [
            ("", ""),
            ("b=2&a=1&a=0", "a=0&a=1&b=2"),
            ("flag&a=%7E~", "a=~~&flag="),
            ("a=2026-01-02T03:04:05Z", "a=2026-01-02T03%3A04%3A05Z"),
            ("a=x%20y", "a=x%20y"),
            ("a=x+y", "a=x%2By"),
            ("a=b=c", "a=b%3Dc"),
            ("%C3%BC=\u{fc}", "%C3%BC=%C3%BC"),
        ] {
            assert_eq!(canonical_query(given), canonical, "{given}");
        }
    }

    #[test]
    fn white_space_in_headers_is_reduced() {
        for (value, canonical) in [
            ("  a   b ", "a b"),
            ("a\tb", "a b"),
            ("a b", "a b"),
            ("", ""),
            (" ", ""),
        ] {
            assert_eq!(canonical_value(value), canonical);
        }
    }
}
