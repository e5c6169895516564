//! The parts of a content: written before the mail is queued, and deleted after it has ended.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use uuid::Uuid;

use super::content::Undecoded;
use super::{Outbox, PART_SIZE, content, key};
use crate::StoreError;
use crate::dynamodb::batch;
use crate::dynamodb::item::{Item, names, s, text_of, ttl};
use domain::address::EmailAddress;
use domain::queue::{ContentEncoding, ContentRef, QueuedContent, WithoutAddress};

/// How many parts are read at a time. One answer has at most 16 MB.
const READ_AT_ONCE: usize = 25;

/// Why a content cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The table could not be read or written. It may work later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The content is larger than [`super::CONTENT_MAX`], or than the reader wants it.
    #[error("the content is too large")]
    TooLarge,
    /// A newer version of Okite wrote the content, and will read it.
    #[error("a newer version wrote the content")]
    Newer,
    /// A part is not there, or the parts together are no content. They never will be.
    #[error("the content is missing or cannot be read")]
    Missing,
}

/// A content as the table holds it, before it is inflated.
#[derive(Clone, Debug)]
pub struct StoredContent {
    bytes: Vec<u8>,
    encoding: ContentEncoding,
}

impl StoredContent {
    /// Inflates and reads the content, if it then has at most `most` bytes. Returns it with the number of these bytes.
    ///
    /// # Errors
    /// [`ContentError`] if it cannot be read: [`ContentError::TooLarge`] if it could be with a larger `most`.
    pub fn read(&self, most: usize) -> Result<(QueuedContent, usize), ContentError> {
        match self.encoding {
            ContentEncoding::DeflatedJson => content::decode(&self.bytes, most).map_err(|error| match error {
                Undecoded::TooLarge => ContentError::TooLarge,
                Undecoded::Newer => ContentError::Newer,
                Undecoded::Broken => ContentError::Missing,
            }),
        }
    }
}

impl Outbox {
    /// Writes a content under a new `nonce`, before the mail is queued. May be repeated.
    ///
    /// # Errors
    /// [`ContentError`] if it may not have been written whole. What was written lapses at `expires_at`.
    pub async fn put_content(
        &self,
        id: Uuid,
        nonce: Uuid,
        content: &QueuedContent,
        expires_at: Timestamp,
    ) -> Result<ContentRef, ContentError> {
        let bytes = content::encode(content).ok_or(ContentError::TooLarge)?;
        let parts: Vec<&[u8]> = bytes.chunks(PART_SIZE).collect();
        let content = ContentRef {
            nonce,
            parts: u32::try_from(parts.len()).map_err(|_| ContentError::TooLarge)?,
            size: bytes.len() as u64,
            encoding: ContentEncoding::DeflatedJson,
        };
        let item = |(mut item, bytes): (Item, &[u8])| {
            item.insert("content".to_owned(), AttributeValue::B(Blob::new(bytes)));
            item.insert("expires_at".to_owned(), ttl(expires_at));
            item
        };
        let items: Vec<Item> = part_keys(id, &content).zip(parts).map(item).collect();
        for items in items.chunks(batch::WRITE_MAX) {
            batch::put(&self.client, &self.table, items.to_vec()).await?;
        }
        Ok(content)
    }

    /// Reads a content, consistently.
    ///
    /// # Errors
    /// [`ContentError`] if it could not be read.
    pub async fn content(&self, id: Uuid, content: &ContentRef) -> Result<QueuedContent, ContentError> {
        let stored = self.stored_content(id, content).await?;
        stored.read(content::CONTENT_MAX).map(|(content, _)| content)
    }

    /// Reads the bytes of a content, consistently.
    ///
    /// # Errors
    /// [`ContentError`] if they could not be read, or are not all there.
    pub async fn stored_content(&self, id: Uuid, content: &ContentRef) -> Result<StoredContent, ContentError> {
        // An entry of ours never names so many.
        if content.parts > PARTS_MAX {
            return Err(ContentError::Missing);
        }
        let keys: Vec<Item> = part_keys(id, content).collect();
        let mut parts: HashMap<String, Vec<u8>> = HashMap::new();
        for keys in keys.chunks(READ_AT_ONCE) {
            for mut item in batch::get(&self.client, &self.table, keys.to_vec(), &["part", "content"]).await? {
                if let (Some(part), Some(AttributeValue::B(bytes))) =
                    (text_of(&item, "part").map(str::to_owned), item.remove("content"))
                {
                    parts.insert(part, bytes.into_inner());
                }
            }
        }
        let mut bytes = Vec::new();
        for key in &keys {
            let part = text_of(key, "part").and_then(|part| parts.remove(part));
            bytes.extend(part.ok_or(ContentError::Missing)?);
        }
        if bytes.len() as u64 != content.size {
            return Err(ContentError::Missing);
        }
        let encoding = content.encoding;
        Ok(StoredContent { bytes, encoding })
    }

    /// Deletes a content. May be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if a part may be left. The entry must stay then.
    pub async fn delete_content(&self, id: Uuid, content: &ContentRef) -> Result<(), StoreError> {
        let keys: Vec<Item> = part_keys(id, content).collect();
        for keys in keys.chunks(batch::WRITE_MAX) {
            batch::delete(&self.client, &self.table, keys.to_vec()).await?;
        }
        Ok(())
    }
}

impl Outbox {
    /// Deletes every content of a mail that has ended, whatever its nonce. May be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if a part may be left.
    pub(crate) async fn delete_every_content(&self, id: Uuid) -> Result<(), StoreError> {
        let parts = self.parts(id).await?;
        self.delete_parts(id, parts.keys()).await
    }

    /// Deletes the contents of a mail other than `current` that name an address. They are left over: somebody replaced
    /// them and could not delete them. Another content may be about to replace the current one, but it was made from
    /// the current one, so it names nobody that the current one does not name.
    ///
    /// Returns the parts of those that cannot be read. Such a one is left over too, or somebody writes it just now.
    /// They may be deleted once it can replace the current content no more.
    ///
    /// # Errors
    /// [`StoreError`] if a part may be left.
    pub(crate) async fn delete_left_over(
        &self,
        id: Uuid,
        current: Uuid,
        address: &EmailAddress,
    ) -> Result<Vec<String>, StoreError> {
        let is_current = |part: &str| part.starts_with(&format!("{current}#"));
        let mut contents: BTreeMap<String, Vec<(u32, Vec<u8>)>> = BTreeMap::new();
        for (part, bytes) in self.parts(id).await?.into_iter().filter(|(part, _)| !is_current(part)) {
            let (nonce, number) = part.rsplit_once('#').unwrap_or((&part, ""));
            let number = number.parse().unwrap_or(0);
            contents.entry(nonce.to_owned()).or_default().push((number, bytes));
        }
        let mut unreadable = Vec::new();
        for (nonce, mut parts) in contents {
            parts.sort_by_key(|(number, _)| *number);
            let bytes: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes).copied().collect();
            let parts = parts.iter().map(|(number, _)| format!("{nonce}#{number}"));
            match content::decode(&bytes, content::CONTENT_MAX) {
                Ok((content, _)) if matches!(content.without(address), WithoutAddress::Unnamed) => {}
                Ok(_) => {
                    let parts: Vec<String> = parts.collect();
                    self.delete_parts(id, parts.iter()).await?;
                }
                // It may be the one that is about to replace the current one.
                Err(content::Undecoded::Newer) => {}
                Err(_) => unreadable.extend(parts),
            }
        }
        Ok(unreadable)
    }

    /// Reads all parts of all contents of a mail, consistently, by their sort keys.
    async fn parts(&self, id: Uuid) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let mut items = query
            .key_condition_expression("#id = :id")
            .set_expression_attribute_names(names(["id"]))
            .expression_attribute_values(":id", s(id.to_string()))
            .into_paginator()
            .items()
            .send();
        let mut parts = BTreeMap::new();
        while let Some(item) = items.next().await {
            let mut item = item.map_err(StoreError::of("Query"))?;
            if let (Some(part), Some(AttributeValue::B(bytes))) =
                (text_of(&item, "part").map(str::to_owned), item.remove("content"))
            {
                parts.insert(part, bytes.into_inner());
            }
        }
        Ok(parts)
    }

    /// Deletes parts by their sort keys. May be repeated.
    ///
    /// # Errors
    /// [`StoreError`] if a part may be left.
    pub(crate) async fn delete_parts(&self, id: Uuid, parts: impl Iterator<Item = &String>) -> Result<(), StoreError> {
        let keys: Vec<Item> = parts.map(|part| key(id, part)).collect();
        for keys in keys.chunks(batch::WRITE_MAX) {
            batch::delete(&self.client, &self.table, keys.to_vec()).await?;
        }
        Ok(())
    }
}

/// The most parts of a content. Bytes that do not deflate grow by a fraction of a percent.
const PARTS_MAX: u32 = 100;
const _: () = assert!(PARTS_MAX as usize * PART_SIZE > content::CONTENT_MAX + content::CONTENT_MAX / 100);

/// The keys of the parts of a content, in their order, and no more than a content has.
pub(crate) fn part_keys(id: Uuid, content: &ContentRef) -> impl Iterator<Item = Item> + use<> {
    let nonce = content.nonce;
    (1..=content.parts.min(PARTS_MAX)).map(move |number| key(id, format!("{nonce}#{number}")))
}
