//! `okite doctor --self-test`: sends a mail to each address of the SES mailbox simulator through the stack's own API,
//! and waits for the events. These mails count in no bounce rate, complaint rate or quota. The suppressions that they
//! cause expire after an hour.

mod api;

use std::time::Duration;

use tokio::time::Instant;

use super::finding::{Finding, Level};
use api::Api;

const WHY: &str = "every mail and every event takes this path";
/// The time that events may take after the last mail was sent.
const EVENT_TIMEOUT: Duration = Duration::from_mins(1);
/// The wait between two looks at a mail.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// A mail to an address of the simulator, and its expected result.
struct SelfTestCase {
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
) -> SelfTestCase {
    SelfTestCase {
        code,
        local_part,
        last_event,
        reason,
    }
}

const CASES: [SelfTestCase; 5] = [
    case("self_test.success", "success", "delivered", None),
    case("self_test.bounce", "bounce", "bounced", Some("bounce")),
    case("self_test.complaint", "complaint", "complained", Some("complaint")),
    // SES reports an automatic reply as a bounce. It suppresses no address.
    case("self_test.ooto", "ooto", "bounced", None),
    case(
        "self_test.suppressionlist",
        "suppressionlist",
        "bounced",
        Some("bounce"),
    ),
];

/// A self-test of one API.
#[derive(Clone, Debug)]
pub(super) struct SelfTest {
    /// The URL of the API.
    pub(super) url: String,
    /// An API key with full permission.
    pub(super) key: String,
    /// The sender of the mails.
    pub(super) from: String,
    /// The id that distinguishes these mails from those of another test.
    pub(super) id: String,
}

/// Why a request to the API failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SelfTestError {
    /// The API was not reached, or its answer was not JSON.
    #[error("the API did not answer: {0}")]
    Unreachable(String),
    #[error("the API answered with status {status}: {message}")]
    Rejected { status: u16, message: String },
}

impl SelfTestError {
    /// Returns whether every other mail of the test would fail in the same way.
    fn stops_every_mail(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Rejected { status, .. } => matches!(status, 401 | 403),
        }
    }
}

/// The progress of a mail so far.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MailResult {
    last_event: String,
    reason: Option<String>,
}

impl MailResult {
    /// Returns the expected result of a case.
    fn expected(case: &SelfTestCase) -> Self {
        Self {
            last_event: case.last_event.to_owned(),
            reason: case.reason.map(str::to_owned),
        }
    }
}

impl std::fmt::Display for MailResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "{}, suppressed for {reason}", self.last_event),
            None => write!(f, "{}, not suppressed", self.last_event),
        }
    }
}

/// Returns the finding that the account has no sender.
pub(super) fn no_sender() -> Finding {
    let remedy = "verify an identity, or name a verified one with --from";
    Finding::bad(
        "self_test",
        Level::Fail,
        "SES lets none of the checked identities send",
        WHY,
        remedy,
    )
}

impl SelfTest {
    /// Sends the mails, waits for their events for one minute at most, and judges each mail.
    pub(super) async fn run(&self) -> Vec<Finding> {
        let api = Api::new(self);
        let mut sent = Vec::new();
        for case in &CASES {
            let id = api.send(case).await;
            if let Err(error) = &id
                && error.stops_every_mail()
            {
                return vec![failed("self_test", error)];
            }
            sent.push((case, id));
        }
        let deadline = Instant::now() + EVENT_TIMEOUT;
        let mut findings = Vec::new();
        for (case, id) in sent {
            let result = match id {
                Ok(id) => api.until_result(case, &id, deadline).await,
                Err(error) => Err(error),
            };
            findings.push(judge(case, result).about(&self.address(case)));
        }
        findings
    }

    fn address(&self, case: &SelfTestCase) -> String {
        format!("{}+doctor-{}@simulator.amazonses.com", case.local_part, self.id)
    }
}

fn judge(case: &SelfTestCase, result: Result<MailResult, SelfTestError>) -> Finding {
    const REMEDY: &str = "look at the findings on feedback above, at the log of the feedback function and at the \
                          queues, as docs/OPERATIONS.md describes";
    let expected = MailResult::expected(case);
    match result {
        Ok(result) if result == expected => Finding::ok(case.code, format!("as expected: {result}"), WHY),
        Ok(result) if result.last_event == "sent" && expected.last_event == "delivered" && result.reason.is_none() => {
            let what = "the mail was sent, but SES reported no delivery";
            let remedy = "nothing, if the stack's parameter DeliveryEvents is false; otherwise look at the queues";
            Finding::bad(case.code, Level::Warn, what, WHY, remedy)
        }
        Ok(result) => {
            let what = format!("expected: {expected}; result: {result}");
            Finding::bad(case.code, Level::Fail, what, WHY, REMEDY)
        }
        Err(error) => failed(case.code, &error),
    }
}

/// Returns the finding that a request of the test failed.
fn failed(code: &'static str, error: &SelfTestError) -> Finding {
    let remedy = match error {
        SelfTestError::Rejected { status: 401 | 403, .. } => {
            "name an API key of this stack with full permission for that sender domain, with --key or OKITE_API_KEY"
        }
        SelfTestError::Rejected { .. } => "follow the message; docs/ERRORS.md describes each error",
        SelfTestError::Unreachable(_) => "check that this machine reaches the URL in the stack's output ApiUrl",
    };
    Finding::bad(code, Level::Fail, error.to_string(), WHY, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(last_event: &str, reason: Option<&str>) -> MailResult {
        MailResult {
            last_event: last_event.to_owned(),
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn compares_the_result_with_the_expectation() {
        let rejected = |status| {
            Err(SelfTestError::Rejected {
                status,
                message: "no".to_owned(),
            })
        };
        let [success, bounce, ..] = &CASES;
        for (case, result, level) in [
            (success, Ok(result("delivered", None)), Level::Ok),
            (success, Ok(result("sent", None)), Level::Warn),
            (success, Ok(result("queued", None)), Level::Fail),
            (success, Ok(result("sent", Some("bounce"))), Level::Fail),
            (bounce, Ok(result("bounced", Some("bounce"))), Level::Ok),
            (bounce, Ok(result("bounced", None)), Level::Fail),
            (bounce, Ok(result("sent", None)), Level::Fail),
            (bounce, rejected(403), Level::Fail),
            (bounce, Err(SelfTestError::Unreachable("why".to_owned())), Level::Fail),
        ] {
            assert_eq!(judge(case, result.clone()).level, level, "{result:?}");
        }
        assert!(judge(bounce, rejected(403)).remedy.unwrap().contains("--key"));
    }
}
