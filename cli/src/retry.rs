//! Going on when DynamoDB asks for patience: a table that was idle takes a long list more slowly at first.

use std::time::Duration;

use aws::StoreError;

/// The waits between attempts; each comes after those that the SDK makes itself.
const WAITS: [Duration; 7] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
];

/// Repeats `attempt`, which may be done twice, while DynamoDB throttles it.
pub(crate) async fn patiently<T>(attempt: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    for wait in WAITS {
        match attempt().await {
            Err(error) if error.is_throttled() => tokio::time::sleep(wait).await,
            done => return done,
        }
    }
    attempt().await
}
