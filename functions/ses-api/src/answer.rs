//! An HTTP answer: a status, headers and a body in the form of its protocol.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header with the id of a request. SDKs show it in their errors.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// The header with Okite's id of a mail. The body has the one of SES.
const OKITE_ID: HeaderName = HeaderName::from_static("x-okite-id");
/// The header with the number of recipients that Okite left out because they are suppressed.
const OKITE_SUPPRESSED: HeaderName = HeaderName::from_static("x-okite-suppressed");

/// The two versions of the SES API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Version 1: forms and XML, at the path `/`.
    V1,
    /// Version 2: JSON, at paths below `/v2/email`.
    V2,
}

impl Protocol {
    /// Returns the version that a path belongs to. A path of neither gets its error in JSON.
    #[must_use]
    pub fn of(path: &str) -> Self {
        if path.trim_matches('/').is_empty() {
            Self::V1
        } else {
            Self::V2
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::V1 => "text/xml",
            Self::V2 => "application/json",
        }
    }
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct ApiAnswer {
    /// The status.
    pub status: u16,
    /// The headers, the content type among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl ApiAnswer {
    /// Makes an answer of a protocol to the request with this id.
    #[must_use]
    pub fn new(protocol: Protocol, status: u16, request_id: Uuid, body: String) -> Self {
        let content_type = HeaderValue::from_static(protocol.content_type());
        Self {
            status,
            headers: HeaderMap::from_iter([
                (CONTENT_TYPE, content_type),
                (REQUEST_ID, text(&request_id.to_string())),
            ]),
            body,
        }
    }

    /// Adds Okite's id of the mail that the answer is about.
    #[must_use]
    pub fn with_okite_id(self, id: Uuid) -> Self {
        self.with(OKITE_ID, &id.to_string())
    }

    /// Adds how many recipients were left out, if any were.
    #[must_use]
    pub fn with_suppressed(self, count: usize) -> Self {
        match count {
            0 => self,
            count => self.with(OKITE_SUPPRESSED, &count.to_string()),
        }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.insert(name, text(value));
        self
    }
}

/// Makes a header's value. All of them are texts of this program, so none has bytes that no header may hold.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_version_1() {
        for (path, protocol) in [
            ("", Protocol::V1),
            ("/", Protocol::V1),
            ("//", Protocol::V1),
            ("/v2/email/account", Protocol::V2),
            ("/x", Protocol::V2),
        ] {
            assert_eq!(Protocol::of(path), protocol, "{path}");
        }
    }

    #[test]
    fn an_answer_names_its_type_and_its_request() {
        let answer = ApiAnswer::new(Protocol::V1, 200, Uuid::nil(), String::new()).with_okite_id(Uuid::max());
        assert_eq!(answer.headers["content-type"], "text/xml");
        assert_eq!(answer.headers["x-amzn-requestid"], Uuid::nil().to_string().as_str());
        assert_eq!(answer.headers["x-okite-id"], Uuid::max().to_string().as_str());
    }
}
