//! The list by age: the index `newest`, whose partitions are merged.

use std::collections::{HashMap, VecDeque};

use aws_sdk_dynamodb::types::AttributeValue;
use uuid::Uuid;

use super::entries::entry;
use super::{SHARDS, Suppressions};
use crate::StoreError;
use crate::dynamodb::item::{Item, names, s, uuid_of};
use crate::newest_from::NewestFrom as From;
use domain::suppression::SuppressionEntry;

/// How many entries of a partition are read at a time, after the first request.
const LARGE: i32 = 250;
/// The most entries that are looked at for one page. If few of them are kept, the page ends there, and the next one
/// goes on. Some more may be read, at most 250 of each partition.
pub const LOOKED_AT_MAX: usize = 4_000;

/// A page of the list, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewestPage {
    /// The entries.
    pub entries: Vec<SuppressionEntry>,
    /// The id at which the next page in this direction begins, if there may be more entries. It need not be that of an
    /// entry of this page, and this page may be empty.
    pub next: Option<Uuid>,
}

/// The entries of one partition that were read so far.
struct Partition {
    name: String,
    read: VecDeque<Item>,
    next: Option<HashMap<String, AttributeValue>>,
    ended: bool,
}

impl Suppressions {
    /// Reads at most `limit` entries that `keep` accepts, in the order of their ids, out of at most [`LOOKED_AT_MAX`].
    /// An entry of the last moments may be missing, because the index is eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`] if the index could not be read.
    pub async fn newest(
        &self,
        from: From,
        limit: usize,
        keep: impl Fn(&SuppressionEntry) -> bool,
    ) -> Result<NewestPage, StoreError> {
        let mut partitions: Vec<Partition> = (0..SHARDS)
            .map(|shard| Partition {
                name: format!("newest#{shard}"),
                read: VecDeque::new(),
                next: None,
                ended: false,
            })
            .collect();
        let mut page = NewestPage::default();
        // The id of the last entry that was looked at, and how many were.
        let (mut last, mut looked_at) = (None, 0);
        loop {
            for partition in &mut partitions {
                if partition.read.is_empty() && !partition.ended {
                    self.read_on(partition, from, limit).await?;
                }
            }
            if partitions
                .iter()
                .any(|partition| partition.read.is_empty() && !partition.ended)
            {
                // A page of the index may be empty although others follow.
                continue;
            }
            let first = partitions.iter_mut().filter(|partition| !partition.read.is_empty());
            let id = |partition: &&mut Partition| partition.read.front().map(|item| format!("{:?}", item.get("id")));
            let first = match from {
                From::Before(_) => first.min_by_key(id),
                From::Newest | From::After(_) => first.max_by_key(id),
            };
            let Some(first) = first else { break };
            if looked_at == LOOKED_AT_MAX {
                page.next = last;
                break;
            }
            let Some(item) = first.read.pop_front() else { break };
            looked_at += 1;
            let kept = entry(&item).filter(&keep);
            if kept.is_some() && page.entries.len() == limit {
                page.next = last;
                break;
            }
            page.entries.extend(kept);
            last = uuid_of(&item, "id").or(last);
        }
        if matches!(from, From::Before(_)) {
            page.entries.reverse();
        }
        Ok(page)
    }

    async fn read_on(&self, partition: &mut Partition, from: From, limit: usize) -> Result<(), StoreError> {
        // If the first request did not suffice, few entries are kept. Large requests are cheaper then.
        let size = match partition.next {
            None => i32::try_from(limit).unwrap_or(i32::MAX).saturating_add(1),
            Some(_) => LARGE,
        };
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("newest")
            .limit(size)
            .scan_index_forward(matches!(from, From::Before(_)))
            .set_exclusive_start_key(partition.next.take())
            .set_expression_attribute_names(names(["shard"]))
            .expression_attribute_values(":shard", s(&partition.name));
        let bounded = |condition: &str, id: Uuid| {
            query
                .clone()
                .key_condition_expression(format!("#shard = :shard AND #id {condition} :id"))
                .expression_attribute_names("#id", "id")
                .expression_attribute_values(":id", s(id.to_string()))
        };
        let query = match from {
            From::Newest => query.key_condition_expression("#shard = :shard"),
            From::After(id) => bounded("<", id),
            From::Before(id) => bounded(">", id),
        };
        let answer = query.send().await.map_err(StoreError::of("Query"))?;
        partition.read = answer.items.unwrap_or_default().into();
        partition.next = answer.last_evaluated_key;
        partition.ended = partition.next.is_none();
        Ok(())
    }
}
