//! The Lambda function `quota-reporter`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    quota_reporter::run().await
}
