//! `okite forget …`: takes a person's address out of what is kept, and goes on not sending to it.

use aws::{self, Messages, StoreError, Suppressions};
use domain::address::EmailAddress;
use uuid::Uuid;

use crate::patience::patiently;
use crate::place::{MESSAGES, Place, PlaceError, SUPPRESSIONS, reason};

/// What becomes of the entry on the suppression list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryBecomes {
    /// It stays under the address, without the spellings that were met and without what servers said.
    Bare,
    /// It is kept under a SHA-256 of the address.
    Hashed,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Items of the table of messages that were read.
    pub read: u64,
    /// Records of messages that named the address.
    pub messages: u64,
    /// Whether the suppression list had an entry under the address.
    pub entry: bool,
}

/// Why something may not be forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// A table was not found.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// One table is not enough.
    #[error("an address is kept in two tables: name the stack with --stack instead of a table")]
    OneTable,
    /// A table cannot be read or written.
    #[error("not everything is forgotten yet, run it again: {0}")]
    Store(String),
}

/// Takes `address` out of the records of all messages, which means reading all of them, and out of the suppression list as far
/// as `entry` says; `progress` is told after each page. May be repeated.
///
/// # Errors
/// [`ForgetError`] says what to do; what was forgotten until then stays so.
#[expect(clippy::disallowed_methods, reason = "the outermost function makes the ids")]
pub async fn forget(
    place: &Place,
    address: &EmailAddress,
    entry: EntryBecomes,
    progress: impl Fn(Forgotten),
) -> Result<Forgotten, ForgetError> {
    if matches!(place, Place::Part { .. }) {
        return Err(ForgetError::OneTable);
    }
    let (messages, suppressions) = (place.locate(MESSAGES).await?, place.locate(SUPPRESSIONS).await?);
    let client = aws::dynamodb(&messages.config);
    let messages = Messages::new(client.clone(), messages.name);
    let suppressions = Suppressions::new(client, suppressions.name);
    let failed = |error: StoreError| match place.unreachable() {
        Some(unreachable) if error.never_connected() => unreachable.into(),
        _ => ForgetError::Store(reason(&error)),
    };
    let mut forgotten = Forgotten::default();
    // The list first: it is the short part, and what is on it stays on it.
    let moved = match entry {
        EntryBecomes::Bare => patiently(async || suppressions.forget_evidence(address).await).await,
        EntryBecomes::Hashed => patiently(async || suppressions.forget_address(address, Uuid::now_v7).await).await,
    };
    forgotten.entry = moved.map_err(failed)?;
    let mut after = None::<String>;
    loop {
        let page = patiently(async || messages.forget(address, after.as_deref()).await)
            .await
            .map_err(failed)?;
        forgotten.read += page.read;
        forgotten.messages += page.rewritten;
        progress(forgotten);
        after = page.next;
        if after.is_none() {
            return Ok(forgotten);
        }
    }
}
