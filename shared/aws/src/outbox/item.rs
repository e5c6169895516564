//! The entry as DynamoDB holds it; [`super`] lists its attributes.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{ENTRY, entry_key};
use crate::dynamodb::item::{Item, n, number_of, s, text_of, time, time_of, ttl, uuid_of};
use domain::queue::{ContentEncoding, ContentRef, OutboxEntry, wake_shard};
use domain::stream::Stream;
use jiff::Timestamp;

/// Makes the item of an entry.
pub(crate) fn of(entry: &OutboxEntry) -> Item {
    let mut item = entry_key(entry.id);
    let attributes = [
        ("stream", s(entry.stream.as_str())),
        ("key_id", s(&entry.key_id)),
        ("deadline", time(entry.deadline)),
        ("wake_at", time(entry.wake_at)),
        ("wake_shard", s(wake_shard(entry.stream, entry.id))),
        ("crashes", n(entry.crashes.into())),
        ("expires_at", ttl(entry.expires_at)),
    ];
    let attributes = attributes.into_iter().chain(content_attributes(&entry.content));
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    item
}

/// The attributes that say which parts are the content.
pub(crate) fn content_attributes(content: &ContentRef) -> [(&'static str, AttributeValue); 4] {
    [
        ("content_nonce", s(content.nonce.to_string())),
        ("parts", n(content.parts.into())),
        ("size", n(i64::try_from(content.size).unwrap_or(i64::MAX))),
        ("encoding", s(content.encoding.as_str())),
    ]
}

/// Reads the item of an entry.
pub(super) fn read(item: &Item) -> Option<OutboxEntry> {
    if text_of(item, "part")? != ENTRY {
        return None;
    }
    let count = |name| u32::try_from(number_of(item, name)?).ok();
    Some(OutboxEntry {
        id: uuid_of(item, "id")?,
        stream: Stream::parse(text_of(item, "stream")?)?,
        key_id: text_of(item, "key_id")?.to_owned(),
        content: ContentRef {
            nonce: uuid_of(item, "content_nonce")?,
            parts: count("parts")?,
            size: u64::try_from(number_of(item, "size")?).ok()?,
            encoding: ContentEncoding::parse(text_of(item, "encoding")?)?,
        },
        deadline: time_of(item, "deadline")?,
        wake_at: time_of(item, "wake_at")?,
        crashes: count("crashes")?,
        expires_at: Timestamp::from_second(number_of(item, "expires_at")?).ok()?,
    })
}
