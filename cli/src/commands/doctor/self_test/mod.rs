//! `okite doctor --self-test`: a mail to each address of SES's mailbox simulator through the stack's own API, and what comes
//! back. The mails count in no rate and no quota, and what they suppress lapses after an hour.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::finding::{Finding, Level};

const WHY: &str = "it is the way that every mail and every event takes";
/// How long events may take, from when the last mail was sent.
const PATIENCE: Duration = Duration::from_mins(1);
/// The time from one look to the next.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often a mail is sent that is answered with 429 or 503.
const TRIES: u32 = 5;
/// The longest wait between two of these.
const WAIT_MAX: u64 = 10;

/// What should become of a mail to an address of the simulator.
struct Case {
    code: &'static str,
    local_part: &'static str,
    last_event: &'static str,
    reason: Option<&'static str>,
}

const fn case(
    code: &'static str,
    local_part: &'static str,
    last_event: &'static str,
    reason: Option<&'static str>,
) -> Case {
    Case {
        code,
        local_part,
        last_event,
        reason,
    }
}

const CASES: [Case; 5] = [
    case("self_test.success", "success", "delivered", None),
    case("self_test.bounce", "bounce", "bounced", Some("bounce")),
    case("self_test.complaint", "complaint", "complained", Some("complaint")),
    // An automatic reply is a bounce of SES's, and suppresses nobody.
    case("self_test.ooto", "ooto", "bounced", None),
    case(
        "self_test.suppressionlist",
        "suppressionlist",
        "bounced",
        Some("bounce"),
    ),
];

/// How to send.
#[derive(Clone, Debug)]
pub(super) struct SelfTest {
    /// Where the API is.
    pub(super) url: String,
    /// A key with full permission.
    pub(super) key: String,
    /// Who the mails are from.
    pub(super) from: String,
    /// What tells these mails from those of another test.
    pub(super) id: String,
}

/// A request that was not answered as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SelfTestError {
    /// The API was not reached, or did not answer in JSON.
    #[error("the API did not answer: {0}")]
    Unreachable(String),
    /// It refused.
    #[error("the API answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
}

/// What has become of a mail so far.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    last_event: String,
    reason: Option<String>,
}

impl Seen {
    fn of(case: &Case) -> Self {
        Self {
            last_event: case.last_event.to_owned(),
            reason: case.reason.map(str::to_owned),
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "{}, suppressed for {reason}", self.last_event),
            None => write!(f, "{}, not suppressed", self.last_event),
        }
    }
}

/// Says that no identity may send.
pub(super) fn nobody_to_send_from() -> Finding {
    let remedy = "verify one, or name one that is verified by --from";
    Finding::bad(
        "self_test",
        Level::Fail,
        "no identity that was looked at may send",
        WHY,
        remedy,
    )
}

impl SelfTest {
    /// Sends the mails, waits for their events a minute at most, and says of each what was expected and what was seen.
    pub(super) async fn run(&self) -> Vec<Finding> {
        let api = Api {
            connector: aws::http_connector(),
            test: self,
        };
        let mut sent = Vec::new();
        for case in &CASES {
            sent.push((case, api.send(case).await));
        }
        let deadline = Instant::now() + PATIENCE;
        let mut findings = Vec::new();
        for (case, id) in sent {
            let seen = match id {
                Ok(id) => api.until_seen(case, &id, deadline).await,
                Err(error) => Err(error),
            };
            findings.push(judge(case, seen).about(&self.address(case)));
        }
        findings
    }

    fn address(&self, case: &Case) -> String {
        format!("{}+doctor-{}@simulator.amazonses.com", case.local_part, self.id)
    }
}

fn judge(case: &Case, seen: Result<Seen, SelfTestError>) -> Finding {
    const REMEDY: &str = "look at the findings on feedback above, at the feedback function's log, and into the queues: \
                          docs/OPERATIONS.md says how";
    let expected = Seen::of(case);
    match seen {
        Ok(seen) if seen == expected => Finding::ok(case.code, format!("expected and seen: {seen}"), WHY),
        Ok(seen) if seen.last_event == "sent" && expected.last_event == "delivered" && seen.reason.is_none() => {
            let what = "it was sent, and no delivery was told of";
            let remedy = "nothing, if the stack's parameter DeliveryEvents is false; else look into the queues";
            Finding::bad(case.code, Level::Warn, what, WHY, remedy)
        }
        Ok(seen) => {
            let what = format!("expected: {expected}; seen: {seen}");
            Finding::bad(case.code, Level::Fail, what, WHY, REMEDY)
        }
        Err(error) => {
            let remedy = match &error {
                SelfTestError::Refused { status: 401 | 403, .. } => {
                    "name a key of this stack with full permission, which may send from that domain, by --key or OKITE_API_KEY"
                }
                SelfTestError::Refused { .. } => "do what the message says; docs/ERRORS.md says more",
                SelfTestError::Unreachable(_) => {
                    "look at the stack's output ApiUrl, and whether this machine reaches it"
                }
            };
            Finding::bad(case.code, Level::Fail, error.to_string(), WHY, remedy)
        }
    }
}

/// The API, as the test uses it.
struct Api<'a> {
    connector: SharedHttpConnector,
    test: &'a SelfTest,
}

/// An answer: its status, after how many seconds it asks to come again, and its JSON.
struct Answer {
    status: u16,
    retry_after: Option<u64>,
    body: Value,
}

impl Answer {
    fn refusal(&self) -> SelfTestError {
        SelfTestError::Refused {
            status: self.status,
            message: self.body["message"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

impl Api<'_> {
    /// Sends a mail, and returns its id.
    async fn send(&self, case: &Case) -> Result<String, SelfTestError> {
        let address = self.test.address(case);
        let mail = json!({
            "from": self.test.from,
            "to": address,
            "subject": "okite doctor",
            "text": "A test of this stack, to the mailbox simulator of Amazon SES.",
        });
        let mut tries = 1;
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
                429 | 503 if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_secs(answer.retry_after.unwrap_or(1).min(WAIT_MAX))).await;
                }
                _ => return Err(answer.refusal()),
            }
        }
    }

    /// Looks until what should come has come, or it is too late.
    async fn until_seen(&self, case: &Case, id: &str, deadline: Instant) -> Result<Seen, SelfTestError> {
        loop {
            let seen = self.seen(case, id).await?;
            if seen == Seen::of(case) || Instant::now() >= deadline {
                return Ok(seen);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn seen(&self, case: &Case, id: &str) -> Result<Seen, SelfTestError> {
        let mail = self.call("GET", &format!("/emails/{id}"), "", None).await?;
        if mail.status != 200 {
            return Err(mail.refusal());
        }
        let path = format!("/suppressions/{}", self.test.address(case).replace('+', "%2B"));
        let entry = self.call("GET", &path, "", None).await?;
        let reason = match entry.status {
            200 => entry.body["reason"].as_str().map(str::to_owned),
            404 => None,
            _ => return Err(entry.refusal()),
        };
        let last_event = mail.body["last_event"].as_str().unwrap_or_default().to_owned();
        Ok(Seen { last_event, reason })
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        idempotency_key: &str,
        body: Option<&Value>,
    ) -> Result<Answer, SelfTestError> {
        let unreachable = |error: &dyn std::error::Error| SelfTestError::Unreachable(crate::place::reason(error));
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
        let answer = tokio::time::timeout(PATIENCE, self.connector.call(request)).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(last_event: &str, reason: Option<&str>) -> Seen {
        Seen {
            last_event: last_event.to_owned(),
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn what_was_seen_is_held_against_what_was_expected() {
        let refused = |status| {
            Err(SelfTestError::Refused {
                status,
                message: "no".to_owned(),
            })
        };
        let [success, bounce, ..] = &CASES;
        for (case, seen, level) in [
            (success, Ok(seen("delivered", None)), Level::Ok),
            (success, Ok(seen("sent", None)), Level::Warn),
            (success, Ok(seen("queued", None)), Level::Fail),
            (success, Ok(seen("sent", Some("bounce"))), Level::Fail),
            (bounce, Ok(seen("bounced", Some("bounce"))), Level::Ok),
            (bounce, Ok(seen("bounced", None)), Level::Fail),
            (bounce, Ok(seen("sent", None)), Level::Fail),
            (bounce, refused(403), Level::Fail),
            (bounce, Err(SelfTestError::Unreachable("why".to_owned())), Level::Fail),
        ] {
            assert_eq!(judge(case, seen.clone()).level, level, "{seen:?}");
        }
        assert!(judge(bounce, refused(403)).remedy.unwrap().contains("--key"));
    }
}
