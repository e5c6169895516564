//! `okite keys …`: API keys, in an `okite up` on this machine or in AWS.

use jiff::Timestamp;
use shared::api_key::{ApiKey, ApiKeyRecord, Permission};
use shared::aws::{self, ApiKeys};
use shared::stream::Stream;

use crate::place::{API_KEYS, Place, PlaceError, reason};

/// The longest name of a key, in characters.
const NAME_MAX: usize = 100;

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The name is empty or too long.
    #[error("a key's name must have 1 to {NAME_MAX} characters")]
    Name,
    /// The table was not found.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The table cannot be written.
    #[error("the key could not be written to the table {table}: {reason}")]
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

/// A key that was made.
#[derive(Debug)]
pub struct CreatedKey {
    /// The key, secret included.
    pub key: ApiKey,
    /// Where it was made, for a person.
    pub place: String,
}

/// Makes a key with full permission for mail of `stream` from any domain.
///
/// # Errors
/// [`KeysError`] says what to do.
#[expect(clippy::disallowed_methods, reason = "the outermost function reads the clock")]
pub async fn create(name: &str, stream: Stream, place: &Place) -> Result<CreatedKey, KeysError> {
    let name = name.trim();
    if !(1..=NAME_MAX).contains(&name.chars().count()) {
        return Err(KeysError::Name);
    }
    let (mut id, mut secret) = ([0; 8], [0; 32]);
    getrandom::fill(&mut id).map_err(KeysError::Random)?;
    getrandom::fill(&mut secret).map_err(KeysError::Random)?;
    let key = ApiKey::from_random(id, secret);
    let record = ApiKeyRecord {
        id: key.id().to_owned(),
        secret_sha256: key.secret_hash(),
        name: name.to_owned(),
        permission: Permission::Full,
        stream,
        from_domains: Vec::new(),
        created_at: Timestamp::now(),
    };
    let located = place.locate(API_KEYS).await?;
    let keys = ApiKeys::new(aws::dynamodb(&located.config), located.name.clone());
    keys.put(&record).await.map_err(|error| match place.unreachable() {
        Some(unreachable) if error.never_connected() => KeysError::Place(unreachable),
        _ => KeysError::Store {
            table: located.name,
            reason: reason(&error),
        },
    })?;
    Ok(CreatedKey {
        key,
        place: located.place,
    })
}
