//! Why a run makes no report.

use aws::{AccountError, StoreError};
use lambda_runtime::Diagnostic;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReporterError {
    /// SES did not say how the account is.
    #[error("the account could not be read, the last gate stays in force: {0}")]
    Account(#[from] AccountError),
    /// The gate or the report could not be read or written.
    #[error("the gate could not be set: {0}")]
    Store(#[from] StoreError),
    /// An operator changed the brake, and changed it again.
    #[error("the gate was not set, an operator changed the brake twice meanwhile; their word is in force")]
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
