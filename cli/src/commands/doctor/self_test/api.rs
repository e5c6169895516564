//! The calls of the HTTP API that a self-test makes.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{EVENT_TIMEOUT, MailResult, POLL_INTERVAL, SelfTest, SelfTestCase, SelfTestError};
use crate::aws_error;

/// How often a mail is sent that the API answers with 429 or 503.
const MAX_ATTEMPTS: u32 = 5;
/// The longest wait between two of these attempts.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The API, with the key of a self-test.
pub(super) struct Api<'a> {
    connector: SharedHttpConnector,
    test: &'a SelfTest,
}

/// An answer of the API.
struct Answer {
    status: u16,
    /// The header `retry-after`, in seconds.
    retry_after: Option<u64>,
    body: Value,
}

impl Answer {
    fn rejection(&self) -> SelfTestError {
        SelfTestError::Rejected {
            status: self.status,
            message: self.body["message"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

impl<'a> Api<'a> {
    pub(super) fn new(test: &'a SelfTest) -> Self {
        Self {
            connector: aws::http_connector(),
            test,
        }
    }

    /// Sends the mail of a case and returns its id. Repeats it while the API answers 429 or 503.
    pub(super) async fn send(&self, case: &SelfTestCase) -> Result<String, SelfTestError> {
        let address = self.test.address(case);
        let mail = json!({
            "from": self.test.from,
            "to": address,
            "subject": "okite doctor",
            "text": "A self-test of this stack, sent to the mailbox simulator of Amazon SES.",
        });
        let mut attempts = 1;
        loop {
            let answer = self
                .call(
                    "POST",
                    "/emails",
                    &format!("doctor-{}-{}", self.test.id, case.local_part),
                    Some(&mail),
                )
                .await?;
            match answer.status {
                200 => return Ok(answer.body["id"].as_str().unwrap_or_default().to_owned()),
                429 | 503 if attempts < MAX_ATTEMPTS => {
                    attempts += 1;
                    tokio::time::sleep(Duration::from_secs(answer.retry_after.unwrap_or(1)).min(MAX_WAIT)).await;
                }
                _ => return Err(answer.rejection()),
            }
        }
    }

    /// Waits for the expected result until `deadline`, and returns the last one.
    pub(super) async fn until_result(
        &self,
        case: &SelfTestCase,
        id: &str,
        deadline: Instant,
    ) -> Result<MailResult, SelfTestError> {
        loop {
            let result = self.result(case, id).await?;
            if result == MailResult::expected(case) || Instant::now() >= deadline {
                return Ok(result);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Reads the last event of the mail and the suppression of its recipient.
    async fn result(&self, case: &SelfTestCase, id: &str) -> Result<MailResult, SelfTestError> {
        let mail = self.call("GET", &format!("/emails/{id}"), "", None).await?;
        if mail.status != 200 {
            return Err(mail.rejection());
        }
        let path = format!("/suppressions/{}", self.test.address(case).replace('+', "%2B"));
        let entry = self.call("GET", &path, "", None).await?;
        let reason = match entry.status {
            200 => entry.body["reason"].as_str().map(str::to_owned),
            404 => None,
            _ => return Err(entry.rejection()),
        };
        let last_event = mail.body["last_event"].as_str().unwrap_or_default().to_owned();
        Ok(MailResult { last_event, reason })
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        idempotency_key: &str,
        body: Option<&Value>,
    ) -> Result<Answer, SelfTestError> {
        let unreachable =
            |error: &(dyn std::error::Error + 'static)| SelfTestError::Unreachable(aws_error::message(error));
        let mut request = HttpRequest::new(SdkBody::from(body.map(Value::to_string).unwrap_or_default()));
        request.set_method(method).map_err(|error| unreachable(&error))?;
        let url = format!("{}{path}", self.test.url.trim_end_matches('/'));
        request.set_uri(url).map_err(|error| unreachable(&error))?;
        let authorization = format!("Bearer {}", self.test.key);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", idempotency_key),
        ];
        for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
            let set = request.headers_mut().try_insert(name, value.to_owned());
            set.map_err(|error| unreachable(&error))?;
        }
        let answer = tokio::time::timeout(EVENT_TIMEOUT, self.connector.call(request)).await;
        let answer = answer
            .map_err(|error| unreachable(&error))?
            .map_err(|error| unreachable(&error))?;
        let status = answer.status().as_u16();
        let retry_after = answer
            .headers()
            .get("retry-after")
            .and_then(|seconds| seconds.parse().ok());
        let body = ByteStream::new(answer.into_body())
            .collect()
            .await
            .map_err(|error| unreachable(&error))?;
        let body = serde_json::from_slice(&body.into_bytes()).map_err(|error| unreachable(&error))?;
        Ok(Answer {
            status,
            retry_after,
            body,
        })
    }
}
