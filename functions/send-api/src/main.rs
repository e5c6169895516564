//! The Lambda function `send-api`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    send_api::run().await
}
