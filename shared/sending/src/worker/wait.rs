//! How long a mail waits that is not sent now, by the cause.

use std::time::Duration;

use aws::StoreError;
use domain::ses_error::{RETRY_LATER, RETRY_SOON};
use uuid::Uuid;

/// The wait of a mail that may be sent again at once.
pub(super) const AT_ONCE: Duration = Duration::ZERO;

/// The wait of a mail for which there was no time.
pub(super) fn no_time_wait() -> Duration {
    Duration::from_secs(RETRY_SOON.into())
}

/// Returns how long a mail waits after an error of a table, which it logs.
pub(super) fn store_wait(id: Uuid, error: &StoreError) -> Duration {
    log_store_error(id, error);
    let seconds = if error.needs_operator() {
        RETRY_LATER
    } else {
        RETRY_SOON
    };
    Duration::from_secs(seconds.into())
}

/// Logs that a table has no answer about a mail.
pub(super) fn log_store_error(id: Uuid, error: &StoreError) {
    tracing::error!(
        message.id = %id,
        cause = error.cause(),
        operation = error.operation,
        code = error.code,
        "a table cannot be read or written"
    );
}
