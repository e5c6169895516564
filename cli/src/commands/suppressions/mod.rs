//! `okite suppressions …`: the suppression list, out to a file and in again.
//!
//! A file has one line for each register of an address, so that what comes out and goes in elsewhere gives the same
//! verdicts. Registers only move forward: to import a file twice, or one that is older than the list, changes nothing that it
//! should not.

mod export;
mod import;
mod line;

use std::io;

use aws::{self, ListError, StoreError, Suppressions};

use crate::place::{Located, Place, PlaceError, SUPPRESSIONS, reason};

pub use export::{Exported, export};
pub use import::{Imported, ImportedFromSes, from_ses, import};
pub use line::BadLine;

/// Why a list was not moved.
#[derive(Debug, thiserror::Error)]
pub enum ListMoveError {
    /// The table was not found.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The file cannot be read or written.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The file has no header that is known.
    #[error(
        "{0} has no column of addresses: its first line must name the columns, one of them `address` or `email` \
         (the others may be reason, since, expires_at, subtype, diagnostic, source)"
    )]
    NoAddressColumn(String),
    /// The table cannot be read or written.
    #[error("the table {table} could not be read or written: {reason}. Run it again: what was done is not done twice")]
    Store {
        /// The table.
        table: String,
        /// Why.
        reason: String,
    },
    /// SES's list cannot be read.
    #[error("SES's own list could not be read: {0}")]
    Ses(#[from] ListError),
}

/// The list of a place.
struct List {
    suppressions: Suppressions,
    place: Place,
    located: Located,
}

impl List {
    async fn of(place: &Place) -> Result<Self, ListMoveError> {
        let located = place.locate(SUPPRESSIONS).await?;
        Ok(Self {
            suppressions: Suppressions::new(aws::dynamodb(&located.config), located.name.clone()),
            place: place.clone(),
            located,
        })
    }

    fn error(&self, error: &StoreError) -> ListMoveError {
        match self.place.unreachable() {
            Some(unreachable) if error.never_connected() => unreachable.into(),
            _ => ListMoveError::Store {
                table: self.located.name.clone(),
                reason: reason(error),
            },
        }
    }
}
