//! An emulated Amazon SES without faults: it accepts every mail, and the account has quota left.

use std::thread;
use std::time::Duration;

use crate::http::{Request, Response, Service};

const SENT: &str = r#"{"MessageId":"0100019d1c8f2a40-6e0f5b0a-4f5d-4d5e-9b9a-0d8f7c6b5a41-000000"}"#;
const ACCOUNT: &str = r#"{
    "DedicatedIpAutoWarmupEnabled": false, "EnforcementStatus": "HEALTHY", "ProductionAccessEnabled": true,
    "SendingEnabled": true,
    "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 1000.0},
    "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
}"#;

/// The emulated SES. It stores nothing.
#[derive(Debug)]
pub(crate) struct Ses {
    /// The time that every answer takes.
    pub(crate) latency: Duration,
}

impl Service for Ses {
    fn answer(&self, request: &Request) -> Option<Response> {
        let (status, body) = match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/v2/email/outbound-emails") => (200, SENT),
            ("GET", "/v2/email/account") => (200, ACCOUNT),
            _ => (404, "{}"),
        };
        thread::sleep(self.latency);
        let response = Response::new(status, "application/json", body);
        Some(response.with("x-amzn-requestid", "c5a1e0a4-6a5b-4f1e-9d7e-0a1b2c3d4e5f"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &str, path: &str) -> u16 {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            ..Request::default()
        };
        let latency = Duration::ZERO;
        Ses { latency }.answer(&request).unwrap().status
    }

    #[test]
    fn sends_and_describes_the_account_and_knows_nothing_else() {
        assert_eq!(ask("POST", "/v2/email/outbound-emails"), 200);
        assert_eq!(ask("GET", "/v2/email/account"), 200);
        assert_eq!(ask("GET", "/"), 404);
    }
}
