//! The answer to a mail that the gate or SES refused, in the words of SES where applications know them.
//!
//! The quota and the pauses name no time: some SDKs would block their caller for minutes until then.

use std::time::Duration;

use domain::pacing::Throttled;
use domain::ses_error::{RETRY_SOON, SesRefusal};

use crate::fault::{ApiFault, FaultKind};

const RATE: &str = "Maximum sending rate exceeded.";
const QUOTA: &str = "Daily message quota exceeded.";
const NOT_VERIFIED: &str = "Email address is not verified. ";

impl ApiFault {
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
    use domain::ses_error::{ErrorCause, TABLE};

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
