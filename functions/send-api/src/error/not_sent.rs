//! The HTTP answer when an email was not sent: one exhaustive match over [`NotSent`].

use std::collections::BTreeSet;
use std::time::Duration;

use domain::brake::Brake;
use domain::message::InvalidEmail;
use domain::pacing;
use domain::recipient::RecipientOutcome;
use domain::ses_error::{self, SesErrorRow, SesRefusal};
use jiff::Timestamp;
use sending::{Busy, Invalid, NotSent, Unavailable};
use uuid::Uuid;

use super::{ApiError, Problem};

/// The values of the request that an answer's message may name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerContext<'a> {
    /// The domain of the address in `from`; empty if the request has none.
    pub(crate) sender_domain: &'a str,
    /// The AWS region that Okite sends from.
    pub(crate) region: &'a str,
    /// When the request arrived.
    pub(crate) now: Timestamp,
    /// Why it is too late for the email, if it is.
    pub(crate) too_late: Option<&'a ApiError>,
}

impl ApiError {
    pub(crate) fn not_sent(not_sent: NotSent, context: AnswerContext<'_>) -> Self {
        match not_sent {
            NotSent::Invalid(Invalid::Suppressed(recipients)) => suppressed(recipients),
            NotSent::Invalid(Invalid::TooManyRecipients { most }) => {
                Self::with(Problem::BatchTooLarge, &[("{most}", &most.to_string())])
            }
            NotSent::Invalid(Invalid::TooLate) => {
                let without_cause = || InvalidEmail::Whole("It is too late for this email.".to_owned()).into();
                context.too_late.cloned().unwrap_or_else(without_cause)
            }
            NotSent::KeyReused => Self::of(Problem::KeyReused),
            NotSent::Busy(Busy::Gate(refusal)) => held_back(refusal),
            NotSent::Busy(Busy::Ses(refusal))
            | NotSent::Rejected(refusal)
            | NotSent::Misconfigured(refusal)
            | NotSent::Unavailable(Unavailable::Ses(refusal)) => {
                refused(refusal, context.sender_domain, context.region)
            }
            NotSent::Unavailable(Unavailable::Store) => Self::of(Problem::StoreDown),
            NotSent::Unavailable(Unavailable::StoreRefused) => Self::of(Problem::StoreRefused),
            NotSent::Unknown { id } => unknown(id),
            NotSent::StillUnknown { id } => Self {
                id: Some(id),
                ..Self::of(Problem::StillUnknown)
            },
            NotSent::InFlight { until } => {
                let left = Duration::try_from(until.duration_since(context.now)).unwrap_or_default();
                Self::of(Problem::InFlight).retry_after(whole_seconds(left))
            }
        }
    }
}

/// Answers a request with suppressed recipients whose `okite_on_suppressed` is `reject`.
fn suppressed(recipients: Vec<RecipientOutcome>) -> ApiError {
    let found: Vec<_> = recipients
        .iter()
        .filter_map(|recipient| recipient.status.suppression())
        .collect();
    let reasons: BTreeSet<&str> = found.iter().map(|suppression| suppression.reason.as_str()).collect();
    let reasons: Vec<&str> = reasons.into_iter().collect();
    let values = [
        ("{count}", found.len().to_string()),
        ("{all}", recipients.len().to_string()),
        ("{reasons}", reasons.join(", ")),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    ApiError {
        recipients,
        ..ApiError::with(Problem::Suppressed, &values)
    }
}

/// Answers a request that the gate held back. SES was not called.
fn held_back(refusal: pacing::Throttled) -> ApiError {
    match refusal {
        pacing::Throttled::Rate {
            retry_after,
            slot_interval,
        } => {
            let seconds = whole_seconds(retry_after);
            let (rate, in_seconds) = (recipients_a_second(slot_interval), seconds.to_string());
            ApiError::with(Problem::TooFast, &[("{rate}", &rate), ("{seconds}", &in_seconds)]).retry_after(seconds)
        }
        pacing::Throttled::Quota { reserved: true } => ApiError::of(Problem::BulkQuotaUsedUp),
        pacing::Throttled::Quota { reserved: false } => ApiError::of(Problem::QuotaUsedUp),
        pacing::Throttled::Brake(Brake::All) => ApiError::of(Problem::AllStopped),
        pacing::Throttled::Brake(Brake::None | Brake::Bulk) => ApiError::of(Problem::BulkStopped),
    }
}

/// Answers with the row of SES's error.
pub(super) fn refused(refusal: SesRefusal, sender_domain: &str, region: &str) -> ApiError {
    from_row(refusal.row(), sender_domain, region)
}

/// Answers when SES may have accepted the email, because its answer never came.
fn unknown(id: Uuid) -> ApiError {
    ApiError {
        id: Some(id),
        ..from_row(ses_error::ambiguous(), "", "")
    }
}

fn from_row(row: &SesErrorRow, domain: &str, region: &str) -> ApiError {
    let (status, name) = status(row.refusal);
    ApiError {
        retry_after: row.retry.seconds(),
        ..ApiError::new(status, name, row.message(domain, region))
    }
}

/// Returns the HTTP status and the contract's name for SES's error. `None` stands for an unclear answer of SES.
pub(crate) fn status(refusal: Option<SesRefusal>) -> (u16, &'static str) {
    match refusal {
        Some(
            SesRefusal::SenderNotVerified
            | SesRefusal::RecipientNotVerified
            | SesRefusal::AccountSuspended
            | SesRefusal::MailFromNotVerified,
        ) => (403, "validation_error"),
        Some(SesRefusal::Blacklisted | SesRefusal::ContentRejected | SesRefusal::Rejected | SesRefusal::BadRequest) => {
            (422, "validation_error")
        }
        Some(SesRefusal::QuotaExceeded) => (429, "daily_quota_exceeded"),
        Some(SesRefusal::RateExceeded | SesRefusal::AccountLimit) => (429, "rate_limit_exceeded"),
        Some(SesRefusal::SendingPaused | SesRefusal::Unreachable | SesRefusal::Unavailable) => {
            (503, "service_unavailable")
        }
        Some(
            SesRefusal::StackIncomplete
            | SesRefusal::NotSubscribed
            | SesRefusal::NotAllowed
            | SesRefusal::BadCredentials
            | SesRefusal::Unknown,
        )
        | None => (500, "application_error"),
    }
}

/// Rounds up to whole seconds, at least one.
fn whole_seconds(duration: Duration) -> u32 {
    let seconds = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    seconds.saturating_add(u32::from(duration.subsec_nanos() > 0)).max(1)
}

/// Returns the sending rate for an interval in microseconds, with two decimals.
fn recipients_a_second(interval: i64) -> String {
    let hundredths = (100_000_000 + interval / 2) / interval.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use domain::address::EmailAddress;

    use super::*;

    fn rate(retry_after: Duration, slot_interval: i64) -> ApiError {
        held_back(pacing::Throttled::Rate {
            retry_after,
            slot_interval,
        })
    }

    #[test]
    fn rounds_retry_after_up_to_whole_seconds() {
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
    fn names_the_sending_rate() {
        for (interval, rate_named) in [(75_188, "13.30 "), (1_052_632, "0.95 "), (1, "1000000.00 ")] {
            let error = rate(Duration::ZERO, interval);
            assert!(error.message.contains(rate_named), "{}", error.message);
        }
    }

    #[test]
    fn replaces_every_placeholder() {
        let context = AnswerContext {
            sender_domain: "example.com",
            region: "eu-west-1",
            now: Timestamp::UNIX_EPOCH,
            too_late: None,
        };
        let recipients = vec![RecipientOutcome {
            address: EmailAddress::parse("b@example.com").unwrap(),
            status: domain::recipient::RecipientStatus::Accepted,
        }];
        for not_sent in [
            NotSent::Invalid(Invalid::Suppressed(recipients)),
            NotSent::Invalid(Invalid::TooManyRecipients { most: 7 }),
            NotSent::Busy(Busy::Gate(pacing::Throttled::Rate {
                retry_after: Duration::ZERO,
                slot_interval: 1,
            })),
            NotSent::Rejected(SesRefusal::SenderNotVerified),
        ] {
            let error = ApiError::not_sent(not_sent, context);
            assert!(!error.message.contains(['{', '}']), "{}", error.message);
        }
    }

    #[test]
    fn answers_every_error_of_ses_with_a_name_of_the_contract() {
        for row in &ses_error::TABLE {
            let (status, name) = status(row.refusal);
            let names: &[&str] = match status {
                403 | 422 => &["validation_error"],
                429 => &["rate_limit_exceeded", "daily_quota_exceeded"],
                500 => &["application_error"],
                503 => &["service_unavailable"],
                status => panic!("{status} is not in the contract"),
            };
            assert!(names.contains(&name), "{row:?}");
            // Only 429 and 503 name a retry time.
            assert_eq!(row.retry.seconds().is_some(), matches!(status, 429 | 503), "{row:?}");
        }
    }
}
