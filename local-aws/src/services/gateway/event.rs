//! The event that a function receives for a request, in payload format 2.0.

use axum::http::header::{CONTENT_TYPE, COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::routing::Match;
use crate::application::ACCOUNT_ID;

/// Decodes a path as an HTTP API does: once, and only up to a question mark that was encoded. Bytes that are not UTF-8
/// are replaced.
pub(super) fn decoded_path(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let until = decoded.find('?').unwrap_or(decoded.len());
    decoded[..until].to_owned()
}

/// Writes the event of a request to `api`. `domain` is the name of the API, whatever host the caller named. `path` is
/// decoded.
#[expect(
    clippy::disallowed_methods,
    reason = "the ids of requests are made here and nowhere else"
)]
pub(super) fn event(
    api: &str,
    domain: &str,
    found: &Match<'_>,
    path: &str,
    now: Timestamp,
    head: &Parts,
    body: &Bytes,
) -> Value {
    let (body, is_base64_encoded) = encode(&head.headers, body);
    let route_key = found.route.key.to_string();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": head.uri.query().unwrap_or_default(),
        "headers": headers(&head.headers),
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": api,
            "domainName": domain,
            "domainPrefix": domain.split('.').next().unwrap_or_default(),
            "http": {
                "method": head.method.as_str(),
                "path": path,
                "protocol": if head.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
                "sourceIp": "127.0.0.1",
                "userAgent": head.headers.get(USER_AGENT).map_or_else(String::new, text),
            },
            "requestId": Uuid::new_v4(),
            "routeKey": route_key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.as_millisecond(),
        },
        "isBase64Encoded": is_base64_encoded,
    });
    if !found.variables.is_empty() {
        let variables = found.variables.iter().cloned();
        event["pathParameters"] = variables.map(|(name, value)| (name, Value::String(value))).collect();
    }
    if !body.is_empty() {
        event["body"] = Value::String(body);
    }
    let cookies: Vec<String> = head.headers.get_all(COOKIE).iter().map(text).collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    event
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Lists the headers in lower case. The values of a repeated one are joined by commas. Cookies have a list of their
/// own.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .keys()
        .filter(|name| *name != COOKIE)
        .map(|name| {
            let values: Vec<String> = headers.get_all(name).iter().map(text).collect();
            (name.as_str().to_owned(), Value::String(values.join(",")))
        })
        .collect()
}

/// Encodes a body: as text if its type is textual, and in base64 otherwise. Returns whether it is base64.
fn encode(headers: &HeaderMap, body: &Bytes) -> (String, bool) {
    let content_type = headers
        .get(CONTENT_TYPE)
        .map_or_else(String::new, text)
        .to_ascii_lowercase();
    let is_text = content_type.starts_with("text/")
        || ["application/json", "application/javascript", "application/xml"]
            .iter()
            .any(|known| content_type.starts_with(known));
    match std::str::from_utf8(body) {
        Ok(text) if is_text => (text.to_owned(), false),
        _ => (STANDARD.encode(body), !body.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::super::routing::find;
    use super::super::testing::routes;
    use super::*;

    const DOMAIN: &str = "127.0.0.1:3000";

    /// Writes the event of a request to an API with three routes.
    fn event_of(method: &str, uri: &str) -> Value {
        let table = routes(&[("$default", ""), ("POST", "/"), ("ANY", "/v2/email/{proxy+}")]);
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        let (head, ()) = request.into_parts();
        let path = decoded_path(head.uri.path());
        let found = find(&table, method, &path).unwrap();
        event(
            "shop-Api",
            DOMAIN,
            &found,
            &path,
            Timestamp::UNIX_EPOCH,
            &head,
            &Bytes::new(),
        )
    }

    #[test]
    fn names_the_route_and_the_variables_of_its_path() {
        for (method, uri, key, variables) in [
            ("GET", "/", "$default", Value::Null),
            ("POST", "/", "POST /", Value::Null),
            (
                "PUT",
                "/v2/email/a/b%40c?x=1",
                "ANY /v2/email/{proxy+}",
                json!({"proxy": "a/b@c"}),
            ),
        ] {
            let event = event_of(method, uri);
            assert_eq!(event["routeKey"], key);
            assert_eq!(event["requestContext"]["routeKey"], key);
            assert_eq!(event["requestContext"]["stage"], "$default");
            assert_eq!(event["pathParameters"], variables);
        }
    }

    #[test]
    fn the_domain_is_that_of_the_api_and_not_the_host_of_the_caller() {
        let event = event_of("GET", "http://evil.example/");
        assert_eq!(event["requestContext"]["domainName"], DOMAIN);
        assert_eq!(event["requestContext"]["domainPrefix"], "127");
    }

    #[test]
    fn decodes_the_path_once_and_leaves_the_query_as_it_was_sent() {
        for (uri, path, query) in [
            ("/v2/email/a%40b.c?x=%40&y=a+b", "/v2/email/a@b.c", "x=%40&y=a+b"),
            ("/a+b%20c%2Bd", "/a+b c+d", ""),
            ("/a%2540b", "/a%40b", ""),
            ("/a%2Fb", "/a/b", ""),
            ("/a%3Fb/c?x=1", "/a", "x=1"),
            ("/a%253Fb", "/a%3Fb", ""),
            ("/%zz%4", "/%zz%4", ""),
            ("/%C3%BC%FF", "/ü\u{fffd}", ""),
            ("/", "/", ""),
        ] {
            let event = event_of("GET", uri);
            assert_eq!(event["rawPath"], path, "{uri}");
            assert_eq!(event["requestContext"]["http"]["path"], path, "{uri}");
            assert_eq!(event["rawQueryString"], query, "{uri}");
        }
    }

    #[test]
    fn routes_by_the_decoded_path() {
        assert_eq!(event_of("GET", "/v2%2Femail/x")["routeKey"], "ANY /v2/email/{proxy+}");
        assert_eq!(event_of("POST", "/%3F")["routeKey"], "POST /");
    }

    #[test]
    fn joins_repeated_headers_and_leaves_cookies_out() {
        let mut map = HeaderMap::new();
        map.append("x-a", HeaderValue::from_static("1"));
        map.append("X-A", HeaderValue::from_static("2"));
        map.append("cookie", HeaderValue::from_static("c=1"));
        assert_eq!(Value::Object(headers(&map)), json!({ "x-a": "1,2" }));
    }

    #[test]
    fn sends_json_as_text_and_everything_else_in_base64() {
        let with = |content_type: &'static str, body: &'static [u8]| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            encode(&headers, &Bytes::from_static(body))
        };
        assert_eq!(with("application/json; charset=utf-8", b"{}"), ("{}".to_owned(), false));
        for binary in [
            "application/octet-stream",
            "application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded; charset=utf-8",
            "application/x-amz-json-1.0",
            "application/x-amz-json-1.1",
        ] {
            assert_eq!(with(binary, b"{}"), ("e30=".to_owned(), true), "{binary}");
        }
        assert_eq!(with("application/json", b"\xff"), ("/w==".to_owned(), true));
        assert_eq!(encode(&HeaderMap::new(), &Bytes::new()), (String::new(), false));
    }
}
