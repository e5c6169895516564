//! `okite keys create`: a key is drawn here, and shown this once; the table gets its hash.

use domain::api_key::{ApiKey, ApiKeyRecord, Permission};
use domain::stream::Stream;
use jiff::Timestamp;

use super::{KeysError, NAME_MAX, Table};
use crate::place::Place;

/// What a key is to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub permission: Permission,
    /// The stream its mail belongs to.
    pub stream: Stream,
    /// The domains that it may send from, as [`domain::api_key::from_domain`] has them; all of them if empty.
    pub from_domains: Vec<String>,
}

/// A key that was made.
#[derive(Debug)]
pub struct CreatedKey {
    /// The key, secret included.
    pub key: ApiKey,
    /// Where it was made, for a person.
    pub place: String,
}

/// Makes a key.
///
/// # Errors
/// [`KeysError`] says what to do.
#[expect(clippy::disallowed_methods, reason = "the outermost function reads the clock")]
pub async fn create(new: NewKey, place: &Place) -> Result<CreatedKey, KeysError> {
    let name = new.name.trim();
    if !(1..=NAME_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(KeysError::Name);
    }
    let (mut id, mut secret) = ([0; 8], [0; 32]);
    getrandom::fill(&mut id).map_err(KeysError::Random)?;
    getrandom::fill(&mut secret).map_err(KeysError::Random)?;
    let key = ApiKey::from_random(id, secret);
    let mut from_domains = new.from_domains;
    from_domains.sort_unstable();
    from_domains.dedup();
    let record = ApiKeyRecord {
        id: key.id().to_owned(),
        secret_sha256: key.secret_hash(),
        name: name.to_owned(),
        permission: new.permission,
        stream: new.stream,
        from_domains,
        created_at: Timestamp::now(),
    };
    let table = Table::of(place).await?;
    table.keys.put(&record).await.map_err(|error| table.error(&error))?;
    Ok(CreatedKey {
        key,
        place: table.located.place,
    })
}
