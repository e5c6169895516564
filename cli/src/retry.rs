//! Retries while DynamoDB throttles. DynamoDB throttles the first reads of a table that was idle.

use std::time::Duration;

use aws::StoreError;

/// The waits between attempts. Each attempt already includes the SDK's own retries.
const WAITS: [Duration; 7] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
];

/// Repeats `attempt` while DynamoDB throttles it. The attempt must be idempotent.
pub(crate) async fn retry_throttled<T>(attempt: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    for wait in WAITS {
        match attempt().await {
            Err(error) if error.is_throttled() => tokio::time::sleep(wait).await,
            done => return done,
        }
    }
    attempt().await
}
