//! The answer to a mail that was not sent, in the words of SES where applications know them: one exhaustive match over
//! [`NotSent`].
//!
//! The quota and the pauses name no time: some SDKs would block their caller for minutes until then.

use std::time::Duration;

use aws::StoreError;
use domain::pacing::Throttled;
use domain::ses_error::{RETRY_SOON, SesRefusal};
use sending::{Busy, Invalid, NotSent, OutOfTime, Unavailable};

use crate::fault::{ApiFault, FaultKind};

const RATE: &str = "Maximum sending rate exceeded.";
const QUOTA: &str = "Daily message quota exceeded.";
const NOT_VERIFIED: &str = "Email address is not verified. ";

impl ApiFault {
    /// Answers a mail that was not sent, or of which this is not known. `sender_domain` and `region` are named as the
    /// place of the problem.
    #[must_use]
    pub fn not_sent(not_sent: &NotSent, sender_domain: &str, region: &str) -> Self {
        let refused = |refusal| Self::refused(refusal, sender_domain, region);
        match not_sent {
            NotSent::Busy(Busy::Gate(throttled)) => Self::throttled(*throttled),
            NotSent::Busy(Busy::Ses(refusal))
            | NotSent::Rejected(refusal)
            | NotSent::Misconfigured(refusal)
            | NotSent::Unavailable(Unavailable::Ses(refusal)) => refused(*refusal),
            NotSent::Unavailable(Unavailable::Store) => Self::unavailable("A table of Okite does not answer in time."),
            NotSent::Unavailable(Unavailable::StoreRefused) => Self::new(
                FaultKind::Internal,
                "A table of Okite is missing or may not be used. An operator finds the cause in the log.",
            ),
            NotSent::KeyReused => Self::invalid(
                "The idempotency key or the invocation id of this request belongs to an earlier request with another \
                 mail. Use a new one for each mail.",
            ),
            NotSent::InFlight { .. } => Self::unavailable(
                "An earlier request with the same idempotency key or invocation id is being answered.",
            ),
            NotSent::Unknown { id } | NotSent::StillUnknown { id } => Self {
                okite_id: Some(*id),
                ..Self::new(
                    FaultKind::Internal,
                    "Amazon SES did not answer, so it is not known whether the mail was sent. Repeat the request with \
                     the same idempotency key or invocation id: Okite does not send the mail twice.",
                )
            },
            // A request of this API holds one mail, does not refuse it for suppressed recipients and has no times.
            NotSent::Invalid(Invalid::Suppressed(_) | Invalid::TooManyRecipients { .. } | Invalid::TooLate) => {
                Self::invalid("The mail cannot be sent as it is.")
            }
        }
    }

    fn unavailable(message: &str) -> Self {
        Self::new(FaultKind::Unavailable, message).after(Duration::from_secs(RETRY_SOON.into()))
    }

    /// Answers a mail that the gate refused.
    #[must_use]
    pub fn throttled(throttled: Throttled) -> Self {
        match throttled {
            Throttled::Rate { retry_after, .. } => Self::new(FaultKind::Throttled, RATE).after(retry_after),
            Throttled::Quota { .. } => Self::new(FaultKind::Throttled, QUOTA),
            Throttled::Brake(_) => Self::new(
                FaultKind::SendingPaused,
                "Sending is stopped by the brake, so nothing was sent. An operator sees the reason with `okite status`.",
            ),
        }
    }

    /// Answers a mail that SES refused. `sender_domain` and `region` are named as the place of the problem.
    #[must_use]
    pub fn refused(refusal: SesRefusal, sender_domain: &str, region: &str) -> Self {
        let words = refusal.row().message(sender_domain, region);
        let message = match refusal {
            SesRefusal::RateExceeded => RATE.to_owned(),
            SesRefusal::QuotaExceeded => QUOTA.to_owned(),
            SesRefusal::SenderNotVerified | SesRefusal::RecipientNotVerified => format!("{NOT_VERIFIED}{words}"),
            _ => words,
        };
        let fault = Self::new(kind(refusal), message);
        match fault.kind {
            FaultKind::Unavailable => fault.after(Duration::from_secs(RETRY_SOON.into())),
            _ => fault,
        }
    }
}

impl From<StoreError> for ApiFault {
    fn from(error: StoreError) -> Self {
        Self::not_sent(&error.into(), "", "")
    }
}

impl From<OutOfTime> for ApiFault {
    fn from(error: OutOfTime) -> Self {
        Self::not_sent(&error.into(), "", "")
    }
}

fn kind(refusal: SesRefusal) -> FaultKind {
    match refusal {
        SesRefusal::SenderNotVerified
        | SesRefusal::RecipientNotVerified
        | SesRefusal::Blacklisted
        | SesRefusal::ContentRejected
        | SesRefusal::Rejected => FaultKind::MessageRejected,
        SesRefusal::BadRequest => FaultKind::Invalid,
        SesRefusal::RateExceeded | SesRefusal::QuotaExceeded => FaultKind::Throttled,
        SesRefusal::AccountLimit => FaultKind::LimitExceeded,
        SesRefusal::SendingPaused => FaultKind::SendingPaused,
        SesRefusal::AccountSuspended => FaultKind::AccountSuspended,
        SesRefusal::MailFromNotVerified => FaultKind::MailFromNotVerified,
        SesRefusal::Unreachable | SesRefusal::Unavailable => FaultKind::Unavailable,
        SesRefusal::StackIncomplete
        | SesRefusal::NotSubscribed
        | SesRefusal::NotAllowed
        | SesRefusal::BadCredentials
        | SesRefusal::Unknown => FaultKind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use domain::brake::Brake;
    use domain::ses_error::{ErrorCause, TABLE};
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_gate_answers_as_ses_does() {
        let rate = ApiFault::throttled(Throttled::Rate {
            retry_after: Duration::from_millis(70),
            slot_interval: 1,
        });
        assert_eq!((rate.kind, rate.message.as_str()), (FaultKind::Throttled, RATE));
        assert_eq!(rate.retry_after, Some(Duration::from_millis(70)));
        let quota = ApiFault::throttled(Throttled::Quota { reserved: false });
        assert_eq!(
            (quota.kind, quota.message.as_str(), quota.retry_after),
            (FaultKind::Throttled, QUOTA, None)
        );
    }

    /// One of each variant, with what its answer must be.
    #[test]
    fn every_mail_that_was_not_sent_has_an_answer() {
        let (id, until) = (Uuid::max(), Timestamp::UNIX_EPOCH);
        let soon = Some(Duration::from_secs(RETRY_SOON.into()));
        let ses = |refusal| NotSent::Unavailable(Unavailable::Ses(refusal));
        for (not_sent, kind, retry_after, okite_id) in [
            (
                NotSent::Busy(Busy::Gate(Throttled::Brake(Brake::All))),
                FaultKind::SendingPaused,
                None,
                None,
            ),
            (
                NotSent::Busy(Busy::Ses(SesRefusal::RateExceeded)),
                FaultKind::Throttled,
                None,
                None,
            ),
            (
                NotSent::Rejected(SesRefusal::ContentRejected),
                FaultKind::MessageRejected,
                None,
                None,
            ),
            (
                NotSent::Misconfigured(SesRefusal::NotAllowed),
                FaultKind::Internal,
                None,
                None,
            ),
            (ses(SesRefusal::Unavailable), FaultKind::Unavailable, soon, None),
            (
                NotSent::Unavailable(Unavailable::Store),
                FaultKind::Unavailable,
                soon,
                None,
            ),
            (
                NotSent::Unavailable(Unavailable::StoreRefused),
                FaultKind::Internal,
                None,
                None,
            ),
            (NotSent::KeyReused, FaultKind::Invalid, None, None),
            (NotSent::InFlight { until }, FaultKind::Unavailable, soon, None),
            (NotSent::Unknown { id }, FaultKind::Internal, None, Some(id)),
            (NotSent::StillUnknown { id }, FaultKind::Internal, None, Some(id)),
            (NotSent::Invalid(Invalid::TooLate), FaultKind::Invalid, None, None),
            (
                NotSent::Invalid(Invalid::TooManyRecipients { most: 1 }),
                FaultKind::Invalid,
                None,
                None,
            ),
            (
                NotSent::Invalid(Invalid::Suppressed(Vec::new())),
                FaultKind::Invalid,
                None,
                None,
            ),
        ] {
            let case = format!("{not_sent:?}");
            let fault = ApiFault::not_sent(&not_sent, "example.com", "eu-west-1");
            assert_eq!(
                (fault.kind, fault.retry_after, fault.okite_id),
                (kind, retry_after, okite_id),
                "{case}"
            );
            assert!(
                !fault.message.is_empty() && !fault.message.contains(['{', '}']),
                "{case}"
            );
            // An SDK must repeat a request that waits for another one, and none that is wrong as it is.
            let is_repeated = matches!(
                kind,
                FaultKind::Throttled | FaultKind::Unavailable | FaultKind::Internal
            );
            let waits = matches!(
                not_sent,
                NotSent::InFlight { .. } | NotSent::Unknown { .. } | NotSent::StillUnknown { .. }
            );
            let is_wrong = matches!(
                not_sent,
                NotSent::KeyReused | NotSent::Invalid(_) | NotSent::Rejected(_)
            );
            assert!((!waits || is_repeated) && !(is_wrong && is_repeated), "{case}");
        }
    }

    #[test]
    fn every_refusal_of_ses_has_an_answer() {
        for refusal in TABLE.iter().filter_map(|row| row.refusal) {
            let fault = ApiFault::refused(refusal, "example.com", "eu-west-1");
            assert!(!fault.message.contains(['{', '}']), "{}", fault.message);
            // An SDK repeats a mail only if the mail is not at fault.
            let is_repeated = matches!(
                fault.kind,
                FaultKind::Throttled | FaultKind::Unavailable | FaultKind::Internal
            );
            assert!(!is_repeated || refusal.fault() != ErrorCause::Mail, "{refusal:?}");
            assert_eq!(
                fault.retry_after.is_some(),
                fault.kind == FaultKind::Unavailable,
                "{refusal:?}"
            );
        }
        let sender = ApiFault::refused(SesRefusal::SenderNotVerified, "example.com", "eu-west-1");
        assert!(sender.message.starts_with("Email address is not verified."));
    }
}
