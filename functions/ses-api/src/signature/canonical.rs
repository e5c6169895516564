//! The spellings of a request that its client may have signed.

use http::HeaderMap;
use sigv4::{CanonicalRequest, canonical_path, canonical_query, canonical_value};

use super::SignedRequest;

/// The path of a request as its client may have signed it, and the other parts that both sides sign.
pub(super) struct Canonical<'a> {
    method: &'a str,
    /// The possible spellings of the path.
    paths: Vec<String>,
    query: String,
    /// The signed headers, in the order of the signature.
    headers: Vec<(&'a str, String)>,
    body_hash: &'a str,
}

impl<'a> Canonical<'a> {
    pub(super) fn new(request: &SignedRequest<'a>, signed_headers: &'a [String], body_hash: &'a str) -> Self {
        let headers = signed_headers
            .iter()
            .map(|name| (name.as_str(), value(request.headers, name).unwrap_or_default()));
        Self {
            method: request.method,
            paths: paths(request.path),
            query: canonical_query(request.query),
            headers: headers.collect(),
            body_hash,
        }
    }

    /// Returns the hash of every request that the client may have signed.
    pub(super) fn hashes(&self) -> Vec<String> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.into())).collect();
        let hash = |path: &String| {
            let request = CanonicalRequest {
                method: self.method,
                path,
                query: &self.query,
                headers: &headers,
                body_hash: self.body_hash,
            };
            request.hash()
        };
        self.paths.iter().map(hash).collect()
    }
}

/// Returns the path encoded twice, and once if that differs.
fn paths(path: &str) -> Vec<String> {
    let once = canonical_path(path).into_owned();
    let twice = canonical_path(&once).into_owned();
    if once == twice { vec![once] } else { vec![twice, once] }
}

/// Returns a header's canonical value. Repeated values are joined by commas.
pub(super) fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers
        .get_all(name)
        .iter()
        .map(|value| canonical_value(&String::from_utf8_lossy(value.as_bytes())).into_owned());
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
    fn repeated_headers_are_joined() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("  a   b "));
        headers.append("x-a", HeaderValue::from_static("c"));
        assert_eq!(value(&headers, "x-a").as_deref(), Some("a b,c"));
        assert_eq!(value(&headers, "x-b"), None);
    }
}
