//! The secrets under which the tokens of unsubscribe links are made.
//!
//! One item of a partition of its own, with the attribute `secrets`: a list, the newest first. It is not in the table
//! of API keys, because a function with the right to write it there could write keys too. The item has no `expires_at`,
//! because no link in a sent mail works without the secrets.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::{SignedDuration, Timestamp};

use super::Usage;
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, list, names, s};
use domain::unsubscribe::{UnsubscribeSecret, UnsubscribeSecrets};

/// The partition. The roles of the functions name it.
const PARTITION: &str = "unsubscribe";
const SORT: &str = "secrets";
/// How long a process uses the secrets without another read. Until then it makes tokens under the secret before a
/// rotation, which stay valid.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(5);
/// The least time between two reads because of a token that the known secrets did not make.
const NOT_ASKED_AGAIN: SignedDuration = SignedDuration::from_secs(30);

impl Usage {
    /// Reads the secrets, consistently. A stack that has not sent mail with a link has none.
    ///
    /// # Errors
    /// [`StoreError`] if they could not be read, or if the item is damaged: another secret must not take its place.
    pub async fn unsubscribe_secrets(&self) -> Result<Option<UnsubscribeSecrets>, StoreError> {
        const OPERATION: &str = "GetItem";
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(PARTITION))
            .key("sk", s(SORT))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
        answer.item.map(|item| read(&item, OPERATION)).transpose()
    }

    /// Makes the first secret, unless there is one. Returns the secrets that count: of several processes that make one
    /// at once, all get that of the first.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written, or if the item is damaged.
    pub async fn first_unsubscribe_secret(&self, new: UnsubscribeSecret) -> Result<UnsubscribeSecrets, StoreError> {
        const OPERATION: &str = "UpdateItem";
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(PARTITION))
            .key("sk", s(SORT))
            .update_expression("SET #secrets = if_not_exists(#secrets, :new)")
            .set_expression_attribute_names(names([SORT]))
            .expression_attribute_values(":new", stored(&UnsubscribeSecrets::first(new)))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(StoreError::of(OPERATION))?;
        read(&answer.attributes.unwrap_or_default(), OPERATION)
    }

    /// Puts `rotated` in the place of the secrets `before`. Returns whether that was done: somebody else may have
    /// rotated them in the meantime.
    ///
    /// # Errors
    /// [`StoreError`] if they may not have been written.
    pub async fn rotate_unsubscribe_secrets(
        &self,
        before: &UnsubscribeSecrets,
        rotated: &UnsubscribeSecrets,
    ) -> Result<bool, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(PARTITION))
            .key("sk", s(SORT))
            .update_expression("SET #secrets = :rotated")
            .condition_expression("#secrets = :before OR #secrets = :rotated")
            .set_expression_attribute_names(names([SORT]))
            .expression_attribute_values(":rotated", stored(rotated))
            .expression_attribute_values(":before", stored(before))
            .send()
            .await;
        Ok(matches!(written(updated)?, Written::Done(_)))
    }
}

fn stored(secrets: &UnsubscribeSecrets) -> AttributeValue {
    list(secrets.reveal())
}

fn read(item: &Item, operation: &'static str) -> Result<UnsubscribeSecrets, StoreError> {
    let texts = item.get(SORT).and_then(|value| value.as_l().ok());
    // One value of another type makes the whole item unreadable: a secret that is skipped would end its links.
    let texts: Option<Vec<&str>> = texts.and_then(|texts| {
        let texts = texts.iter().map(|text| text.as_s().ok().map(String::as_str));
        texts.collect()
    });
    let secrets = texts.and_then(UnsubscribeSecrets::parse);
    secrets.ok_or_else(|| StoreError::new(operation, "NotSecrets"))
}

/// The secrets that a process knows.
#[derive(Debug)]
pub struct KnownUnsubscribeSecrets {
    usage: Usage,
    remembered: Mutex<Option<(Arc<UnsubscribeSecrets>, Timestamp)>>,
}

impl KnownUnsubscribeSecrets {
    /// Reads from `usage`, and knows nothing yet.
    #[must_use]
    pub fn new(usage: Usage) -> Self {
        Self {
            usage,
            remembered: Mutex::default(),
        }
    }

    /// Returns the secrets to make a token with. If the stack has none yet, what `new` draws
    /// becomes its first.
    ///
    /// # Errors
    /// [`StoreError`] if they could not be read, or the first may not have been written.
    pub async fn to_write(
        &self,
        now: Timestamp,
        new: impl Fn() -> Option<UnsubscribeSecret>,
    ) -> Result<Arc<UnsubscribeSecrets>, StoreError> {
        if let Some(known) = self.younger_than(REMEMBERED, now) {
            return Ok(known);
        }
        let secrets = if let Some(secrets) = self.usage.unsubscribe_secrets().await? {
            secrets
        } else {
            let new = new().ok_or_else(|| StoreError::new("UpdateItem", "NoRandomBytes"))?;
            self.usage.first_unsubscribe_secret(new).await?
        };
        Ok(self.remember(secrets, now))
    }

    /// Returns the secrets to read a token with, not older than is needed to know one that was made just now. Without
    /// any, no token is valid.
    ///
    /// # Errors
    /// [`StoreError`] if they could not be read.
    pub async fn to_read(
        &self,
        now: Timestamp,
        reads: impl Fn(&UnsubscribeSecrets) -> bool,
    ) -> Result<Option<Arc<UnsubscribeSecrets>>, StoreError> {
        // A token is no guess that ages: once a secret made it, every later list has that secret.
        if let Some(known) = self.younger_than(SignedDuration::MAX, now)
            && reads(&known)
        {
            return Ok(Some(known));
        }
        // Anybody can send wrong tokens: they cost a read now and then.
        if let Some(known) = self.younger_than(NOT_ASKED_AGAIN, now) {
            return Ok(Some(known));
        }
        let secrets = self.usage.unsubscribe_secrets().await?;
        Ok(secrets.map(|secrets| self.remember(secrets, now)))
    }

    fn younger_than(&self, age: SignedDuration, now: Timestamp) -> Option<Arc<UnsubscribeSecrets>> {
        let remembered = self.lock();
        let (secrets, read_at) = remembered.as_ref()?;
        (now.duration_since(*read_at) < age).then(|| Arc::clone(secrets))
    }

    fn remember(&self, secrets: UnsubscribeSecrets, now: Timestamp) -> Arc<UnsubscribeSecrets> {
        let secrets = Arc::new(secrets);
        *self.lock() = Some((Arc::clone(&secrets), now));
        secrets
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Arc<UnsubscribeSecrets>, Timestamp)>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
