//! `okite keys …`: API keys, in an `okite up` on this machine or in AWS.

mod create;
mod list;
mod revoke;

use aws::{self, ApiKeys, StoreError};
use domain::api_key::NotAnId;

use crate::place::{API_KEYS, Located, Place, PlaceError, reason};

pub use create::{CreatedKey, NewKey, create};
pub use list::{ListedKeys, list};
pub use revoke::{RevokedKey, revoke};

/// The longest name of a key, in characters.
const NAME_MAX: usize = 100;

/// Why nothing was done with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The name is empty or too long, or would do something to a terminal.
    #[error("a key's name must have 1 to {NAME_MAX} characters, and no control characters")]
    Name,
    /// Not the name of a key.
    #[error(transparent)]
    Id(#[from] NotAnId),
    /// There is no such key.
    #[error(
        "there is no key with the id {id} in {place}: it never was there, or it is revoked. `okite keys list` shows all"
    )]
    Unknown {
        /// The id.
        id: String,
        /// Where it was looked for, for a person.
        place: String,
    },
    /// The table was not found.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The table cannot be read or written.
    #[error("the table of keys {table} could not be read or written: {reason}")]
    Store {
        /// The table.
        table: String,
        /// Why.
        reason: String,
    },
    /// The system gives no random bytes.
    #[error("no random bytes could be drawn: {0}")]
    Random(getrandom::Error),
}

/// The table of keys of a place.
struct Table {
    keys: ApiKeys,
    place: Place,
    located: Located,
}

impl Table {
    async fn of(place: &Place) -> Result<Self, KeysError> {
        let located = place.locate(API_KEYS).await?;
        Ok(Self {
            keys: ApiKeys::new(aws::dynamodb(&located.config), located.name.clone()),
            place: place.clone(),
            located,
        })
    }

    fn error(&self, error: &StoreError) -> KeysError {
        match self.place.unreachable() {
            Some(unreachable) if error.never_connected() => unreachable.into(),
            _ => KeysError::Store {
                table: self.located.name.clone(),
                reason: reason(error),
            },
        }
    }
}
