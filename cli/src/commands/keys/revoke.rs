//! `okite keys revoke`: the key is deleted, and no longer works once the functions have forgotten it.

use domain::api_key::id_of;

use super::{KeysError, Table};
use crate::patience::patiently;
use crate::place::Place;

/// A key that was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedKey {
    /// Its id.
    pub id: String,
    /// Where it was, for a person.
    pub place: String,
}

/// Revokes a key that is named by its id, or by the whole of it.
///
/// It is looked for first: a deletion that tells what it deleted would tell of nothing where the SDK had to repeat it.
///
/// # Errors
/// [`KeysError`] says what to do.
pub async fn revoke(key: &str, place: &Place) -> Result<RevokedKey, KeysError> {
    let id = id_of(key)?;
    let table = Table::of(place).await?;
    let is_there = patiently(async || table.keys.contains(&id).await).await;
    if !is_there.map_err(|error| table.error(&error))? {
        return Err(KeysError::Unknown {
            id,
            place: table.located.place,
        });
    }
    let deleted = patiently(async || table.keys.delete(&id).await).await;
    deleted.map_err(|error| table.error(&error))?;
    Ok(RevokedKey {
        id,
        place: table.located.place,
    })
}
