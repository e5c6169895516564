//! Every error a caller can get: a status, a name from the contract, and a message that says what to do.
//!
//! Messages are written here, in the table of SES's errors and in the domain's checks; none carries an internal text, and
//! none repeats a value that the caller wrote but the sender's domain. docs/ERRORS.md lists them all.

#[cfg(test)]
mod document;

use std::collections::BTreeSet;
use std::time::Duration;

use aws::{PermitError, StoreError};
use domain::account::Brake;
use domain::address::EmailAddress;
use domain::message::InvalidEmail;
use domain::permit;
use domain::recipient::Verdict;
use domain::ses_error::{self, RETRY_LATER, RETRY_SOON, Refusal, Row};
use jiff::Timestamp;
use uuid::Uuid;

use crate::request::BODY_MAX;

/// How many seconds to wait before asking again what became of a mail that SES did not answer for: its event takes seconds, as
/// a rule.
const RETRY_UNSETTLED: u32 = 60;

/// An answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) name: &'static str,
    pub(crate) message: String,
    /// Whole seconds.
    pub(crate) retry_after: Option<u32>,
    /// The methods that a path has.
    pub(crate) allow: Option<&'static str>,
    /// The message that may have been sent all the same.
    pub(crate) id: Option<Uuid>,
    /// What is wrong with the recipients, where it is they that are refused.
    pub(crate) recipients: Vec<Verdict>,
}

impl ApiError {
    fn new(status: u16, name: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            name,
            message: message.into(),
            retry_after: None,
            allow: None,
            id: None,
            recipients: Vec::new(),
        }
    }

    fn retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// Tells whether it is certain that nothing was sent, and an idempotency key may be used again: it remembers no refusal.
    /// A conflict is with another request, which has the key.
    pub(crate) fn frees_key(&self) -> bool {
        self.id.is_none() && self.status != 409
    }

    pub(crate) fn too_large() -> Self {
        let message = format!(
            "The request body is larger than {BODY_MAX} bytes. Base64 adds a third to files, so they can have about \
             4.4 MB in all: send a link to larger ones."
        );
        Self::new(413, "validation_error", message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            404,
            "not_found",
            "There is no such endpoint. There are POST /emails, POST /emails/batch, GET /emails/{id}, /suppressions, \
             GET /quota, GET /openapi.json and GET /health.",
        )
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let message = format!("This endpoint takes {allow} only.");
        Self {
            allow: Some(allow),
            ..Self::new(405, "method_not_allowed", message)
        }
    }

    pub(crate) fn missing_api_key() -> Self {
        Self::new(
            401,
            "missing_api_key",
            "Send your API key in the header `Authorization: Bearer ok_…`.",
        )
    }

    pub(crate) fn invalid_api_key() -> Self {
        Self::new(
            403,
            "invalid_api_key",
            "The API key is not valid here. `okite keys create --name …` makes a new one.",
        )
    }

    pub(crate) fn restricted_api_key() -> Self {
        let message =
            "This API key may only send emails. Use a key with full permission to read or to change anything.";
        Self::new(401, "restricted_api_key", message)
    }

    pub(crate) fn email_not_found() -> Self {
        let message = "There is no email with this id: check it. Records are kept for 30 days if the deployment does not say \
                       otherwise, and an email is found by Amazon SES's id some seconds after it was sent.";
        Self::new(404, "not_found", message)
    }

    pub(crate) fn suppression_not_found() -> Self {
        let message = "There is no suppressed address by this id or address: it was never suppressed, or no longer is. What \
                       was suppressed in the last seconds may be found by its address only.";
        Self::new(404, "not_found", message)
    }

    pub(crate) fn no_report() -> Self {
        let message =
            "The quota reporter has not reported yet: it does so every 5 minutes. If this lasts, look at its log.";
        Self::new(503, "service_unavailable", message).retry_after(RETRY_LATER)
    }

    pub(crate) fn sender_not_allowed() -> Self {
        let message = "This API key may not send from the domain of `from`. Use a key that may, or another address.";
        Self::new(403, "validation_error", message)
    }

    pub(crate) fn invalid_idempotency_key() -> Self {
        Self::new(
            400,
            "invalid_idempotency_key",
            "The header `Idempotency-Key` must have 1 to 256 characters.",
        )
    }

    pub(crate) fn invalid_idempotent_request() -> Self {
        let message = "This `Idempotency-Key` came with another body within the last 24 hours; nothing was sent now. Use a new \
                       key for another email.";
        Self::new(409, "invalid_idempotent_request", message)
    }

    /// Another request with the same key is at work until then, at the latest.
    pub(crate) fn concurrent(until: Timestamp, now: Timestamp) -> Self {
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        Self::concurrent_for(whole_seconds(left))
    }

    fn concurrent_for(seconds: u32) -> Self {
        let message = "Another request with this `Idempotency-Key` is at work, or ended before it could say how. Repeat this \
                       request after the time in `retry-after` for its answer.";
        Self::new(409, "concurrent_idempotent_requests", message).retry_after(seconds)
    }

    /// Another request with the same key was quicker just now.
    pub(crate) fn overtaken() -> Self {
        Self::concurrent_for(RETRY_SOON)
    }

    /// Nothing has told yet whether SES took the mail that this key was used for.
    pub(crate) fn unsettled(id: Uuid) -> Self {
        let message = "It is not known whether the email of this `Idempotency-Key` was sent: Amazon SES did not answer. An event \
                       of SES settles it, within seconds as a rule; until then this key sends nothing, for 24 hours at most. \
                       Repeat the request for its answer, or look for the tag `okite_id` with the value of the field `id` \
                       in the events of SES. A new key sends the email anew, perhaps a second time.";
        Self {
            id: Some(id),
            ..Self::new(409, "concurrent_idempotent_requests", message).retry_after(RETRY_UNSETTLED)
        }
    }

    pub(crate) fn invalid_parameter(name: &str, expected: &str) -> Self {
        Self::new(
            422,
            "invalid_parameter",
            format!("`{name}` must be {expected}; nothing was done."),
        )
    }

    /// The batch takes longer than a request may, whoever else sends.
    pub(crate) fn batch_too_large(most: i64) -> Self {
        let message = format!(
            "At the present rate this batch takes longer than a request may; nothing was sent. Send at most {most} recipients in \
             one batch, or ask AWS for a higher sending rate."
        );
        Self::new(422, "validation_error", message)
    }

    /// The same error, of the email at this place of a batch.
    pub(crate) fn of_item(self, index: usize) -> Self {
        Self {
            message: format!("Email {index} of the batch (the first is 0): {}", self.message),
            ..self
        }
    }

    pub(crate) fn not_json(problem: impl std::fmt::Display) -> Self {
        Self::new(
            400,
            "validation_error",
            format!("The request body is not valid JSON: {problem}."),
        )
    }

    /// Something that this version knows and does not do. It is refused so that it is never silently left out.
    pub(crate) fn not_supported(what: &str, remedy: &str) -> Self {
        Self::new(
            422,
            "validation_error",
            format!("`{what}` is not supported yet; nothing was sent. {remedy}"),
        )
    }

    pub(crate) fn store_down() -> Self {
        let message = "The suppression list and the records cannot be reached just now, or not in time, so this request sent \
                       nothing. Try again shortly, with the same `Idempotency-Key` if it has one.";
        Self::new(503, "service_unavailable", message).retry_after(RETRY_SOON)
    }

    /// Some recipients are suppressed, and the caller wants all or none.
    pub(crate) fn suppressed(recipients: Vec<Verdict>) -> Self {
        let suppressions = || {
            let found = recipients.iter().filter_map(|verdict| verdict.outcome.suppression());
            found.map(|suppression| suppression.reason.as_str())
        };
        let reasons: Vec<&str> = suppressions().collect::<BTreeSet<_>>().into_iter().collect();
        let message = format!(
            "{count} of {all} recipients must not be sent to ({reasons}), and `okite_on_suppressed` is `reject`: nothing was \
             sent. `recipients` says which; leave them out, or let Okite do so with `skip`.",
            count = suppressions().count(),
            all = recipients.len(),
            reasons = reasons.join(", "),
        );
        Self {
            recipients,
            ..Self::new(422, "validation_error", message)
        }
    }

    /// The gate holds the mail back: SES was not asked.
    pub(crate) fn held_back(refusal: permit::Refusal) -> Self {
        match refusal {
            permit::Refusal::Rate { retry_after, interval } => {
                let seconds = whole_seconds(retry_after);
                let message = format!(
                    "Mail comes faster than the {rate} recipients a second that this deployment may send to through its \
                     Amazon SES account; nothing was sent. Try again in {seconds} s, and send more slowly: each \
                     recipient counts.",
                    rate = recipients_a_second(interval)
                );
                Self::new(429, "rate_limit_exceeded", message).retry_after(seconds)
            }
            permit::Refusal::Quota { reserved: true } => {
                let message = "What is left of the 24-hour sending quota for bulk mail is less than this email's recipients; \
                               the rest is kept for transactional mail. Nothing was sent. The quota frees up as the \
                               sends of the last 24 hours age; an operator can lower `BulkReserve`, or ask AWS for more.";
                Self::new(429, "daily_quota_exceeded", message).retry_after(RETRY_LATER)
            }
            permit::Refusal::Quota { reserved: false } => {
                let message = "What is left to this deployment of the Amazon SES account's 24-hour sending quota is less \
                               than this email's recipients; nothing was sent. The quota frees up as the sends of the \
                               last 24 hours age; ask AWS for more if this recurs.";
                Self::new(429, "daily_quota_exceeded", message).retry_after(RETRY_LATER)
            }
            permit::Refusal::Brake(Brake::All) => {
                let message = "All sending is stopped, because AWS has shut the Amazon SES account's sending down or an \
                               operator has set the brake to `all`; nothing was sent. An operator must answer the case \
                               that AWS opened, or let go with `okite brake auto`.";
                Self::new(503, "service_unavailable", message).retry_after(RETRY_LATER)
            }
            permit::Refusal::Brake(Brake::None | Brake::Bulk) => {
                let message = "Bulk mail is stopped to keep the Amazon SES account from being paused, because its bounce or complaint \
                               rate is too high or an operator said so; nothing was sent. Transactional mail passes. `okite status` \
                               shows why. It goes on when the rate is well below the limit again, or an operator lets go.";
                Self::new(503, "service_unavailable", message).retry_after(RETRY_LATER)
            }
        }
    }

    /// SES may have taken the mail: its answer never came.
    pub(crate) fn ambiguous(id: Uuid) -> Self {
        Self {
            id: Some(id),
            ..Self::from_row(ses_error::ambiguous(), "", "")
        }
    }

    /// SES did not take the mail.
    pub(crate) fn refused(refusal: Refusal, sender: &EmailAddress, region: &str) -> Self {
        Self::from_row(refusal.row(), sender.domain(), region)
    }

    fn from_row(row: &Row, domain: &str, region: &str) -> Self {
        Self {
            retry_after: row.retry.seconds(),
            ..Self::new(row.status, row.name, row.message(domain, region))
        }
    }
}

/// Rounds up to whole seconds, of which a caller waits one at least.
fn whole_seconds(duration: Duration) -> u32 {
    let seconds = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    seconds.saturating_add(u32::from(duration.subsec_nanos() > 0)).max(1)
}

/// Writes the rate that an interval in microseconds makes, with two digits behind the point.
fn recipients_a_second(interval: i64) -> String {
    let hundredths = (100_000_000 + interval / 2) / interval.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

impl From<PermitError> for ApiError {
    fn from(error: PermitError) -> Self {
        match error {
            PermitError::Refused(refusal) => Self::held_back(refusal),
            PermitError::Store(error) => error.into(),
        }
    }
}

impl From<InvalidEmail> for ApiError {
    fn from(invalid: InvalidEmail) -> Self {
        let name = match invalid {
            InvalidEmail::Missing(_) => "missing_required_field",
            InvalidEmail::Whole(_) | InvalidEmail::Field { .. } => "validation_error",
            InvalidEmail::Attachment { .. } => "invalid_attachment",
        };
        Self::new(422, name, invalid.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(
            operation = error.operation,
            code = error.code,
            "the store cannot be reached"
        );
        Self::store_down()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(retry_after: Duration, interval: i64) -> ApiError {
        ApiError::held_back(permit::Refusal::Rate { retry_after, interval })
    }

    #[test]
    fn says_when_to_come_again_in_whole_seconds_rounded_up() {
        for (microseconds, seconds) in [(0, 1), (1, 1), (1_000_000, 1), (1_000_001, 2), (47_600_000, 48)] {
            let error = rate(Duration::from_micros(microseconds), 75_188);
            assert_eq!(
                (error.status, error.name, error.retry_after),
                (429, "rate_limit_exceeded", Some(seconds))
            );
            assert!(error.message.contains(&format!("in {seconds} s")), "{}", error.message);
        }
    }

    #[test]
    fn names_the_rate() {
        for (interval, rate_named) in [(75_188, "13.30 "), (1_052_632, "0.95 "), (1, "1000000.00 ")] {
            let error = rate(Duration::ZERO, interval);
            assert!(error.message.contains(rate_named), "{}", error.message);
        }
    }

    #[test]
    fn a_quota_and_a_brake_name_cause_and_remedy_and_are_asked_for_again_later() {
        for (held, status, name, words) in [
            (
                permit::Refusal::Quota { reserved: false },
                429,
                "daily_quota_exceeded",
                ["less than this email's recipients", "ask AWS"],
            ),
            (
                permit::Refusal::Quota { reserved: true },
                429,
                "daily_quota_exceeded",
                ["kept for transactional", "BulkReserve"],
            ),
            (
                permit::Refusal::Brake(Brake::All),
                503,
                "service_unavailable",
                ["shut", "okite brake auto"],
            ),
            (
                permit::Refusal::Brake(Brake::Bulk),
                503,
                "service_unavailable",
                ["Transactional mail passes", "okite status"],
            ),
        ] {
            let error = ApiError::held_back(held);
            assert_eq!((error.status, error.name, error.retry_after), (status, name, Some(300)));
            assert!(
                words.iter().all(|word| error.message.contains(word)),
                "{}",
                error.message
            );
        }
    }
}
