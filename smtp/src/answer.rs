//! The meaning of Okite's answer to a mail, and the answer that the SMTP client gets.

use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::Value;

use crate::reply::Reply;

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const OKITE_ID: HeaderName = HeaderName::from_static("x-okite-id");
const SUPPRESSED: HeaderName = HeaderName::from_static("x-okite-suppressed");

/// A mail that Okite has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The id by which SES names the mail in its events, or an id of Okite's for a mail that SES does not have yet.
    pub message_id: String,
    /// Okite's id.
    pub okite_id: Option<String>,
    /// The number of recipients that are suppressed and get no mail.
    pub suppressed: usize,
}

/// Why a mail was not taken, by what the client should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The sending rate or the quota is used up.
    Throttled,
    /// Sending is stopped: by the brake, or by AWS.
    Stopped,
    /// SES or Okite rejects the mail.
    Rejected,
    /// The mail is too large.
    TooLarge,
    /// The key may not send this mail.
    NotAllowed,
    /// Okite does not know the key any more.
    KeyRevoked,
    /// Okite does not answer, or a service that it needs does not. Nothing was sent.
    Unavailable,
    /// It is unknown whether the mail was sent.
    Unknown,
    /// The answer is not one of Okite's.
    Misconfigured,
}

/// A mail that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of refusal.
    pub kind: RefusalKind,
    /// The cause and the remedy. It may contain addresses, and goes to the client only.
    pub text: String,
}

impl Refusal {
    /// Makes a refusal.
    #[must_use]
    pub fn new(kind: RefusalKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    /// Returns the answer to the SMTP client.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let (code, status) = match self.kind {
            RefusalKind::Throttled => (454, "4.7.0"),
            RefusalKind::Stopped => (451, "4.7.1"),
            RefusalKind::Rejected => (554, "5.6.0"),
            RefusalKind::TooLarge => (552, "5.3.4"),
            RefusalKind::NotAllowed => (550, "5.7.1"),
            RefusalKind::KeyRevoked => (451, "4.7.8"),
            RefusalKind::Unavailable => (451, "4.3.0"),
            RefusalKind::Unknown => (451, "4.4.0"),
            RefusalKind::Misconfigured => (451, "4.3.5"),
        };
        Reply::new(code, status, self.text.clone())
    }

    /// Returns whether the same mail would be refused again.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.reply().code >= 500
    }
}

/// Reads Okite's answer to a mail.
///
/// # Errors
/// [`Refusal`] if the mail was not taken, or if the answer does not tell.
pub fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Accepted, Refusal> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let member = |name: &str| body.as_ref()?.get(name)?.as_str();
    if status == StatusCode::OK {
        // Whatever answers without an id is not Okite, and may have done anything.
        let message_id = member("MessageId").ok_or_else(|| {
            Refusal::new(
                RefusalKind::Unknown,
                "The answer of the API has no MessageId. Check the option --api",
            )
        })?;
        return Ok(Accepted {
            message_id: message_id.to_owned(),
            okite_id: text(&OKITE_ID).map(str::to_owned),
            suppressed: text(&SUPPRESSED).and_then(|count| count.parse().ok()).unwrap_or(0),
        });
    }
    // AWS's own services write more behind a colon.
    let error_type = text(&ERROR_TYPE)
        .and_then(|value| value.split(':').next())
        .unwrap_or_default();
    let kind = kind(status, error_type);
    let message = member("message").or_else(|| member("Message"));
    Err(Refusal::new(kind, words(kind, message, status)))
}

/// Returns whether an answer means that Okite does not know the key.
#[must_use]
pub fn is_unknown_key(status: StatusCode, headers: &HeaderMap) -> bool {
    let error_type = headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok());
    let error_type = error_type.and_then(|value| value.split(':').next()).unwrap_or_default();
    kind(status, error_type) == RefusalKind::KeyRevoked
}

fn kind(status: StatusCode, error_type: &str) -> RefusalKind {
    match (status.as_u16(), error_type) {
        (_, "SendingPausedException" | "AccountSuspendedException" | "AccountSuspended") => RefusalKind::Stopped,
        (_, "LimitExceededException") | (429, _) => RefusalKind::Throttled,
        (
            401 | 403,
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "IncompleteSignature"
            | "IncompleteSignatureException",
        )
        | (401, _) => RefusalKind::KeyRevoked,
        (403, "AccessDenied" | "AccessDeniedException") => RefusalKind::NotAllowed,
        (
            400,
            "MessageRejected"
            | "BadRequestException"
            | "MailFromDomainNotVerified"
            | "MailFromDomainNotVerifiedException"
            | "SerializationException",
        )
        | (404, "NotFoundException") => RefusalKind::Rejected,
        (413, _) => RefusalKind::TooLarge,
        (503, _) => RefusalKind::Unavailable,
        // A conflict: the claim of the same mail is held, and it is not known what became of it.
        (409 | 500 | 502 | 504, _) => RefusalKind::Unknown,
        _ => RefusalKind::Misconfigured,
    }
}

fn words(kind: RefusalKind, message: Option<&str>, status: StatusCode) -> String {
    let message = message.unwrap_or_default();
    match kind {
        // SES's own SMTP server begins so.
        RefusalKind::Throttled => format!("Throttling failure: {message}"),
        RefusalKind::Rejected => format!("Message rejected: {message}"),
        RefusalKind::TooLarge => "The mail is too large for Okite. Send a link to larger files".to_owned(),
        RefusalKind::Stopped | RefusalKind::NotAllowed => message.to_owned(),
        RefusalKind::KeyRevoked => "Okite does not accept the API key any more".to_owned(),
        RefusalKind::Unavailable => "Okite cannot take mail at the moment. Try again later".to_owned(),
        RefusalKind::Unknown => "It is unknown whether the mail was sent. Try again later".to_owned(),
        RefusalKind::Misconfigured => format!("Okite's API answered with {}. Check the option --api", status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn answered(status: u16, headers: &[(&'static str, &str)], body: &Value) -> Result<Accepted, Refusal> {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        let headers = headers.iter().map(pair).collect();
        read(
            StatusCode::from_u16(status).unwrap(),
            &headers,
            body.to_string().as_bytes(),
        )
    }

    #[test]
    fn a_mail_is_taken_only_with_an_id() {
        let headers = [("x-okite-id", "01"), ("x-okite-suppressed", "2")];
        let accepted = answered(200, &headers, &json!({"MessageId": "0100"})).unwrap();
        assert_eq!(
            accepted,
            Accepted {
                message_id: "0100".to_owned(),
                okite_id: Some("01".to_owned()),
                suppressed: 2
            }
        );
        for body in [json!({}), json!([]), json!({"MessageId": 1})] {
            assert_eq!(answered(200, &[], &body).unwrap_err().kind, RefusalKind::Unknown);
        }
    }

    #[test]
    fn every_error_has_its_answer() {
        for (status, error_type, reply) in [
            (400, "MessageRejected", "554 5.6.0 Message rejected: cause"),
            (400, "BadRequestException", "554 5.6.0 Message rejected: cause"),
            (
                400,
                "MailFromDomainNotVerifiedException",
                "554 5.6.0 Message rejected: cause",
            ),
            (404, "NotFoundException", "554 5.6.0 Message rejected: cause"),
            (400, "SendingPausedException", "451 4.7.1 cause"),
            (400, "AccountSuspendedException", "451 4.7.1 cause"),
            (400, "LimitExceededException", "454 4.7.0 Throttling failure: cause"),
            (429, "TooManyRequestsException", "454 4.7.0 Throttling failure: cause"),
            (429, "", "454 4.7.0 Throttling failure: cause"),
            (403, "AccessDeniedException", "550 5.7.1 cause"),
            (
                403,
                "UnrecognizedClientException:http://internal",
                "451 4.7.8 Okite does not accept",
            ),
            (403, "InvalidClientTokenId", "451 4.7.8 Okite does not accept"),
            (403, "", "451 4.3.5 Okite's API answered with 403"),
            (
                404,
                "UnknownOperationException",
                "451 4.3.5 Okite's API answered with 404",
            ),
            (404, "", "451 4.3.5 Okite's API answered with 404"),
            (400, "", "451 4.3.5 Okite's API answered with 400"),
            (301, "", "451 4.3.5 Okite's API answered with 301"),
            (409, "ConflictException", "451 4.4.0 It is unknown"),
            (413, "", "552 5.3.4 The mail is too large"),
            (500, "InternalServiceErrorException", "451 4.4.0 It is unknown"),
            (502, "", "451 4.4.0 It is unknown"),
            (504, "", "451 4.4.0 It is unknown"),
            (503, "ServiceUnavailableException", "451 4.3.0 Okite cannot take mail"),
        ] {
            let headers = [("x-amzn-errortype", error_type)];
            let refusal = answered(status, &headers, &json!({"message": "cause"})).unwrap_err();
            let answer = refusal.reply().to_string();
            assert!(answer.starts_with(reply), "{status} {error_type}: {answer}");
            assert_eq!(refusal.is_permanent(), answer.starts_with('5'));
        }
    }
}
