//! The log line about an entry that cannot be read.

/// How many digits of a key the log shows.
const HASH_IN_LOGS: usize = 16;

/// Logs that the entry with a key cannot be read. `okite suppressions export` lists the entry.
pub(super) fn log_unreadable(key: &str) {
    let hash = key.get(..HASH_IN_LOGS).unwrap_or(key);
    tracing::error!(
        cause = "unreadable_suppression",
        address.hash = hash,
        "an entry of the suppression list cannot be read, and its address counts as suppressed"
    );
}
