//! The recipients that the answer to a request shows.

use domain::record::RecordedRecipient;
use sending::{Became, Receipt};

/// Returns the outcome of each recipient of an email that Okite answers for. The answer is the same whatever became of
/// the email.
pub(super) fn recipients(receipt: Receipt) -> Vec<RecordedRecipient> {
    match receipt.became {
        Became::Sent | Became::Suppressed | Became::Queued | Became::Scheduled(_) => receipt.recipients,
    }
}
