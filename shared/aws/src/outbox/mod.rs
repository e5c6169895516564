//! The table Outbox: the mails that wait, with their contents. Its index is the authority of the queue.
//!
//! | `id` | `part` | holds |
//! |---|---|---|
//! | our id | `entry` | the entry of a mail whose row is `queued`, or whose end is still to be tidied up |
//! | our id | `<nonce>#1`, `<nonce>#2`, … | a part of a content |
//!
//! The attributes of `entry`:
//!
//! | attribute | holds |
//! |---|---|
//! | `stream`, `key_id` | the stream that the mail is sent in, and the API key that it came with |
//! | `content_nonce`, `parts`, `size`, `encoding` | the parts of its content, their number, bytes and encoding |
//! | `deadline` | when the mail becomes `failed` (milliseconds) |
//! | `wake_at` | when the sweep looks at it next (milliseconds); sort key of the index `wake` |
//! | `wake_shard` | `<stream>#<0–3>`, chosen from the id; hash key of the index `wake` |
//! | `crashes` | how often a worker died with it |
//! | `expires_at` | when DynamoDB may delete the item (seconds); every part has it too |
//!
//! A part has its bytes in `content`, at most [`PART_SIZE`] of them.
//!
//! **The entry and the row of the message change together**, in one transaction, so the writes of acceptance,
//! cancelling and rescheduling are those of [`Messages`](crate::Messages). Parts are written first, under a nonce of
//! their own. Parts that no row names lapse.

mod content;
mod depth;
mod entries;
mod item;
mod parts;

use aws_sdk_dynamodb::Client;
use uuid::Uuid;

use crate::dynamodb::item::{Item, s};

pub use content::CONTENT_MAX;
pub use depth::{Counted, Wakes};
pub use entries::DueEntry;
pub use parts::{ContentError, StoredContent};

pub(crate) use item::{content_attributes, of as entry_item};
pub(crate) use parts::part_keys;

/// The sort key of an entry.
const ENTRY: &str = "entry";
/// The most bytes of content in one part. An item has at most 400 KB.
pub(crate) const PART_SIZE: usize = 350_000;

/// The table Outbox.
#[derive(Clone, Debug)]
pub struct Outbox {
    client: Client,
    table: String,
}

impl Outbox {
    /// The environment variable of a function that holds the name of the table.
    pub const TABLE_VARIABLE: &str = "OUTBOX_TABLE";

    /// Works on `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The name of the table, for a transaction over two tables.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }
}

/// The key of an item.
fn key(id: Uuid, part: impl Into<String>) -> Item {
    Item::from([("id".to_owned(), s(id.to_string())), ("part".to_owned(), s(part))])
}

/// The key of an entry.
pub(crate) fn entry_key(id: Uuid) -> Item {
    key(id, ENTRY)
}
