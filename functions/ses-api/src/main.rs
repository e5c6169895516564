//! The Lambda function `ses-api`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    ses_api::run().await
}
