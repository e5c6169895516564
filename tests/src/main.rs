//! One function in a process of its own, for the end-to-end tests: `run-function <name>`.

use std::pin::Pin;

use lambda_runtime::Error;

fn main() -> Result<(), Error> {
    local_aws::lambda::end_with_parent();
    let function = std::env::args().nth(1).unwrap_or_default();
    // The runtime of the deployed binaries.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run: Pin<Box<dyn Future<Output = Result<(), Error>>>> = match function.as_str() {
        "send-api" => Box::pin(send_api::run()),
        "feedback" => Box::pin(feedback::run()),
        "quota-reporter" => Box::pin(quota_reporter::run()),
        other => return Err(format!("there is no function {other:?}").into()),
    };
    runtime.block_on(run)
}
