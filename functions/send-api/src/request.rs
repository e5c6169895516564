//! An HTTP request, read from the gateway's event.

use aws::NewestFrom;
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::address::{AddressError, EmailAddress};
use front::api_url;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::error::{ApiError, Problem};

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
    raw_query: String,
    query: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The URL of the API that received the request.
    pub(crate) api: String,
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
        let raw_query = event.raw_query_string.unwrap_or_default();
        Ok(Self {
            api: api_url(&event.request_context),
            method: event.request_context.http.method,
            path: event.raw_path.unwrap_or_default(),
            headers: event.headers,
            query: form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect(),
            raw_query,
            body,
        })
    }

    /// Returns the query, if each of its parameters is among the `known` ones. A misspelt parameter would otherwise
    /// answer another question than the caller's.
    pub(crate) fn query(&self, known: &'static [&'static str]) -> Result<Query<'_>, ApiError> {
        let mut names = self.query.iter().map(|(name, _)| name.as_str());
        match names.find(|name| !known.contains(name)) {
            Some(unknown) => Err(ApiError::unknown_parameter(unknown, known)),
            None => Ok(Query { request: self }),
        }
    }

    /// Returns a header, if the caller sent it. Bytes that are not UTF-8 are replaced, and then match no known value.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        Some(String::from_utf8_lossy(self.headers.get(name)?.as_bytes()).into_owned())
    }
}

/// The query of a request whose parameters are all known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    request: &'a Request,
}

impl<'a> Query<'a> {
    /// Returns a query parameter, if the caller sent it; the first one, if the caller repeated it.
    pub(crate) fn parameter(self, name: &str) -> Option<&'a str> {
        let mut query = self.request.query.iter();
        query.find(|(is, _)| is == name).map(|(_, value)| value.as_str())
    }

    /// Returns a query parameter that is an address; `None` if it is missing, and an error if it is no address.
    ///
    /// A plus is part of the address: clients that do not encode it are more than addresses with a space.
    pub(crate) fn address(self, name: &str) -> Option<Result<EmailAddress, AddressError>> {
        let pairs = self.request.raw_query.split('&');
        let mut values = pairs.filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text| percent_decode_str(text).decode_utf8_lossy();
            (decoded(key) == name).then(|| decoded(value))
        });
        values.next().map(|text| address(&text))
    }
}

/// Reads an address from a URL. Where a client or a gateway has decoded a plus to a space, the space is a plus.
pub(crate) fn address(text: &str) -> Result<EmailAddress, AddressError> {
    let plus = |error| match text.trim() {
        text if text.contains(' ') => EmailAddress::parse(&text.replace(' ', "+")),
        _ => Err(error),
    };
    EmailAddress::parse(text).or_else(plus)
}

/// Reads the parameter `limit` of a list, which is at most `max`.
pub(crate) fn limit(query: Query<'_>, max: usize) -> Result<usize, ApiError> {
    limit_up_to(query.parameter("limit"), max)
}

/// Reads the parameter `limit`, which is at most [`LIMIT_MAX`].
pub(crate) fn limit_of(parameter: Option<&str>) -> Result<usize, ApiError> {
    limit_up_to(parameter, LIMIT_MAX)
}

/// Reads the parameters `after` and `before` of a list, each the id of an entry. Only one of them may be given.
pub(crate) fn page_from(after: Option<&str>, before: Option<&str>, expected: &str) -> Result<NewestFrom, ApiError> {
    page_from_id(after, before, expected, |text| text.parse::<Uuid>().ok())
}

/// Reads the parameters `after` and `before` as [`page_from`] does, for ids that `parse` reads.
pub(crate) fn page_from_id<Id>(
    after: Option<&str>,
    before: Option<&str>,
    expected: &str,
    parse: impl Fn(&str) -> Option<Id>,
) -> Result<NewestFrom<Id>, ApiError> {
    let id = |name, parameter: Option<&str>| {
        let read = |text| parse(text).ok_or_else(|| ApiError::invalid_parameter(name, expected));
        parameter.map(read).transpose()
    };
    match (id("after", after)?, id("before", before)?) {
        (None, None) => Ok(NewestFrom::Newest),
        (Some(id), None) => Ok(NewestFrom::After(id)),
        (None, Some(id)) => Ok(NewestFrom::Before(id)),
        (Some(_), Some(_)) => Err(Problem::TwoPagePositions.into()),
    }
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

    impl Request {
        pub(crate) fn with_body(body: &[u8]) -> Self {
            Self::read(event(&STANDARD.encode(body), true)).unwrap()
        }

        pub(crate) fn set_header(&mut self, name: &'static str, value: &'static str) {
            self.headers.insert(name, http::HeaderValue::from_static(value));
        }
    }

    #[test]
    fn a_plus_in_an_address_is_a_plus() {
        let mut request = Request::read(event("{}", false)).unwrap();
        let mut asked = |query: &str| {
            request.raw_query = query.to_owned();
            let query = Query { request: &request };
            let found = query.address("to")?;
            Some(found.map(|address| address.as_given().to_owned()))
        };
        for query in [
            "to=a+b@example.net",
            "to=a%2Bb@example.net",
            "to=a%20b%40example.net",
            "limit=1&to=a+b%40example.net&to=c@example.net",
        ] {
            assert_eq!(asked(query), Some(Ok("a+b@example.net".to_owned())), "{query}");
        }
        assert_eq!(
            asked("to=%22a%20b%22@example.net"),
            Some(Ok("\"a b\"@example.net".to_owned()))
        );
        assert_eq!(asked("limit=1"), None);
        for query in ["to", "to=", "to=x", "to=a%20b"] {
            assert!(asked(query).unwrap().is_err(), "{query}");
        }
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
        let query = request.query(&["limit", "origin", "flag"]).unwrap();
        let found = ["limit", "origin", "flag", "after"].map(|name| query.parameter(name));
        assert_eq!(found, [Some("5"), Some("a b c"), Some(""), None]);
    }

    #[test]
    fn returns_a_header_that_is_not_ascii() {
        assert_eq!(
            Request::read(event("{}", false)).unwrap().header("X-Odd").as_deref(),
            Some("ü")
        );
    }

    #[test]
    fn refuses_a_parameter_that_the_route_does_not_have() {
        let mut request = Request::read(event("{}", false)).unwrap();
        let message = request.query(&["limit", "origin"]).unwrap_err().message;
        assert!(
            message.starts_with("There is no parameter `flag` here: the parameters are `limit`, `origin`."),
            "{message}"
        );
        for (name, shown) in [
            ("too", "`too`"),
            ("", "``"),
            ("a<b>", "of this name"),
            (&"a".repeat(41), "of this name"),
        ] {
            request.query = vec![(name.to_owned(), "x".to_owned())];
            let error = request.query(&["to"]).unwrap_err();
            assert_eq!((error.status, error.name), (422, "invalid_parameter"));
            assert!(
                error.message.contains(&format!("no parameter {shown} here")),
                "{}",
                error.message
            );
        }
        request.query = Vec::new();
        assert!(request.query(&[]).is_ok());
    }
}
