//! The errors of a run that makes no report.

use aws::{AccountError, StoreError};
use lambda_runtime::Diagnostic;

/// Why a run made no report, or did not set the gate.
#[derive(Debug, thiserror::Error)]
pub enum ReporterError {
    /// SES's account could not be read.
    #[error("the account cannot be read; the previous gate stays in force: {0}")]
    Account(#[from] AccountError),
    /// The gate or the report could not be read or written.
    #[error("the gate cannot be set: {0}")]
    Store(#[from] StoreError),
    /// The report took too long, because a service was slow.
    #[error("the report was given up, because a service was slow; the gate may be set already")]
    TooSlow,
    /// An operator changed the brake twice while the run set the gate.
    #[error(
        "the gate was not set, because an operator changed the brake twice meanwhile; the operator's brake is in force"
    )]
    Overridden,
}

impl From<ReporterError> for Diagnostic {
    fn from(error: ReporterError) -> Self {
        Self {
            error_type: "ReporterError".to_owned(),
            error_message: error.to_string(),
        }
    }
}
