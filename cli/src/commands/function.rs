//! `okite function NAME`: one Lambda function in a process of its own. `okite up` starts these processes. They run the
//! code that is deployed, linked into this executable.

use std::pin::Pin;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::execution::{CommandResult, Failure};

/// Run one function over the Lambda Runtime API; `okite up` uses this command
#[derive(Debug, Args)]
pub(crate) struct FunctionCommand {
    /// Name of the function
    function: Function,
}

/// The functions, by the names of their binaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Function {
    /// The HTTP API
    SendApi,
    /// Handles the events of SES
    Feedback,
    /// Reports the state of the account and updates the gate
    QuotaReporter,
}

impl FunctionCommand {
    /// Runs the function until its parent process ends or stops it.
    pub(crate) fn run(self) -> CommandResult {
        local_aws::lambda::end_with_parent();
        // The same runtime as in the deployed binaries.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run: Pin<Box<dyn Future<Output = Result<(), lambda_runtime::Error>>>> = match self.function {
            Function::SendApi => Box::pin(send_api::run()),
            Function::Feedback => Box::pin(feedback::run()),
            Function::QuotaReporter => Box::pin(quota_reporter::run()),
        };
        runtime.block_on(run).map_err(|error| Failure::new(error.to_string()))?;
        Ok(ExitCode::SUCCESS)
    }
}
