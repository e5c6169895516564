//! Pages of messages by age: all of them, or those to a person. Ids sort by time, so a page is found by an id alone.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::{Messages, by_recipient, partition};
use crate::StoreError;
use crate::dynamodb::item::{Item, s, uuid_of};
use crate::newest_from::NewestFrom;
use domain::address::EmailAddress;

/// Where the ids of messages are listed by age.
#[derive(Clone, Copy)]
enum ListedIn {
    /// The partitions of rows.
    Table,
    /// The index by recipient.
    Index,
}

impl ListedIn {
    /// The attributes of the key: the partition and the id.
    fn key(self) -> [&'static str; 2] {
        match self {
            Self::Table => ["pk", "sk"],
            Self::Index => [by_recipient::HASH, "id"],
        }
    }
}

/// A page of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessagesPage {
    /// The ids of the messages, the newest first.
    pub ids: Vec<Uuid>,
    /// Whether there are more messages in the direction of the page.
    pub has_more: bool,
}

impl Messages {
    /// Finds at most `limit` messages to any recipient, consistently. The rows are read for it, but not returned.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read.
    pub async fn newest(&self, from: NewestFrom, limit: usize) -> Result<MessagesPage, StoreError> {
        let partitions =
            partition::all().map(|name| self.ids_of_partition(ListedIn::Table, name, from, limit, |_| true));
        let ids = try_join_all(partitions).await?.into_iter().flatten().collect();
        Ok(page(ids, from, limit))
    }

    /// Finds at most `limit` messages to `address`. A message of the last moments may be missing, because the index is
    /// eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub async fn sent_to(
        &self,
        address: &EmailAddress,
        from: NewestFrom,
        limit: usize,
    ) -> Result<MessagesPage, StoreError> {
        self.of_recipient(address, from, limit, |item| !by_recipient::is_forwarded(item))
            .await
    }

    /// Finds the address behind a pseudonym, if a message of the last ones to it still names it: not if the person was
    /// forgotten, or if the records have expired.
    ///
    /// # Errors
    /// [`StoreError`] if the index or a row could not be read.
    pub async fn address_behind(&self, pseudonym: &EmailAddress) -> Result<Option<EmailAddress>, StoreError> {
        const LOOKED_AT: usize = 3;
        let hash = by_recipient::hash_of_pseudonym(pseudonym);
        let counts = |item: &Item| !by_recipient::is_forwarded(item);
        let ids = self
            .ids_of_partition(ListedIn::Index, hash, NewestFrom::Newest, LOOKED_AT, counts)
            .await?;
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let records = self.get_all(&ids).await?;
        let recipients = records.into_values().flat_map(|record| record.recipients);
        let mut addresses = recipients.filter_map(|recipient| EmailAddress::parse(&recipient.email).ok());
        Ok(addresses.find(|address| !address.is_pseudonym() && address.pseudonym() == *pseudonym))
    }

    /// Reads a page of the ids of the messages that were sent to `address`, and of those that were forwarded to it, by
    /// an event with our tag. Otherwise like [`sent_to`](Self::sent_to).
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub(super) async fn naming(
        &self,
        address: &EmailAddress,
        from: NewestFrom,
        limit: usize,
    ) -> Result<MessagesPage, StoreError> {
        self.of_recipient(address, from, limit, |_| true).await
    }

    async fn of_recipient(
        &self,
        address: &EmailAddress,
        from: NewestFrom,
        limit: usize,
        counts: impl Fn(&Item) -> bool,
    ) -> Result<MessagesPage, StoreError> {
        let hash = by_recipient::hash(address);
        let ids = self
            .ids_of_partition(ListedIn::Index, hash, from, limit, counts)
            .await?;
        Ok(page(ids, from, limit))
    }

    /// Reads the ids of a partition: the first ones in the direction of the page, one more than `limit`, of items that
    /// count.
    async fn ids_of_partition(
        &self,
        listed_in: ListedIn,
        partition: String,
        from: NewestFrom,
        limit: usize,
        counts: impl Fn(&Item) -> bool,
    ) -> Result<BTreeSet<Uuid>, StoreError> {
        let [partition_key, id_key] = listed_in.key();
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .scan_index_forward(matches!(from, NewestFrom::Before(_)))
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX))
            .expression_attribute_names("#partition", partition_key)
            .expression_attribute_values(":partition", s(partition));
        let query = match listed_in {
            ListedIn::Table => query
                .consistent_read(true)
                .projection_expression("#id")
                .expression_attribute_names("#id", id_key),
            ListedIn::Index => query.index_name("by-recipient"),
        };
        let bounded = |query: QueryFluentBuilder, comparison: &str, id: Uuid| {
            query
                .key_condition_expression(format!("#partition = :partition AND #id {comparison} :id"))
                .expression_attribute_names("#id", id_key)
                .expression_attribute_values(":id", s(id.to_string()))
        };
        let query = match from {
            NewestFrom::Newest => query.key_condition_expression("#partition = :partition"),
            NewestFrom::After(id) => bounded(query, "<", id),
            NewestFrom::Before(id) => bounded(query, ">", id),
        };
        let mut items = query.into_paginator().items().send();
        let mut found = BTreeSet::new();
        while found.len() <= limit
            && let Some(item) = items.next().await
        {
            let item = item.map_err(StoreError::of("Query"))?;
            found.extend(uuid_of(&item, id_key).filter(|_| counts(&item)));
        }
        Ok(found)
    }
}

/// Makes a page of the ids that were found, the nearest of each partition.
fn page(ids: BTreeSet<Uuid>, from: NewestFrom, limit: usize) -> MessagesPage {
    let has_more = ids.len() > limit;
    let ids = match from {
        NewestFrom::Newest | NewestFrom::After(_) => ids.into_iter().rev().take(limit).collect(),
        NewestFrom::Before(_) => {
            let mut nearest: Vec<Uuid> = ids.into_iter().take(limit).collect();
            nearest.reverse();
            nearest
        }
    };
    MessagesPage { ids, has_more }
}
