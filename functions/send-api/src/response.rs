//! An HTTP response with a JSON body, and its conversion to the gateway's form.

use std::borrow::Cow;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use domain::pacing::Allowance;
use domain::record::OkiteState;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::error::ApiError;
use crate::recipient::RecipientBody;

/// A status and a JSON body.
#[derive(Debug)]
pub(crate) struct Response {
    status: u16,
    headers: HeaderMap,
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
            body: json(body).into(),
        }
    }

    /// Answers 200 with a text that is JSON already.
    pub(crate) fn written(body: &'static str) -> Self {
        Self {
            status: 200,
            headers: HeaderMap::new(),
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

    /// Adds the headers of the sending rate, if the allowance is known.
    pub(crate) fn with_allowance(mut self, allowance: Option<Allowance>) -> Self {
        if let Some(allowance) = allowance {
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
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer.body = Some(Body::Text(response.body.into_owned()));
        answer
    }
}
