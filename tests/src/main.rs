//! One function in a process of its own, for the end-to-end tests: `run-function <name>`.

use std::pin::Pin;
use std::process::ExitCode;

use lambda_runtime::Error;

fn main() -> ExitCode {
    local_aws::services::lambda::end_with_parent();
    // What goes wrong is in the function's log. That the Runtime API went away, when a test is over, is no news.
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run() -> Result<(), Error> {
    // The runtime of the deployed binaries.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let function: Pin<Box<dyn Future<Output = Result<(), Error>>>> = match std::env::args().nth(1).as_deref() {
        Some("send-api") => Box::pin(send_api::run()),
        Some("feedback") => Box::pin(feedback::run()),
        Some("quota-reporter") => Box::pin(quota_reporter::run()),
        _ => return Err("name one of send-api, feedback and quota-reporter".into()),
    };
    runtime.block_on(function)
}
