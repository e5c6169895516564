//! One function in a process of its own: the same code that is deployed, linked into this executable.

use std::pin::Pin;

use clap::ValueEnum;

/// The functions, by the names of their binaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Function {
    /// `POST /emails` and the rest of the HTTP contract.
    SendApi,
    /// SES's events.
    Feedback,
    /// The account's report and the gate.
    QuotaReporter,
}

impl Function {
    /// Runs the function until its parent is gone or stops it.
    ///
    /// # Errors
    /// When its environment is not complete, or the Runtime API is gone.
    pub fn run(self) -> Result<(), lambda_runtime::Error> {
        local_aws::services::lambda::end_with_parent();
        // The runtime of the deployed binaries.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run: Pin<Box<dyn Future<Output = _>>> = match self {
            Self::SendApi => Box::pin(send_api::run()),
            Self::Feedback => Box::pin(feedback::run()),
            Self::QuotaReporter => Box::pin(quota_reporter::run()),
        };
        runtime.block_on(run)
    }
}
