//! The partitions of the table that hold the rows of messages.
//!
//! A row is not in the partition of its events: rows of one partition sort by their ids, which sort by time, so that
//! the table itself lists messages by age. An index would cost a write unit with every message. A partition takes
//! 1,000 write units a second, so rows are spread over several.

use uuid::Uuid;

use super::key;
use crate::dynamodb::item::{Item, text_of};

/// The beginning of the names of these partitions, and of no other.
pub(super) const ROWS: &str = "mail#";
/// How many there are. An id leads to its row by this number, so it may only change for ids from a time on.
const COUNT: u8 = 8;

/// The key of the row of a message. The last bits of an id are random, and the ids of a batch follow one another.
pub(super) fn row_key(id: Uuid) -> Item {
    key(name(id.as_bytes()[15] % COUNT), id.to_string())
}

/// The names of all of them.
pub(super) fn all() -> impl Iterator<Item = String> {
    (0..COUNT).map(name)
}

/// Returns whether an item is the row of a message.
pub(super) fn is_row(item: &Item) -> bool {
    text_of(item, "pk").is_some_and(|pk| pk.starts_with(ROWS))
}

fn name(number: u8) -> String {
    format!("{ROWS}{number}")
}
