//! An HTTP request, read from the gateway's event.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method};

use crate::error::ApiError;

/// The largest accepted body, in bytes. Lambda's limit of 6 MB applies to the whole event with the escaped body.
pub(crate) const BODY_MAX: usize = 5_900_000;

/// The default number of entries on a page of a list.
const LIMIT: usize = 20;
/// The most entries on a page.
const LIMIT_MAX: usize = 100;

/// A request whose body is not too large.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    headers: HeaderMap,
    query: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads the gateway's event, and rejects a body that is too large.
    pub(crate) fn read(event: ApiGatewayV2httpRequest) -> Result<Self, ApiError> {
        let body = event.body.unwrap_or_default();
        let body = if event.is_base64_encoded {
            STANDARD
                .decode(body)
                .map_err(|_| ApiError::not_json("the gateway's encoding of the body is broken"))?
        } else {
            body.into_bytes()
        };
        if body.len() > BODY_MAX {
            return Err(ApiError::too_large(BODY_MAX));
        }
        Ok(Self {
            method: event.request_context.http.method,
            path: event.raw_path.unwrap_or_default(),
            headers: event.headers,
            query: form_urlencoded::parse(event.raw_query_string.unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            body,
        })
    }

    /// Returns a query parameter, if the caller sent it; the first one, if the caller repeated it.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut query = self.query.iter();
        query.find(|(is, _)| is == name).map(|(_, value)| value.as_str())
    }

    /// Returns a header, if the caller sent it. Bytes that are not UTF-8 are replaced, and then match no known value.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        Some(String::from_utf8_lossy(self.headers.get(name)?.as_bytes()).into_owned())
    }
}

/// Reads the parameter `limit` of a list, which is at most `max`.
pub(crate) fn limit(request: &Request, max: usize) -> Result<usize, ApiError> {
    limit_up_to(request.parameter("limit"), max)
}

/// Reads the parameter `limit`, which is at most [`LIMIT_MAX`].
pub(crate) fn limit_of(parameter: Option<&str>) -> Result<usize, ApiError> {
    limit_up_to(parameter, LIMIT_MAX)
}

fn limit_up_to(parameter: Option<&str>, max: usize) -> Result<usize, ApiError> {
    let Some(text) = parameter else { return Ok(LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| ApiError::invalid_parameter("limit", &format!("a whole number from 1 to {max}")))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn event(body: &str, is_base64_encoded: bool) -> ApiGatewayV2httpRequest {
        serde_json::from_value(json!({
            "version": "2.0",
            "rawPath": "/emails",
            "rawQueryString": "limit=5&origin=a%20b+c&limit=6&flag",
            "headers": {"authorization": "Bearer k", "x-odd": "ü"},
            "requestContext": {"http": {"method": "POST", "path": "/emails"}, "timeEpoch": 0},
            "body": body,
            "isBase64Encoded": is_base64_encoded,
        }))
        .unwrap()
    }

    #[test]
    fn reads_text_and_base64_bodies() {
        assert_eq!(Request::read(event("{}", false)).unwrap().body, b"{}");
        assert_eq!(Request::read(event("e30=", true)).unwrap().body, b"{}");
        assert_eq!(Request::read(event("%", true)).unwrap_err().status, 400);
    }

    #[test]
    fn refuses_a_body_over_the_limit() {
        assert!(Request::read(event(&"a".repeat(BODY_MAX), false)).is_ok());
        assert_eq!(
            Request::read(event(&"a".repeat(BODY_MAX + 1), false))
                .unwrap_err()
                .status,
            413
        );
    }

    #[test]
    fn decodes_query_parameters_and_returns_the_first_of_a_name() {
        let request = Request::read(event("{}", false)).unwrap();
        let found = ["limit", "origin", "flag", "after"].map(|name| request.parameter(name));
        assert_eq!(found, [Some("5"), Some("a b c"), Some(""), None]);
    }

    #[test]
    fn returns_a_header_that_is_not_ascii() {
        assert_eq!(
            Request::read(event("{}", false)).unwrap().header("X-Odd").as_deref(),
            Some("ü")
        );
    }
}
