//! Claims of idempotency keys, items of the table of messages.
//!
//! | attribute | holds |
//! |---|---|
//! | `pk` | `claim#<hash of API key, endpoint and idempotency key>` (key) |
//! | `sk` | `claim` (key) |
//! | `body_hash` | a hash of the emails, to recognise another request |
//! | `message_id` | the message of the first request |
//! | `nonce` | the request that holds the key: only that request may free it |
//! | `lease_until` | the end of the time that the request may be at work (milliseconds) |
//! | `emails` | how many messages the request has; their ids follow from `message_id` |
//! | `expires` | when the key may be used anew, if all of its messages are settled (milliseconds); it only grows |
//! | `expires_at` | when DynamoDB may delete it, and its messages (seconds) |

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use jiff::Timestamp;
use uuid::Uuid;

use super::key;
use crate::StoreError;
use crate::dynamodb::condition::{Written, unless_overtaken, written};
use crate::dynamodb::item::{Item, n, names, number_of, s, text_of, time, time_of, ttl, uuid_of};
use domain::idempotency::Claim;

/// The sort key of every claim.
const CLAIM: &str = "claim";

/// The claims in the table of messages.
#[derive(Clone, Debug)]
pub struct Claims {
    client: Client,
    table: String,
}

/// The result of an attempt to claim a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The caller holds the key now.
    Won,
    /// Another request holds the key.
    Held(Claim),
    /// The key was freed in the meantime.
    Gone,
}

impl Claims {
    /// Works on `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Claims a key that no request holds. Of any number of callers one wins. A claim whose time is over holds the key
    /// too: see [`Self::replace`].
    ///
    /// # Errors
    /// [`StoreError`] if it is not known which request holds the key.
    pub async fn take(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let put = self
            .put(claim)
            .condition_expression("attribute_not_exists(#pk)")
            .set_expression_attribute_names(names(["pk"]));
        self.claimed_by(put, claim).await
    }

    /// Claims a key anew that `held` has, whose time is over and whose messages are settled. Of any number of callers
    /// one wins.
    ///
    /// # Errors
    /// [`StoreError`] if it is not known which request holds the key.
    pub async fn replace(&self, held: &Claim, claim: &Claim) -> Result<Claimed, StoreError> {
        let put = self
            .put(claim)
            .condition_expression("#nonce = :seen AND #expires = :expired")
            .set_expression_attribute_names(names(["nonce", "expires"]))
            .expression_attribute_values(":seen", s(held.nonce.to_string()))
            .expression_attribute_values(":expired", time(held.expires));
        self.claimed_by(put, claim).await
    }

    fn put(&self, claim: &Claim) -> PutItemFluentBuilder {
        let put = self.client.put_item().table_name(&self.table);
        put.set_item(Some(row(claim)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    async fn claimed_by(&self, put: PutItemFluentBuilder, claim: &Claim) -> Result<Claimed, StoreError> {
        match written(put.send().await)? {
            Written::Done(_) => Ok(Claimed::Won),
            Written::Failed(row) => claimed(row, claim, "PutItem"),
        }
    }

    /// Reads a claim, consistently.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be read.
    pub async fn get(&self, id: &str) -> Result<Option<Claim>, StoreError> {
        const OPERATION: &str = "GetItem";
        let read = self.client.get_item().table_name(&self.table);
        let read = read.set_key(Some(claim_key(id))).consistent_read(true).send().await;
        let Some(row) = read.map_err(StoreError::of(OPERATION))?.item else {
            return Ok(None);
        };
        let claim = self::read(&row).ok_or_else(|| StoreError::new(OPERATION, "NotAClaim"))?;
        Ok(Some(claim))
    }

    /// Lets the request of `claim` take over the key `held` from a request with the same body whose lease is over: see
    /// [`Claim::taken_over`]. The key keeps the message of the first request. Of several callers, one wins.
    ///
    /// # Errors
    /// [`StoreError`] if it is not known which request holds the key.
    pub async fn take_over(&self, held: &Claim, claim: &Claim) -> Result<Claimed, StoreError> {
        let updated = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(claim_key(&held.id)))
            .update_expression(
                "SET #nonce = :nonce, #lease_until = :lease_until, #expires = :expires, #expires_at = :expires_at",
            )
            // A mail that is rescheduled lets its claim live longer, and leaves the nonce as it is.
            .condition_expression("#nonce = :seen AND #expires = :seen_expires")
            .set_expression_attribute_names(names(["nonce", "lease_until", "expires", "expires_at"]))
            .expression_attribute_values(":nonce", s(claim.nonce.to_string()))
            .expression_attribute_values(":seen", s(held.nonce.to_string()))
            .expression_attribute_values(":seen_expires", time(held.expires))
            .expression_attribute_values(":lease_until", time(claim.lease_until))
            .expression_attribute_values(":expires", time(claim.expires))
            .expression_attribute_values(":expires_at", ttl(claim.kept_until))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match written(updated)? {
            Written::Done(_) => Ok(Claimed::Won),
            Written::Failed(row) => claimed(row, claim, "UpdateItem"),
        }
    }

    /// Remembers the key `held` until `expires`, unless another request has taken it or it is remembered longer.
    ///
    /// # Errors
    /// [`StoreError`] if the key may be forgotten earlier.
    pub async fn remember(&self, held: &Claim, expires: Timestamp) -> Result<(), StoreError> {
        let remembered = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(claim_key(&held.id)))
            .update_expression("SET #expires = :expires")
            .condition_expression("#nonce = :nonce AND #expires < :expires")
            .set_expression_attribute_names(names(["nonce", "expires"]))
            .expression_attribute_values(":nonce", s(held.nonce.to_string()))
            .expression_attribute_values(":expires", time(expires))
            .send()
            .await;
        unless_overtaken(remembered)
    }

    /// Ends the lease of a key, if the request with this nonce still holds it. The next request may then do at once
    /// what this one left undone.
    ///
    /// # Errors
    /// [`StoreError`] if the lease may go on. It ends by itself.
    pub async fn release(&self, claim: &Claim, now: Timestamp) -> Result<(), StoreError> {
        let released = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(claim_key(&claim.id)))
            .update_expression("SET #lease_until = :now")
            .condition_expression("#nonce = :nonce")
            .set_expression_attribute_names(names(["lease_until", "nonce"]))
            .expression_attribute_values(":now", time(now))
            .expression_attribute_values(":nonce", s(claim.nonce.to_string()))
            .send()
            .await;
        unless_overtaken(released)
    }

    /// Frees a key, if the request with this nonce still holds it.
    ///
    /// # Errors
    /// [`StoreError`] if the key may not have been freed. It is free when its lease is over.
    pub async fn free(&self, id: &str, nonce: Uuid) -> Result<(), StoreError> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(claim_key(id)))
            .condition_expression("#nonce = :nonce")
            .set_expression_attribute_names(names(["nonce"]))
            .expression_attribute_values(":nonce", s(nonce.to_string()))
            .send()
            .await;
        unless_overtaken(deleted)
    }
}

/// Reads from the row that was there which request holds the key.
fn claimed(row: Option<Item>, claim: &Claim, operation: &'static str) -> Result<Claimed, StoreError> {
    let Some(row) = row else {
        return Ok(Claimed::Gone);
    };
    let held = read(&row).ok_or_else(|| StoreError::new(operation, "NotAClaim"))?;
    // The SDK repeated a write whose answer was lost: the row that is there is our own. A row of our own that names
    // another message is that of a claim before, which came late: the caller must not use the message of this one.
    Ok(if held.nonce == claim.nonce && held.message_id == claim.message_id {
        Claimed::Won
    } else {
        Claimed::Held(held)
    })
}

pub(super) fn claim_key(id: &str) -> Item {
    key(id, CLAIM)
}

fn row(claim: &Claim) -> Item {
    let attributes = [
        ("body_hash", s(&claim.body_hash)),
        ("message_id", s(claim.message_id.to_string())),
        ("nonce", s(claim.nonce.to_string())),
        ("lease_until", time(claim.lease_until)),
        ("expires", time(claim.expires)),
        ("emails", n(i64::try_from(claim.emails).unwrap_or(i64::MAX))),
        ("expires_at", ttl(claim.kept_until)),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    claim_key(&claim.id).into_iter().chain(attributes).collect()
}

fn read(row: &Item) -> Option<Claim> {
    Some(Claim {
        id: text_of(row, "pk")?.to_owned(),
        body_hash: text_of(row, "body_hash")?.to_owned(),
        message_id: uuid_of(row, "message_id")?,
        nonce: uuid_of(row, "nonce")?,
        lease_until: time_of(row, "lease_until")?,
        emails: number_of(row, "emails").map_or(Some(1), |emails| usize::try_from(emails).ok())?,
        expires: time_of(row, "expires")?,
        kept_until: Timestamp::from_second(number_of(row, "expires_at")?).ok()?,
    })
}
