//! Why an email was not sent, by what is known about it.

use aws::{PermitError, StoreError};
use domain::pacing;
use domain::recipient::RecipientOutcome;
use domain::ses_error::{ErrorCause, SesRefusal};
use jiff::Timestamp;
use uuid::Uuid;

use crate::OutOfTime;

/// Why an email was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// Nothing was tried: the request cannot be carried out as it is.
    Invalid(Invalid),
    /// The idempotency key belongs to a request with another body.
    KeyReused,
    /// SES certainly did not accept the email, and will once there is room.
    Busy(Busy),
    /// SES certainly did not accept the email, and will not: the fault is the email's.
    Rejected(SesRefusal),
    /// SES certainly did not accept the email, and will not until the deployment is repaired.
    Misconfigured(SesRefusal),
    /// A service is down: nothing was or will be sent.
    Unavailable(Unavailable),
    /// SES may have accepted the email: its answer never came. It must never be sent again by ourselves.
    Unknown {
        /// Our id of the email.
        id: Uuid,
    },
    /// An earlier request with the same key ended with [`NotSent::Unknown`], and no event of SES has settled it yet.
    StillUnknown {
        /// Our id of the email.
        id: Uuid,
    },
    /// Another request holds the key.
    InFlight {
        /// When it has certainly ended.
        until: Timestamp,
    },
}

/// Why a request cannot be carried out as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Recipients are suppressed, and the caller wants all or none. All recipients, with the outcome of each.
    Suppressed(Vec<RecipientOutcome>),
    /// The emails have more recipients than the sending rate lets through in one request.
    TooManyRecipients {
        /// How many the rate lets through.
        most: i64,
    },
    /// The time at which the email was to be sent, or its deadline, is over: see `is_too_late` of a submission.
    TooLate,
}

/// Why there is no room for an email now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// The gate refused: SES was not called.
    Gate(pacing::Throttled),
    /// SES refused.
    Ses(SesRefusal),
}

/// The service that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// A table could not be read or written, or not in time.
    Store,
    /// A table is missing, or the role may not use it. An operator must mend the deployment.
    StoreRefused,
    /// SES could not be reached, or turned the request away for now.
    Ses(SesRefusal),
}

impl NotSent {
    /// Returns whether the request sent nothing and will send nothing, and holds its key. Such a request frees its key,
    /// because a key never remembers a refusal, and its row becomes refused.
    #[must_use]
    pub fn frees_key(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Busy(_) | Self::Rejected(_) | Self::Misconfigured(_) | Self::Unavailable(_) => {
                true
            }
            Self::KeyReused | Self::Unknown { .. } | Self::StillUnknown { .. } | Self::InFlight { .. } => false,
        }
    }

    pub(crate) fn refused(refusal: SesRefusal) -> Self {
        match refusal.fault() {
            ErrorCause::Capacity => Self::Busy(Busy::Ses(refusal)),
            ErrorCause::Mail => Self::Rejected(refusal),
            ErrorCause::Deployment => Self::Misconfigured(refusal),
            ErrorCause::Service => Self::Unavailable(Unavailable::Ses(refusal)),
        }
    }
}

impl From<StoreError> for NotSent {
    fn from(error: StoreError) -> Self {
        tracing::error!(
            cause = error.cause(),
            operation = error.operation,
            code = error.code,
            "a table cannot be read or written"
        );
        Self::Unavailable(if error.needs_operator() {
            Unavailable::StoreRefused
        } else {
            Unavailable::Store
        })
    }
}

impl From<OutOfTime> for NotSent {
    fn from(OutOfTime: OutOfTime) -> Self {
        Self::Unavailable(Unavailable::Store)
    }
}

impl From<PermitError> for NotSent {
    fn from(error: PermitError) -> Self {
        match error {
            PermitError::Refused(refusal) => Self::Busy(Busy::Gate(refusal)),
            PermitError::Store(error) => error.into(),
        }
    }
}
