//! The canonical request: the one spelling of a request that both sides sign.

use std::borrow::Cow;

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode};

use super::SignedRequest;

/// The characters that are encoded in a query: all but the unreserved characters (RFC 3986).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The characters that are encoded in a path.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// The parts of a canonical request.
pub(super) struct Canonical {
    method: String,
    /// The possible spellings of the path.
    paths: Vec<String>,
    /// Everything after the path.
    rest: String,
}

impl Canonical {
    pub(super) fn new(request: &SignedRequest<'_>, signed_headers: &[String], body_hash: &str) -> Self {
        let query = query(request.query);
        let headers = signed_headers.iter().fold(String::new(), |headers, name| {
            let value = value(request.headers, name).unwrap_or_default();
            headers + name + ":" + &value + "\n"
        });
        Self {
            method: request.method.to_owned(),
            paths: paths(request.path),
            rest: format!("{query}\n{headers}\n{}\n{body_hash}", signed_headers.join(";")),
        }
    }

    /// Returns every spelling that the client may have signed.
    pub(super) fn spellings(&self) -> Vec<String> {
        let Self { method, paths, rest } = self;
        paths.iter().map(|path| format!("{method}\n{path}\n{rest}")).collect()
    }
}

/// Returns the path encoded twice, and once if that differs.
fn paths(path: &str) -> Vec<String> {
    let path = if path.is_empty() { "/" } else { path };
    let once = utf8_percent_encode(path, PATH).to_string();
    let twice = utf8_percent_encode(&once, PATH).to_string();
    if once == twice { vec![once] } else { vec![twice, once] }
}

/// Encodes each name and value, and sorts the pairs. A plus is a plus: SDKs write a space as `%20`.
fn query(query: &str) -> String {
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

/// Returns a header's value, with white space at the ends removed and within it reduced to one space. Repeated values
/// are joined by commas.
pub(super) fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter().map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    });
    values.reduce(|all, value| format!("{all},{value}"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_path_is_encoded_once_or_twice() {
        assert_eq!(paths(""), ["/"]);
        assert_eq!(paths("/v2/email/account"), ["/v2/email/account"]);
        assert_eq!(paths("/x/a@b"), ["/x/a%2540b", "/x/a%40b"]);
        assert_eq!(paths("/x/a%40b"), ["/x/a%252540b", "/x/a%2540b"]);
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
            assert_eq!(query(given), canonical, "{given}");
        }
    }

    #[test]
    fn white_space_in_headers_is_reduced() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("  a   b "));
        headers.append("x-a", HeaderValue::from_static("c"));
        assert_eq!(value(&headers, "x-a").as_deref(), Some("a b,c"));
        assert_eq!(value(&headers, "x-b"), None);
    }
}
