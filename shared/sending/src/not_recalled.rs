//! Why a mail that waits was not called back or rescheduled.

use aws::StoreError;
use domain::record::OkiteState;

use crate::{NotSent, OutOfTime, Unavailable};

/// Why a mail was not cancelled or rescheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRecalled {
    /// No mail on record has this id.
    NotFound,
    /// The mail does not wait any more, or never did. This is its state.
    TooLate(OkiteState),
    /// Others keep changing the mail. Nothing was changed.
    Contended,
    /// A service is down, or there is no queue. Nothing was changed.
    Unavailable(Unavailable),
    /// The change may have been made: its answer never came. The request may be repeated.
    Unknown,
}

/// Why a mail was not cancelled or rescheduled, with the error of the table for an operator.
#[derive(Debug)]
pub enum RecallError {
    /// No mail on record has this id.
    NotFound,
    /// The mail does not wait any more, or never did. This is its state.
    TooLate(OkiteState),
    /// Others keep changing the mail. Nothing was changed.
    Contended,
    /// A table could not be read. Nothing was changed.
    Store(StoreError),
    /// No time was left. Nothing was changed.
    OutOfTime,
    /// The change may have been made: its answer never came. The last error is there if there was one.
    Unknown(Option<StoreError>),
}

impl From<OutOfTime> for RecallError {
    fn from(OutOfTime: OutOfTime) -> Self {
        Self::OutOfTime
    }
}

impl From<StoreError> for RecallError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<RecallError> for NotRecalled {
    fn from(error: RecallError) -> Self {
        match error {
            RecallError::NotFound => Self::NotFound,
            RecallError::TooLate(state) => Self::TooLate(state),
            RecallError::Contended => Self::Contended,
            RecallError::OutOfTime => Self::Unavailable(Unavailable::Store),
            RecallError::Store(error) => Self::Unavailable(match NotSent::from(error) {
                NotSent::Unavailable(unavailable) => unavailable,
                _ => Unavailable::Store,
            }),
            RecallError::Unknown(_) => Self::Unknown,
        }
    }
}
