//! An HTTP response with a JSON body, or with a page for people, and its conversion to the gateway's form.

use std::borrow::Cow;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use domain::pacing::Allowance;
use domain::record::OkiteState;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::error::ApiError;
use crate::recipient::RecipientBody;

/// The type of all bodies but the pages.
const JSON: &str = "application/json";

/// A status and a body, as a rule JSON.
#[derive(Debug)]
pub(crate) struct Response {
    status: u16,
    headers: HeaderMap,
    content_type: &'static str,
    body: Cow<'static, str>,
}

/// The body of every error.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    status_code: u16,
    name: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    #[serde(rename = "okite_state", skip_serializing_if = "Option::is_none")]
    okite_state: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recipients: Vec<RecipientBody<'a>>,
}

impl Response {
    /// Answers 200 with `body`.
    pub(crate) fn ok(body: &impl Serialize) -> Self {
        Self {
            status: 200,
            headers: HeaderMap::new(),
            content_type: JSON,
            body: json(body).into(),
        }
    }

    /// Answers 200 with a text that is JSON already.
    pub(crate) fn written(body: &'static str) -> Self {
        Self {
            status: 200,
            headers: HeaderMap::new(),
            content_type: JSON,
            body: body.into(),
        }
    }

    /// Answers 201 with `body`, which describes the created resource.
    pub(crate) fn created(body: &impl Serialize) -> Self {
        Self {
            status: 201,
            ..Self::ok(body)
        }
    }

    /// Answers with a page for people. It is the reader's own: no cache keeps it, and no link leads elsewhere with the
    /// token in its address.
    pub(crate) fn page(status: u16, html: String, policy: &str, language: &'static str) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (VARY, "accept-language"),
            (CONTENT_LANGUAGE, language),
            (HeaderName::from_static("x-robots-tag"), "noindex"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        Self {
            status,
            headers,
            content_type: "text/html; charset=utf-8",
            body: html.into(),
        }
    }

    /// Adds the headers of the sending rate, if the allowance is known. They are for callers with a key, not for the
    /// readers of a page.
    pub(crate) fn with_allowance(mut self, allowance: Option<Allowance>) -> Self {
        if let Some(allowance) = allowance.filter(|_| self.content_type == JSON) {
            self.headers.insert("ratelimit-limit", allowance.limit.into());
            self.headers.insert("ratelimit-remaining", allowance.remaining.into());
            self.headers.insert("ratelimit-reset", allowance.reset.into());
        }
        self
    }
}

/// Writes a time in the form of the Resend API: `2026-04-03 22:13:42.674981+00`.
pub(crate) fn with_offset<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&at.strftime("%Y-%m-%d %H:%M:%S%.6f+00"))
}

/// Writes a time in the form of suppressions in the Resend API: `2026-10-06T23:47:56.678Z`.
pub(crate) fn to_the_millisecond<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
}

/// Writes a body as JSON. Bodies are structs of texts and numbers, so this cannot fail.
fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

impl From<ApiError> for Response {
    fn from(error: ApiError) -> Self {
        let body = json(&ErrorBody {
            status_code: error.status,
            name: error.name,
            message: &error.message,
            id: error.id,
            okite_state: error.okite_state.map(OkiteState::as_str),
            recipients: error.recipients.iter().map(RecipientBody::from).collect(),
        });
        let mut headers = HeaderMap::new();
        if let Some(retry_after) = error.retry_after {
            headers.insert(RETRY_AFTER, retry_after.into());
        }
        if let Some(allow) = error.allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
            headers.insert(ALLOW, allow);
        }
        Self {
            status: error.status,
            headers,
            content_type: JSON,
            body: body.into(),
        }
    }
}

impl From<Response> for ApiGatewayV2httpResponse {
    fn from(response: Response) -> Self {
        let mut answer = Self::default();
        answer.status_code = response.status.into();
        answer.headers = response.headers;
        answer
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(response.content_type));
        answer.body = Some(Body::Text(response.body.into_owned()));
        answer
    }
}
