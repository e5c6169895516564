//! The attributes of a message's row that concern the queue.

use jiff::Timestamp;
use uuid::Uuid;

use crate::ses_error::SesRefusal;

/// The attributes of a row whose mail was ever queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedMail {
    /// When the mail was queued.
    pub queued_at: Timestamp,
    /// The nonce of the content that is to be sent.
    pub content_nonce: Uuid,
    /// When the caller wants the mail to be sent, if it named a time.
    pub scheduled_at: Option<Timestamp>,
    /// When the mail becomes `failed` if it is not sent.
    pub deadline: Timestamp,
    /// Why the mail still waits, after an attempt that came to nothing.
    pub waits_for: Option<WaitsFor>,
    /// When the mail got the time that it has, if that is not the one it was queued with.
    pub rescheduled_at: Option<Timestamp>,
    /// When the mail failed, was called back, or turned out to have no recipient left.
    pub ended_at: Option<Timestamp>,
    /// The id of the claim of the request's idempotency key, if it had one. A later deadline lets the claim live
    /// longer.
    pub claim_id: Option<String>,
}

/// The cause that a queued mail waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitsFor {
    /// Room in the sending rate.
    Rate,
    /// Room in the quota.
    Quota,
    /// The end of a brake.
    Brake,
    /// An account that may send again, or another of its limits.
    Account,
    /// The repair of the deployment.
    Deployment,
    /// A service that is down.
    Service,
}

impl WaitsFor {
    const ALL: [Self; 6] = [
        Self::Rate,
        Self::Quota,
        Self::Brake,
        Self::Account,
        Self::Deployment,
        Self::Service,
    ];

    /// Returns the name in items and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Quota => "quota",
            Self::Brake => "brake",
            Self::Account => "account",
            Self::Deployment => "deployment",
            Self::Service => "service",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|waits_for| waits_for.as_str() == name)
    }

    /// Returns what a mail waits for after SES refused it. Returns `None` if the fault is the mail's: it waits for
    /// nothing.
    #[must_use]
    pub fn after(refusal: SesRefusal) -> Option<Self> {
        match refusal {
            SesRefusal::RateExceeded => Some(Self::Rate),
            SesRefusal::QuotaExceeded => Some(Self::Quota),
            SesRefusal::AccountLimit | SesRefusal::SendingPaused | SesRefusal::AccountSuspended => Some(Self::Account),
            SesRefusal::MailFromNotVerified
            | SesRefusal::StackIncomplete
            | SesRefusal::NotSubscribed
            | SesRefusal::NotAllowed
            | SesRefusal::BadCredentials
            | SesRefusal::Unknown => Some(Self::Deployment),
            SesRefusal::Unreachable | SesRefusal::Unavailable => Some(Self::Service),
            SesRefusal::SenderNotVerified
            | SesRefusal::RecipientNotVerified
            | SesRefusal::Blacklisted
            | SesRefusal::ContentRejected
            | SesRefusal::Rejected
            | SesRefusal::BadRequest => None,
        }
    }
}

/// Why a queued mail will not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailedReason {
    /// It was not sent by its deadline.
    Expired,
    /// Its API key was revoked while it waited.
    KeyRevoked,
    /// Its API key may no longer send from its domain.
    DomainNotAllowed,
    /// A recipient was suppressed when it was to be sent, and its caller wants all or none.
    Suppressed,
    /// Its content is not there or cannot be read.
    ContentMissing,
    /// A worker died with it again and again.
    Crashed,
    /// Its sender is not verified.
    SenderNotVerified,
    /// A recipient is not verified, and the account is in the sandbox.
    RecipientNotVerified,
    /// SES refused it for its content, its addresses or its form.
    Rejected,
}

impl FailedReason {
    const ALL: [Self; 9] = [
        Self::Expired,
        Self::KeyRevoked,
        Self::DomainNotAllowed,
        Self::Suppressed,
        Self::ContentMissing,
        Self::Crashed,
        Self::SenderNotVerified,
        Self::RecipientNotVerified,
        Self::Rejected,
    ];

    /// Returns the name in items and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::KeyRevoked => "key_revoked",
            Self::DomainNotAllowed => "domain_not_allowed",
            Self::Suppressed => "suppressed",
            Self::ContentMissing => "content_missing",
            Self::Crashed => "crashed",
            Self::SenderNotVerified => "sender_not_verified",
            Self::RecipientNotVerified => "recipient_not_verified",
            Self::Rejected => "rejected",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Returns why a mail failed that SES refused for the mail's own fault. Returns `None` for any other refusal: such
    /// a mail keeps waiting.
    #[must_use]
    pub fn of(refusal: SesRefusal) -> Option<Self> {
        match refusal {
            SesRefusal::SenderNotVerified => Some(Self::SenderNotVerified),
            SesRefusal::RecipientNotVerified => Some(Self::RecipientNotVerified),
            SesRefusal::Blacklisted | SesRefusal::ContentRejected | SesRefusal::Rejected | SesRefusal::BadRequest => {
                Some(Self::Rejected)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ses_error::{ErrorCause, TABLE};

    #[test]
    fn a_name_reads_back_as_its_value() {
        for waits_for in WaitsFor::ALL {
            assert_eq!(WaitsFor::parse(waits_for.as_str()), Some(waits_for));
        }
        for reason in FailedReason::ALL {
            assert_eq!(FailedReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!((WaitsFor::parse("x"), FailedReason::parse("x")), (None, None));
    }

    #[test]
    fn a_refused_mail_either_waits_or_fails_and_fails_only_for_its_own_fault() {
        for refusal in TABLE.iter().filter_map(|row| row.refusal) {
            let (waits_for, failed) = (WaitsFor::after(refusal), FailedReason::of(refusal));
            assert_eq!(waits_for.is_some(), failed.is_none(), "{refusal:?}");
            assert_eq!(failed.is_some(), refusal.fault() == ErrorCause::Mail, "{refusal:?}");
        }
    }
}
