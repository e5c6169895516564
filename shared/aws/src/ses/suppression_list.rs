//! The suppression list that SES keeps for the account.
//!
//! SES allows one call a second that is not a send, for the whole account. A caller that makes several waits between
//! them, by a [`Pace`].

use std::time::Duration;

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::list_suppressed_destinations::ListSuppressedDestinationsError;
use aws_sdk_sesv2::types::SuppressionListReason;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::error_code::error_code;
use domain::suppression::{SesListEntry, SuppressionReason};

/// The most entries that SES puts on a page.
const PAGE_SIZE: i32 = 1000;
/// The time from one call to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// SES's list could not be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The account is in the sandbox, where SES keeps no list.
    #[error("SES keeps no suppression list for an account in its sandbox")]
    Sandbox,
    /// SES no longer accepts the token of the page. Begin again with the first page.
    #[error("SES no longer accepts the token of the page")]
    StaleToken,
    /// Another failure; the call may succeed later.
    #[error("{operation} failed: {code}")]
    Failed {
        /// The name of the operation.
        operation: &'static str,
        /// SES's error code, or the kind of failure if there was no answer with one.
        code: String,
        /// SES's own text, if it gave one.
        text: Option<SesText>,
    },
}

/// A text of SES. It may contain addresses: it is for the operator who made the call, and never for a log, so `Debug`
/// leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct SesText(pub String);

impl std::fmt::Debug for SesText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SesText(…)")
    }
}

/// A page of SES's list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedPage {
    /// The entries of the page.
    pub listed: Vec<SesListEntry>,
    /// The token of the next page, if there is one.
    pub next: Option<String>,
}

/// SES's suppression list of the account in one region.
#[derive(Clone, Debug)]
pub struct SesSuppressionList {
    client: Client,
}

impl SesSuppressionList {
    /// Works on the list of the client's account and region.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Reads a page: the first, or that of `token`.
    ///
    /// # Errors
    /// [`ListError`] states whether to begin again, to wait for another day, or to try again.
    pub async fn page(&self, token: Option<&str>) -> Result<ListedPage, ListError> {
        const OPERATION: &str = "ListSuppressedDestinations";
        let answer = self
            .client
            .list_suppressed_destinations()
            .page_size(PAGE_SIZE)
            .set_next_token(token.map(str::to_owned))
            .send()
            .await
            .map_err(|error| {
                if error
                    .as_service_error()
                    .is_some_and(ListSuppressedDestinationsError::is_invalid_next_token_exception)
                {
                    ListError::StaleToken
                } else {
                    list_error(OPERATION, &error)
                }
            })?;
        let listed = answer.suppressed_destination_summaries.unwrap_or_default();
        Ok(ListedPage {
            listed: listed
                .into_iter()
                .map(|entry| SesListEntry {
                    updated_at: timestamp(entry.last_update_time),
                    reason: match entry.reason {
                        SuppressionListReason::Complaint => SuppressionReason::Complaint,
                        // A reason that SES adds later suppresses as well.
                        _ => SuppressionReason::Bounce,
                    },
                    address: entry.email_address,
                })
                .collect(),
            next: answer.next_token.filter(|token| !token.is_empty()),
        })
    }

    /// Removes an address from the list, in the spelling that the list has. Removing one that is not there succeeds.
    ///
    /// # Errors
    /// [`ListError`] if the address may still be there.
    pub async fn remove(&self, address: &str) -> Result<(), ListError> {
        let removed = self
            .client
            .delete_suppressed_destination()
            .email_address(address)
            .send()
            .await;
        match removed {
            Err(SdkError::ServiceError(error)) if error.err().is_not_found_exception() => Ok(()),
            Err(error) => Err(list_error("DeleteSuppressedDestination", &error)),
            Ok(_) => Ok(()),
        }
    }
}

/// AWS does not document the error of the sandbox. The assumption is that its text names the sandbox.
fn list_error<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> ListError {
    let names_the_sandbox = |error: &E| {
        error
            .message()
            .is_some_and(|text| text.to_ascii_lowercase().contains("sandbox"))
    };
    if error.as_service_error().is_some_and(names_the_sandbox) {
        return ListError::Sandbox;
    }
    ListError::Failed {
        operation,
        code: error_code(error),
        text: error
            .as_service_error()
            .and_then(ProvideErrorMetadata::message)
            .map(|text| SesText(text.to_owned())),
    }
}

fn timestamp(time: aws_smithy_types::DateTime) -> Timestamp {
    let nanoseconds = i32::try_from(time.subsec_nanos()).unwrap_or(0);
    // A time that cannot be represented counts as the oldest: anything on record is later.
    Timestamp::new(time.secs(), nanoseconds).map_or(domain::time::EARLIEST, domain::time::clamped)
}

/// Keeps calls to SES a second apart.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    last: Option<Instant>,
}

impl Pace {
    /// Begins after a call that was made just now, or after none.
    #[must_use]
    pub fn new(called_just_now: bool) -> Self {
        Self {
            last: called_just_now.then(Instant::now),
        }
    }

    /// Waits until the next call may be made. The caller makes it at once.
    pub async fn wait(&mut self) {
        if let Some(last) = self.last {
            tokio::time::sleep_until(last + INTERVAL).await;
        }
        self.last = Some(Instant::now());
    }
}
