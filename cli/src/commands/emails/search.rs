//! Looks through the table of messages for one with SES's id.
//!
//! An email that waited in the queue is older than SES's id of it, so the id does not lead to it. No index does either:
//! it would cost a write unit with every email.

use futures_util::stream::{FuturesUnordered, StreamExt};
use uuid::Uuid;

use super::{EmailsError, MessagesTable};
use crate::output::{note, progress};
use crate::retry::retry_throttled;

/// How many segments of the table are read side by side.
const SEGMENTS: u16 = 8;
/// The price of a million read units in us-east-1, in USD.
const MILLION_UNITS: f64 = 0.125;

/// Reads the table until an email with SES's id is found, and says what that costs. Returns Okite's id of the email.
pub(super) async fn search(table: &MessagesTable, ses_id: &str) -> Result<Option<Uuid>, EmailsError> {
    note!(
        "No email that was sent at once has this id of Amazon SES. Looking through the whole table of messages, which \
         costs some 0.03 USD for a million emails. `okite emails show` with Okite's id costs next to nothing."
    );
    let mut units = 0.0;
    let mut segments: FuturesUnordered<_> = (0..SEGMENTS)
        .map(|segment| page(table, ses_id, segment, None))
        .collect();
    let mut found = None;
    while let Some((segment, page)) = segments.next().await {
        let page = page.map_err(|error| table.error(&error))?;
        units += page.units;
        progress!("{units:.0} read units");
        found = page.found;
        if found.is_some() {
            break;
        }
        if page.next.is_some() {
            segments.push(self::page(table, ses_id, segment, page.next));
        }
    }
    let price = units * MILLION_UNITS / 1_000_000.0;
    note!("The search read {units:.0} read units: {price:.4} USD at the list price of us-east-1.");
    Ok(found)
}

/// Reads a page of a segment.
async fn page(
    table: &MessagesTable,
    ses_id: &str,
    segment: u16,
    after: Option<aws::ScanPosition>,
) -> (u16, Result<aws::SearchedPage, aws::StoreError>) {
    let read = async || {
        table
            .messages
            .search_page(ses_id, (segment, SEGMENTS), after.as_ref())
            .await
    };
    (segment, retry_throttled(read).await)
}
