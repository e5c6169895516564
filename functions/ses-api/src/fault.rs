//! Every error that a caller can receive, in the form of both versions of the API.
//!
//! AWS's SDKs act on the code and the status: they repeat throttled requests and those that the server failed, at most
//! twice, and show all others to the application.

use std::time::Duration;

use domain::address::AddressError;
use domain::message::InvalidEmail;
use domain::message::raw::InvalidRaw;
use http::HeaderName;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::answer::{ApiAnswer, Protocol};
use crate::xml::{NAMESPACE, Xml};

/// The header with the type of an error in JSON protocols.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
/// The time before a repetition in milliseconds, which botocore obeys.
const AMZ_RETRY_AFTER: HeaderName = HeaderName::from_static("x-amz-retry-after");

/// The kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The request has no credentials.
    MissingCredentials,
    /// The credentials are not in a form that is taken.
    IncompleteSignature,
    /// No API key belongs to the credentials.
    UnknownAccessKey,
    /// The signature is wrong.
    WrongSignature,
    /// The signature is too old or too new.
    RequestExpired,
    /// The API key has no permission for the operation or the sender.
    AccessDenied,
    /// The body is not in the protocol's form.
    Malformed,
    /// A value is missing or not valid.
    Invalid,
    /// The API has no such operation, or Okite does not carry it out.
    UnknownOperation,
    /// The requested thing does not exist.
    NotFound,
    /// The request names a configuration set that is not Okite's.
    NoConfigurationSet,
    /// The page token does not come from this operation.
    InvalidNextToken,
    /// SES refuses the mail.
    MessageRejected,
    /// The custom MAIL FROM domain of the sender is not verified.
    MailFromNotVerified,
    /// A limit of the account is reached.
    LimitExceeded,
    /// The sending rate or the quota is used up.
    Throttled,
    /// Sending is stopped.
    SendingPaused,
    /// AWS has suspended the account.
    AccountSuspended,
    /// A service that Okite needs does not answer.
    Unavailable,
    /// Okite failed, or it is unknown whether the mail was sent.
    Internal,
}

/// How the two versions of the API name an error.
#[derive(Clone, Copy, Debug)]
pub struct FaultRow {
    /// The error.
    pub kind: FaultKind,
    /// The code and the status of version 1.
    pub v1: (&'static str, u16),
    /// The type and the status of version 2.
    pub v2: (&'static str, u16),
}

const fn row(kind: FaultKind, v1: (&'static str, u16), v2: (&'static str, u16)) -> FaultRow {
    FaultRow { kind, v1, v2 }
}

/// One row for each [`FaultKind`], in its order.
pub static FAULTS: [FaultRow; 20] = [
    row(
        FaultKind::MissingCredentials,
        ("MissingAuthenticationToken", 403),
        ("MissingAuthenticationTokenException", 403),
    ),
    row(
        FaultKind::IncompleteSignature,
        ("IncompleteSignature", 403),
        ("IncompleteSignatureException", 403),
    ),
    row(
        FaultKind::UnknownAccessKey,
        ("InvalidClientTokenId", 403),
        ("UnrecognizedClientException", 403),
    ),
    row(
        FaultKind::WrongSignature,
        ("SignatureDoesNotMatch", 403),
        ("InvalidSignatureException", 403),
    ),
    row(
        FaultKind::RequestExpired,
        ("RequestExpired", 403),
        ("RequestExpired", 403),
    ),
    row(
        FaultKind::AccessDenied,
        ("AccessDenied", 403),
        ("AccessDeniedException", 403),
    ),
    row(
        FaultKind::Malformed,
        ("MalformedQueryString", 400),
        ("SerializationException", 400),
    ),
    row(
        FaultKind::Invalid,
        ("InvalidParameterValue", 400),
        ("BadRequestException", 400),
    ),
    row(
        FaultKind::UnknownOperation,
        ("InvalidAction", 400),
        ("UnknownOperationException", 404),
    ),
    row(
        FaultKind::NotFound,
        ("InvalidParameterValue", 400),
        ("NotFoundException", 404),
    ),
    row(
        FaultKind::NoConfigurationSet,
        ("ConfigurationSetDoesNotExist", 400),
        ("NotFoundException", 404),
    ),
    row(
        FaultKind::InvalidNextToken,
        ("InvalidParameterValue", 400),
        ("InvalidNextTokenException", 400),
    ),
    row(
        FaultKind::MessageRejected,
        ("MessageRejected", 400),
        ("MessageRejected", 400),
    ),
    row(
        FaultKind::MailFromNotVerified,
        ("MailFromDomainNotVerifiedException", 400),
        ("MailFromDomainNotVerifiedException", 400),
    ),
    row(
        FaultKind::LimitExceeded,
        ("LimitExceeded", 400),
        ("LimitExceededException", 400),
    ),
    row(
        FaultKind::Throttled,
        ("Throttling", 400),
        ("TooManyRequestsException", 429),
    ),
    row(
        FaultKind::SendingPaused,
        ("AccountSendingPausedException", 400),
        ("SendingPausedException", 400),
    ),
    row(
        FaultKind::AccountSuspended,
        ("AccountSendingPausedException", 400),
        ("AccountSuspendedException", 400),
    ),
    row(
        FaultKind::Unavailable,
        ("ServiceUnavailable", 503),
        ("ServiceUnavailableException", 503),
    ),
    row(
        FaultKind::Internal,
        ("InternalFailure", 500),
        ("InternalServiceErrorException", 500),
    ),
];

// A fault's row is found by its index, so every build checks the order.
const _: () = {
    let mut place = 0;
    while place < FAULTS.len() {
        assert!(FAULTS[place].kind as usize == place);
        place += 1;
    }
    assert!(FaultKind::Internal as usize + 1 == FAULTS.len());
};

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiFault {
    /// The kind of fault.
    pub kind: FaultKind,
    /// The cause and the remedy.
    pub message: String,
    /// When the client may repeat the request.
    pub retry_after: Option<Duration>,
    /// The server's time, by which SDKs correct theirs.
    pub date: Option<Timestamp>,
    /// Okite's id of the mail, if it may have been sent.
    pub okite_id: Option<Uuid>,
}

impl ApiFault {
    /// Makes an error.
    #[must_use]
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
            date: None,
            okite_id: None,
        }
    }

    /// Makes the error of a value that is missing or not valid.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Invalid, message)
    }

    /// Makes the error of a message that is larger than a request can carry.
    #[must_use]
    pub fn too_large(most: usize, bytes: usize) -> Self {
        Self::invalid(format!(
            "Message length is more than {most} bytes long: '{bytes}'. Send a link to larger files."
        ))
    }

    /// Names the time before a repetition.
    #[must_use]
    pub fn after(self, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..self
        }
    }

    /// Names the server's time.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self {
            date: Some(now),
            ..self
        }
    }

    /// Writes the error in the form of a protocol.
    #[must_use]
    pub fn answer(&self, protocol: Protocol, request_id: Uuid) -> ApiAnswer {
        let row = &FAULTS[self.kind as usize];
        let mut answer = match protocol {
            Protocol::V1 => {
                let (code, status) = row.v1;
                let body = document(status, code, &self.message, request_id);
                ApiAnswer::new(protocol, status, request_id, body)
            }
            Protocol::V2 => {
                let (error_type, status) = row.v2;
                let body = json!({ "message": self.message }).to_string();
                ApiAnswer::new(protocol, status, request_id, body).with(ERROR_TYPE, error_type)
            }
        };
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            answer = answer
                .with(RETRY_AFTER, &seconds.max(1).to_string())
                .with(AMZ_RETRY_AFTER, &after.as_millis().to_string());
        }
        if let Some(now) = self.date {
            answer = answer.with(DATE, &now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        }
        match self.okite_id {
            Some(id) => answer.with_okite_id(id),
            None => answer,
        }
    }
}

/// Returns the kind of an error of an address.
///
/// SES takes any text for a domain and rejects the message, because nobody has verified it. nodemailer's `verify` tries
/// the credentials with a mail from `invalid@invalid`, and takes that for a success.
pub(crate) fn kind_of(problem: AddressError) -> FaultKind {
    match problem {
        AddressError::DomainInvalid => FaultKind::MessageRejected,
        _ => FaultKind::Invalid,
    }
}

/// Writes the body of an error of version 1.
fn document(status: u16, code: &str, message: &str, request_id: Uuid) -> String {
    let whose = if status < 500 { "Sender" } else { "Receiver" };
    let xml = Xml::default().element(&format!("ErrorResponse xmlns=\"{NAMESPACE}\""), |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", whose).text("Code", code).text("Message", message)
        })
        .text("RequestId", &request_id.to_string())
    });
    xml.finish()
}

impl From<InvalidRaw> for ApiFault {
    fn from(invalid: InvalidRaw) -> Self {
        let kind = match invalid {
            InvalidRaw::Address { problem, .. } => kind_of(problem),
            _ => FaultKind::Invalid,
        };
        Self::new(kind, invalid.to_string())
    }
}

impl From<InvalidEmail> for ApiFault {
    fn from(invalid: InvalidEmail) -> Self {
        Self::invalid(invalid.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(answer: &'a ApiAnswer, name: &str) -> Option<&'a str> {
        Some(answer.headers.get(name)?.to_str().unwrap())
    }

    #[test]
    fn both_versions_name_the_error() {
        let fault = ApiFault::new(FaultKind::Throttled, "Maximum sending rate exceeded.");
        let v1 = fault.answer(Protocol::V1, Uuid::nil());
        assert_eq!((v1.status, header(&v1, "x-amzn-errortype")), (400, None));
        assert!(
            v1.body.contains("<Type>Sender</Type><Code>Throttling</Code>"),
            "{}",
            v1.body
        );
        let v2 = fault.answer(Protocol::V2, Uuid::nil());
        assert_eq!(
            (v2.status, header(&v2, "x-amzn-errortype"), v2.body.as_str()),
            (
                429,
                Some("TooManyRequestsException"),
                r#"{"message":"Maximum sending rate exceeded."}"#
            )
        );
    }

    #[test]
    fn both_forms_of_the_time_before_a_repetition_are_sent() {
        for (milliseconds, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (20_000, "20")] {
            let fault = ApiFault::new(FaultKind::Unavailable, "x").after(Duration::from_millis(milliseconds));
            let answer = fault.answer(Protocol::V2, Uuid::nil());
            assert_eq!(header(&answer, "retry-after"), Some(seconds));
            assert_eq!(
                header(&answer, "x-amz-retry-after"),
                Some(milliseconds.to_string().as_str())
            );
        }
        let answer = ApiFault::invalid("x").answer(Protocol::V2, Uuid::nil());
        assert_eq!(header(&answer, "retry-after"), None);
    }

    #[test]
    fn the_servers_time_is_sent() {
        let fault = ApiFault::new(FaultKind::RequestExpired, "x").at(Timestamp::UNIX_EPOCH);
        let answer = fault.answer(Protocol::V1, Uuid::nil());
        assert_eq!(header(&answer, "date"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    }

    /// SDKs repeat requests by these codes and statuses, and no others may look like them.
    #[test]
    fn only_faults_that_pass_are_repeated() {
        for row in &FAULTS {
            let passes = matches!(
                row.kind,
                FaultKind::Throttled | FaultKind::Unavailable | FaultKind::Internal
            );
            let repeats = |(code, status): (&str, u16)| {
                status >= 500 || status == 429 || code.contains("Throttl") || code.contains("TooManyRequests")
            };
            assert_eq!((repeats(row.v1), repeats(row.v2)), (passes, passes), "{row:?}");
        }
    }
}
