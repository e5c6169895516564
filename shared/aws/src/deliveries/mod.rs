//! The table Deliveries: one item for each event to each endpoint. It is the log of the attempts, the row that waits,
//! and the source of a replay.
//!
//! | key | holds |
//! |---|---|
//! | `shard` | `<endpoint id>#<0–7>`, chosen from the id of the event |
//! | `event` | the id of the event, which sorts by time |
//!
//! | attribute | holds |
//! |---|---|
//! | `kind`, `created_at` | the kind of the event, and when it happened (milliseconds) |
//! | `body` | the body of the request: JSON, the same at every attempt |
//! | `state` | `waiting`, `delivered` or `failed` |
//! | `state_at` | when the attempt or the replay began that set the state (milliseconds); 0 before the first attempt |
//! | `attempts` | a list of maps of `at`, `status`, `error`, `duration_ms` and `answer`, at most 20 |
//! | `count` | how many attempts were made in all |
//! | `tries` | how many attempts were made since the last replay: the place in the schedule of retries |
//! | `due_at` | when the next attempt is due (milliseconds), while the delivery waits for the sweep |
//! | `wake_at` | when the sweep looks at it next (milliseconds); sort key of the index `wake` |
//! | `wake_shard` | the id of the endpoint; hash key of the index `wake` |
//! | `expires_at` | when DynamoDB may delete the item (seconds): 14 days after it was written or replayed |
//!
//! **An older attempt never changes the outcome of a newer one.** Attempts overlap when SQS delivers a message twice.
//! An attempt that is older than `state_at` is added to the log alone, unless it succeeded. `delivered` stays until a
//! replay.

mod attempts;
mod item;
mod list;
mod rows;
mod wake;

use aws_sdk_dynamodb::Client;

use crate::dynamodb::item::{Item, s};
use domain::webhook::EventId;

pub use list::DeliveriesPage;
pub use wake::{DueDelivery, FailedWaiting};

/// How many partitions the deliveries to an endpoint are spread over. A partition takes 1,000 writes a second.
const SHARDS: u8 = 8;

/// The table Deliveries.
#[derive(Clone, Debug)]
pub struct Deliveries {
    client: Client,
    table: String,
}

impl Deliveries {
    /// The environment variable of a function that holds the name of the table.
    pub const TABLE_VARIABLE: &str = "DELIVERIES_TABLE";

    /// Works on `table`.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

/// The key of the delivery of an event to an endpoint.
fn key(endpoint: &str, event: &EventId) -> Item {
    let number = event
        .as_str()
        .bytes()
        .fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    Item::from([
        ("shard".to_owned(), s(shard_name(endpoint, number % SHARDS))),
        ("event".to_owned(), s(event.as_str())),
    ])
}

fn shard_name(endpoint: &str, number: u8) -> String {
    format!("{endpoint}#{number}")
}
